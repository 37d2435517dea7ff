"""Every page that somebody can reach, read by axe: no violation anywhere."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.contrib.auth.models import AnonymousUser
from django.core import mail
from django.db import transaction
from django.urls import NoReverseMatch, reverse
from django.utils import timezone
from playwright.sync_api import Page

from clinic.access.policy import PUBLIC, SIGNED_IN, TABLE, allowed
from clinic.calendar.models import Resource
from clinic.people.invitations import invite
from clinic.people.models import Role, User
from erasure.certificates.models import Certificate
from erasure.procedures.booking import book_procedure
from erasure.procedures.models import Procedure
from erasure.runs.control import call_doctor, pause
from patients.cases.models import Case
from patients.requests.models import AppointmentRequest
from tests.browser.browsing import DESK, PHONE, apart, open_house
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
from tests.house import until

# No page for people, or one that starts a download in a browser.
NO_PAGE = {
    "health",
    "audit-export",
    "erasure:live",
    "erasure:state",
    "erasure:map-css",
    "erasure:certificate-json",
}
# Pages on which nothing depends on the role of the person who reads them.
ALIKE = {name for name, row in TABLE.items() if row.read in (PUBLIC, SIGNED_IN)} | {
    "patients:intake",
    "patients:keepsakes",
    "patients:memory-new",
    "patients:withdraw",
    "today-wall",
    "erasure:wall",
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
        pause(self.held.pk, by=self.doctor)
        call_doctor(self.held.pk, by=self.doctor)
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
            {"pk": self.desk.pk},
            {"memory": self.memory.pk},
            {"procedure": self.procedure.pk},
            *({"case": case.pk} for case in cases),
            *({"keepsake": thing.pk} for thing in (self.photo, self.letter)),
            *({"run": run.pk} for run in (self.held, self.done)),
        ]

    def pages(self, user: User | AnonymousUser) -> Iterator[tuple[str, str]]:
        """The name and address of everything that `user` may read, and each step of the intake.

        Of a kind of object the doctor reads each one, in its stage; other staff one that they may read.
        """
        for name in sorted(TABLE.keys() - NO_PAGE):
            told = False
            for kwargs in self.arguments():
                try:
                    path = reverse(name, kwargs=kwargs)
                except NoReverseMatch:
                    continue
                if allowed(user, name, kwargs, "GET").allowed and not (told and user in self.others):
                    told = True
                    steps = ["hope", "health", "chapters"] if name == "patients:intake" else []
                    yield from [(name, path), *((name, f"{path}?step={step}") for step in steps)]


def is_page(page: Page, address: str) -> bool:
    """Open an address; whether it is a page for people, and not one that led elsewhere."""
    answer = page.goto(address)
    return bool(
        answer and "text/html" in answer.headers["content-type"] and answer.request.redirected_from is None
    )


def violations(page: Page, axe: Axe) -> list[str]:
    """What axe finds on the page that is open: the rule, and the element."""
    found = axe.run(page).response["violations"]
    return [f"{rule['id']}: {node['html'][:160]}" for rule in found for node in rule["nodes"]]


def test_axe_finds_nothing_on_any_page_that_somebody_can_reach() -> None:
    world, axe, read = World(), Axe(), set[str]()
    found: dict[str, list[str]] = {}
    todo = [(user, list(world.pages(user))) for user in world.people()]
    with open_house() as house:
        until(lambda: apart(lambda: Certificate.objects.filter(run=world.done).exists()), "the certificate")
        for user, pages in todo:
            signed_in = isinstance(user, User)
            size = PHONE if signed_in and user.has_role(Role.PATIENT) else DESK
            visitor = house.visitor(user if signed_in else None, viewport=size)
            for name, path in pages:
                # What looks the same to everybody is read once as it is to each who may act there.
                if (name in ALIKE and path in read) or not is_page(visitor.page, house.address + path):
                    continue
                read.add(path)
                if wrong := violations(visitor.page, axe):
                    found[f"{'/'.join(sorted(user.roles)) if signed_in else 'nobody'} {path}"] = wrong
    assert found == {}
    assert len(read) > 50
