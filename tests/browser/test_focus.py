"""W6: where the focus is after each swap of a part of a page, and what is announced, by keyboard alone."""

import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import transaction
from django.urls import reverse
from django.utils import timezone, translation
from django.utils.formats import date_format
from django.utils.translation import gettext, ngettext
from playwright.sync_api import Browser, expect

from clinic.accounts.models import Role, User
from clinic.alerts import sources
from clinic.alerts.sources import Alert, register_alerts
from clinic.audit.checkpoints import checkpoint
from clinic.audit.record import Act, record
from clinic.calendar.models import Resource
from erasure.destructions.destroying import destroy_next
from erasure.destructions.orders import order
from erasure.procedures.booking import book_procedure
from erasure.procedures.models import Procedure
from erasure.runs.control import pause, safe_word
from patients.cases.models import Case
from patients.keepsakes.models import Keepsake
from patients.memories.models import Memory, MemoryLink
from patients.requests.models import AppointmentRequest
from tests.browser.browsing import wait_until_true
from tests.browser.keyboard import Keyboard, swaps_not_done, walks
from tests.browser.watching import STILL, do_pass, doctor_of, make_run_with_copy, served
from tests.factories import (
    jpeg,
    make_case,
    make_doctor,
    make_keepsake,
    make_memory,
    make_other,
    make_request,
    make_room,
    make_run,
    make_signed,
    make_technician,
    make_user,
)

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.browser]

ROOT = Path(__file__).resolve().parents[2]
BLANK = " "  # what a browser takes for an answer, and the server does not


@pytest.fixture(params=["en", "vi"])
def language(request: pytest.FixtureRequest) -> Iterator[str]:
    """The language of the browser; the test speaks it too, to know what is announced."""
    with translation.override(request.param):
        yield request.param


@pytest.fixture
def walk(
    chromium: Browser, language: str, request: pytest.FixtureRequest
) -> Iterator[Callable[..., Keyboard]]:
    """A function that signs a user in and returns their keyboard.

    At the end every swap that the test is marked with must have happened.
    """
    locale = {"en": "en-US", "vi": "vi-VN"}[language]
    keyboards: list[Keyboard] = []
    failed = request.session.testsfailed
    with served(chromium) as site:

        def start(user: User, **options: Any) -> Keyboard:
            keyboards.append(Keyboard(site.visitor(user, locale=locale, **options)))
            return keyboards[-1]

        yield start
    if request.session.testsfailed == failed:
        assert swaps_not_done(request.function, keyboards) == set()


def make_waiting(case: Case, caption: str) -> Keepsake:
    keepsake = make_keepsake(make_memory(case, caption), caption=caption)
    Keepsake.objects.filter(pk=keepsake.pk).update(review="waiting")
    return keepsake


def waiting_sentence(n: int) -> str:
    """What the inbox says if `n` keepsakes wait."""
    if not n:
        return gettext("Nothing waits for review.")
    return ngettext("%(n)d keepsake waits for review.", "%(n)d keepsakes wait for review.", n) % {"n": n}


