"""Every page that somebody can reach, read by axe: no violation anywhere."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.contrib.auth.models import AnonymousUser
from django.core import mail
from django.db import transaction
from django.urls import NoReverseMatch, reverse
from django.utils import timezone
from playwright.sync_api import Page

from clinic.access.policy import PUBLIC, SIGNED_IN, TABLE, allowed
from clinic.accounts.models import Role, User
from clinic.calendar.models import Resource
from clinic.people.invitations import invite
from erasure.jobs.certifying import certify
from erasure.jobs.worker import advance
from erasure.procedures.booking import book_procedure
from erasure.procedures.models import Procedure
from erasure.runs.control import call_doctor, pause
from erasure.runs.models import Hold
from patients.cases.models import Case
from patients.requests.models import AppointmentRequest
from patients.vault.models import HeldKey
from tests.browser.browsing import DESK, PHONE, open_house
from tests.browser.watching import a_pass, a_run_with_a_copy
from tests.factories import (
    make_case,
    make_doctor,
    make_keepsake,
    make_letter,
    make_memory,
    make_room,
    make_run,
    make_signed,
    make_technician,
    make_user,
)

# What may be read and is no page that axe could read here, each with why.
NO_PAGE = {
    "alerts": "a part of every page of staff",
    "health": "a word for machines",
    "erasure:live": "a stream of events",
    "erasure:state": "JSON",
    "erasure:map-css": "a stylesheet",
    "erasure:certificate-json": "a download",
    "erasure:certificate-statement": "a download",
    "erasure:certificate-signature": "a download",
    "erasure:certificate-pdf": "a download",
    "erasure:verify-key": "a line of text",
    "erasure:verifier": "a download",
    "patients:playback": "sound and moving pictures",
    "patients:picture": "a picture",
    "patients:picture-blurred": "a picture",
    "patients:upload": "an upload, spoken by scripts",
    "set_language": "leads back to where one was",
    "account_set_password": "leads to changing the passphrase: nobody is without one",
    "outbox": "only in the demonstration",
    "erasure:left-fetch": "a download",
}
# No address of the table, and still read by people: what is nowhere, and what is not theirs to see.
REFUSALS = {"nowhere": "/nowhere/", "not theirs": "/people/"}
# Pages on which nothing depends on the role of the person who reads them.
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
        memory = make_memory(self.bringing)
        self.photo, self.letter = make_keepsake(memory), make_letter(memory)
        self.memory = memory
        for case in (self.signed, self.booked):
            make_keepsake(make_memory(case))
            make_signed(case)
        self.doctor, self.technician = make_doctor(), make_technician()
        self.others = [self.desk, self.technician, self.admin, self.auditor]
        self.procedure = self.tomorrow()
        self.held, self.done = make_run(2, pace=3600), make_run(1)
        self.copied = a_run_with_a_copy()
        a_pass(self.copied)
        advance(self.done.pk)
        certify(self.done.pk)
        pause(self.held.pk, by=self.doctor)
        call_doctor(self.held.pk, by=self.doctor)
        HeldKey.objects.create(pk=uuid4())  # as after a restore
        AppointmentRequest.objects.create(name="Somebody New", email="new@visitor.example")
        with transaction.atomic():
            invite("guest@visitor.example", "Guest", Role.PATIENT, by=self.desk, base="http://house")
        self.token = mail.outbox[-1].body.partition("/invitation/")[2].split()[0].strip("/")

    def tomorrow(self) -> Procedure:
        """A night that is not to start by itself while the test looks."""
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
        """Nobody, the staff, and the patient of each case."""
        cases: list[Case] = [self.bringing, self.signed, self.booked]
        patients = [case.patient for case in cases]
        nights = [run.procedure.case.patient for run in (self.held, self.done)]
        return [AnonymousUser(), self.doctor, *self.others, *patients, *nights]

    def arguments(self) -> list[dict[str, Any]]:
        """What may stand in an address."""
        cases = [self.bringing, self.signed, self.booked, self.done.procedure.case]
        return [
            {},
            {"token": self.token},
            {"uidb36": "1z", "key": "a-key"},
            {"pk": self.desk.pk},
            {"memory": self.memory.pk},
            {"key": self.done.certificate.number},
            {"procedure": self.procedure.pk},
            *({"case": case.pk} for case in cases),
            *({"keepsake": thing.pk} for thing in (self.photo, self.letter)),
            *({"run": run.pk} for run in (self.held, self.done, self.copied)),
        ]

    def pages(self, user: User | AnonymousUser) -> Iterator[tuple[str, str]]:
        """The name and address of everything that `user` may read, each step of the intake, and refusals.

        Of a kind of object the doctor reads each one, in its stage; other staff one that they may read.
        """
        for name in sorted(TABLE.keys() - NO_PAGE.keys()):
            told = False
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
                if allowed(user, name, kwargs, "GET").allowed and not (told and user in self.others):
                    told = True
                    steps = ["hope", "health", "chapters"] if name == "patients:intake" else []
                    yield from [(name, path), *((name, f"{path}?step={step}") for step in steps)]
        yield from REFUSALS.items()


def opened(page: Page, address: str) -> int:
    """Open an address; the status of a page for people, or 0 for what is none or led elsewhere."""
    answer = page.goto(address)
    if not answer or "text/html" not in answer.headers["content-type"] or answer.request.redirected_from:
        return 0
    return answer.status


def unread(names: set[str]) -> set[str]:
    """What somebody may read by the table, which has a row for every URL, and is not among `names`."""
    return {name for name, row in TABLE.items() if row.read} - names - NO_PAGE.keys()


# In the midst of a transition a button's background has not come to its color yet.
TRANSITIONS_END = """() => Promise.all(document.getAnimations()
  .filter(item => item instanceof CSSTransition)
  .map(item => item.finished.catch(() => 0)))"""
# Beside axe's default rules: a control's accessible name contains its visible text (WCAG 2.5.3).
RULES = {"rules": {"label-content-name-mismatch": {"enabled": True}}}


def violations(page: Page, axe: Axe) -> list[str]:
    """What axe finds on the page that is open: the rule, and the element."""
    page.evaluate(TRANSITIONS_END)
    found = axe.run(page, options=RULES).response["violations"]
    return [f"{rule['id']}: {node['html'][:160]}" for rule in found for node in rule["nodes"]]


def both_sizes(page: Page, axe: Axe) -> list[str]:
    """What axe finds on a desk's screen and in a hand: tables, boards and forms stand differently there."""
    found = []
    for size in (DESK, PHONE):
        page.set_viewport_size(size)
        found += [f"{size['width']} px, {said}" for said in violations(page, axe)]
    return found


