"""What the day board says of files in the intake."""

from html import unescape

import pytest
from django.test import Client

from clinic.accounts.models import Role
from patients.cases.models import Case, CaseFields
from tests.factories import make_case, make_user, review_intake

pytestmark = pytest.mark.django_db
ALARM = "An answer in the intake cannot wait. A doctor has to read it now."


def in_intake(**answers: str) -> Case:
    """A case whose patient has answered this so far, and has not named anybody yet."""
    case = make_case(agreed=False, reviewed=False, subject_name="", answers=answers)
    Case.objects.filter(pk=case.pk).update(stage=Case.Stage.INTAKE)
    return Case.objects.get(pk=case.pk)


def board_of(*roles: str) -> str:
    """The text of the day board, as a person with these roles sees it."""
    client = Client()
    client.force_login(make_user(*roles))
    return unescape(client.get("/today/").content.decode())


def test_an_alarming_answer_is_on_the_board_before_the_intake_is_complete() -> None:
    in_intake(despair="no")
    assert ALARM not in board_of(Role.DOCTOR)
    case = in_intake(despair="yes")
    board = board_of(Role.DOCTOR)
    assert board.count(ALARM) == 1
    assert f"/files/{case.pk}/intake/" in board
    # The front desk may call a doctor, and does not read the answers.
    desk = board_of(Role.RECEPTIONIST)
    assert desk.count(ALARM) == 1
    assert f"/files/{case.pk}/intake/" not in desk
    assert ALARM not in board_of(Role.TECHNICIAN)
    case.write(CaseFields(subject_name="Clementine", answers={"despair": "yes"}))
    case.save(update_fields=["sealed"])
    review_intake(case)
    assert ALARM not in board_of(Role.DOCTOR)


def test_old_cases_in_the_intake_do_not_crowd_out_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("patients.case_file.board_entries.MAX_CASES", 2)
    for _number in range(3):
        in_intake(despair="no")
    make_case(reviewed=False)
    in_intake(harm="yes")
    board = board_of(Role.DOCTOR)
    assert board.count("A doctor has to review the intake.") == 1
    assert board.count(ALARM) == 1