# --- The review inbox ---
@walks("patients:review-decide", "patients:review-unblur")
def test_w6_the_review_inbox_goes_on_to_what_waits_next(walk: Callable[..., Keyboard]) -> None:
    case = make_case()
    first, second, third = [make_waiting(case, name) for name in ("The first", "The second", "The third")]
    keyboard = walk(make_doctor())
    page = keyboard.page
    keyboard.go(reverse("patients:review", args=[case.pk]))
    item = {row.pk: page.locator(f"#k-{row.pk}") for row in (first, second, third)}
    title = {pk: li.locator("h2") for pk, li in item.items()}

    keyboard.press(page.locator(f"#accept-{first.pk}"))
    keyboard.expect_focus_on(title[second.pk])
    keyboard.expect_announced(f"{gettext('Accepted.')} {waiting_sentence(2)}")

    # Refused: the focus reads out why, the words stay.
    assert keyboard.press(item[second.pk].locator("summary").first) <= 2
    keyboard.tab_to(item[second.pk].locator("textarea"), 1)
    page.keyboard.type(BLANK)
    keyboard.press(item[second.pk].locator("details[open] [data-draft] button[type=submit]"), most=1)
    keyboard.expect_focus_on(item[second.pk].locator(".notice--alarm"))
    keyboard.expect_announced()
    keyboard.forgive_conflicts()
    expect(item[second.pk].locator("textarea")).to_have_value(BLANK)

    keyboard.tab_to(item[second.pk].locator("textarea"), 4)  # past what discards the draft
    page.keyboard.type("Another one, please.")
    keyboard.press(item[second.pk].locator("details[open] [data-draft] button[type=submit]"), most=1)
    keyboard.expect_focus_on(title[third.pk])
    keyboard.expect_announced(f"{gettext('Returned to the patient.')} {waiting_sentence(1)}")

    keyboard.press(item[third.pk].locator("summary").last, most=4)
    keyboard.choose(item[third.pk].locator("select"), "others")
    keyboard.press(item[third.pk].locator("details[open] button"), most=1)
    keyboard.expect_focus_on(item[third.pk].locator(".print img"))
    keyboard.expect_announced(gettext("Shown sharp. The look is on record, and the patient can read it."))

    assert keyboard.press(page.locator(f"#accept-{third.pk}")) <= 2
    keyboard.expect_focus_on(page.locator("#review-tabs"))
    keyboard.expect_announced(f"{gettext('Accepted.')} {waiting_sentence(0)}")


@pytest.mark.parametrize(("kind", "where"), [("recording", "audio"), ("video", "video"), ("pages", ".pages")])
@walks("patients:review-unblur")
def test_w6_what_is_shown_sharp_has_the_focus(walk: Callable[..., Keyboard], kind: str, where: str) -> None:
    case = make_case()
    thing = make_other(make_memory(case), kind)
    Keepsake.objects.filter(pk=thing.pk).update(review="waiting")
    keyboard = walk(make_doctor())
    keyboard.go(reverse("patients:review", args=[case.pk]))
    item = keyboard.page.locator(f"#k-{thing.pk}")
    keyboard.press(item.locator("summary").last)
    keyboard.choose(item.locator("select"), "others")
    keyboard.press(item.locator("details[open] button"), most=1)
    keyboard.expect_focus_on(item.locator(where))
    keyboard.expect_announced(gettext("Shown sharp. The look is on record, and the patient can read it."))


# --- The mapping bench ---
# From what is written down to the next field, and from there to the button that writes it down.
TABS_TO_THE_NEXT, TABS_AN_ITEM = 1, 12


