"""axe finds no accessibility violation on any page that somebody can open."""

from collections.abc import Iterator
from datetime import datetime, time, timedelta
from typing import Any
from uuid import uuid4

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.contrib.auth.models import AnonymousUser
from django.urls import NoReverseMatch, reverse
from django.utils import timezone
from playwright.sync_api import Browser, Page

from clinic.access.policy import PUBLIC, SIGNED_IN, TABLE, allowed
from clinic.accounts.models import Role, User
from clinic.calendar.models import Resource
from clinic.outgoing.models import OutgoingMessage
from clinic.people.invitations import invite, token_of
from clinic.seasons.agreements import agree_to
from clinic.seasons.changes import SeasonValues, make_season
from clinic.seasons.models import Season
from erasure.destructions.orders import order
from erasure.jobs.certifying import certify
from erasure.jobs.worker import advance
from erasure.procedures.booking import book_procedure
from erasure.procedures.models import Procedure
from erasure.runs.control import call_doctor, pause
from erasure.runs.models import Hold
from patients.cases.models import Case
from patients.notes.writing import strike_note
from patients.repeats.exceptions import agree_to_exception
from patients.vault.models import HeldKey
from tests.appointments import make_appointment, make_held
from tests.browser.browsing import DESK, PHONE, open_pages
from tests.browser.watching import do_pass, make_run_with_copy
from tests.configuration import configure
from tests.factories import (
    make_case,
    make_doctor,
    make_keepsake,
    make_letter,
    make_memory,
    make_note,
    make_request,
    make_room,
    make_run,
    make_signed,
    make_technician,
    make_user,
)
from tests.messages import answer as write_answer
from tests.messages import ask
from tests.patients.intake_review.answering import answer
from tests.waitlist import make_offer

# URLs that can be read but are not pages for axe, each with the reason.
NO_PAGE = {
    "alerts": "a part of every page of staff",
    "health": "for machines",
    "calendar-feed-file": "for calendars",
    "erasure:live": "a stream of events",
    "erasure:bed-live": "a stream of events",
    "erasure:bed-now": "JSON",
    "erasure:state": "JSON",
    "erasure:map-css": "a stylesheet",
    "erasure:certificate-json": "a download",
    "erasure:certificate-statement": "a download",
    "erasure:certificate-signature": "a download",
    "erasure:certificate-pdf": "a download",
    "patients:appointment-calendar": "a download",
    "patients:consent-paper": "a download",
    "erasure:verify-key": "a line of text",
    "erasure:verifier": "a download",
    "patients:playback": "sound and moving pictures",
    "patients:picture": "a picture",
    "patients:picture-blurred": "a picture",
    "patients:upload": "for scripts",
    "account-state": "JSON",
    "account-return": "leads to the home page, unless a form came too late",
    "set_language": "a redirect",
    "account_set_password": "redirects to changing the passphrase, because everybody has one",
    "outbox": "only in the demonstration",
    "erasure:left-fetch": "a download",
}
# Error pages, which people read too: a URL that does not exist, and one that is not allowed.
REFUSALS = {"nowhere": "/nowhere/", "not theirs": "/people/"}
# Pages that look the same for every role.
ALIKE = {name for name, row in TABLE.items() if row.read in (PUBLIC, SIGNED_IN)} | {
    "patients:intake",
    "patients:keepsakes",
    "patients:memory-new",
    "patients:withdraw",
    "today-wall",
    "erasure:wall",
    "style",
    "nowhere",
}
pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.browser]


