"""Decisions about time use only the database's clock, because the clocks of machines differ."""

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from django.apps import apps
from django.conf import LazySettings
from django.utils import timezone

from clinic.calendar.models import Booking
from erasure.jobs import certifying, supervisor
from erasure.jobs.certifying import certify
from erasure.jobs.worker import advance, take_turn
from erasure.procedures.models import Procedure
from erasure.runs import calls, control, presence
from erasure.runs.finishing import finish
from erasure.runs.lease import claim, claimed_run, free_expired, heartbeat
from erasure.runs.models import Event, PresenceCheck, Run, Step
from erasure.runs.open_pages import attend, attending
from erasure.runs.planning import CannotStart, start_run
from erasure.runs.run_actions import after
from erasure.verification.process import NotVerified
from patients.consent.models import Signature
from tests.configuration import configure
from tests.erasure.runs.nights import (
    doctor_of,
    leave_unattended,
    make_call_due,
    make_check_overdue,
    technician_of,
)
from tests.factories import make_case, make_keepsake, make_memory, make_procedure, make_run, make_signed

pytestmark = pytest.mark.django_db(transaction=True)

SetClock = Callable[[float], None]
MakeClockWrong = Callable[[], None]


@pytest.fixture
def set_clock(monkeypatch: pytest.MonkeyPatch) -> SetClock:
    """A function that makes this process's clock wrong by some days. The database's clock stays right."""
    real = timezone.now

    def set_clock(days: float) -> None:
        def now() -> datetime:
            return real() + timedelta(days=days)

        monkeypatch.setattr(timezone, "now", now)
        for model in apps.get_models():
            for field in model._meta.concrete_fields:
                if field.default is real:  # the model class has stored the original function
                    monkeypatch.setitem(field.__dict__, "_get_default", now)

    return set_clock


@pytest.fixture(params=[-1, 1 / 24], ids=["a day behind", "an hour ahead"])
def make_clock_wrong(request: pytest.FixtureRequest, set_clock: SetClock) -> MakeClockWrong:
    """A function that makes this process's clock wrong by a day or an hour from then on."""
    return lambda: set_clock(request.param)


def lease_ends_after(run: Run, seconds: float) -> bool:
    rows = Run.objects.filter(pk=run.pk)
    return rows.filter(lease_until__gt=after(seconds - 30), lease_until__lt=after(seconds + 5)).exists()


def test_the_length_of_a_lease_does_not_depend_on_the_machines_clock(
    make_clock_wrong: MakeClockWrong, settings: LazySettings
) -> None:
    settings.LACUNA_LEASE_SECONDS = 60
    run = make_run(1)
    make_clock_wrong()
    fence = claim(run.pk)
    assert fence
    assert lease_ends_after(run, 60)
    assert claimed_run(fence).exists()
    assert claim(run.pk) is None
    assert free_expired() == 0
    Run.objects.update(lease_until=after(1))
    assert heartbeat(fence)
    assert lease_ends_after(run, 60)
    Run.objects.update(lease_until=after(-1))
    assert not heartbeat(fence)
    assert free_expired() == 1


def test_a_worker_does_a_pass_when_it_is_due(make_clock_wrong: MakeClockWrong) -> None:
    run = make_run(1)
    make_clock_wrong()
    fence = claim(run.pk)
    assert fence
    Run.objects.update(next_due_at=after(60))
    assert not take_turn(fence)
    Run.objects.update(next_due_at=after(-1))
    assert take_turn(fence)
    assert run.steps.get().level == 1


def test_a_worker_keeps_the_pace(make_clock_wrong: MakeClockWrong) -> None:
    run = make_run(1, pace=13 * 60)
    make_clock_wrong()
    fence = claim(run.pk)
    assert fence
    assert take_turn(fence)
    due = Run.objects.filter(next_due_at__gt=after(30), next_due_at__lt=after(65))
    assert due.exists(), "the next pass is due in a minute"


