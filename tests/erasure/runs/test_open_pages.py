"""Which people have the page of a session open."""

import pytest

from erasure.runs.models import Attendance
from erasure.runs.open_pages import attend, attending
from erasure.runs.run_actions import after
from tests.erasure.runs.nights import doctor_of
from tests.factories import make_run

pytestmark = pytest.mark.django_db(transaction=True)


def test_the_open_pages_of_two_runs_are_counted_separately() -> None:
    run, other = make_run(1), make_run(1)
    doctor = doctor_of(run)
    attend(run.pk, doctor)
    attend(other.pk, doctor)
    assert attending(run.pk) == attending(other.pk) == [doctor]
    Attendance.objects.update(seen_at=after(-60))
    attend(run.pk, doctor)
    assert attending(run.pk) == [doctor]
    assert attending(other.pk) == [], "they have closed the other page"


def test_a_page_seen_a_moment_ago_is_not_written_again() -> None:
    run = make_run(1)
    attend(run.pk, doctor_of(run))
    Attendance.objects.update(seen_at=after(60))  # in the future, so that it is recent even on a slow machine
    seen = Attendance.objects.get().seen_at
    attend(run.pk, doctor_of(run))
    assert Attendance.objects.get().seen_at == seen
