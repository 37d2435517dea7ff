"""A night starts only within its booked hours. A missed one is told of once, and waits for a decision."""

from datetime import timedelta

import pytest
from django.conf import settings
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from clinic.accounts.models import User
from clinic.audit.models import Entry
from clinic.availability.offers import objections_to
from clinic.calendar.board import board_of
from clinic.calendar.models import Booking, Reservation
from clinic.outgoing.models import OutgoingMessage
from erasure.jobs.worker import advance
from erasure.procedures import missed
from erasure.procedures.booking import CannotBook, cancel_procedure, move_procedure
from erasure.procedures.missed import end_missed
from erasure.procedures.models import Procedure
from erasure.runs.models import Run
from erasure.runs.planning import CannotStart, obstacle, start_run
from patients.cases.facts import status_of
from patients.cases.models import Case
from patients.cases.status import Hours, Stage
from patients.consent.models import Signature
from tests.configuration import configure
from tests.factories import make_case, make_keepsake, make_memory, make_procedure, review_intake, shift_hours
from tests.outgoing import deliver

pytestmark = pytest.mark.django_db

DAY, MINUTE = timedelta(days=1), timedelta(minutes=1)


def make_night(begins_in: timedelta) -> Procedure:
    """A night of eight hours that was signed for long ago. begins_in: from now, negative for the past."""
    case = make_case()
    make_keepsake(make_memory(case))
    procedure = make_procedure(case)
    shift_hours(procedure, begins_in)
    Signature.objects.filter(pk=procedure.consent_id).update(signed_at=timezone.now() - 30 * DAY)
    return procedure


def make_missed() -> Procedure:
    return make_night(timedelta(hours=-9))


def doctor_of(procedure: Procedure) -> User:
    return User.objects.get(resources__bookings=procedure.booking_id, resources__kind="doctor")


def technician_of(procedure: Procedure) -> User:
    return User.objects.get(resources__bookings=procedure.booking_id, resources__kind="technician")


def signed_in(person: User) -> Client:
    client = Client()
    client.force_login(person, backend=settings.AUTHENTICATION_BACKENDS[0])
    return client


def move(procedure: Procedure, begins_in: timedelta) -> Procedure:
    """Move a night as its doctor. begins_in: from now until its new beginning."""
    procedure.booking.refresh_from_db()
    begins = timezone.now() + begins_in
    return move_procedure(
        procedure,
        starts_at=begins,
        ends_at=begins + timedelta(hours=8),
        expected_start=procedure.booking.starts_at,
        by=doctor_of(procedure),
    )


@pytest.mark.parametrize(
    ("begins_in", "lead", "hours"),
    [
        (31 * MINUTE, 30, Hours.BEFORE),
        (29 * MINUTE, 30, Hours.OPEN),
        (29 * MINUTE, 0, Hours.BEFORE),
        (-MINUTE, 0, Hours.OPEN),
        (-8 * 60 * MINUTE + MINUTE, 30, Hours.OPEN),
        (-8 * 60 * MINUTE, 30, Hours.OVER),
    ],
)
def test_a_night_starts_only_within_its_hours(begins_in: timedelta, lead: int, hours: Hours) -> None:
    configure(start_lead_minutes=lead)
    procedure = make_night(begins_in)
    status = status_of(procedure.case)
    assert status.night
    assert status.night.hours == hours
    assert status.allows("start") == (hours == Hours.OPEN)
    begins = timezone.localtime(procedure.booking.starts_at).strftime("%H:%M")
    match hours:
        case Hours.BEFORE:
            with pytest.raises(CannotStart, match=f"is booked from .* {begins} to .*from .* on") as refusal:
                start_run(procedure.pk, by=None)
            assert "move it first" in str(refusal.value)
        case Hours.OVER:
            with pytest.raises(CannotStart, match=f"was booked from .* {begins} to .*has to be moved"):
                start_run(procedure.pk, by=None)
        case Hours.OPEN:
            assert obstacle(procedure) == ""
            start_run(procedure.pk, by=None)
    assert Run.objects.exists() == (hours == Hours.OPEN)


