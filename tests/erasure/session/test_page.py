"""The session page as the server renders it, in every state of a run. It is complete without a script."""

import json
import re
from collections.abc import Callable
from html import unescape
from typing import Any

import pytest
from django.conf import LazySettings
from django.template.loader import render_to_string
from django.test import RequestFactory
from django.utils import translation

from erasure.session.forms import AbortForm
from tests.erasure.session.session_states import a_memory, a_state
from tests.templates.markup import Page

Render = Callable[..., "RenderedPage"]
CHILD: dict[str, Any] = {
    "zone": "childhood",
    "title": "The bird",
    "date": "about 1979",
    "x": None,
    "y": None,
    "w": None,
    "h": None,
}


def a_line(seq: int, kind: str, n: int | None, text: str) -> dict[str, Any]:
    return {"seq": seq, "at": f"2004-02-13T22:41:{seq:02d}-05:00", "kind": kind, "n": n, "text": text}


class RenderedPage(Page):
    """A rendered page. html: its source. visible_text: its visible text in one string."""

    def __init__(self, html: str) -> None:
        super().__init__(html)
        self.html = html
        self.visible_text = " ".join(self.text)

    def handle_data(self, data: str) -> None:
        if self.open[-1:] != ["script"]:
            super().handle_data(data)

    def memory_classes(self) -> dict[str, str]:
        """The CSS classes of each memory's button, by its accessible name."""
        return {e.attributes["aria-label"]: e.attributes["class"] for e in self.all("button", name_="memory")}

    def data(self, name: str) -> Any:
        found = re.search(rf'<script id="{name}" type="application/json">(.*?)</script>', self.html, re.S)
        assert found
        return json.loads(found[1])


@pytest.fixture
def page(settings: LazySettings) -> Render:
    settings.ROOT_URLCONF = "tests.templates.urls"
    settings.TIME_ZONE = "America/New_York"

    def render(present: dict[str, Any], lang: str = "en", query: str = "", **context: Any) -> RenderedPage:
        request = RequestFactory().get(f"/sessions/{present['run']}/{query}")
        template_context = {"present": present, "request": request, "csrf_token": "t0ken", **context}
        if not context.get("wall"):
            template_context |= {"abort_form": AbortForm()}
        with translation.override(lang):
            return RenderedPage(render_to_string("erasure/session/session.html", template_context))

    return render


def half_done(**fields: Any) -> dict[str, Any]:
    memories = [
        a_memory(None, **CHILD),
        a_memory(1),
        a_memory(2, "fading", level=5, bits=218453, chapter=0),
        a_memory(3, "protected"),
        a_memory(4, "destroyed"),
    ]
    return a_state(memories, current=2, **fields)


def held_state(**fields: Any) -> dict[str, Any]:
    alarm = {"id": "hold-1", "kind": "off-map", "n": 2, "copy_n": None, "copy": "id-None", "decided": False}
    memories = [a_memory(None, **CHILD), a_memory(1), a_memory(2, "held", level=4)]
    return a_state(memories, state="held", alarms=[alarm | {"may_extend": True} | fields])


def ended_state(state: str, first: str = "waiting", **fields: Any) -> dict[str, Any]:
    return a_state([a_memory(1, first), a_memory(2, "destroyed")], state=state, **fields)


@pytest.mark.parametrize("lang", ["en", "vi"])
@pytest.mark.parametrize(
    "present",
    [
        pytest.param(a_state([a_memory(1), a_memory(2)]), id="start"),
        pytest.param(half_done(), id="half"),
        pytest.param(half_done(state="paused", why="abort"), id="paused"),
        pytest.param(held_state(), id="held"),
        pytest.param(ended_state("aborting"), id="aborting"),
        pytest.param(ended_state("aborted", outcome="stopped"), id="aborted"),
        pytest.param(ended_state("finished", "protected"), id="finished"),
        pytest.param(a_state([]), id="nothing"),
    ],
)
def test_every_state_is_well_formed_and_has_no_inline_script_or_style(
    page: Render, present: Any, lang: str
) -> None:
    seen = page(present, lang)
    assert len(seen.ids) == len(set(seen.ids))
    assert [e for e in seen.elements if any(a == "style" or a.startswith("on") for a in e.attributes)] == []
    assert [e for e in seen.all("script") if not ({"src", "id"} & e.attributes.keys())] == []
    assert seen.data("present") == json.loads(json.dumps(present))
    assert seen.one("div", id="session").attributes["data-state"] == present["state"]


