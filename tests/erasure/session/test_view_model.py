"""The texts and values of the session page for a given state."""

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
from tests.erasure.session.session_states import a_memory, a_state, memories_in_a_row


def test_the_name_of_a_memory_has_its_state_and_no_title_once_destroyed() -> None:
    assert accessible_name(a_memory(143)) == "Memory 143, Title 143, 3 February 2003, waiting"
    assert accessible_name(a_memory(143, "destroyed")) == "Memory 143, destroyed"
    # A destroyed memory is not named even if its title is still in the data.
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
def test_the_sentence_about_what_is_left_depends_on_the_count(count: int, sentence: str) -> None:
    assert left_sentence(count) == sentence


def test_the_end_is_described_in_numbers() -> None:
    assert after_sentence({"destroyed": 40, "protected": 2}) == "40 memories destroyed, 2 protected."
    assert after_sentence({"destroyed": 1, "protected": 0}) == "1 memory destroyed."


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [(0, "0 min 00 s"), (161, "2 min 41 s"), (3599, "59 min 59 s"), (9660, "2 h 41 min")],
)
def test_elapsed_time_is_in_minutes_and_seconds_or_in_hours(seconds: int, expected: str) -> None:
    assert elapsed(seconds) == expected


@pytest.mark.parametrize(
    ("seconds", "expected"),
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
def test_remaining_time_is_rounded(seconds: int | None, expected: str) -> None:
    assert remaining(seconds) == expected


def a_line(seq: int, kind: str, n: int | None = None) -> dict[str, object]:
    return {"seq": seq, "at": "2004-02-13T22:41:07+00:00", "kind": kind, "n": n, "text": f"{kind} {seq}"}


def test_a_fade_has_one_line_in_the_log_newest_first() -> None:
    log = [a_line(seq, "pass", 9) for seq in (1, 2)]
    log += [a_line(3, "destroyed", 9), a_line(4, "pass", 8), a_line(5, "paused"), a_line(6, "pass", 8)]
    log += [a_line(7, "pass", 8), a_line(8, "pass", 7)]
    assert [line["seq"] for line in log_lines(log)] == [8, 7, 5, 4, 3, 2]


def test_the_panel_shows_the_current_memory() -> None:
    memories = memories_in_a_row(["waiting", "waiting", "destroyed"])
    memories[1] |= {"state": "fading", "level": 5}
    view = session_view(a_state(memories, current=2))
    assert view.shown is not None
    assert (view.shown["n"], view.chosen, view.passes) == (2, False, [True] * 5 + [False] * 8)
    assert view.now == pytest.approx(50.0)
    assert [item["n"] for item in view.prints] == [1, 2, 3]


def test_the_panel_shows_a_chosen_memory_unless_it_is_destroyed() -> None:
    memories = memories_in_a_row(["waiting", "fading", "destroyed"])
    present = a_state(memories, current=2)
    view = session_view(present, "id-1")
    assert view.shown is not None
    assert (view.shown["n"], view.chosen) == (1, True)
    for not_shown in ("id-3", "id-99", ""):
        shown = session_view(present, not_shown).shown
        assert shown is not None
        assert shown["n"] == 2


def test_a_copy_off_the_map_is_shown_with_its_childhood_memory() -> None:
    child = a_memory(None, id="child", zone="childhood", title="The bird", x=None, y=None)
    memories = [*memories_in_a_row(["waiting", "held"]), child]
    alarm = {"id": "h", "kind": "off-map", "n": 2, "copy_n": None, "copy": "child", "decided": False}
    view = session_view(a_state(memories, state="held", alarms=[alarm]))
    assert (view.word, view.mark, view.kind) == ("Off the map", "alarm", "alarm")
    assert view.alarms[0]["copy_of"]["title"] == "The bird"
    assert view.alarms[0]["target"]["n"] == 2
    assert [item["name"] for item in view.childhood] == [
        "Childhood memory, The bird, 3 February 2003, not on the map"
    ]
    # The held memory is shown in the panel; its picture is not on the stage.
    assert view.shown is not None
    assert view.shown["n"] == 2


def test_alarm_kinds_say_which_alarms_there_are_and_whether_they_ask() -> None:
    copy = {"id": "h", "kind": "off-map", "n": 1, "copy_n": None, "copy": "child", "decided": False}
    call = {"id": "c", "kind": "doctor", "n": None, "copy_n": None, "decided": False}
    page = a_state(memories_in_a_row(["held"]), alarms=[copy])
    assert alarm_kinds({**page, "alarms": []}) == ""
    assert alarm_kinds({**page, "controls": {}}) == "off-map"
    assert alarm_kinds({**page, "controls": {"decide": "/decide/"}}) == "off-map asking"
    both = {**page, "alarms": [copy, call], "controls": {"acknowledge": "/coming/"}}
    assert alarm_kinds(both) == "off-map doctor several asking"
    many = {**both, "alarms": [copy, copy, call]}
    assert alarm_kinds(many) == "off-map off-map doctor several many asking"


def test_a_pause_says_who_paused_and_since_when() -> None:
    at = "2004-02-14T03:41:00+00:00"
    present = a_state(memories_in_a_row(["waiting"]), state="paused", paused_by="Stan F.", paused_at=at)
    assert session_view(present).paused_by == "Held by Stan F. since 22:41"


def test_the_age_of_a_print_grows_with_its_distance_from_the_shore() -> None:
    view = session_view(a_state(memories_in_a_row(["waiting", *["destroyed"] * 6])))
    assert [item["age"] for item in view.prints] == [0, 0, 0, 1, 1, 2, 2]


def test_viewers_without_names_get_no_titles() -> None:
    nameless = [
        item | {"title": None, "date": None, "picture": None}
        for item in memories_in_a_row(["waiting", "fading"])
    ]
    view = session_view(a_state(nameless, patient=None, subject=None, current=2))
    assert [item["name"] for item in view.prints] == ["Memory 1, waiting", "Memory 2, fading"]


def test_states_with_one_memory_and_with_none() -> None:
    assert session_view(a_state([])).prints == []
    assert session_view(a_state(memories_in_a_row(["waiting"]))).bars[0].n == 1


def test_texts_of_the_scripts_are_in_the_language_of_the_page() -> None:
    with translation.override("vi"):
        assert words()["lang"] == "vi"
    # The scripts can fill only placeholders of the form %(name)s.
    assert all("%(" not in text or ")s" in text for text in words().values() if isinstance(text, str))
