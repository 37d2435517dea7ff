"""Verifying the log reports appointments that were changed without an entry."""

import pytest

from clinic.accounts.models import Role
from clinic.audit.comparisons import COMPARISONS
from clinic.audit.models import Entry
from patients.appointments.models import Appointment
from patients.appointments.states import mark_arrived, undo_state
from tests.appointments import make_appointment, make_held
from tests.factories import make_case, make_user

pytestmark = pytest.mark.django_db


def problems() -> list[str]:
    return list(COMPARISONS["appointments"](Entry.objects.count()))


def test_an_appointment_that_was_changed_without_an_entry_is_reported() -> None:
    desk = make_user(Role.RECEPTIONIST)
    row = make_appointment(by=desk)
    make_held(make_case(), by=desk, name="Held")
    mark_arrived(row, by=desk)
    undo_state(row, by=desk)
    mark_arrived(row, by=desk)
    assert problems() == []
    for change, name in (
        ({"status": "completed"}, "status"),
        ({"sequence": 3}, "moves"),
        ({"case": make_case()}, "case"),
    ):
        before = {field: getattr(Appointment.objects.get(pk=row.pk), field) for field in change}
        Appointment.objects.filter(pk=row.pk).update(**change)
        (problem,) = problems()
        assert problem.endswith(f": {name}."), problem
        Appointment.objects.filter(pk=row.pk).update(**before)
    assert problems() == []