def test_without_a_script_the_page_reloads_itself(page: Render) -> None:
    refresh = page(half_done()).one("meta", http_equiv="refresh")
    assert refresh.attributes["content"] == "15"
    assert "noscript" in refresh.ancestors


def test_memories_are_buttons_in_the_order_of_time(page: Render) -> None:
    seen = page(half_done())
    assert list(seen.memory_classes()) == [
        "Memory 1, Title 1, 3 February 2003, waiting",
        "Memory 2, Title 2, 3 February 2003, fading",
        "Memory 3, Title 3, 3 February 2003, protected",
        "Memory 4, destroyed",
        "Childhood memory, The bird, about 1979, not on the map",
    ]


def test_a_destroyed_memory_has_neither_title_nor_picture(page: Render) -> None:
    present = half_done()
    seen = page(present)
    shown = {e.attributes["src"] for e in seen.all("img")}
    assert shown == {item["picture"] for item in present["memories"] if item["picture"]}
    assert "is-destroyed" in seen.memory_classes()["Memory 4, destroyed"]
    assert [e.attributes["data-n"] for e in seen.all("button", aria_disabled="true")] == ["4"]


def test_the_current_memory_is_shown_on_the_stage_and_not_on_the_map(page: Render) -> None:
    present = half_done()
    seen = page(present)
    current_picture = present["memories"][2]["picture"]
    assert "is-current" in seen.memory_classes()["Memory 2, Title 2, 3 February 2003, fading"]
    assert [e.attributes["alt"] for e in seen.all("img", src=current_picture)] == [""]
    assert "What is left of memory 2" in seen.visible_text
    assert "[2] Title 2 3 February 2003 I Green Revolution" in seen.visible_text


def test_the_page_shows_how_many_bits_and_passes_are_left(page: Render) -> None:
    seen = page(half_done())
    assert "at most 218,453 bits" in seen.visible_text
    assert "pass 5 of 13" in seen.visible_text
    assert len([e for e in seen.all("li") if e.attributes.get("class") == "is-done"]) == 5
    assert "%" not in seen.visible_text


def test_counts_and_times_are_shown(page: Render) -> None:
    seen = page(half_done())
    assert "2 on the map 1 destroyed 1 protected 0 off the map" in seen.visible_text
    assert "2 min 41 s elapsed" in seen.visible_text
    assert "Remaining ≈ 2 h 50 min" in seen.visible_text


def test_every_control_is_a_form_with_its_token(page: Render) -> None:
    seen = page(half_done())
    posts = [e.attributes["action"].split("/")[-2] for e in seen.all("form", method="post")]
    assert set(posts) - {"setlang", "logout"} == {
        "pause", "resume", "protect", "doctor", "abort", "abort_finish", "safe_word",
    }  # fmt: skip
    tokens = [e for e in seen.all("input", name_="csrfmiddlewaretoken") if e.attributes["value"] == "t0ken"]
    assert len(tokens) == len(posts)
    assert seen.one("input", name_="memory").attributes["value"] == "id-2"


def test_only_controls_with_an_address_are_shown(page: Render) -> None:
    present = half_done()
    present["controls"] = dict.fromkeys(half_done()["controls"]) | {"pause": "/p/", "doctor": "/d/"}
    seen = page(present)
    assert {e.attributes["action"] for e in seen.all("form", method="post")} == {"/p/", "/d/"}
    assert seen.all("dialog") == []


def test_a_copy_off_the_map_asks_the_doctor(page: Render) -> None:
    seen = page(held_state())
    assert "Off the map" in seen.visible_text
    assert "[2] is hidden off the map Its likeness was found in “The bird”" in seen.visible_text
    assert seen.one("div", role="alert", data_alarm="off-map")
    link = seen.one("a", href="/run/decide/?hold=hold-1").attributes
    assert (link["hx-get"], link["hx-target"]) == ("/run/decide/?hold=hold-1", "#sheet")


