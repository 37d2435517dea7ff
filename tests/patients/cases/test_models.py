"""Case.objects.visible_to: which cases a person may see."""

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


def visible_to(user: User) -> set[Case]:
    return set(Case.objects.visible_to(user))


@pytest.mark.parametrize("role", [Role.DOCTOR, Role.RECEPTIONIST, Role.AUDITOR])
def test_these_roles_see_every_case_except_their_own(role: str) -> None:
    user = make_user(role, Role.PATIENT)
    others = {make_case_at(stage) for stage in Stage}
    make_case_at(Stage.CLOSED, user)
    make_case(user)
    assert visible_to(user) == others


def test_a_technician_sees_cases_in_mapping_except_their_own() -> None:
    user = make_user(Role.TECHNICIAN, Role.PATIENT)
    others = {stage: make_case_at(stage) for stage in Stage}
    make_case_at(Stage.REVIEW, user)
    assert visible_to(user) == {others[stage] for stage in MAPPING_STAGES}


def test_a_technician_sees_the_case_they_are_booked_for() -> None:
    case = make_case()
    make_keepsake(make_memory(case))
    procedure = make_procedure(case)
    user = User.objects.get(grants__role=Role.TECHNICIAN, resources__bookings=procedure.booking)
    assert visible_to(user) == {case}


@pytest.mark.parametrize(
    "roles", [[], [Role.PATIENT], [Role.ADMINISTRATOR], [Role.ADMINISTRATOR, Role.PATIENT]]
)
def test_everybody_else_sees_no_case_as_staff_and_patients_see_their_own_session(roles: list[str]) -> None:
    user = make_user(*roles)
    make_case()
    own = {make_case_at(Stage.CLOSED, user), make_case(user)}
    assert visible_to(user) == set()
    patients = own if Role.PATIENT in roles else set()
    assert set(Case.objects.visible_to(user, "erasure:session")) == patients


def test_a_closed_account_sees_no_case() -> None:
    make_case()
    assert visible_to(make_user(Role.DOCTOR, is_active=False)) == set()