def test_the_lead_does_not_reach_into_the_time_to_think_it_over() -> None:
    """The night begins when that time ends. Some minutes before, it is still too early."""
    procedure = make_night(20 * MINUTE)
    Signature.objects.filter(pk=procedure.consent_id).update(
        signed_at=procedure.booking.starts_at - timedelta(hours=12), cooling_off_hours=12
    )
    assert not status_of(procedure.case).allows("start")
    with pytest.raises(CannotStart, match="still within the time to think it over"):
        start_run(procedure.pk, by=None)


def test_people_are_told_once_of_a_missed_night_and_its_reservations_are_deleted() -> None:
    procedure = make_night(timedelta())
    team = [doctor_of(procedure), technician_of(procedure)]
    resources = list(procedure.booking.resources.all())
    procedure = move(procedure, 5 * DAY)
    assert end_missed() == 0, "its hours have not come"
    shift_hours(procedure, timedelta(days=-5, hours=-9))
    assert [end_missed(), end_missed(), missed._end(procedure.pk)] == [1, 0, False]
    mails = OutgoingMessage.objects.filter(event="night-missed", status="queued")
    expected = {f"user:{one.pk}" for one in (procedure.case.patient, *team)}
    assert set(mails.values_list("recipient", flat=True)) == expected
    assert mails.count() == 3
    reminders = OutgoingMessage.objects.filter(event__in=["night-in-three-days", "night-tomorrow"])
    assert list(reminders.values_list("status", flat=True)) == ["cancelled"] * 2
    entry = Entry.objects.get(action="procedure.missed")
    assert (entry.actor, entry.case) == ("system:supervisor", procedure.case_id)
    assert not Reservation.objects.exists()
    tonight = timezone.now() + timedelta(hours=1)
    assert objections_to(resources, tonight, tonight + timedelta(hours=8), night=True) == []
    deliver()
    assert set(OutgoingMessage.objects.filter(event="night-missed").values_list("status", flat=True)) == {
        "sent"
    }


def test_a_night_that_was_started_moved_or_cancelled_is_not_missed() -> None:
    started, moved, cancelled = (make_night(timedelta()) for _one in range(3))
    start_run(started.pk, by=None)
    move(moved, DAY)
    cancel_procedure(cancelled, by=doctor_of(cancelled))
    for one in (started, cancelled):
        shift_hours(one, timedelta(hours=-9))
    assert end_missed() == 0
    # Each has changed after a supervisor found it missed.
    assert not any(missed._end(one.pk) for one in (started, moved, cancelled))
    assert not Booking.objects.filter(released_at__isnull=False).exists()
    page = signed_in(doctor_of(started)).get(reverse("erasure:start", args=[started.pk])).content.decode()
    assert "This night was missed" not in page
    assert not OutgoingMessage.objects.filter(event="night-missed").exists()


def test_a_missed_night_that_is_moved_can_be_missed_again() -> None:
    procedure = make_missed()
    end_missed()
    move(procedure, DAY)
    assert status_of(procedure.case).stage == Stage.BOOKED
    assert Reservation.objects.count() == 3 * len({row.quarter for row in Reservation.objects.all()})
    mails = OutgoingMessage.objects.filter(event="night-missed")
    assert set(mails.values_list("status", flat=True)) == {"cancelled"}
    shift_hours(procedure, timedelta(days=-1, hours=-9))
    assert end_missed() == 1
    assert set(mails.filter(status="queued").values_list("version", flat=True)) == {2}
    move(procedure, timedelta())
    assert start_run(procedure.pk, by=None).expected_steps == 1