@pytest.mark.parametrize(("seconds", "expected"), [(60, 0), (-1, 1)])
def test_a_run_is_enqueued_when_it_is_due(
    make_clock_wrong: MakeClockWrong, seconds: float, expected: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    enqueued: list[object] = []
    monkeypatch.setattr(supervisor, "enqueue_run", enqueued.append)
    make_run(1)
    make_clock_wrong()
    Run.objects.update(next_due_at=after(seconds))
    assert supervisor.wake_due() == expected
    assert supervisor.wake_due() == 0, "it was enqueued a moment ago"
    Run.objects.filter(woken_at__isnull=False).update(woken_at=after(-supervisor.ASK_AGAIN - 1))
    assert supervisor.wake_due() == expected
    assert len(enqueued) == 2 * expected


def make_procedure_at(begins: float, ends: float) -> Procedure:
    """A booked procedure. begins, ends: seconds from now, negative for the past."""
    case = make_case()
    make_keepsake(make_memory(case))
    procedure = make_procedure(case)
    Booking.objects.update(starts_at=after(begins), ends_at=after(ends))
    return procedure


@pytest.mark.parametrize(("begins", "ends", "starts"), [(60, 120, 0), (-60, 60, 1), (-120, -60, 0)])
def test_a_run_starts_only_in_its_booked_hours(
    make_clock_wrong: MakeClockWrong, begins: float, ends: float, starts: int
) -> None:
    make_procedure_at(begins, ends)
    make_clock_wrong()
    assert supervisor.start_due() == starts


@pytest.mark.parametrize("state", [Procedure.State.CANCELED, Procedure.State.DONE])
def test_a_canceled_or_done_procedure_is_not_due(state: str) -> None:
    make_procedure_at(-60, 60)
    Procedure.objects.update(state=state)
    assert supervisor.start_due() == 0


def test_a_procedure_with_a_canceled_booking_is_not_due() -> None:
    make_procedure_at(-60, 60)
    Booking.objects.update(canceled_at=timezone.now())
    assert supervisor.start_due() == 0
    assert Procedure.objects.get().state == Procedure.State.BOOKED


def test_the_end_of_cooling_off_does_not_depend_on_the_machines_clock(set_clock: SetClock) -> None:
    case = make_case()
    make_keepsake(make_memory(case))
    procedure = make_procedure(case)
    Signature.objects.update(cooling_off_hours=12)
    set_clock(1)
    with pytest.raises(CannotStart, match="within the time to think it over"):
        start_run(procedure.pk, by=None)
    Signature.objects.update(signed_at=after(-12 * 3600))
    set_clock(-1)
    assert start_run(procedure.pk, by=None).expected_steps == 1


def test_the_start_of_a_run_is_dated_by_the_databases_clock(make_clock_wrong: MakeClockWrong) -> None:
    case = make_case()
    make_keepsake(make_memory(case))
    procedure = make_procedure(case)
    make_clock_wrong()
    run = start_run(procedure.pk, by=None)
    for moment in ("attended_at", "next_due_at"):
        near = {f"{moment}__gt": after(-60), f"{moment}__lte": after(1)}
        assert Run.objects.filter(pk=run.pk, **near).exists()


def test_a_signature_is_dated_by_the_databases_clock(make_clock_wrong: MakeClockWrong) -> None:
    case = make_case()
    make_keepsake(make_memory(case))
    make_clock_wrong()
    _mapped, consent = make_signed(case)
    assert Signature.objects.filter(pk=consent.pk, signed_at__gt=after(-60), signed_at__lte=after(1)).exists()


def test_presence_is_asked_for_after_its_minutes(make_clock_wrong: MakeClockWrong) -> None:
    configure(presence_minutes=20)
    run = make_run(1)
    make_clock_wrong()
    assert presence.ask_due() == 0, "it has just begun"
    leave_unattended(run, minutes=19)
    assert presence.ask_due() == 0
    leave_unattended(run, minutes=21)
    assert presence.ask_due() == 1


def test_presence_is_missed_after_its_grace(make_clock_wrong: MakeClockWrong) -> None:
    configure(presence_minutes=20)
    run = make_run(1)
    make_clock_wrong()
    leave_unattended(run)
    assert presence.ask_due() == 1
    assert presence.miss_due() == 0
    make_check_overdue(run)
    assert presence.miss_due() == 1
    assert PresenceCheck.objects.filter(missed_at__gt=after(-60), missed_at__lte=after(1)).exists()


def test_resuming_counts_as_attending_and_makes_the_next_pass_due(make_clock_wrong: MakeClockWrong) -> None:
    configure(presence_minutes=20)
    run = make_run(1)
    doctor = doctor_of(run)  # has not taken over, so their actions do not count as attending
    make_clock_wrong()
    control.pause(run.pk, by=doctor)
    leave_unattended(run)
    control.resume(run.pk, by=doctor)
    assert presence.ask_due() == 0
    assert Run.objects.filter(attended_at__gt=after(-60), attended_at__lte=after(1)).exists()
    assert Run.objects.filter(next_due_at__gt=after(-60), next_due_at__lte=after(1)).exists()


def test_a_call_is_repeated_when_it_is_due(make_clock_wrong: MakeClockWrong) -> None:
    run = make_run(1)
    make_clock_wrong()
    control.call_doctor(run.pk, by=technician_of(run))
    assert calls.remind_due() == 0
    make_call_due(run, remind=True)
    assert calls.remind_due() == 1
    assert calls.remind_due() == 0


def test_a_person_with_the_page_open_is_attending(make_clock_wrong: MakeClockWrong) -> None:
    run = make_run(1)
    make_clock_wrong()
    attend(run.pk, doctor_of(run))
    assert attending(run.pk) == [doctor_of(run)]


def test_a_run_is_completed_on_a_machine_with_a_wrong_clock(make_clock_wrong: MakeClockWrong) -> None:
    run = make_run(1)
    make_clock_wrong()
    advance(run.pk)
    run.refresh_from_db()
    assert (run.state, run.outcome) == (Run.State.FINISHED, Run.Outcome.COMPLETE)


def test_events_and_pauses_are_dated_by_the_databases_clock(make_clock_wrong: MakeClockWrong) -> None:
    run = make_run(1)
    make_clock_wrong()
    control.pause(run.pk, by=technician_of(run))
    near = {"__gt": after(-60), "__lte": after(1)}
    assert Run.objects.filter(pk=run.pk, **{f"held_at{end}": at for end, at in near.items()}).exists()
    events = Event.objects.filter(run=run, kind="paused", **{f"at{end}": at for end, at in near.items()})
    assert events.exists()
    control.resume(run.pk, by=technician_of(run))
    assert Run.objects.get(pk=run.pk).paused_seconds < 60


def test_the_lease_for_certifying_does_not_depend_on_the_machines_clock(
    make_clock_wrong: MakeClockWrong, settings: LazySettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.LACUNA_LEASE_SECONDS = 60
    run = make_run(1)
    advance_to_the_end(run)
    make_clock_wrong()
    lengths_right: list[bool] = []
    monkeypatch.setattr(certifying, "_certify", lambda row: lengths_right.append(lease_ends_after(row, 60)))
    certify(run.pk)
    assert lengths_right == [True]


def advance_to_the_end(run: Run) -> None:
    fence = claim(run.pk)
    assert fence
    while run.steps.exclude(state=Step.State.DESTROYED).exists():
        take_turn(fence)
    finish(run.pk)


def test_the_wait_for_the_next_verifier_does_not_depend_on_the_machines_clock(
    make_clock_wrong: MakeClockWrong, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first verifier failed on a machine with a right clock. The next machine's clock is wrong."""
    run = make_run(1)
    advance_to_the_end(run)
    tried: list[object] = []

    def fail_to_verify(key: object) -> None:
        tried.append(key)
        raise NotVerified("crashed")

    monkeypatch.setattr(certifying, "verify_in_subprocess", fail_to_verify)
    monkeypatch.setattr(certifying, "FIRST_WAIT", timedelta(minutes=1))
    certify(run.pk)
    make_clock_wrong()
    certify(run.pk)
    assert len(tried) == 1, "a minute has not passed"
    Event.objects.filter(kind="run-unverified").update(at=after(-61))
    certify(run.pk)
    assert len(tried) == 2
