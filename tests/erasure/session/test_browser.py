"""The session page in a real browser, with the real event stream and content security policy."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from django.conf import LazySettings
from django.conf import settings as django_settings
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import Page, expect, sync_playwright

from erasure.jobs.worker import advance
from erasure.procedures.models import Procedure
from erasure.runs import control
from erasure.runs.models import Run
from tests.browser.browsing import BROWSER_OPTIONS, CHROMIUM, in_thread
from tests.factories import make_run
from tests.serving import serving, whole_application

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.browser]


def note_complaint(complaints: list[str], text: str) -> None:
    if "410 (Gone)" not in text:
        complaints.append(text)


# The log of a complete run of two memories, newest line first. The lines of single passes have been replaced.
LOG_OF_TWO_MEMORIES = [
    "The certificate is signed.",
    "The whole run is verified",
    "Keys rolled: epoch 2.",
    "It is over: 2 destroyed.",
    "Memory 1 is gone",
    "Memory 1 begins to fade.",
    "Memory 2 is gone",
    "Memory 2 begins to fade.",
    "The night begins: 2 memories.",
]


@contextmanager
def watching(
    run: Run, *, browser_args: Sequence[str] = (), init_script: str = "", **options: Any
) -> Iterator[tuple[Page, list[str]]]:
    """Open the patient's session page in a browser. Yields the page and a list of errors it reports.

    browser_args: more command-line arguments of the browser. init_script: a script that runs before those
    of the page, outside its content security policy.
    """
    client = Client()
    client.force_login(run.procedure.case.patient, backend=django_settings.AUTHENTICATION_BACKENDS[0])
    cookie = client.cookies[django_settings.SESSION_COOKIE_NAME].value
    path = reverse("erasure:session", args=[run.pk])
    complaints: list[str] = []
    with serving(whole_application()) as port, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=[*BROWSER_OPTIONS, *browser_args])
        context = browser.new_context(viewport={"width": 1440, "height": 900}, **options)
        address = f"http://127.0.0.1:{port}"
        context.add_cookies([{"name": django_settings.SESSION_COOKIE_NAME, "value": cookie, "url": address}])
        if init_script:
            context.add_init_script(init_script)
        page = context.new_page()
        page.on("pageerror", lambda error: complaints.append(str(error)))
        # A request for a picture that was destroyed meanwhile fails, as it should.
        page.on(
            "console",
            lambda message: note_complaint(complaints, message.text) if message.type == "error" else None,
        )
        page.goto(f"{address}{path}")
        yield page, complaints
        browser.close()


def do_one_pass(run: Run) -> None:
    """Do one pass of a run. Its pace must be so slow that no second pass follows."""
    in_thread(lambda: advance(run.pk))


def finish_run(run: Run) -> None:
    """Do all remaining passes of a run, whatever its pace."""

    def work() -> None:
        Procedure.objects.filter(pk=run.procedure_id).update(pace_seconds=0)
        Run.objects.filter(pk=run.pk).update(next_due_at=timezone.now())
        while Run.objects.get(pk=run.pk).state != Run.State.FINISHED:
            advance(run.pk)

    in_thread(work)


def test_memories_fade_and_disappear_while_the_page_is_open() -> None:
    run = make_run(2, pace=600)
    with watching(run) as (page, complaints):
        expect(page.locator("html.script")).to_be_attached()
        expect(page.locator(".print img")).to_have_count(2)
        assert page.locator("#shore").evaluate("canvas => canvas.width") > 0
        do_one_pass(run)
        expect(page.locator("#about [data-part=number]")).to_have_text("[2]")
        expect(page.locator(".print.is-current")).to_have_attribute("data-n", "2")
        expect(page.locator(".passes .is-done")).not_to_have_count(0)
        finish_run(run)
        gone = page.get_by_role("button", name="Memory 2, destroyed")
        expect(gone).to_be_visible()
        expect(gone.locator("img")).to_have_count(0)
        expect(page.locator("#state")).to_contain_text("Finished")
        expect(page.locator("#nothing")).to_contain_text("Nothing left.")
        expect(page.locator(".print img")).to_have_count(0)
        assert "Photo" not in page.inner_text("body")
        expect(page.locator("#log li")).to_contain_text(LOG_OF_TWO_MEMORIES)
        page.reload()
        expect(page.locator("#state")).to_contain_text("Finished")
        expect(page.locator("#log li")).to_contain_text(LOG_OF_TWO_MEMORIES)
        assert complaints == []


def test_a_text_from_the_server_needs_no_script_of_its_own(tmp_path: Path, settings: LazySettings) -> None:
    """A template and the snapshot are enough: the script updates every element with `data-from-server`."""
    added = tmp_path / "erasure" / "session" / "session.html"
    added.parent.mkdir(parents=True)
    added.write_text(
        '{% extends "erasure/session/session.html" %}{% block footer %}'
        '<p id="waits" data-from-server="waits">{{ present.alarms|length }} wait</p>{% endblock %}'
    )
    (engine,) = settings.TEMPLATES
    settings.TEMPLATES = [{**engine, "DIRS": [tmp_path, *engine["DIRS"]]}]
    run = make_run(2, pace=600)
    with watching(run) as (page, complaints):
        expect(page.locator("html.script")).to_be_attached()
        expect(page.locator("#waits")).to_have_text("0 wait")
        expect(page.locator(".facts")).to_contain_text("Clementine")
        in_thread(lambda: control.call_doctor(run.pk, by=run.procedure.case.patient))
        expect(page.locator("#waits")).to_have_text("1 wait")
        expect(page.locator(".facts")).to_contain_text("Clementine")
        assert complaints == []


def test_the_space_bar_pauses_and_p_protects_the_chosen_memory() -> None:
    run = make_run(2, pace=600)
    with watching(run) as (page, complaints):
        expect(page.locator("html.script")).to_be_attached()
        page.keyboard.press("Space")
        expect(page.locator("#session")).to_have_attribute("data-state", "paused")
        expect(page.locator("#held")).to_be_visible()
        page.get_by_role("button", name="Memory 1, Photo 0").click()
        expect(page.locator("#about [data-part=number]")).to_have_text("[1]")
        page.keyboard.press("p")
        expect(page.locator(".m1.is-protected")).to_be_visible()
        expect(page.locator('#counts [data-count="protected"]')).to_have_text("1")
        assert complaints == []


def test_the_map_is_one_tab_stop_with_arrow_keys_inside() -> None:
    run = make_run(3)
    with watching(run) as (page, complaints):
        expect(page.locator("html.script")).to_be_attached()
        assert page.locator('.print[tabindex="0"]').count() == 1
        page.locator(".m3").focus()
        page.keyboard.press("ArrowLeft")
        expect(page.locator(".m2")).to_be_focused()
        page.keyboard.press("Home")
        expect(page.locator(".m1")).to_be_focused()
        assert page.locator('.print[tabindex="0"]').get_attribute("data-n") == "1"
        assert complaints == []


def test_with_reduced_motion_nothing_moves() -> None:
    run = make_run(1)
    with watching(run, reduced_motion="reduce") as (page, complaints):
        expect(page.locator("html.script")).to_be_attached()
        page.evaluate(
            "() => { window.moved = 0; const real = Element.prototype.animate;"
            "Element.prototype.animate = function (frames, options) {"
            " if (frames.some((frame) => Object.keys(frame).some((what) => what !== 'opacity')))"
            " window.moved++;"
            " return real.call(this, frames, options); }; }"
        )
        finish_run(run)
        expect(page.locator("#state")).to_contain_text("Finished")
        assert page.evaluate("window.moved") == 0
        assert complaints == []