@walks("patients:mapping", "patients:map-link", "patients:map-place", "patients:map-look")
def test_w6_the_bench_goes_from_one_item_to_the_next(walk: Callable[..., Keyboard]) -> None:
    case = make_case()
    memories = [make_memory(case, f"Day {n}", f"2003-02-0{n}") for n in (1, 2, 3)]
    spare = make_memory(case, "Day 9", "2003-02-09")
    things = [make_keepsake(memory, caption=f"Photo of day {n}") for n, memory in enumerate(memories, 1)]
    keyboard = walk(make_doctor())
    page, bench = keyboard.page, keyboard.page.locator("#bench")
    title, submit = bench.locator("h2.titled"), bench.locator("button.button--primary").first
    keyboard.go(f"{reverse('patients:mapping', args=[case.pk])}?at={things[0].pk}")

    keyboard.press(page.locator("[rel=next]"))
    keyboard.expect_focus_on(title)
    expect(title).to_contain_text("Day 2")
    keyboard.expect_announced()
    keyboard.press(page.locator("[rel=prev]"))
    keyboard.expect_focus_on(title)
    expect(title).to_contain_text("Day 1")
    keyboard.expect_announced()

    # One thing after another: choose, write down, and the next one is at hand.
    assert keyboard.tab_to(page.locator("[name=intensity]:checked")) == TABS_TO_THE_NEXT
    page.keyboard.press("ArrowRight")
    assert TABS_TO_THE_NEXT + keyboard.press(submit) == TABS_AN_ITEM
    expect(title).to_contain_text("Day 2")
    keyboard.expect_focus_on(title)
    keyboard.expect_announced(gettext("Written down."))
    # A choice is written down where it is made, too: nobody has to walk to the button.
    keyboard.tab_to(page.locator("[name=intensity]:checked"), TABS_TO_THE_NEXT)
    page.keyboard.press("Enter")
    expect(title).to_contain_text("Day 3")
    keyboard.expect_focus_on(title)
    keyboard.expect_announced(gettext("Written down."))
    keyboard.press(page.locator("[rel=prev]"))
    keyboard.expect_focus_on(title)

    keyboard.press(page.locator("#stay"))
    expect(page.locator("#messages")).to_have_text(gettext("Written down."))
    keyboard.expect_focus_on(page.locator("#stay"))
    keyboard.expect_announced(gettext("Written down."))

    keyboard.tab_to(page.locator("#id_title"))
    page.keyboard.press("Control+A")
    page.keyboard.type(BLANK)
    page.keyboard.press("Enter")
    keyboard.expect_focus_on(page.locator(".error-summary"))
    keyboard.expect_announced()
    keyboard.visitor.expect_complaint("422 (Unprocessable")

    page.goto(page.url)
    keyboard.choose(page.locator("#other"), str(memories[2].pk))
    keyboard.press(page.locator(".bench-add button"))
    keyboard.expect_focus_on(page.locator("h3#links"))
    keyboard.expect_announced(gettext("Linked."))
    keyboard.press(page.locator(".bench-link button"), most=2)
    keyboard.expect_focus_on(page.locator("h3#links"))
    keyboard.expect_announced(gettext("The link is taken away."))
    keyboard.choose(page.locator("#other"), str(spare.pk))
    Memory.objects.filter(pk=spare.pk).update(case=make_case())
    keyboard.press(page.locator(".bench-add button"))
    keyboard.expect_focus_on(bench.locator(".notice--alarm"))
    keyboard.expect_announced()
    keyboard.forgive_conflicts()

    keyboard.press(bench.locator("details > summary").last)
    keyboard.tab_to(page.locator("#new-title"))
    page.keyboard.type("Another day")
    page.keyboard.press("Enter")
    keyboard.expect_focus_on(title)
    expect(title).to_contain_text("Another day")
    keyboard.expect_announced(gettext("Placed in the memory."))

    keyboard.press(bench.locator(".bench-thing summary"))
    keyboard.choose(page.locator("#why-bench"), "others")
    keyboard.press(bench.locator(".bench-thing details button"))
    keyboard.expect_focus_on(bench.locator(".bench-stage > img"))
    keyboard.expect_announced(gettext("Shown sharp. The look is on record, and the patient can read it."))

    slider = page.locator("#gone")
    keyboard.tab_to(slider)
    with page.expect_response(lambda answer: "gone=1" in answer.url):
        page.keyboard.press("ArrowRight")
    expect(slider).to_have_value("1")
    keyboard.expect_focus_on(slider)
    keyboard.expect_announced()
    assert not MemoryLink.objects.exists()