def test_a_missed_night_is_moved_only_as_it_could_be_booked() -> None:
    procedure = make_missed()
    before = procedure.booking.starts_at
    with pytest.raises(CannotBook, match="This night is over already"):
        move(procedure, timedelta(hours=-8))
    Signature.objects.filter(pk=procedure.consent_id).update(superseded_at=timezone.now())
    with pytest.raises(CannotBook, match="consent is no longer in force"):
        move(procedure, DAY)
    Signature.objects.filter(pk=procedure.consent_id).update(superseded_at=None)
    review_intake(procedure.case, "not_cleared", "Not now.")
    status = status_of(procedure.case)
    assert ([wait.code for wait in status.waits], status.allows("move")) == (["missed", "not-cleared"], False)
    with pytest.raises(CannotBook, match="not cleared"):
        move(procedure, DAY)
    procedure.booking.refresh_from_db()
    assert procedure.booking.starts_at == before
    review_intake(procedure.case)
    assert move(procedure, DAY).booking.starts_at > before


def test_a_missed_night_is_cancelled_with_a_reason() -> None:
    procedure = make_missed()
    desk, url = signed_in(doctor_of(procedure)), reverse("erasure:procedure-cancel", args=[procedure.pk])
    page = desk.get(url)
    seen = page.context["seen"]
    assert "It was missed." in page.content.decode()
    for reason in ("", "weather"):
        assert desk.post(url, {"seen": seen, "reason": reason}).status_code == 422
    with pytest.raises(CannotBook, match="choose why"):
        cancel_procedure(procedure, seen=seen, by=doctor_of(procedure))
    with pytest.raises(CannotBook, match="choose why"):
        cancel_procedure(procedure, reason="weather", by=doctor_of(procedure))
    assert desk.post(url, {"seen": seen, "reason": "team"}).status_code == 302
    assert Entry.objects.get(action="procedure.canceled").details == {"reason": "team"}
    assert status_of(Case.objects.get(pk=procedure.case_id)).stage == Stage.CONSENTED


def test_the_pages_say_that_a_night_was_missed_and_offer_what_the_reader_may_do() -> None:
    procedure = make_missed()
    start = reverse("erasure:start", args=[procedure.pk])
    file_url, move_url = (
        reverse("patients:case", args=[procedure.case_id]),
        reverse("erasure:procedure-move", args=[procedure.pk]),
    )
    doctor, technician = signed_in(doctor_of(procedure)), signed_in(technician_of(procedure))
    for client, may_move in ((doctor, True), (technician, False)):
        for url in (start, file_url):
            page = client.get(url).content.decode()
            assert "This night was missed" in page
            assert "Start now" not in page
            assert (move_url in page) == may_move
        assert "has to be moved before it can start" in client.post(start, follow=True).content.decode()
    assert not Run.objects.exists()
    need = next(need for need in board_of(timezone.localdate(), doctor_of(procedure)).needs if need.late)
    assert "was missed" in need.text
    assert need.tag == "missed"
    assert need.url == file_url
    portal = signed_in(procedure.case.patient).get("/me/").content.decode()
    assert "Your night did not take place." in portal
    assert "night missed" in doctor.get("/files/").content.decode()


def test_a_missed_night_is_on_todays_board_until_somebody_decides() -> None:
    procedure = make_night(timedelta(days=-9))
    doctor = doctor_of(procedure)
    texts = [need.text for need in board_of(timezone.localdate(), doctor).needs]
    assert len([text for text in texts if "was missed" in text]) == 1
    assert not board_of(timezone.localdate() - timedelta(days=3), doctor).needs


def test_a_run_that_is_over_its_hours_goes_on_and_the_board_says_so() -> None:
    procedure = make_night(timedelta())
    run = start_run(procedure.pk, by=None)
    shift_hours(procedure, timedelta(hours=-9))
    end = timezone.localtime(procedure.booking.ends_at).strftime("%H:%M")
    assert end_missed() == 0
    (progress,) = board_of(timezone.localdate(), doctor_of(procedure)).under_way
    assert f"booked until {end}, it goes on" in progress.text
    advance(run.pk)
    run.refresh_from_db()
    assert run.outcome == Run.Outcome.COMPLETE
    (progress,) = board_of(timezone.localdate(), doctor_of(procedure)).ended
    assert "it goes on" not in progress.text
