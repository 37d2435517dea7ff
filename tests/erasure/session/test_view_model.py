"""What the session's page says of a present."""

import pytest
from django.utils import translation

from erasure.session.view_model import (
    accessible_name,
    after_sentence,
    alarm_kinds,
    elapsed,
    left_sentence,
    log_lines,
    remaining,
    session_view,
    words,
)
from tests.erasure.session.presents import a_memory, a_present, a_row


def test_a_memory_is_named_with_its_fate_and_its_title_goes_with_it() -> None:
    assert accessible_name(a_memory(143)) == "Memory 143, Title 143, 3 February 2003, waiting"
    assert accessible_name(a_memory(143, "destroyed")) == "Memory 143, destroyed"
    # Even if somebody left the title in: what is gone is not named.
    assert accessible_name(a_memory(143, "destroyed", title="Tangerine")) == "Memory 143, destroyed"
    child = a_memory(None, zone="childhood", title="The bird", date="about 1979")
    assert accessible_name(child) == "Childhood memory, The bird, about 1979, not on the map"


@pytest.mark.parametrize(
    ("count", "sentence"),
    [
        (0, "Nothing left."),
        (1, "Nothing left but this one."),
        (2, "Nothing left but these two."),
        (12, "Nothing left but these 12."),
    ],
)
def test_what_is_left_is_worded_by_count(count: int, sentence: str) -> None:
    assert left_sentence(count) == sentence


def test_the_end_is_told_in_figures() -> None:
    assert after_sentence({"destroyed": 40, "protected": 2}) == "40 memories destroyed, 2 protected."
    assert after_sentence({"destroyed": 1, "protected": 0}) == "1 memory destroyed."


@pytest.mark.parametrize(
    ("seconds", "said"), [(0, "0 min 00 s"), (161, "2 min 41 s"), (3599, "59 min 59 s"), (9660, "2 h 41 min")]
)
def test_elapsed_time(seconds: int, said: str) -> None:
    assert elapsed(seconds) == said


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (None, ""),
        (0, "under a minute"),
        (59, "under a minute"),
        (240, "≈ 4 min"),
        (3569, "≈ 59 min"),
        (10080, "≈ 2 h 50 min"),
        (7199, "≈ 2 h 00 min"),
    ],
)
def test_remaining_time_is_no_finer_than_anyone_can_know(seconds: int | None, said: str) -> None:
    assert remaining(seconds) == said


def a_line(seq: int, kind: str, n: int | None = None) -> dict[str, object]:
    return {"seq": seq, "at": "2004-02-13T22:41:07+00:00", "kind": kind, "n": n, "text": f"{kind} {seq}"}


def test_a_fade_has_one_line_in_the_log_newest_first() -> None:
    log = [a_line(seq, "pass", 9) for seq in (1, 2)]
    log += [a_line(3, "destroyed", 9), a_line(4, "pass", 8), a_line(5, "paused"), a_line(6, "pass", 8)]
    log += [a_line(7, "pass", 8), a_line(8, "pass", 7)]
    assert [line["seq"] for line in log_lines(log)] == [8, 7, 5, 4, 3, 2]


def test_the_panel_tells_of_the_memory_at_work() -> None:
    memories = a_row(["waiting", "waiting", "destroyed"])
    memories[1] |= {"state": "fading", "level": 5}
    view = session_view(a_present(memories, current=2))
    assert view.shown is not None
    assert (view.shown["n"], view.chosen, view.passes) == (2, False, [True] * 5 + [False] * 8)
    assert view.now == pytest.approx(50.0)
    assert [item["n"] for item in view.prints] == [1, 2, 3]


def test_the_panel_tells_of_a_memory_somebody_asked_for_unless_it_is_gone() -> None:
    memories = a_row(["waiting", "fading", "destroyed"])
    present = a_present(memories, current=2)
    asked = session_view(present, "id-1")
    assert asked.shown is not None
    assert (asked.shown["n"], asked.chosen) == (1, True)
    for nobody in ("id-3", "id-99", ""):
        shown = session_view(present, nobody).shown
        assert shown is not None
        assert shown["n"] == 2


def test_a_copy_off_the_map_is_told_with_the_childhood_it_lies_in() -> None:
    child = a_memory(None, id="child", zone="childhood", title="The bird", x=None, y=None)
    memories = [*a_row(["waiting", "held"]), child]
    alarm = {"id": "h", "kind": "off-map", "n": 2, "copy_n": None, "copy": "child", "decided": False}
    view = session_view(a_present(memories, state="held", alarms=[alarm]))
    assert (view.word, view.mark, view.kind) == ("Off the map", "alarm", "alarm")
    assert view.alarms[0]["copy_of"]["title"] == "The bird"
    assert view.alarms[0]["target"]["n"] == 2
    assert [item["name"] for item in view.childhood] == [
        "Childhood memory, The bird, 3 February 2003, not on the map"
    ]
    # What everyone waits for is told of; its picture is not on the stage.
    assert view.shown is not None
    assert view.shown["n"] == 2


def test_the_sheet_knows_what_kinds_of_alarms_there_are_and_whether_they_ask() -> None:
    copy = {"id": "h", "kind": "off-map", "n": 1, "copy_n": None, "copy": "child", "decided": False}
    call = {"id": "c", "kind": "doctor", "n": None, "copy_n": None, "decided": False}
    page = a_present(a_row(["held"]), alarms=[copy])
    assert alarm_kinds({**page, "alarms": []}) == ""
    assert alarm_kinds({**page, "controls": {}}) == "off-map"
    assert alarm_kinds({**page, "controls": {"decide": "/decide/"}}) == "off-map asking"
    both = {**page, "alarms": [copy, call], "controls": {"acknowledge": "/coming/"}}
    assert alarm_kinds(both) == "off-map doctor several asking"
    many = {**both, "alarms": [copy, copy, call]}
    assert alarm_kinds(many) == "off-map off-map doctor several many asking"


def test_a_pause_says_by_whom_and_since_when() -> None:
    at = "2004-02-14T03:41:00+00:00"
    present = a_present(a_row(["waiting"]), state="paused", paused_by="Stan F.", paused_at=at)
    assert session_view(present).paused_by == "Held by Stan F. since 22:41"


def test_corners_age_from_the_shore_inland() -> None:
    view = session_view(a_present(a_row(["waiting", *["destroyed"] * 6])))
    assert [item["age"] for item in view.prints] == [0, 0, 0, 1, 1, 2, 2]


def test_without_names_nothing_is_named() -> None:
    blind = [item | {"title": None, "date": None, "picture": None} for item in a_row(["waiting", "fading"])]
    view = session_view(a_present(blind, patient=None, subject=None, current=2))
    assert [item["name"] for item in view.prints] == ["Memory 1, waiting", "Memory 2, fading"]


def test_a_present_of_one_memory_and_of_none() -> None:
    assert session_view(a_present([])).prints == []
    assert session_view(a_present(a_row(["waiting"]))).bars[0].n == 1


def test_the_scripts_words_come_in_the_language_of_the_page() -> None:
    with translation.override("vi"):
        assert words()["lang"] == "vi"
    # Placeholders of the scripts are all of one kind, which they know to fill.
    assert all("%(" not in text or ")s" in text for text in words().values() if isinstance(text, str))
