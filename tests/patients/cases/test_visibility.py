"""One rule: a list holds exactly the cases whose page opens, whoever asks and however they stand to them."""

import os
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import combinations

import pytest
from django.conf import settings
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from clinic.access.policy import CONTENT_ROLES, NAME_ROLES, allowed
from clinic.accounts.models import Role, User
from clinic.calendar.models import Booking, Resource
from erasure.certificates.models import Certificate
from erasure.procedures.models import Procedure
from erasure.runs.models import Run
from patients.cases.models import Case
from patients.cases.relations import roles_on, standing_to
from patients.consent.models import Signature
from patients.memories.models import LockedMap
from patients.vault.configured import key_store
from tests.factories import make_case, make_memory, make_room, make_text, make_user

pytestmark = pytest.mark.django_db

PAGES = ("patients:case", "patients:custody", "patients:mapping", "patients:review", "erasure:book")
SUBJECT = "Clementine Kruczynski"
NIGHTS = ("none", "booked", "canceled", "running", "certified")
ROLES = [(), *((role,) for role in Role), *combinations(Role, 2)]


@dataclass(frozen=True)
class Drawn:
    """How one case is in an example. mine: the patient is the person. booked: the person is on the team."""

    stage: str
    night: str
    mine: bool
    booked: bool
    about_me: bool
    forgotten: bool


drawn_cases = st.lists(
    st.builds(
        Drawn,
        stage=st.sampled_from(Case.Stage.values),
        night=st.sampled_from(NIGHTS),
        mine=st.booleans(),
        booked=st.booleans(),
        about_me=st.booleans(),
        forgotten=st.booleans(),
    ),
    max_size=4,
)


def arrange(drawn: Drawn, person: User) -> Case:
    """Make the rows of a case directly: states that no action of ours leads to must obey the rule too."""
    fields = {"subject_name": "clémentine  KRUCZYNSKI" if drawn.about_me else "Somebody Else"}
    case = make_case(agreed=False, **fields)
    # One current case each: a second one of the same person is a closed one.
    mine = drawn.mine and not Case.objects.current().filter(patient=person).exists()
    Case.objects.filter(pk=case.pk).update(stage=drawn.stage, **({"patient": person} if mine else {}))
    if drawn.forgotten:
        key_store().destroy(case.pk)
    if drawn.night != "none":
        book(case, drawn, person)
    return Case.objects.get(pk=case.pk)


def book(case: Case, drawn: Drawn, person: User) -> None:
    now = datetime(2030, 1, 1, 20, tzinfo=UTC)
    boss = make_user()
    booking = Booking.objects.create(
        kind=Booking.Kind.ERASURE,
        starts_at=now,
        ends_at=now + timedelta(hours=8),
        made_by=boss,
        canceled_at=now if drawn.night == "canceled" else None,
    )
    booking.resources.add(make_room())
    if drawn.booked:
        kind = Resource.Kind.TECHNICIAN
        seat = Resource.objects.get_or_create(kind=kind, user=person, defaults={"label": str(person.pk)})[0]
        booking.resources.add(seat)
    text = make_text()
    mapped = LockedMap.objects.create(case=case, version=1, digest="0" * 64, body={}, locked_by=boss)
    signature = Signature.objects.create(
        case=case, text=text, text_digest=text.digest, signed_by=case.patient, map=mapped, map_digest="0" * 64
    )
    procedure = Procedure.objects.create(
        case=case,
        map=mapped,
        consent=signature,
        booking=booking,
        place="clinic",
        pace_seconds=0,
        booked_by=boss,
        state="canceled" if drawn.night == "canceled" else "booked",
    )
    if drawn.night in {"running", "certified"}:
        run = Run.objects.create(procedure=procedure, expected_steps=1)
        if drawn.night == "certified":
            Certificate.objects.create(
                run=run, body="{}", digest=os.urandom(32).hex(), signature="", issued_at=now
            )


@hypothesis_settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(roles=st.sampled_from(ROLES), cases=drawn_cases, page=st.sampled_from(PAGES))
def test_z5_a_list_holds_exactly_the_cases_whose_page_opens(
    roles: tuple[str, ...], cases: list[Drawn], page: str
) -> None:
    person = make_user(*roles, name="Clementine Kruczynski")
    rows = [arrange(drawn, person) for drawn in cases]
    mine = Case.objects.filter(pk__in=[case.pk for case in rows])
    decisions = {case.pk: allowed(person, page, {"case": case.pk}, "GET") for case in rows}
    opened = {pk for pk, decision in decisions.items() if decision.allowed}
    assert set(mine.visible_to(person, page).values_list("pk", flat=True)) == opened
    assert roles_on(person, decisions, page) == {pk: decisions[pk].roles for pk in opened}
    named = {pk for pk in opened if decisions[pk].names}
    assert set(mine.visible_to(person, page, NAME_ROLES).values_list("pk", flat=True)) == named
    for case in rows:
        assert decisions[case.pk].relations <= standing_to(person, case)


@pytest.mark.parametrize("roles", ROLES, ids="-".join)
def test_z2_the_list_and_each_page_show_what_the_relation_that_opens_it_shows(roles: tuple[str, ...]) -> None:
    """Every role and pair of roles, through the pages themselves: what is listed opens, and shows no more."""
    person = make_user(*roles, name=SUBJECT)
    drawings = [
        Drawn("review", "none", False, False, False, False),
        Drawn("intake", "none", False, False, False, False),
        Drawn("booked", "booked", False, True, False, False),
        Drawn("booked", "canceled", False, True, False, False),
        Drawn("closed", "certified", False, True, False, False),
        Drawn("review", "none", False, False, True, False),
        Drawn("bringing", "none", True, False, False, False),
    ]
    cases = [arrange(drawn, person) for drawn in drawings]
    for number, case in enumerate(cases):
        User.objects.filter(pk=case.patient_id).exclude(pk=person.pk).update(name=f"Patient Number{number}")
        make_memory(case, f"Title {number}", number=1, intensity=9)
    client = Client()
    client.force_login(person, backend=settings.AUTHENTICATION_BACKENDS[0])
    files = client.get("/files/")
    listed = files.content.decode() if files.status_code == 200 else ""
    board = client.get("/today/").content.decode()
    assert len(cases) == len(drawings)
    for number, case in enumerate(cases):
        answer = client.get(f"/files/{case.pk}/")
        decision = allowed(person, "patients:case", {"case": case.pk}, "GET")
        page, name = answer.content.decode(), f"Patient Number{number}"
        assert (answer.status_code == 200) == decision.allowed == (case.reference in listed)
        assert (name in page) == (name in listed) == (decision.names and case.patient_id != person.pk)
        assert name not in board or decision.names
        assert (f"Title {number}" in page) == decision.content
        assert (client.get(f"/files/?name=Number{number}").content.decode().count(case.reference) > 0) == (
            decision.names and case.patient_id != person.pk
        )
        assert decision.content == bool(decision.roles & CONTENT_ROLES)


def test_however_many_names_are_compared_they_are_read_at_once() -> None:
    doctor = make_user(Role.DOCTOR, name=SUBJECT)
    assert doctor.is_staff_member
    costs = []
    for more in (1, 4):
        for _number in range(more):
            make_case(agreed=False, subject_name=SUBJECT)
        with CaptureQueriesContext(connection) as queries:
            assert len(Case.objects.all().conflicting(doctor)) == more + (more > 1)
        costs.append(len(queries))
    assert costs[0] == costs[1]