def test_the_copy_is_marked_where_it_lies(page: Render) -> None:
    marked = [
        name for name, classes in page(held_state()).memory_classes().items() if "is-copy" in classes.split()
    ]
    assert marked == ["Childhood memory, The bird, about 1979, not on the map"]


def test_new_log_lines_have_a_polite_live_region(page: Render) -> None:
    region = page(half_done()).one("p", id="said").attributes
    assert (region["role"], region["aria-live"]) == ("log", "polite")


def test_the_last_sentence_does_not_cover_a_protected_memory(page: Render) -> None:
    def at(y: float) -> str:
        kept = a_memory(1, "protected", x=0.5, y=y)
        seen = page(a_state([kept, a_memory(2, "destroyed")], state="finished"))
        return seen.one("div", id="nothing").attributes["class"]

    assert (at(0.2), at(0.42)) == ("nothing nothing--0", "nothing nothing--1")


def test_a_held_memory_is_shown_in_the_panel_with_an_empty_stage(page: Render) -> None:
    present = held_state()
    seen = page(present)
    assert "[2] Title 2" in seen.visible_text
    assert "held for the doctor" in seen.visible_text
    assert [e.attributes["alt"] for e in seen.all("img", src=present["memories"][2]["picture"])] == [""]


def test_people_who_may_not_decide_see_the_alarm_without_its_link(page: Render) -> None:
    present = held_state()
    present["controls"]["decide"] = None
    seen = page(present)
    assert seen.one("div", role="alert", data_alarm="off-map")
    assert [e for e in seen.all("a") if "decide" in e.attributes.get("href", "")] == []


def test_a_paused_run_says_who_paused_it_and_what_can_be_protected(page: Render) -> None:
    seen = page(half_done(state="paused", paused_by="Stan F.", paused_at="2004-02-13T22:41:00-05:00"))
    assert "Held by Stan F. since 22:41" in seen.visible_text
    assert "Paused after pass 5 of 13 at 22:41:00" in seen.visible_text
    assert "[2] can still be protected, as it is now." in seen.visible_text
    assert "hidden" not in seen.one("div", id="held").attributes


@pytest.mark.parametrize("may_lift", [True, False])
def test_a_safe_word_says_who_may_lift_it(page: Render, may_lift: bool) -> None:
    alarm = {
        "id": "1",
        "kind": "safe-word",
        "n": None,
        "since": "2004-02-13T22:41:00-05:00",
        "who": "Joel B.",
    }
    present = half_done(state="paused", why="safe-word", alarms=[alarm])
    present["controls"] |= {"resume": None, "lift": "/run/lift/" if may_lift else None}
    seen = page(present)
    assert "The safe word was said Pressed by Joel B. at 22:41:00." in seen.visible_text
    assert [e for e in seen.all("form") if e.attributes.get("data-control") == "resume"] == []
    links = [e.attributes["hx-get"] for e in seen.all("a", href="/run/lift/")]
    assert links == (["/run/lift/"] if may_lift else [])
    assert ("Only a doctor lets the night go on" in seen.visible_text) != may_lift


def test_resuming_a_patients_pause_asks_whether_they_agree(page: Render) -> None:
    seen = page(half_done(state="paused", why="patient"))
    resume = next(e for e in seen.all("form") if e.attributes.get("data-control") == "resume")
    assert resume.attributes["data-asks"] == "patient"
    assert "required" in seen.one("input", name_="patient_agrees").attributes
    assert "data-asks" not in page(half_done(state="paused", why="staff")).html


def test_an_abort_without_a_script_continues_in_an_open_dialog(page: Render) -> None:
    assert "open" not in page(half_done()).one("dialog", id="ending").attributes
    assert (
        "open"
        in page(half_done(state="paused", why="safe-word"), ending=True).one("dialog", id="ending").attributes
    )
    begun = page(half_done(state="paused", why="abort"))
    assert "open" in begun.one("dialog", id="ending").attributes
    assert begun.one("select", name_="reason", id="id_reason")


def test_between_two_memories_the_panel_shows_the_last_one(page: Render) -> None:
    present = a_state([a_memory(1), a_memory(2, "destroyed"), a_memory(3, "destroyed")])
    present["log"] = [
        a_line(5, "destroyed", 2, "Memory 2 is gone."),
        a_line(2, "destroyed", 3, "Memory 3 is gone."),
    ]
    seen = page(present)
    about = seen.html[seen.html.index('id="about"') :]
    assert "[2]" in unescape(about[: about.index("</h2>")])
    assert "at most 0 bits" in seen.visible_text


