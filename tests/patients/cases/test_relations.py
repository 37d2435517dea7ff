"""The relation of a person to a case: its patient, its subject, booked for its procedure, or none."""

from unicodedata import normalize
from uuid import uuid4

import pytest
from django.test import Client

from clinic.access.policy import allowed
from clinic.access.relations import Standing, standing_in
from clinic.accounts.models import Role, User
from erasure.procedures.booking import book_procedure, cancel_procedure
from erasure.procedures.models import Procedure
from patients.cases.models import Case
from patients.cases.relations import standing_to
from patients.vault.configured import key_store
from tests.factories import (
    make_case,
    make_doctor,
    make_keepsake,
    make_memory,
    make_procedure,
    make_room,
    make_technician,
    make_user,
)

pytestmark = pytest.mark.django_db


def make_bookable() -> Case:
    case = make_case()
    make_keepsake(make_memory(case))
    return case


def set_stage(stage: str, *cases: Case) -> None:
    Case.objects.filter(pk__in=[case.pk for case in cases]).update(stage=stage)


def technician_of(procedure: Procedure) -> User:
    return User.objects.get(grants__role=Role.TECHNICIAN, resources__bookings=procedure.booking)


def book_again(case: Case, before: Procedure) -> Procedure:
    """Book the procedure again, with other people."""
    doctor, technician = make_doctor(), make_technician()
    resources = [doctor.resources.get(), technician.resources.get(), make_room()]
    return book_procedure(
        case,
        place=Procedure.Place.CLINIC,
        resources=resources,
        starts_at=before.booking.starts_at,
        ends_at=before.booking.ends_at,
        by=doctor,
    )


def may_see(user: User, case: Case, client: Client) -> tuple[bool, bool, bool]:
    """Whether `user` may open the file, finds it in the list, and may see its picture."""
    client.force_login(user)
    picture = case.keepsakes.get().picture_id
    return (
        allowed(user, "patients:case", {"case": case.pk}, "GET").allowed,
        case.patient.name in client.get("/files/").content.decode(),
        allowed(user, "patients:picture", {"picture": picture}, "GET").allowed,
    )


def test_a_canceled_booking_gives_its_technician_no_access(client: Client) -> None:
    case = make_bookable()
    before = make_procedure(case)
    case.refresh_from_db()
    technician = technician_of(before)
    assert standing_to(technician, case) == {"assigned", "entrusted", "consented"}
    assert may_see(technician, case, client) == (True, True, True)
    cancel_procedure(before, by=make_doctor())
    new_technician = technician_of(book_again(case, before))
    case.refresh_from_db()
    assert standing_to(technician, case) == {"consented"}
    assert may_see(technician, case, client) == (False, False, False)
    assert standing_to(new_technician, case) == {"assigned", "entrusted", "consented"}
    assert may_see(new_technician, case, client) == (True, True, True)


def test_a_technician_is_assigned_only_to_the_case_they_are_booked_for() -> None:
    case, other = make_bookable(), make_bookable()
    mine, theirs = technician_of(make_procedure(case)), technician_of(make_procedure(other))
    case.refresh_from_db()
    assert (standing_to(mine, case), standing_to(theirs, case)) == (
        {"assigned", "entrusted", "consented"},
        {"consented"},
    )


@pytest.mark.parametrize("stage", Case.Stage)
def test_technicians_have_the_mapping_relation_until_the_procedure_is_booked(stage: str) -> None:
    case = make_case()
    set_stage(stage, case)
    mapping = {"bringing", "review", "mapped", "consented"}
    relations = {"mapping", "entrusted"} if stage in mapping else set()
    relations |= {"consented"} if stage != "withdrawn" else set()
    assert standing_to(make_technician(), case) == relations


def test_a_patient_has_a_relation_only_to_their_own_case() -> None:
    mine, other = make_case(), make_case()
    set_stage(Case.Stage.RUNNING, mine, other)
    assert standing_to(mine.patient, mine) == {"own", "conflict"}
    assert standing_to(mine.patient, other) == {"consented"}


def test_a_patient_with_the_subjects_name_has_no_conflict() -> None:
    case = make_case(subject_name="Clementine Kruczynski")
    set_stage(Case.Stage.RUNNING, case)
    assert standing_to(make_user(Role.PATIENT, name="Clementine Kruczynski"), case) == {"consented"}
    assert standing_to(make_user(Role.DOCTOR, name="Clementine Kruczynski"), case) == {"conflict"}


@pytest.mark.parametrize(
    ("doctor", "conflict"),
    [
        ("do thi anh", True),
        (normalize("NFD", "ĐỖ Thị  Ánh"), True),
        ("Ánh Thị Đỗ", True),
        ("Đỗ Ánh", False),
        ("Ánh", False),
    ],
)
def test_b7_a_doctor_is_the_subject_however_the_name_is_written(doctor: str, conflict: bool) -> None:
    case = make_case(subject_name="Đỗ Thị Ánh")
    set_stage(Case.Stage.RUNNING, case)
    person = make_user(Role.DOCTOR, name=doctor)
    assert (standing_to(person, case) == {"conflict"}) is conflict
    assert (person.pk in case.people_in_conflict()) is conflict


def test_nobody_is_the_subject_of_a_case_whose_key_is_destroyed() -> None:
    case = make_case(subject_name="Clementine Kruczynski")
    set_stage(Case.Stage.CLOSED, case)
    key_store().destroy(case.pk)
    assert standing_to(make_user(Role.DOCTOR, name="Clementine Kruczynski"), case) == {"consented"}


@pytest.mark.parametrize("keyword", ["case", "memory", "keepsake", "picture"])
def test_a_relation_to_an_object_equals_the_relation_to_its_case(keyword: str) -> None:
    case, other = make_bookable(), make_bookable()
    for row in (case, other):
        keepsake = row.keepsakes.select_related("memory").get()
        objects = {
            "case": row.pk,
            "memory": keepsake.memory_id,
            "keepsake": keepsake.pk,
            "picture": keepsake.picture_id,
        }
        own = frozenset({"own", "conflict"} if row == case else {"mapping", "entrusted", "consented"})
        assert standing_in(case.patient, {keyword: objects[keyword]}) == Standing(own, row.pk)
    assert standing_in(case.patient, {keyword: uuid4()}) is None
