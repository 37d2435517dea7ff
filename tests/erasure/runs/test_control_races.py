"""Races between two people or processes: each has exactly one winner."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.utils import timezone

from clinic.accounts.models import Role, User
from clinic.people.changes import set_active
from erasure.runs import calls, control, handover, presence
from erasure.runs.control import NotNow
from erasure.runs.models import CallNotice, DoctorCall, Handover, PresenceCheck, Run
from tests.configuration import configure
from tests.erasure.runs.nights import (
    actors_of,
    doctor_of,
    event_kinds,
    leave_unattended,
    make_call_due,
    make_check_overdue,
    technician_of,
)
from tests.factories import make_run, make_technician, make_user
from tests.threads import at_once

pytestmark = pytest.mark.django_db(transaction=True)

ROUNDS = 12


def race(*functions: Callable[[], object]) -> None:
    """Call all at the same moment. Some may be refused, because another was first."""
    at_once(*functions, refusal=NotNow, pauses=[0, 0, 0.001, 0.004])


def test_a_presence_check_is_either_answered_or_missed() -> None:
    configure(presence_minutes=20)
    run = make_run(1)
    technician, doctor = technician_of(run), doctor_of(run)
    for _round in range(ROUNDS):
        leave_unattended(run)
        assert presence.ask_due() == 1
        check = PresenceCheck.objects.latest("pk")
        PresenceCheck.objects.filter(pk=check.pk).update(due_at=check.asked_at)
        race(lambda: presence.answer(run.pk, by=technician), presence.miss_due, presence.miss_due)
        check.refresh_from_db()
        run.refresh_from_db()
        missed = check.missed_at is not None
        assert missed != (check.answered_at is not None)
        assert (run.state == Run.State.PAUSED) == missed
        assert DoctorCall.objects.filter(acknowledged_at__isnull=True).count() == missed
        if missed:
            calls.acknowledge(run.pk, by=doctor)
            control.resume(run.pk, by=technician)
    assert event_kinds(run).count("presence-asked") == ROUNDS
    assert event_kinds(run).count("presence-missed") + event_kinds(run).count("presence-answered") == ROUNDS


def test_nobody_is_notified_after_a_call_was_answered() -> None:
    run = make_run(1)
    doctor = doctor_of(run)
    make_user(Role.ADMINISTRATOR)
    for _round in range(ROUNDS):
        control.call_doctor(run.pk, by=None)
        call = DoctorCall.objects.latest("pk")
        make_call_due(run, remind=True, escalate=True)
        race(lambda: calls.acknowledge(run.pk, by=doctor), calls.remind_due, calls.remind_due)
        call.refresh_from_db()
        assert call.acknowledged_at is not None
        assert event_kinds(run)[-1] == "doctor-acknowledged", "an event after the answer"
        escalated = CallNotice.objects.filter(call=call, kind="escalated").exists()
        assert escalated == (call.escalated_at is not None)
        per_person = CallNotice.objects.filter(call=call, kind="again", user=doctor).count()
        assert per_person <= 1, "two supervisors made one reminder twice"
    assert len(actors_of(run, "run.doctor-acknowledged")) == ROUNDS


def test_the_same_control_from_several_tabs_has_one_effect() -> None:
    run = make_run(1)
    doctor, patient = doctor_of(run), run.procedure.case.patient
    race(
        *[lambda: control.pause(run.pk, by=doctor)] * 3,
        *[lambda: control.call_doctor(run.pk, by=patient)] * 3,
        *[lambda: control.protect(run.pk, run.steps.get().memory_id, by=patient)] * 3,
    )
    assert sorted(event_kinds(run)) == ["doctor-called", "paused", "protected", "started"]
    race(*[lambda: control.abort(run.pk, by=doctor, reason="doubt")] * 4)
    assert event_kinds(run).count("aborting") == 1


def test_a_run_does_not_stay_with_a_closed_account() -> None:
    boss = make_user(Role.ADMINISTRATOR)
    run = make_run(1)
    for _round in range(6):
        other = make_technician()
        giver = Run.objects.get().responsible or doctor_of(run)
        handover.offer(run.pk, other.pk, by=giver)
        fresh = User.objects.get(pk=other.pk)
        race(
            lambda other=other: handover.accept(run.pk, by=other),  # type: ignore[misc]
            lambda fresh=fresh: set_active(fresh, False, by=boss),  # type: ignore[misc]
        )
        presence.release_absent()
        row = Run.objects.select_related("responsible").get()
        assert row.responsible is None or row.responsible.is_active
        if row.responsible is None:
            assert row.state == Run.State.PAUSED
            assert DoctorCall.objects.filter(acknowledged_at__isnull=True).count() == 1
        else:
            assert Handover.objects.filter(offered_to=other, state="offered").exists()


def test_an_offer_is_either_accepted_or_withdrawn() -> None:
    run = make_run(1)
    for _round in range(6):
        other, giver = make_technician(), Run.objects.get().responsible
        assert giver
        handover.offer(run.pk, other.pk, by=giver)
        race(
            lambda other=other: handover.accept(run.pk, by=other),  # type: ignore[misc]
            lambda giver=giver: handover.decline(run.pk, by=giver),  # type: ignore[misc]
        )
        ended = Handover.objects.latest("offered_at")
        assert (Run.objects.get().responsible_id == other.pk) == (ended.state == "accepted")
        assert ended.state in {"accepted", "withdrawn"}


def test_presence_checks_use_the_databases_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine whose clock is wrong by a day neither opens a check nor marks one as missed."""
    configure(presence_minutes=20)
    run = make_run(1)
    real_now = timezone.now

    def make_clock_wrong(days: int) -> None:
        monkeypatch.setattr(timezone, "now", lambda: real_now() + timedelta(days=days))

    make_clock_wrong(1)
    assert presence.ask_due() == 0
    leave_unattended(run)
    make_clock_wrong(-1)
    assert presence.ask_due() == 1
    make_clock_wrong(1)
    assert presence.miss_due() == 0
    make_check_overdue(run)
    make_clock_wrong(-1)
    assert presence.miss_due() == 1