# --- Requests, files, booking ---
@walks("patients:request-decide", "patients:requests")
def test_w6_after_a_decision_on_a_request_the_focus_goes_on_to_the_next(
    walk: Callable[..., Keyboard],
) -> None:
    names = ("Ada One", "Ben Two", "Cleo Three")
    rows = [
        make_request(name, email=f"{name[:3]}@lacuna.example", phone=f"555 010{number}")
        for number, name in enumerate(names)
    ]
    keyboard = walk(make_user(Role.RECEPTIONIST))
    page, field = keyboard.page, keyboard.page.locator("#find")
    keyboard.go(reverse("patients:requests"))
    keyboard.tab_to(field)
    with page.expect_response(lambda answer: "find=" in answer.url):
        page.keyboard.type("cle")
    keyboard.expect_focus_on(field)
    keyboard.expect_announced(ngettext("%(n)s request found.", "%(n)s requests found.", 1) % {"n": 1})
    with page.expect_response(lambda answer: "find=" in answer.url):
        field.clear()
    keyboard.expect_announced(ngettext("%(n)s request found.", "%(n)s requests found.", 3) % {"n": 3})
    item = [page.locator(f"#request-{row.pk}") for row in rows]
    decision = "[name=decision][value={}]"

    mail = f"{gettext('The mail about it is queued.')} {gettext('It leaves in a moment.')}"

    def said(row: AppointmentRequest, state: AppointmentRequest.State, wait: int) -> str:
        decided = gettext("%(name)s: %(state)s.") % {"name": row.name, "state": state.label}
        rest = ngettext("%(n)d request waits for an answer.", "%(n)d requests wait for an answer.", wait)
        return f"{decided} {mail} {rest % {'n': wait}}"

    keyboard.press(item[0].locator(decision.format("hold")))
    keyboard.expect_focus_on(item[1].locator("h2"))
    keyboard.expect_announced(said(rows[0], AppointmentRequest.State.HELD, 3))
    keyboard.press(item[1].locator(decision.format("decline")), most=7)
    keyboard.expect_focus_on(item[2].locator("h2"))
    keyboard.expect_announced(said(rows[1], AppointmentRequest.State.DECLINED, 2))
    # Somebody else was faster: the focus reads out why, the words stay.
    AppointmentRequest.objects.filter(pk=rows[2].pk).update(state="accepted", decided_at=timezone.now())
    keyboard.tab_to(item[2].locator("textarea"), 4)
    page.keyboard.type("Welcome.")
    keyboard.press(item[2].locator(decision.format("accept")), most=1)
    keyboard.expect_focus_on(item[2].locator(".notice--alarm"))
    keyboard.expect_announced()
    keyboard.forgive_conflicts()
    keyboard.press(item[0].locator(decision.format("decline")))
    keyboard.expect_focus_on(page.locator("h1"))
    decided = gettext("%(name)s: %(state)s.") % {"name": names[0], "state": gettext("declined")}
    keyboard.expect_announced(f"{decided} {mail} {gettext('Nobody is waiting for an answer.')}")


@walks("patients:cases")
def test_w6_a_search_leaves_the_focus_in_its_field(walk: Callable[..., Keyboard]) -> None:
    for name in ("Joel Barish", "Joel Other", "Clementine K"):
        make_case(make_user(Role.PATIENT, name=name))
    keyboard = walk(make_user(Role.RECEPTIONIST))
    page, field = keyboard.page, keyboard.page.locator("#name")
    keyboard.go(reverse("patients:cases"))
    keyboard.tab_to(field)
    for typed, found in (("Joel", 2), (" B", 1)):
        with page.expect_response(lambda answer: "name=" in answer.url):
            page.keyboard.type(typed)
        keyboard.expect_focus_on(field)
        keyboard.expect_announced(ngettext("%(n)s file found.", "%(n)s files found.", found) % {"n": found})
    with page.expect_response(lambda answer: "name=" in answer.url):
        page.keyboard.type("zz")
    keyboard.expect_focus_on(field)
    keyboard.expect_announced(gettext("No file found."))
    expect(field).to_have_value("Joel Bzz")


@walks("erasure:book", "erasure:procedure-move")
def test_w6_taken_hours_are_shown_and_announced_when_a_day_is_chosen(walk: Callable[..., Keyboard]) -> None:
    booking, moving = make_case(), make_case()
    for case in (booking, moving):
        make_keepsake(make_memory(case))
        make_signed(case)
    doctor, people = make_doctor(), make_technician()
    start = timezone.now() + timedelta(days=1)
    night = book_procedure(
        moving,
        place=Procedure.Place.CLINIC,
        resources=[*Resource.objects.filter(user__in=[doctor, people]), make_room()],
        starts_at=start,
        ends_at=start + timedelta(hours=8),
        by=doctor,
    )
    keyboard = walk(doctor)
    page, begins = keyboard.page, keyboard.page.locator("#hours [name=begins]")
    chosen = timezone.localdate() + timedelta(days=2)
    said = gettext("What is taken on %(day)s is shown.") % {"day": date_format(chosen, "MONTH_DAY_FORMAT")}
    for path in (
        reverse("erasure:book", args=[booking.pk]),
        reverse("erasure:procedure-move", args=[night.pk]),
    ):
        keyboard.go(path)
        day = page.locator("#hours [name=day]")
        keyboard.tab_to(day)
        with page.expect_response(lambda answer: "day=" in answer.url):
            day.fill(chosen.isoformat())
        wait_until_true(page, "document.activeElement.closest('#hours') !== null")
        keyboard.expect_announced(said)
        expect(begins).to_be_visible()


