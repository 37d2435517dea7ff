"""Two people at once: answer and miss, acknowledge and escalate, handover and a closing account."""

import random
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta

import pytest
from django.conf import settings
from django.db import connection
from django.utils import timezone

from clinic.accounts.models import Role, User
from clinic.people.changes import set_active
from erasure.runs import calls, control, handover, presence
from erasure.runs.control import NotNow
from erasure.runs.models import CallNotice, DoctorCall, Handover, PresenceCheck, Run
from tests.erasure.runs.nights import acts, doctor_of, due_now, kinds, overdue, technician_of, unattended
from tests.factories import make_run, make_technician, make_user

pytestmark = pytest.mark.django_db(transaction=True)

ROUNDS = 12


def at_once(*works: Callable[[], object]) -> None:
    """Let all go in the same moment, each in a thread and on a connection of its own."""
    barrier = threading.Barrier(len(works))
    broken: list[BaseException] = []

    def run(work: Callable[[], object]) -> None:
        try:
            connection.ensure_connection()
            barrier.wait()
            time.sleep(random.choice([0, 0, 0.001, 0.004]))  # noqa: S311 - chance, not secrecy
            with suppress(NotNow):
                work()
        except BaseException as error:
            broken.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=[work]) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()
    assert broken == []


def test_an_answer_and_a_miss_have_one_winner(settings: settings) -> None:
    settings.LACUNA_PRESENCE_CHECK_MINUTES = 20
    run = make_run(1)
    technician, doctor = technician_of(run), doctor_of(run)
    for _round in range(ROUNDS):
        unattended(run)
        assert presence.ask_due() == 1
        check = PresenceCheck.objects.latest("pk")
        PresenceCheck.objects.filter(pk=check.pk).update(due_at=check.asked_at)
        at_once(lambda: presence.answer(run.pk, by=technician), presence.miss_due, presence.miss_due)
        check.refresh_from_db()
        run.refresh_from_db()
        missed = check.missed_at is not None
        assert missed != (check.answered_at is not None)
        assert (run.state == Run.State.PAUSED) == missed
        assert DoctorCall.objects.filter(acknowledged_at__isnull=True).count() == missed
        if missed:
            calls.acknowledge(run.pk, by=doctor)
            control.resume(run.pk, by=technician)
    assert kinds(run).count("presence-asked") == ROUNDS
    assert kinds(run).count("presence-missed") + kinds(run).count("presence-answered") == ROUNDS


def test_nobody_is_told_after_the_call_was_answered() -> None:
    run = make_run(1)
    doctor = doctor_of(run)
    make_user(Role.ADMINISTRATOR)
    for _round in range(ROUNDS):
        control.call_doctor(run.pk, by=None)
        call = DoctorCall.objects.latest("pk")
        due_now(run, remind=True, escalate=True)
        at_once(lambda: calls.acknowledge(run.pk, by=doctor), calls.remind_due, calls.remind_due)
        call.refresh_from_db()
        assert call.acknowledged_at is not None
        told = kinds(run)
        last = len(told) - 1 - told[::-1].index("doctor-acknowledged")
        assert last == len(told) - 1, "told again after the answer"
        escalated = CallNotice.objects.filter(call=call, kind="escalated").exists()
        assert escalated == (call.escalated_at is not None)
        per_person = CallNotice.objects.filter(call=call, kind="again", user=doctor).count()
        assert per_person <= 1, "two supervisors did one round twice"
    assert len(acts(run, "run.doctor-acknowledged")) == ROUNDS


def test_the_same_control_from_many_tabs_does_one_thing() -> None:
    run = make_run(1)
    doctor, patient = doctor_of(run), run.procedure.case.patient
    at_once(
        *[lambda: control.pause(run.pk, by=doctor)] * 3,
        *[lambda: control.call_doctor(run.pk, by=patient)] * 3,
        *[lambda: control.protect(run.pk, run.steps.get().memory_id, by=patient)] * 3,
    )
    assert sorted(kinds(run)) == ["doctor-called", "paused", "protected", "started"]
    at_once(*[lambda: control.abort(run.pk, by=doctor, reason="doubt")] * 4)
    assert kinds(run).count("aborting") == 1


def test_a_night_never_stays_with_a_closed_account() -> None:
    boss = make_user(Role.ADMINISTRATOR)
    run = make_run(1)
    for _round in range(6):
        other = make_technician()
        giver = Run.objects.get().responsible or doctor_of(run)
        handover.offer(run.pk, other.pk, by=giver)
        fresh = User.objects.get(pk=other.pk)
        at_once(
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


def test_one_offer_is_accepted_once_and_not_after_it_was_taken_back() -> None:
    run = make_run(1)
    for _round in range(6):
        other, giver = make_technician(), Run.objects.get().responsible
        assert giver
        handover.offer(run.pk, other.pk, by=giver)
        at_once(
            lambda other=other: handover.accept(run.pk, by=other),  # type: ignore[misc]
            lambda giver=giver: handover.decline(run.pk, by=giver),  # type: ignore[misc]
        )
        ended = Handover.objects.latest("offered_at")
        assert (Run.objects.get().responsible_id == other.pk) == (ended.state == "accepted")
        assert ended.state in {"accepted", "withdrawn"}


def test_overdue_is_told_by_the_databases_clock(monkeypatch: pytest.MonkeyPatch, settings: settings) -> None:
    """The clock of the machine that asks may be wrong by a day, and nobody is asked or missed for that."""
    settings.LACUNA_PRESENCE_CHECK_MINUTES = 20
    run = make_run(1)
    right = timezone.now

    def go_wrong(days: int) -> None:
        monkeypatch.setattr(timezone, "now", lambda: right() + timedelta(days=days))

    go_wrong(1)
    assert presence.ask_due() == 0
    unattended(run)
    go_wrong(-1)
    assert presence.ask_due() == 1
    go_wrong(1)
    assert presence.miss_due() == 0
    overdue(run)
    go_wrong(-1)
    assert presence.miss_due() == 1
