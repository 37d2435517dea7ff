"""Which cases a person may know of."""

import pytest

from clinic.accounts.models import Role, User
from patients.cases.models import MAPPING_STAGES, Case
from tests.factories import make_case, make_keepsake, make_memory, make_procedure, make_user

pytestmark = pytest.mark.django_db
Stage = Case.Stage


def make_case_at(stage: str, patient: User | None = None) -> Case:
    case = make_case(patient)
    case.stage = stage
    case.save()
    return case


def known_to(user: User) -> set[Case]:
    return set(Case.objects.visible_to(user))


@pytest.mark.parametrize("role", [Role.DOCTOR, Role.RECEPTIONIST, Role.AUDITOR])
def test_these_know_of_every_case_but_their_own(role: str) -> None:
    user = make_user(role, Role.PATIENT)
    others = {make_case_at(stage) for stage in Stage}
    make_case_at(Stage.CLOSED, user)
    make_case(user)
    assert known_to(user) == others


def test_a_technician_knows_of_what_is_mapped_now_but_not_of_their_own_case() -> None:
    user = make_user(Role.TECHNICIAN, Role.PATIENT)
    others = {stage: make_case_at(stage) for stage in Stage}
    make_case_at(Stage.REVIEW, user)
    assert known_to(user) == {others[stage] for stage in MAPPING_STAGES}


def test_a_technician_knows_of_the_case_of_their_night() -> None:
    case = make_case()
    make_keepsake(make_memory(case))
    procedure = make_procedure(case)
    user = User.objects.get(grants__role=Role.TECHNICIAN, resources__bookings=procedure.booking)
    assert known_to(user) == {case}


@pytest.mark.parametrize(
    "roles", [[], [Role.PATIENT], [Role.ADMINISTRATOR], [Role.ADMINISTRATOR, Role.PATIENT]]
)
def test_to_everybody_else_no_file_opens_and_a_patient_opens_their_own_pages(roles: list[str]) -> None:
    user = make_user(*roles)
    make_case()
    own = {make_case_at(Stage.CLOSED, user), make_case(user)}
    assert known_to(user) == set()
    patients = own if Role.PATIENT in roles else set()
    assert set(Case.objects.visible_to(user, "erasure:session")) == patients


def test_a_closed_account_knows_of_no_case() -> None:
    make_case()
    assert known_to(make_user(Role.DOCTOR, is_active=False)) == set()
