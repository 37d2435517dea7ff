"""A tap on the safe word counts once, whenever and however often it arrives."""

import threading
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from clinic.accounts.models import User
from clinic.audit.models import Entry
from erasure.bedside.models import BedTap
from erasure.bedside.taps import record_tap
from erasure.runs import control
from erasure.runs.models import Run
from erasure.runs.run_actions import NotNow
from tests.browser.watching import finish_run
from tests.erasure.runs.nights import doctor_of, technician_of
from tests.factories import make_run

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.both_databases]


def patient_of(run: Run) -> User:
    patient: User = run.procedure.case.patient
    return patient


def test_a_tap_says_the_safe_word_and_is_recorded_as_the_patients() -> None:
    run = make_run(1)
    tap, tapped_at = uuid4(), timezone.now() - timedelta(minutes=20)
    recorded = record_tap(run.pk, by=patient_of(run), tap=tap, tapped_at=tapped_at)
    run.refresh_from_db()
    assert (run.state, run.why, run.safe_word.said_by) == ("paused", "safe-word", patient_of(run))
    row = BedTap.objects.get()
    assert (row.tap, row.tapped_at, row.arrived_at, row.safe_word) == (
        tap,
        tapped_at,
        recorded.arrived_at,
        run.safe_word,
    )
    entry = Entry.objects.get(action="bed.safe-word")
    assert (entry.actor, entry.case, entry.run) == (
        f"user:{patient_of(run).pk}",
        run.procedure.case_id,
        run.pk,
    )
    assert (entry.details["page"], entry.details["tap"]) == ("bed", str(tap))
    assert entry.details["tapped"].startswith(tapped_at.strftime("%Y-%m-%dT%H:%M:%S"))
    assert Entry.objects.get(action="run.paused").details["page"] == "bed"
    assert Entry.objects.get(action="run.doctor-called").details["page"] == "bed"


def test_the_same_tap_sent_twice_is_one_entry_and_one_safe_word() -> None:
    run = make_run(1)
    tap = uuid4()
    first = record_tap(run.pk, by=patient_of(run), tap=tap, tapped_at=None)
    entries = Entry.objects.count()
    again = record_tap(run.pk, by=patient_of(run), tap=tap, tapped_at=timezone.now())
    assert (first.changed, again.changed, again.arrived_at) == (True, False, first.arrived_at)
    assert (Entry.objects.count(), run.safe_words.count(), BedTap.objects.count()) == (entries, 1, 1)


def test_a_tap_that_is_sent_again_after_a_doctor_lifted_the_safe_word_stops_nothing() -> None:
    run = make_run(1)
    tap = uuid4()
    record_tap(run.pk, by=patient_of(run), tap=tap, tapped_at=None)
    control.lift_safe_word(run.pk, by=doctor_of(run), words="Go on.")
    record_tap(run.pk, by=patient_of(run), tap=tap, tapped_at=None)
    run.refresh_from_db()
    assert (run.state, run.safe_words.count()) == ("running", 1)


def test_another_tap_after_that_stops_the_night_again() -> None:
    run = make_run(1)
    record_tap(run.pk, by=patient_of(run), tap=uuid4(), tapped_at=None)
    control.lift_safe_word(run.pk, by=doctor_of(run), words="Go on.")
    record_tap(run.pk, by=patient_of(run), tap=uuid4(), tapped_at=timezone.now() - timedelta(hours=1))
    run.refresh_from_db()
    assert (run.state, run.safe_words.count()) == ("paused", 2)


def test_a_tap_after_the_team_said_the_safe_word_adds_its_entry_and_no_second_word() -> None:
    run = make_run(1)
    control.safe_word(run.pk, by=technician_of(run))
    record_tap(run.pk, by=patient_of(run), tap=uuid4(), tapped_at=None)
    assert run.safe_words.get().said_by == technician_of(run)
    assert Entry.objects.filter(action="bed.safe-word").count() == 1


def test_a_tap_that_arrives_after_the_night_is_refused_and_not_stored() -> None:
    run = finish_run(make_run(1))
    with pytest.raises(NotNow, match="This session is over"):
        record_tap(run.pk, by=patient_of(run), tap=uuid4(), tapped_at=None)
    assert not BedTap.objects.exists()


def test_a_tap_that_had_arrived_is_answered_after_the_night_too() -> None:
    run = make_run(1)
    tap = uuid4()
    first = record_tap(run.pk, by=patient_of(run), tap=tap, tapped_at=None)
    control.lift_safe_word(run.pk, by=doctor_of(run), words="Go on.")
    finish_run(run)
    assert record_tap(run.pk, by=patient_of(run), tap=tap, tapped_at=None).arrived_at == first.arrived_at


def test_the_same_tap_sent_at_once_by_two_windows_counts_once() -> None:
    run = make_run(1)
    tap, changed = uuid4(), []
    barrier = threading.Barrier(2)

    def send(run_id: UUID, by: User) -> None:
        barrier.wait()
        changed.append(record_tap(run_id, by=by, tap=tap, tapped_at=None).changed)
        connection.close()

    threads = [threading.Thread(target=send, args=(run.pk, patient_of(run))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(changed) == [False, True]
    assert (BedTap.objects.count(), Entry.objects.filter(action="bed.safe-word").count()) == (1, 1)


def test_the_database_takes_a_tap_once() -> None:
    run = make_run(1)
    record_tap(run.pk, by=patient_of(run), tap=uuid4(), tapped_at=None)
    row = BedTap.objects.get()
    row.pk = None
    with pytest.raises(IntegrityError, match=r"tap_counts_once|UNIQUE constraint"), transaction.atomic():
        row.save(force_insert=True)