# --- The audit log ---
@walks("audit", "audit-verify", "audit-compare")
def test_w6_the_log_is_paged_searched_verified_and_compared(walk: Callable[..., Keyboard]) -> None:
    for _half in range(2):
        with transaction.atomic():
            record(*(Act("audit.exported", "log:export", actor="system:worker") for _entry in range(35)))
        checkpoint("test")
    keyboard = walk(make_user(Role.AUDITOR))
    page, log = keyboard.page, keyboard.page.locator("#log")
    keyboard.go(reverse("audit"))

    def shown(n: int, *, older: bool = False) -> str:
        text = ngettext("%(n)d entry is shown.", "%(n)d entries are shown.", n) % {"n": n}
        return f"{text} {gettext('There are older ones.')}" if older else text

    keyboard.press(log.locator("[rel=next]"), most=90)
    keyboard.expect_focus_on(log)
    rest = log.locator("tbody tr").count()
    keyboard.expect_announced(shown(rest))
    keyboard.press(log.locator("[rel=prev]"), most=90)
    keyboard.expect_focus_on(log)
    keyboard.expect_announced(shown(50, older=True))

    find = page.locator("#id_find")
    page.goto(page.url)
    keyboard.tab_to(find)
    page.keyboard.type("nothing is like this")
    page.keyboard.press("Enter")
    expect(log.locator("tbody")).to_have_count(0)
    keyboard.expect_focus_on(find)
    keyboard.expect_announced(gettext("No entry is like this."))

    keyboard.press(page.locator("#verdict button"))
    keyboard.expect_focus_on(page.locator("#verdict p.verdict"))
    keyboard.expect_announced()

    keyboard.press(page.locator("#compare > summary"), most=2)
    keyboard.press(page.locator("#compare button"))
    keyboard.expect_focus_on(page.locator("#compare .error-summary"))
    keyboard.expect_announced()
    keyboard.visitor.expect_complaint("422 (Unprocessable")
    older = page.locator("#compare_older")
    keyboard.choose(older, older.locator("option").last.get_attribute("value") or "")
    keyboard.press(page.locator("#compare form button"))
    keyboard.expect_focus_on(page.locator("#compare > p.verdict"))
    keyboard.expect_announced()


# --- What comes by itself ---
def set_alerts(person: User, *titles: str) -> None:
    alerts = [Alert(title, "Since noon.", f"/today/?{n}", "Look") for n, title in enumerate(titles)]
    register_alerts("test", lambda user: alerts if user.pk == person.pk else [])


@pytest.fixture
def own_alerts() -> Iterator[None]:
    yield
    sources._sources.pop("test", None)


@walks("alerts", "today", "today-wall")
def test_w6_automatic_updates_move_no_focus_and_are_announced_once(
    walk: Callable[..., Keyboard], own_alerts: None
) -> None:
    run = make_run(1, pace=STILL)
    desk = doctor_of(run)
    set_alerts(desk, "Water in the cellar.")
    keyboard = walk(desk)
    page = keyboard.page
    page.clock.install()
    keyboard.go(reverse("today"))
    link = page.locator("#alerts a").first
    keyboard.tab_to(link)
    set_alerts(desk, "Water in the cellar.", "Smoke in the attic.")
    page.clock.fast_forward(10_500)
    expect(page.locator("#alerts .notice")).to_have_count(2)
    keyboard.expect_focus_on(page.locator("#alerts a").first)
    keyboard.expect_announced("Smoke in the attic. Since noon. Look")
    page.clock.fast_forward(10_500)
    keyboard.expect_announced()

    entry = page.locator("#board a[id]").first
    name = entry.get_attribute("id")
    keyboard.tab_to(entry)
    page.evaluate("document.querySelector('#board').dataset.old = 'yes'")
    page.clock.fast_forward(31_000)
    expect(page.locator("#board:not([data-old])")).to_be_attached()
    keyboard.expect_focus_on(page.locator(f"[id='{name}']"))
    keyboard.expect_focus_never_lost()
    keyboard.expect_announced()
    # What had the focus is there no more: the page itself has it, and nobody starts again at the top.
    keyboard.tab_to(page.locator("#alerts a").last)
    set_alerts(desk)
    page.clock.fast_forward(10_500)
    expect(page.locator("#alerts .notice")).to_have_count(0)
    keyboard.expect_focus_on(page.locator("#main"))
    keyboard.expect_announced()

    keyboard.go(reverse("today-wall"))
    page.evaluate("document.querySelector('#wall').dataset.old = 'yes'")
    page.clock.fast_forward(31_000)
    expect(page.locator("#wall:not([data-old])")).to_be_attached()
    keyboard.expect_announced()