class World:
    """One case in each stage that looks different, and somebody in each role."""

    def __init__(self) -> None:
        self.desk, self.admin = make_user(Role.RECEPTIONIST), make_user(Role.ADMINISTRATOR)
        self.auditor = make_user(Role.AUDITOR)
        self.bringing, self.signed, self.booked = make_case(), make_case(), make_case()
        answer(self.bringing, conditions=["heart"], heart_more="Since May.", must_not="My mother.")
        memory = make_memory(self.bringing)
        self.photo, self.letter = make_keepsake(memory), make_letter(memory)
        self.memory = memory
        for case in (self.signed, self.booked):
            make_keepsake(make_memory(case))
            make_signed(case)
        self.doctor, self.technician = make_doctor(), make_technician()
        self.others = [self.desk, self.technician, self.admin, self.auditor]
        self.procedure = self.book_for_tomorrow()
        self.paused, self.done = make_run(2, pace=3600), make_run(1)
        self.run_with_copy = make_run_with_copy()
        do_pass(self.run_with_copy)
        advance(self.done.pk)
        certify(self.done.pk)
        pause(self.paused.pk, by=self.doctor)
        call_doctor(self.paused.pk, by=self.doctor)
        self.destruction = order(
            self.bringing,
            by=self.bringing.patient,
            keepsakes={self.letter.pk},
            wait=timedelta(days=3),
        )
        self.visit = make_appointment(self.bringing)
        self.follow_up = make_held(self.bringing, name="After", kind="follow-up", starts_at=self.next_week())
        self.offer = make_offer(self.bringing)
        ask(self.bringing, keepsake=self.photo)
        write_answer(self.bringing, by=self.doctor)
        ask(self.bringing, "And when?")
        HeldKey.objects.create(pk=uuid4())  # as after a restore
        self.request = make_request("Somebody New", email="new@visitor.example")
        make_request("New, Somebody", email="new@visitor.example")
        note = make_note(self.bringing, by=self.desk)
        strike_note(note, "It was for another file.", by=self.desk)
        make_note(self.bringing, by=self.desk)
        guest = invite("guest@visitor.example", "Guest", Role.PATIENT, by=self.desk, base="http://house")
        self.token = token_of(guest)
        OutgoingMessage.objects.filter(event="request-received").update(
            status="failed", reason="address", reply_code=550, attempts=1, ended_at=timezone.now()
        )
        self.season = self.make_season()
        configure(nights_ever=50)  # with a limit, the page of an exception has its form
        agree_to_exception(self.bringing, role=Role.DOCTOR, reason="She is stable.", by=self.doctor)

    def make_season(self) -> Season:
        """A season that holds today, with every rule, to whose extra hours the technician agreed."""
        today = timezone.localdate()
        values = SeasonValues(
            "Valentine",
            today,
            today + timedelta(days=20),
            extra_days="56",
            extra_starts=time(20),
            extra_ends=time(6),
            cooling_off_hours=168,
            nights_per_patient=3,
            appointments_per_patient=9,
            waitlist_open=True,
        )
        season = make_season(values, reason="the rush", by=self.admin)
        agree_to(season, agrees=True, seen_version=1, by=self.technician)
        return season

    def next_week(self) -> datetime:
        return timezone.now() + timedelta(days=7)

    def book_for_tomorrow(self) -> Procedure:
        """Book a procedure for tomorrow, so that it does not start during the test."""
        people = Resource.objects.filter(user__in=[self.doctor, self.technician])
        start = timezone.now() + timedelta(days=1)
        return book_procedure(
            self.booked,
            place=Procedure.Place.CLINIC,
            resources=[*people, make_room()],
            starts_at=start,
            ends_at=start + timedelta(hours=8),
            by=self.doctor,
        )

    def people(self) -> list[User | AnonymousUser]:
        """An anonymous visitor, the staff, and the patient of each case."""
        cases: list[Case] = [self.bringing, self.signed, self.booked]
        patients = [case.patient for case in cases]
        nights = [run.procedure.case.patient for run in (self.paused, self.done)]
        return [AnonymousUser(), self.doctor, *self.others, *patients, *nights]

    def arguments(self) -> list[dict[str, Any]]:
        """All sets of URL arguments to try."""
        cases = [self.bringing, self.signed, self.booked, self.done.procedure.case]
        return [
            {},
            {"token": self.token},
            {"uidb36": "1z", "key": "a-key"},
            {"pk": self.desk.pk},
            {"memory": self.memory.pk},
            {"appointment_request": self.request.pk},
            {"key": self.done.certificate.number},
            {"procedure": self.procedure.pk},
            {"booking": self.procedure.booking_id},
            {"template": self.visit.template_id},
            {"season": self.season.pk},
            *({"appointment": one.pk} for one in (self.visit, self.follow_up)),
            {"waitlist_entry": self.offer.entry_id},
            {"waitlist_offer": self.offer.pk},
            {"resource": self.technician.resources.get().pk},
            *({"case": case.pk} for case in cases),
            *({"keepsake": thing.pk} for thing in (self.photo, self.letter)),
            *({"run": run.pk} for run in (self.paused, self.done, self.run_with_copy)),
            {"work": self.done.pk},
            {"destruction": self.destruction.pk},
        ]

    def pages(self, user: User | AnonymousUser) -> Iterator[tuple[str, str]]:
        """Yield name and path of every page that `user` may read, each step of the intake, and error pages.

        The doctor gets the page of each object; other staff get only one object for each URL.
        """
        for name in sorted(TABLE.keys() - NO_PAGE.keys()):
            found = False
            for kwargs in self.arguments():
                try:
                    path = reverse(name, kwargs=kwargs)
                except NoReverseMatch:
                    continue
                if name == "erasure:decide":
                    hold = Hold.objects.filter(step__run=kwargs["run"]).first()
                    if hold is None:
                        continue
                    path = f"{path}?hold={hold.pk}"
                if name == "patients:appointment-new":
                    path = f"{path}?template={self.visit.template_id}"
                if name == "patients:appointment-book" and kwargs["appointment"] == self.visit.pk:
                    continue  # it is booked, and leads to the file
                if allowed(user, name, kwargs, "GET").allowed and not (found and user in self.others):
                    found = True
                    steps = (
                        ["wish", "hope", "health", "circle", "chapters"] if name == "patients:intake" else []
                    )
                    yield from [(name, path), *((name, f"{path}?step={step}") for step in steps)]
        yield from REFUSALS.items()