@pytest.mark.timeout(600)  # some 180 pages, most of them at two sizes
def test_axe_finds_nothing_on_any_page_that_somebody_can_reach() -> None:
    world, axe, read, names = World(), Axe(), set[str](), set[str]()
    found: dict[str, list[str]] = {}
    todo = [(user, list(world.pages(user))) for user in world.people()]
    with open_house() as house:
        for user, pages in todo:
            signed_in = isinstance(user, User)
            size = PHONE if signed_in and user.has_role(Role.PATIENT) else DESK
            visitor = house.visitor(user if signed_in else None, viewport=size)
            for name, path in pages:
                # What looks the same to everybody is read once as it is to each who may act there.
                if name in ALIKE and path in read:
                    continue
                visitor.page.set_viewport_size(size)
                if not (status := opened(visitor.page, house.address + path)):
                    continue
                wrong = (violations if name in names else both_sizes)(visitor.page, axe)
                read.add(path)
                # A page that says that something is gone is the page; one that says it is not there is not.
                if status in {200, 410} or name in REFUSALS:
                    names.add(name)
                if wrong:
                    found[f"{'/'.join(sorted(user.roles)) if signed_in else 'nobody'} {path}"] = wrong
    assert found == {}
    assert unread(names) == set()
    assert REFUSALS.keys() <= names


@pytest.mark.parametrize(("path", "button"), [("/account/login/", "Log in"), ("/appointment/", "Send")])
def test_axe_finds_nothing_on_a_form_that_comes_back(path: str, button: str) -> None:
    """Its summary, and the faulty fields."""
    with open_house() as house:
        visitor = house.visitor()
        visitor.go(path)
        visitor.page.evaluate("document.querySelectorAll('[required]').forEach(e => e.required = false)")
        visitor.press(button)
        visitor.page.locator(".error-summary").wait_for()
        assert both_sizes(visitor.page, Axe()) == []