# --- The session ---
@walks("erasure:decide", "erasure:look")
def test_w6_a_decision_is_made_step_by_step(walk: Callable[..., Keyboard]) -> None:
    run = make_run_with_copy(2)
    do_pass(run)
    keyboard = walk(doctor_of(run))
    page, sheet = keyboard.page, keyboard.page.locator("#sheet")
    keyboard.go(reverse("erasure:session", args=[run.pk]))
    page.locator("html.script").wait_for(state="attached")
    opens = page.locator('[data-alarm="off-map"] a.button--primary')

    keyboard.press(opens, most=90)
    keyboard.expect_focus_on(sheet.locator("h2"))
    keyboard.press(sheet.locator("[data-close-sheet]"), most=1)
    keyboard.expect_focus_on(opens)
    page.keyboard.press("Enter")
    keyboard.expect_focus_on(sheet.locator("h2"))
    keyboard.choose(page.locator("#look-why"), "compare")
    keyboard.press(page.locator("#likeness button"), most=1)
    keyboard.expect_focus_on(page.locator("#likeness p[autofocus]"))

    answer = sheet.locator("[name=answer]")
    keyboard.tab_to(answer.first)
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    keyboard.expect_focus_on(sheet.locator("#decision-form h3"))
    keyboard.press(sheet.locator("#decision-form a.button"), most=2)
    keyboard.expect_focus_on(sheet.locator("fieldset"))
    keyboard.expect_announced()
    keyboard.tab_to(answer.first, 1)
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    keyboard.expect_focus_on(sheet.locator("#decision-form h3"))
    keyboard.press(sheet.locator("#decision-form button"), most=1)
    keyboard.expect_focus_on(sheet.locator(".notice"))
    expect(page.locator('[data-alarm="off-map"]')).to_have_count(0)
    keyboard.expect_focus_on(sheet.locator(".notice"))
    # The log says once what the doctor decided, and that the call is answered by it.
    keyboard.expect_announced(*page.locator("#log li span").all_inner_texts()[:2])
    keyboard.press(sheet.locator("[data-close-sheet]"), most=1)
    keyboard.expect_focus_on(page.locator("#state"))


@walks("erasure:lift-safe-word")
def test_w6_a_safe_word_is_lifted_and_its_alarm_is_announced_once(walk: Callable[..., Keyboard]) -> None:
    run = make_run(1, pace=STILL)
    keyboard = walk(doctor_of(run))
    page, sheet = keyboard.page, keyboard.page.locator("#sheet")
    keyboard.go(reverse("erasure:session", args=[run.pk]))
    page.locator("html.script").wait_for(state="attached")
    keyboard.press(page.locator('form[data-control="safe_word"] button'), most=90)
    alarm = page.locator('[data-alarm="safe-word"]')
    expect(alarm).to_be_visible()
    heard = page.evaluate("() => window.heard")
    about = [text for text in heard if text.startswith(gettext("The safe word was said"))]
    assert len(about) == 1, heard
    wait_until_true(page, "document.activeElement !== document.body")
    opens = alarm.locator("a.button--primary")
    keyboard.tab_to(opens, 90)
    page.keyboard.press("Enter")
    keyboard.expect_focus_on(sheet.locator("h2"))
    keyboard.tab_to(sheet.locator("textarea"))
    page.keyboard.type(BLANK)
    keyboard.tab_to(sheet.locator("[type=checkbox]"), 1)
    page.keyboard.press("Space")
    keyboard.press(sheet.locator("form button"), most=1)
    keyboard.expect_focus_on(sheet.locator(".error-summary"))
    keyboard.visitor.expect_complaint("422 (Unprocessable")
    keyboard.tab_to(sheet.locator("textarea"), 3)
    page.keyboard.type("Go on.")
    keyboard.press(sheet.locator("form button"), most=2)
    keyboard.expect_focus_on(sheet.locator(".notice"))


