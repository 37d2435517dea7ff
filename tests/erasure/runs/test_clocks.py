"""Machines disagree about the time; what is decided by it is decided by the database's clock alone."""

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from django.apps import apps
from django.conf import LazySettings
from django.utils import timezone

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
from tests.erasure.runs.nights import doctor_of, due_now, overdue, technician_of, unattended
from tests.factories import make_case, make_keepsake, make_memory, make_procedure, make_run, make_signed

pytestmark = pytest.mark.django_db(transaction=True)

SetClock = Callable[[float], None]
GoWrong = Callable[[], None]


@pytest.fixture
def set_clock(monkeypatch: pytest.MonkeyPatch) -> SetClock:
    """Let this process's clock be wrong by so many days; the database has its own."""
    real = timezone.now

    def set_clock(days: float) -> None:
        def now() -> datetime:
            return real() + timedelta(days=days)

        monkeypatch.setattr(timezone, "now", now)
        for model in apps.get_models():
            for field in model._meta.concrete_fields:
                if field.default is real:  # a model took the function when it was made
                    monkeypatch.setitem(field.__dict__, "_get_default", now)

    return set_clock


@pytest.fixture(params=[-1, 1 / 24], ids=["a day behind", "an hour ahead"])
def go_wrong(request: pytest.FixtureRequest, set_clock: SetClock) -> GoWrong:
    """Let this process's clock be wrong by a day or an hour from now on."""
    return lambda: set_clock(request.param)


def ends_in_time(run: Run, seconds: float) -> bool:
    rows = Run.objects.filter(pk=run.pk)
    return rows.filter(lease_until__gt=after(seconds - 30), lease_until__lt=after(seconds + 5)).exists()


def test_a_lease_lasts_as_long_as_it_should(go_wrong: GoWrong, settings: LazySettings) -> None:
    settings.LACUNA_LEASE_SECONDS = 60
    run = make_run(1)
    go_wrong()
    fence = claim(run.pk)
    assert fence
    assert ends_in_time(run, 60)
    assert claimed_run(fence).exists()
    assert claim(run.pk) is None
    assert free_expired() == 0
    Run.objects.update(lease_until=after(1))
    assert heartbeat(fence)
    assert ends_in_time(run, 60)
    Run.objects.update(lease_until=after(-1))
    assert not heartbeat(fence)
    assert free_expired() == 1


def test_a_worker_works_when_a_pass_is_due(go_wrong: GoWrong) -> None:
    run = make_run(1)
    go_wrong()
    fence = claim(run.pk)
    assert fence
    Run.objects.update(next_due_at=after(60))
    assert not take_turn(fence)
    Run.objects.update(next_due_at=after(-1))
    assert take_turn(fence)
    assert run.steps.get().level == 1


def test_a_worker_keeps_the_pace(go_wrong: GoWrong) -> None:
    run = make_run(1, pace=13 * 60)
    go_wrong()
    fence = claim(run.pk)
    assert fence
    assert take_turn(fence)
    due = Run.objects.filter(next_due_at__gt=after(30), next_due_at__lt=after(65))
    assert due.exists(), "the next pass is due in a minute"


