"""A list contains exactly the cases whose page the person may open, whatever their roles and relations."""

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
from clinic.http.keyset import Count
from erasure.certificates.models import Certificate
from erasure.procedures.models import Procedure
from erasure.runs.models import Run
from erasure.runs.planning import policies_of
from patients.cases.models import Case
from patients.cases.relations import may_read_content, roles_on, standing_to
from patients.consent.models import Signature
from patients.memories.models import LockedMap
from patients.messages.models import MessageThread
from patients.vault.configured import key_store
from tests.factories import make_case, make_memory, make_room, make_text, make_user

pytestmark = pytest.mark.django_db

PAGES = (
    *("patients:case", "patients:custody", "patients:mapping", "patients:review", "patients:case-messages"),
    "erasure:book",
)
SUBJECT = "Clementine Kruczynski"
NIGHTS = ("none", "booked", "canceled", "running", "certified")
ROLES = [(), *((role,) for role in Role), *combinations(Role, 2)]


@dataclass(frozen=True)
class Example:
    """One case of an example.

    mine: the person is its patient. booked: the person is on its team. about_me: the subject has the person's
    name. forgotten: the case's key is destroyed. answers: its messages are assigned to the person.
    """

    stage: str
    night: str
    mine: bool = False
    booked: bool = False
    about_me: bool = False
    forgotten: bool = False
    answers: bool = False


examples = st.lists(
    st.builds(
        Example,
        stage=st.sampled_from(Case.Stage.values),
        night=st.sampled_from(NIGHTS),
        mine=st.booleans(),
        booked=st.booleans(),
        about_me=st.booleans(),
        forgotten=st.booleans(),
        answers=st.booleans(),
    ),
    max_size=4,
)


def arrange(example: Example, person: User) -> Case:
    """Create the rows of a case directly: the rule must hold even for states that no action leads to."""
    fields = {"subject_name": "clémentine  KRUCZYNSKI" if example.about_me else "Somebody Else"}
    case = make_case(agreed=False, **fields)
    # A person can have only one current case.
    mine = example.mine and not Case.objects.current().filter(patient=person).exists()
    Case.objects.filter(pk=case.pk).update(stage=example.stage, **({"patient": person} if mine else {}))
    if example.answers:
        MessageThread.objects.create(case=case, assigned_to=person)
    if example.forgotten:
        key_store().destroy(case.pk)
    if example.night != "none":
        book(case, example, person)
    return Case.objects.get(pk=case.pk)


def book(case: Case, example: Example, person: User) -> None:
    now = datetime(2030, 1, 1, 20, tzinfo=UTC)
    boss = make_user()
    booking = Booking.objects.create(
        kind=Booking.Kind.ERASURE,
        starts_at=now,
        ends_at=now + timedelta(hours=8),
        made_by=boss,
        canceled_at=now if example.night == "canceled" else None,
    )
    booking.resources.add(make_room())
    if example.booked:
        kind = Resource.Kind.TECHNICIAN
        calendar = Resource.objects.get_or_create(kind=kind, user=person, defaults={"label": str(person.pk)})[
            0
        ]
        booking.resources.add(calendar)
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
        state="canceled" if example.night == "canceled" else "booked",
    )
    if example.night in {"running", "certified"}:
        run = Run.objects.create(procedure=procedure, expected_steps=1, **policies_of(procedure))
        if example.night == "certified":
            Certificate.objects.create(
                run=run, body="{}", digest=os.urandom(32).hex(), signature="", issued_at=now
            )


