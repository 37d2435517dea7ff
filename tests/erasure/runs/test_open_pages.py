"""Who has a session's page open, in this night and no other."""

import pytest

from erasure.runs.models import Attendance
from erasure.runs.open_pages import attend, attending
from erasure.runs.run_actions import after
from tests.erasure.runs.nights import doctor_of
from tests.factories import make_run

pytestmark = pytest.mark.django_db(transaction=True)


def test_who_watches_two_nights_is_noted_and_leaves_in_each_of_them() -> None:
    run, other = make_run(1), make_run(1)
    doctor = doctor_of(run)
    attend(run.pk, doctor)
    attend(other.pk, doctor)
    assert attending(run.pk) == attending(other.pk) == [doctor]
    Attendance.objects.update(seen_at=after(-60))
    attend(run.pk, doctor)
    assert attending(run.pk) == [doctor]
    assert attending(other.pk) == [], "they have closed the other page"


def test_a_page_that_was_heard_of_a_moment_ago_writes_nothing() -> None:
    run = make_run(1)
    attend(run.pk, doctor_of(run))
    Attendance.objects.update(seen_at=after(60))  # however slow this machine is, that is not long ago
    seen = Attendance.objects.get().seen_at
    attend(run.pk, doctor_of(run))
    assert Attendance.objects.get().seen_at == seen