@walks()
def test_w6_an_alarm_is_not_announced_again_when_another_comes(walk: Callable[..., Keyboard]) -> None:
    run = make_run_with_copy(2)
    do_pass(run)
    keyboard = walk(doctor_of(run))
    page = keyboard.page
    keyboard.go(reverse("erasure:session", args=[run.pk]))
    page.locator("html.script").wait_for(state="attached")
    opens = page.locator('[data-alarm="off-map"] a.button--primary')
    keyboard.tab_to(opens, 90)
    page.evaluate("window.heard.length = 0")
    safe_word(run.pk, by=doctor_of(run))
    expect(page.locator('[data-alarm="safe-word"]')).to_be_visible()
    keyboard.expect_focus_on(opens, silent=False)
    keyboard.expect_focus_never_lost()
    heard = page.evaluate("() => window.heard")
    assert any(gettext("The safe word was said") in text for text in heard), heard
    assert [text for text in heard if gettext("Look and decide") in text] == []


@walks()
def test_w6_the_controls_keep_the_focus(walk: Callable[..., Keyboard]) -> None:
    run = make_run(2, pace=STILL)
    do_pass(run)
    keyboard = walk(doctor_of(run))
    page = keyboard.page
    keyboard.go(reverse("erasure:session", args=[run.pk]))
    page.locator("html.script").wait_for(state="attached")
    button = 'form[data-control="{}"] button'
    keyboard.press(page.locator(button.format("pause")), most=90)
    keyboard.expect_focus_on(page.locator(button.format("resume")))
    keyboard.expect_announced(page.locator("#log li span").first.inner_text())
    page.keyboard.press("Enter")
    keyboard.expect_focus_on(page.locator(button.format("pause")))
    keyboard.expect_announced(page.locator("#log li span").first.inner_text())
    # Nothing else may be protected: the button is off, and the state has the focus.
    keyboard.press(page.locator(button.format("protect")), most=3)
    expect(page.locator('[data-count="protected"]')).to_have_text("1")
    expect(page.locator(button.format("protect"))).to_be_disabled()
    wait_until_true(page, "document.activeElement !== document.body")
    # Somebody else pauses: the button that has the focus is gone, and its opposite has it.
    keyboard.tab_to(page.locator(button.format("doctor")), 30)
    pause(run.pk, by=doctor_of(run))
    expect(page.locator("#session[data-state=paused]")).to_be_attached()
    keyboard.expect_focus_on(page.locator(button.format("doctor")), silent=False)