@pytest.mark.parametrize(
    ("kept", "words"),
    [
        (0, "Nothing left."),
        (1, "Nothing left but this one."),
        (2, "Nothing left but these two."),
        (5, "Nothing left but these five."),
        (12, "Nothing left but these 12."),
    ],
)
def test_the_last_sentence_depends_on_the_number_of_kept_memories(
    page: Render, kept: int, words: str
) -> None:
    protected = [a_memory(n, "protected") for n in range(1, kept + 1)]
    seen = page(
        a_state(
            [*protected, a_memory(kept + 1, "destroyed")], state="finished", certificate_url="/certificate/"
        )
    )
    assert words in seen.visible_text
    assert "Good morning." in seen.visible_text
    assert "Open the certificate" in seen.visible_text
    assert seen.one("a", href="/certificate/")
    assert "hidden" not in seen.one("div", id="nothing").attributes
    assert [e for e in seen.all("form", method="post") if e.attributes.get("data-control")] == []


def test_the_wall_has_no_names_and_no_controls(page: Render) -> None:
    present = half_done(
        patient=None, subject=None, chapters=[], controls=dict.fromkeys(half_done()["controls"])
    )
    for item in present["memories"]:
        item.update(title=None, date=None, picture=None)
    seen = page(present, wall=True)
    assert "data-wall" in seen.one("div", id="session").attributes
    assert {e.attributes.get("data-control") for e in seen.all("form")} == {None}
    assert seen.all("img") == []
    assert not re.search("Barish|Clementine|Title 1|The bird", seen.html)
    assert seen.all("nav") == []


def test_a_memory_can_be_chosen_without_a_script(page: Render) -> None:
    seen = page(half_done(), query="?memory=id-1")
    assert "[1] Title 1" in seen.visible_text
    assert seen.one("input", name_="memory").attributes["value"] == "id-1"
    assert "Back to the memory at work" in seen.visible_text


def test_a_destroyed_memory_cannot_be_chosen(page: Render) -> None:
    assert "[2] Title 2" in page(half_done(), query="?memory=id-4").visible_text


def test_the_log_shows_the_newest_first_and_one_line_for_a_fade(page: Render) -> None:
    present = half_done()
    present["log"] = [
        a_line(1, "memory-started", 2, "Memory 2 begins to fade."),
        a_line(2, "pass", 2, "Memory 2 fades: pass 1 of 13."),
        a_line(3, "pass", 2, "Memory 2 fades: pass 2 of 13."),
    ]
    seen = page(present)
    assert [e.attributes["data-seq"] for e in seen.all("li") if "data-seq" in e.attributes] == ["3", "1"]
    assert "22:41:03 Memory 2 fades: pass 2 of 13. 22:41:01 Memory 2 begins to fade." in seen.visible_text


def test_titles_are_escaped_everywhere(page: Render) -> None:
    title = '</script><b onclick="x">'
    seen = page(a_state([a_memory(1, "fading", level=1, title=title)], current=1))
    assert "<b onclick" not in seen.html
    assert seen.data("present")["memories"][0]["title"] == title


def test_without_a_script_the_server_draws_the_path_to_childhood(page: Render) -> None:
    present = held_state()
    way = next(e for e in page(present).all("svg") if e.attributes.get("class") == "ways")
    assert "noscript" in way.ancestors
    assert [e for e in page(half_done()).all("svg") if e.attributes.get("class") == "ways"] == []


@pytest.mark.parametrize(
    ("result", "words"), [("clean", "Verified: nothing found"), ("found", "Verified: something is left")]
)
def test_a_finished_session_says_what_the_verification_found(page: Render, result: str, words: str) -> None:
    assert words in page(ended_state("finished", "protected", verified=result)).visible_text
    assert words not in page(ended_state("finished", "protected")).visible_text


def test_a_finished_session_links_to_its_replay_if_allowed(page: Render) -> None:
    there = page(ended_state("finished", "protected", replay_url="/again/"))
    assert there.one("a", href="/again/")
    assert "Watch the night again" not in page(ended_state("finished", "protected")).visible_text