@hypothesis_settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(roles=st.sampled_from(ROLES), cases=examples, page=st.sampled_from(PAGES))
def test_z5_a_list_has_exactly_the_cases_whose_page_may_be_opened(
    roles: tuple[str, ...], cases: list[Example], page: str
) -> None:
    person = make_user(*roles, name="Clementine Kruczynski")
    rows = [arrange(example, person) for example in cases]
    these = Case.objects.filter(pk__in=[case.pk for case in rows])
    decisions = {case.pk: allowed(person, page, {"case": case.pk}, "GET") for case in rows}
    opened = {pk for pk, decision in decisions.items() if decision.allowed}
    assert set(these.visible_to(person, page).values_list("pk", flat=True)) == opened
    assert roles_on(person, decisions, page) == {pk: decisions[pk].roles for pk in opened}
    named = {pk for pk in opened if decisions[pk].names}
    assert set(these.visible_to(person, page, NAME_ROLES).values_list("pk", flat=True)) == named
    for case in rows:
        assert decisions[case.pk].relations <= standing_to(person, case)
    listed = these.newest_visible(person, most=99)
    assert {case.pk for case in listed} == set(these.visible_to(person).values_list("pk", flat=True))
    assert these.count_visible(person, most=99) == Count(len(listed))
    assert these.newest_visible(person, most=1) == listed[:1]
    for stage in {case.stage for case in rows}:
        narrowed = these.newest_visible(person, most=99, stages=[stage])
        assert narrowed == [case for case in listed if case.stage == stage]


@pytest.mark.parametrize("roles", ROLES, ids="-".join)
def test_z2_the_list_and_each_page_show_what_the_relation_allows(roles: tuple[str, ...]) -> None:
    """For every role and pair of roles: a listed case can be opened, and pages show no more than allowed."""
    person = make_user(*roles, name=SUBJECT)
    all_examples = [
        Example("review", "none"),
        Example("intake", "none"),
        Example("booked", "booked", booked=True),
        Example("booked", "canceled", booked=True),
        Example("closed", "certified", booked=True),
        Example("review", "none", about_me=True),
        Example("bringing", "none", mine=True),
        Example("withdrawn", "canceled", booked=True),
        Example("withdrawn", "running", booked=True),
    ]
    cases = [arrange(example, person) for example in all_examples]
    assert len(cases) == len(all_examples) > 0
    for number, case in enumerate(cases):
        for patient in User.objects.filter(pk=case.patient_id).exclude(pk=person.pk):
            patient.name = f"Patient Number{number}"
            patient.save()  # also stores the words that find the name
        make_memory(case, f"Title {number}", number=1, intensity=9)
    client = Client()
    client.force_login(person, backend=settings.AUTHENTICATION_BACKENDS[0])
    files = client.get("/files/")
    listed = files.content.decode() if files.status_code == 200 else ""
    board = client.get("/today/").content.decode()
    for number, case in enumerate(cases):
        answer = client.get(f"/files/{case.pk}/")
        decision = allowed(person, "patients:case", {"case": case.pk}, "GET")
        page, name = answer.content.decode(), f"Patient Number{number}"
        assert (answer.status_code == 200) is decision.allowed
        assert (case.reference in listed) is decision.allowed
        named = decision.names and case.patient_id != person.pk
        assert (name in page, name in listed) == (named, named)
        assert name not in board or decision.names
        assert (f"Title {number}" in page) == may_read_content(decision)
        taken_back = case.stage == Case.Stage.WITHDRAWN and "assigned" not in decision.relations
        assert may_read_content(decision) == (decision.content and not taken_back)
        found = client.get(f"/files/?name=Number{number}").content.decode()
        assert (case.reference in found) == named
        assert decision.content == bool(decision.roles & CONTENT_ROLES)


def test_names_are_compared_with_a_fixed_number_of_queries() -> None:
    doctor = make_user(Role.DOCTOR, name=SUBJECT)
    assert doctor.is_staff_member
    costs = []
    for new, total in ((1, 1), (4, 5)):
        for _number in range(new):
            make_case(agreed=False, subject_name=SUBJECT)
        with CaptureQueriesContext(connection) as queries:
            assert len(Case.objects.all().conflicting(doctor)) == total
        costs.append(len(queries))
    assert costs[0] == costs[1]