@pytest.mark.parametrize(("seconds", "asks"), [(60, 0), (-1, 1)])
def test_a_worker_is_asked_when_a_run_is_due(
    go_wrong: GoWrong, seconds: float, asks: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[object] = []
    monkeypatch.setattr(supervisor, "enqueue_run", asked.append)
    make_run(1)
    go_wrong()
    Run.objects.update(next_due_at=after(seconds))
    assert supervisor.wake_due() == asks
    assert supervisor.wake_due() == 0, "asked a moment ago"
    Run.objects.filter(woken_at__isnull=False).update(woken_at=after(-supervisor.ASK_AGAIN - 1))
    assert supervisor.wake_due() == asks
    assert len(asked) == 2 * asks


def make_night(begins: float, ends: float) -> Procedure:
    case = make_case()
    make_keepsake(make_memory(case))
    procedure = make_procedure(case)
    type(procedure.booking).objects.update(starts_at=after(begins), ends_at=after(ends))
    return procedure


@pytest.mark.parametrize(("begins", "ends", "starts"), [(60, 120, 0), (-60, 60, 1), (-120, -60, 0)])
def test_a_night_starts_in_its_own_hours(go_wrong: GoWrong, begins: float, ends: float, starts: int) -> None:
    make_night(begins, ends)
    go_wrong()
    assert supervisor.start_due() == starts


@pytest.mark.parametrize("state", [Procedure.State.CANCELED, Procedure.State.DONE])
def test_a_night_that_is_not_booked_is_not_due(state: str) -> None:
    make_night(-60, 60)
    Procedure.objects.update(state=state)
    assert supervisor.start_due() == 0


def test_a_night_whose_booking_was_canceled_is_not_due() -> None:
    procedure = make_night(-60, 60)
    type(procedure.booking).objects.update(canceled_at=timezone.now())
    assert supervisor.start_due() == 0
    assert Procedure.objects.get().state == Procedure.State.BOOKED


def test_cooling_off_is_over_when_it_is_over(set_clock: SetClock, settings: LazySettings) -> None:
    case = make_case()
    make_keepsake(make_memory(case))
    procedure = make_procedure(case)
    settings.LACUNA_COOLING_OFF_HOURS = 12
    set_clock(1)
    with pytest.raises(CannotStart, match="within the time to think it over"):
        start_run(procedure.pk, by=None)
    Signature.objects.update(signed_at=after(-12 * 3600))
    set_clock(-1)
    assert start_run(procedure.pk, by=None).expected_steps == 1


def test_a_night_begins_now(go_wrong: GoWrong) -> None:
    case = make_case()
    make_keepsake(make_memory(case))
    procedure = make_procedure(case)
    go_wrong()
    run = start_run(procedure.pk, by=None)
    for moment in ("attended_at", "next_due_at"):
        near = {f"{moment}__gt": after(-60), f"{moment}__lte": after(1)}
        assert Run.objects.filter(pk=run.pk, **near).exists()


def test_a_signature_is_dated_by_the_databases_clock(go_wrong: GoWrong) -> None:
    case = make_case()
    make_keepsake(make_memory(case))
    go_wrong()
    _mapped, consent = make_signed(case)
    assert Signature.objects.filter(pk=consent.pk, signed_at__gt=after(-60), signed_at__lte=after(1)).exists()


def test_presence_is_asked_for_after_its_minutes(go_wrong: GoWrong, settings: LazySettings) -> None:
    settings.LACUNA_PRESENCE_CHECK_MINUTES = 20
    run = make_run(1)
    go_wrong()
    assert presence.ask_due() == 0, "it has just begun"
    unattended(run, minutes=19)
    assert presence.ask_due() == 0
    unattended(run, minutes=21)
    assert presence.ask_due() == 1


def test_presence_is_missed_after_its_grace(go_wrong: GoWrong, settings: LazySettings) -> None:
    settings.LACUNA_PRESENCE_CHECK_MINUTES = 20
    run = make_run(1)
    go_wrong()
    unattended(run)
    assert presence.ask_due() == 1
    assert presence.miss_due() == 0
    overdue(run)
    assert presence.miss_due() == 1
    assert PresenceCheck.objects.filter(missed_at__gt=after(-60), missed_at__lte=after(1)).exists()


def test_whoever_resumes_was_there_then(go_wrong: GoWrong, settings: LazySettings) -> None:
    settings.LACUNA_PRESENCE_CHECK_MINUTES = 20
    run = make_run(1)
    doctor = doctor_of(run)  # who has not taken over, so that no act of theirs counts as attending
    go_wrong()
    control.pause(run.pk, by=doctor)
    unattended(run)
    control.resume(run.pk, by=doctor)
    assert presence.ask_due() == 0
    assert Run.objects.filter(attended_at__gt=after(-60), attended_at__lte=after(1)).exists()
    assert Run.objects.filter(next_due_at__gt=after(-60), next_due_at__lte=after(1)).exists()


def test_a_call_is_repeated_when_its_moment_has_come(go_wrong: GoWrong) -> None:
    run = make_run(1)
    go_wrong()
    control.call_doctor(run.pk, by=technician_of(run))
    assert calls.remind_due() == 0
    due_now(run, remind=True)
    assert calls.remind_due() == 1
    assert calls.remind_due() == 0


def test_who_has_the_page_open_is_there(go_wrong: GoWrong) -> None:
    run = make_run(1)
    go_wrong()
    attend(run.pk, doctor_of(run))
    assert attending(run.pk) == [doctor_of(run)]


def test_a_whole_night_ends_on_a_machine_whose_clock_is_wrong(go_wrong: GoWrong) -> None:
    run = make_run(1)
    go_wrong()
    advance(run.pk)
    run.refresh_from_db()
    assert (run.state, run.outcome) == (Run.State.FINISHED, Run.Outcome.COMPLETE)


def test_events_and_pauses_are_dated_by_the_databases_clock(go_wrong: GoWrong) -> None:
    run = make_run(1)
    go_wrong()
    control.pause(run.pk, by=technician_of(run))
    near = {"__gt": after(-60), "__lte": after(1)}
    assert Run.objects.filter(pk=run.pk, **{f"held_at{end}": at for end, at in near.items()}).exists()
    events = Event.objects.filter(run=run, kind="paused", **{f"at{end}": at for end, at in near.items()})
    assert events.exists()
    control.resume(run.pk, by=technician_of(run))
    assert Run.objects.get(pk=run.pk).paused_seconds < 60


def test_the_lease_of_a_nights_end_lasts_as_long_as_it_should(
    go_wrong: GoWrong, settings: LazySettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.LACUNA_LEASE_SECONDS = 60
    run = make_run(1)
    advance_to_the_end(run)
    go_wrong()
    in_time: list[bool] = []
    monkeypatch.setattr(certifying, "_certify", lambda row: in_time.append(ends_in_time(row, 60)))
    certify(run.pk)
    assert in_time == [True]


def advance_to_the_end(run: Run) -> None:
    fence = claim(run.pk)
    assert fence
    while run.steps.exclude(state=Step.State.DESTROYED).exists():
        take_turn(fence)
    finish(run.pk)


def test_the_next_verifier_waits_as_long_as_it_should(
    go_wrong: GoWrong, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last one failed on a machine whose clock is right, the next would run on one whose clock is not."""
    run = make_run(1)
    advance_to_the_end(run)
    tried: list[object] = []

    def fails(key: object) -> None:
        tried.append(key)
        raise NotVerified("crashed")

    monkeypatch.setattr(certifying, "verify_in_subprocess", fails)
    monkeypatch.setattr(certifying, "FIRST_WAIT", timedelta(minutes=1))
    certify(run.pk)
    go_wrong()
    certify(run.pk)
    assert len(tried) == 1, "a minute has not passed"
    Event.objects.filter(kind="run-unverified").update(at=after(-61))
    certify(run.pk)
    assert len(tried) == 2
