"""Every page tells of a night that is offered to the reader, and of a missed night of theirs."""

from datetime import timedelta

import pytest
from django.conf import settings
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from clinic.accounts.models import User
from clinic.alerts.sources import alerts_for
from erasure.procedures.booking import cancel_procedure, move_procedure
from erasure.procedures.models import Procedure
from erasure.runs import handover
from erasure.runs.models import Run
from erasure.runs.night_alerts import missed_alerts
from tests.erasure.runs.nights import doctor_of, technician_of
from tests.factories import (
    make_case,
    make_keepsake,
    make_memory,
    make_procedure,
    make_run,
    make_technician,
    make_user,
    shift_hours,
)

pytestmark = pytest.mark.django_db


def page_of(person: User, url: str = "/files/") -> str:
    client = Client()
    client.force_login(person, backend=settings.AUTHENTICATION_BACKENDS[0])
    return client.get(url).content.decode()


def make_free_technician() -> User:
    person = make_technician()
    person.grants.get_or_create(role="technician")
    return person


def test_an_offered_handover_is_shown_to_its_recipient_until_it_is_answered() -> None:
    run = make_run(1)
    current, other = technician_of(run), make_free_technician()
    handover.offer(run.pk, other.pk, by=current)
    url = reverse("erasure:handover", args=[run.pk])
    title = f"The night of file {run.procedure.case.reference} has been offered to you"
    page = page_of(other)
    assert title in page
    assert f'href="{url}">Answer</a>' in page
    assert alerts_for(other, url) == []
    assert title not in page_of(current)
    assert title not in page_of(doctor_of(run))
    handover.decline(run.pk, by=other)
    assert alerts_for(other) == []
    handover.offer(run.pk, other.pk, by=current)
    assert len(alerts_for(other)) == 1
    Run.objects.filter(pk=run.pk).update(state="finished", outcome="complete", finished_at=timezone.now())
    assert alerts_for(other) == []


def make_missed() -> Procedure:
    case = make_case()
    make_keepsake(make_memory(case))
    procedure = make_procedure(case)
    shift_hours(procedure, timedelta(hours=-9))
    return procedure


def team_of(procedure: Procedure) -> list[User]:
    return list(User.objects.filter(resources__bookings=procedure.booking_id).order_by("pk"))


def test_a_missed_night_is_shown_to_its_team_until_somebody_decides() -> None:
    moved, cancelled = make_missed(), make_missed()
    title = f"The night of file {moved.case.reference} was missed."
    for person in team_of(moved):
        page = page_of(person)
        assert title in page
        assert cancelled.case.reference not in page.partition('id="alerts"')[2].partition("</section>")[0]
        assert f'href="/files/{moved.case_id}/">Open the file</a>' in page
        assert alerts_for(person, f"/files/{moved.case_id}/") == []
    assert missed_alerts(make_user("doctor")) == []
    begins = timezone.now() + timedelta(days=1)
    doctor = next(person for person in team_of(moved) if person.has_role("doctor"))
    move_procedure(
        moved,
        starts_at=begins,
        ends_at=begins + timedelta(hours=8),
        expected_start=moved.booking.starts_at,
        by=doctor,
    )
    cancel_procedure(cancelled, by=doctor)
    for procedure in (moved, cancelled):
        assert [alert for person in team_of(procedure) for alert in alerts_for(person)] == []


def test_a_person_without_access_to_the_file_gets_no_alert() -> None:
    """A technician whose role was taken away is still among those who were booked."""
    procedure = make_missed()
    technician = next(person for person in team_of(procedure) if person.has_role("technician"))
    assert len(missed_alerts(technician)) == 1
    technician.grants.all().delete()
    assert missed_alerts(User.objects.get(pk=technician.pk)) == []


def test_three_missed_nights_take_as_many_queries_as_one() -> None:
    first, *others = [make_missed() for _night in range(3)]
    resource = first.booking.resources.get(kind="doctor")
    doctor = resource.user
    assert doctor
    assert doctor.roles  # read once for each request
    with CaptureQueriesContext(connection) as one:
        assert len(missed_alerts(doctor)) == 1
    for procedure in others:
        procedure.booking.resources.add(resource)
    with CaptureQueriesContext(connection) as three:
        assert len(missed_alerts(doctor)) == 3
    assert len(one) == len(three)