def open_page(page: Page, address: str) -> int:
    """Open an address; return its status, or 0 if it is not an HTML page or a redirect."""
    answer = page.goto(address)
    if not answer or "text/html" not in answer.headers["content-type"] or answer.request.redirected_from:
        return 0
    return answer.status


def unchecked(names: set[str]) -> set[str]:
    """The readable URLs of the policy table that are neither in `names` nor in NO_PAGE."""
    return {name for name, row in TABLE.items() if row.read} - names - NO_PAGE.keys()


# Waits for the end of transitions, during which colors are not final.
TRANSITIONS_END = """() => Promise.all(document.getAnimations()
  .filter(item => item instanceof CSSTransition)
  .map(item => item.finished.catch(() => 0)))"""
# In addition to axe's default rules: accessible names contain the visible text (WCAG 2.5.3).
RULES = {"rules": {"label-content-name-mismatch": {"enabled": True}}}


def violations(page: Page, axe: Axe) -> list[str]:
    """The violations that axe finds on the open page: rule and element."""
    page.evaluate(TRANSITIONS_END)
    found = axe.run(page, options=RULES).response["violations"]
    return [f"{rule['id']}: {node['html'][:160]}" for rule in found for node in rule["nodes"]]


def violations_at_both_sizes(page: Page, axe: Axe) -> list[str]:
    """The violations at the size of a desktop and of a phone, where the layout differs."""
    found = []
    for size in (DESK, PHONE):
        page.set_viewport_size(size)
        found += [f"{size['width']} px, {violation}" for violation in violations(page, axe)]
    return found


@pytest.mark.timeout(600)  # some 180 pages, most of them at two sizes
def test_axe_finds_no_violation_on_any_page_that_somebody_can_open(chromium: Browser) -> None:
    world, axe, read, names = World(), Axe(), set[str](), set[str]()
    found: dict[str, list[str]] = {}
    pages_by_person = [(user, list(world.pages(user))) for user in world.people()]
    with open_pages(chromium) as site:
        for user, pages in pages_by_person:
            signed_in = isinstance(user, User)
            size = PHONE if signed_in and user.has_role(Role.PATIENT) else DESK
            visitor = site.visitor(user if signed_in else None, viewport=size)
            for name, path in pages:
                # A page that looks the same for everybody is checked once.
                if name in ALIKE and path in read:
                    continue
                visitor.page.set_viewport_size(size)
                if not (status := open_page(visitor.page, site.address + path)):
                    continue
                check = violations if name in names else violations_at_both_sizes
                found_here = check(visitor.page, axe)
                read.add(path)
                # 410 is the page itself, saying that something was destroyed. 404 does not count.
                if status in {200, 410} or name in REFUSALS:
                    names.add(name)
                if found_here:
                    found[f"{'/'.join(sorted(user.roles)) if signed_in else 'nobody'} {path}"] = found_here
    assert found == {}
    assert unchecked(names) == set()
    assert REFUSALS.keys() <= names


@pytest.mark.parametrize(("path", "button"), [("/account/login/", "Log in"), ("/appointment/", "Send")])
def test_axe_finds_no_violation_on_a_form_with_errors(path: str, button: str, chromium: Browser) -> None:
    """The form is shown again with an error summary and marked fields."""
    with open_pages(chromium) as site:
        visitor = site.visitor()
        visitor.go(path)
        visitor.page.evaluate("document.querySelectorAll('[required]').forEach(e => e.required = false)")
        visitor.press(button)
        visitor.page.locator(".error-summary").wait_for()
        assert violations_at_both_sizes(visitor.page, Axe()) == []