# --- What is brought ---
@walks("patients:keepsakes")
def test_w6_an_upload_that_ends_leaves_the_focus_on_the_page(
    walk: Callable[..., Keyboard], tmp_path: Path
) -> None:
    case = make_case()
    old = make_keepsake(make_memory(case))
    keyboard = walk(case.patient)
    page = keyboard.page
    keyboard.go(reverse("patients:keepsakes"))
    photo = tmp_path / "beach.jpg"
    photo.write_bytes(jpeg((800, 600)))

    thing = page.locator(f"a[href='{reverse('patients:keepsake', args=[old.pk])}']")
    keyboard.tab_to(thing)
    page.locator("#files").set_input_files(photo)
    expect(page.locator(".brought-thing")).to_have_count(2)
    keyboard.expect_focus_on(thing, silent=False)

    held: list[Any] = []
    page.route("**/upload/*", lambda route: held.append(route))
    photo.write_bytes(jpeg((640, 480)))
    page.locator("#files").set_input_files(photo)
    cancel = page.locator("#queue button")
    keyboard.tab_to(cancel)
    page.wait_for_function("() => document.querySelector('#queue progress')")
    page.keyboard.press("Enter")
    expect(cancel).to_have_count(0)
    keyboard.expect_focus_on(page.locator("#files"), silent=False)
    page.unroute("**/upload/*")

    keyboard.press(page.locator("#describe > summary"), most=3)
    keyboard.tab_to(page.locator("#words"), 1)
    page.keyboard.type("A letter in words.")
    keyboard.press(page.locator("#describe button"), most=1)
    expect(page.locator(".brought-thing")).to_have_count(3)
    keyboard.expect_focus_on(page.locator("#describe > summary"), silent=False)


# --- What is being destroyed ---
@walks("erasure:destruction")
def test_w6_a_destruction_that_goes_on_leaves_the_focus_and_is_announced(
    walk: Callable[..., Keyboard],
) -> None:
    case = make_case()
    keepsakes = [make_keepsake(make_memory(case)) for _number in range(2)]
    chosen = {keepsake.pk for keepsake in keepsakes}
    destruction = order(case, by=case.patient, keepsakes=chosen, wait=timedelta(hours=1))
    keyboard = walk(case.patient)
    keyboard.go(reverse("erasure:destruction", args=[destruction.pk]))
    stop = keyboard.page.locator("#stop")
    keyboard.tab_to(stop)
    assert destroy_next(destruction.pk)
    expect(keyboard.page.locator(".destruction-item--destroyed")).to_have_count(1)
    keyboard.expect_focus_on(stop, silent=False)


# --- The list of all swaps ---
# Where an address is a variable of the template: the URLs that may stand there.
VARIABLES = {
    ("patients/keepsakes/_look_form.html", "{{ url }}"): {"patients:review-unblur", "patients:map-look"},
    ("erasure/session/alarms.html", "{{ present.controls.decide }}?hold={{ alarm.id }}"): {"erasure:decide"},
    ("erasure/session/alarms.html", "{{ present.controls.lift }}"): {"erasure:lift-safe-word"},
}
# Swaps that no walk goes through, each with why.
REVIEWED = {
    "patients:intake": "saves what is typed; nothing but one sentence beneath the form is swapped",
}


def swaps_of(template: str, text: str) -> Iterator[tuple[str, str]]:
    """Each URL that htmx asks for in a template: the template, and the URL's name."""
    for found in re.finditer(r"\bhx-(?:get|post|put|patch|delete)=", text):
        rest = text[found.end() + 1 :]
        named = re.match(r"\{%\s*url\s+[\"']([\w:-]+)[\"']", rest)
        if named:
            yield template, named[1]
            continue
        variable = rest[: rest.index('"')]
        assert (template, variable) in VARIABLES, f"{template}: what is {variable}?"
        yield from ((template, name) for name in VARIABLES[template, variable])


def unwalked(templates: dict[str, str], walked: frozenset[str]) -> set[tuple[str, str]]:
    """The swaps in `templates` whose URL no walk asks for, and nobody has reviewed."""
    found = {swap for template, text in templates.items() for swap in swaps_of(template, text)}
    return {(template, name) for template, name in found if name not in walked | REVIEWED.keys()}


def test_w6_every_swap_in_a_template_is_covered_by_a_test() -> None:
    tests = [value for name, value in globals().items() if name.startswith("test_")]
    walked = frozenset().union(*(getattr(test, "walks", frozenset()) for test in tests))
    root = ROOT / "templates"
    templates = {str(path.relative_to(root)): path.read_text() for path in root.rglob("*.html")}
    assert unwalked(templates, walked) == set()
    assert unwalked({"a.html": """<a hx-get='{% url "home" %}?day=1'>"""}, walked) == {("a.html", "home")}
    asking = sum(len(list(swaps_of(*template))) for template in templates.items())
    assert asking >= len(walked), "swaps are read from the templates"
