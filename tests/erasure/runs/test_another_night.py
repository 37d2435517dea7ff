"""After a stopped run the consent is spent. The map can be locked again and another procedure booked."""

import pytest
from django.test import Client

from erasure.jobs.certifying import certify
from erasure.jobs.supervisor import end_stopped
from erasure.jobs.worker import advance, next_step
from erasure.procedures.booking import CannotBook, book_procedure
from erasure.runs import control
from erasure.runs.lease import claim
from erasure.runs.models import Run, Step
from erasure.runs.passes import PASS_COUNT, make_pass
from erasure.runs.planning import start_run
from patients.cases.editing import CaseLocked
from patients.cases.facts import status_of
from patients.cases.models import Case
from patients.cases.status import Stage
from patients.consent.models import ConsentText
from patients.consent.signing import CannotSign, sign
from patients.keepsakes.removal import remove_memory
from patients.maps.locking import lock_map, obstacles, unlock_map
from patients.memories.models import LockedMap, Memory
from tests.erasure.runs.nights import doctor_of
from tests.factories import make_procedure, make_run, make_signed, make_text

pytestmark = pytest.mark.django_db(transaction=True)


def do_passes(run: Run, number: int) -> None:
    """Do `number` passes of a run."""
    for _pass in range(number):
        fence = claim(run.pk)
        assert fence
        step = next_step(run.pk)
        assert step
        make_pass(fence, step, due=run.next_due_at)
        Run.objects.filter(pk=run.pk).update(lease_until=None)


def make_stopped(memories: int = 3, *, done: int = 0, run: Run | None = None) -> Run:
    """A finished run that was aborted after `done` passes."""
    run = run or make_run(memories)
    do_passes(run, done)
    control.abort(run.pk, by=doctor_of(run), reason="medical")
    assert end_stopped() >= 1
    run.refresh_from_db()
    assert (run.state, run.outcome) == (Run.State.FINISHED, Run.Outcome.STOPPED)
    return run


def case_of(run: Run) -> Case:
    return Case.objects.get(pk=run.procedure.case_id)


def sign_as_patient(case: Case) -> None:
    text = make_text()
    mapped = LockedMap.objects.get(case=case, unlocked_at__isnull=True)
    sign(
        case,
        by=case.patient,
        kind=ConsentText.Kind.PROCEDURE,
        text_seen=text.digest,
        map_seen=mapped.digest,
    )


def test_a_stopped_run_spends_its_consent_and_the_patient_may_sign_again() -> None:
    run = make_stopped()
    case = case_of(run)
    status = status_of(case)
    assert (status.stage, status.facts.consent) == (Stage.STOPPED, None)
    assert [wait.code for wait in status.waits] == ["sign"]
    sign_as_patient(case)
    case.refresh_from_db()
    assert (case.stage, status_of(case).stage) == (Case.Stage.CONSENTED, Stage.CONSENTED)


def test_a_map_with_an_erased_memory_can_be_neither_signed_nor_booked() -> None:
    run = make_stopped(done=PASS_COUNT)
    case = case_of(run)
    status = status_of(case)
    assert status.facts.map is not None
    assert not status.facts.map.current
    assert [wait.code for wait in status.waits] == ["relock"]
    assert status.allowed >= {"unlock"}
    assert not status.allowed & {"sign", "book"}
    with pytest.raises(CannotSign, match="no longer those on the locked map"):
        sign_as_patient(case)


def test_a_procedure_is_not_booked_if_the_map_changed_after_the_signature() -> None:
    run = make_stopped()
    case = case_of(run)
    sign_as_patient(case)
    Memory.objects.filter(case=case, number=3).update(fate=Memory.Fate.PROTECTED)
    booking = run.procedure.booking
    with pytest.raises(CannotBook, match=r"^The memories are no longer those on the signed map\.$"):
        book_procedure(
            case,
            place="clinic",
            resources=list(booking.resources.all()),
            starts_at=booking.ends_at,
            ends_at=booking.ends_at + (booking.ends_at - booking.starts_at),
            by=case.patient,
        )


def test_the_map_is_locked_again_without_erased_memories_and_the_next_run_completes_it() -> None:
    run = make_stopped(done=PASS_COUNT)
    case = case_of(run)
    numbers = dict(Memory.objects.filter(case=case).values_list("pk", "number"))
    doctor = doctor_of(run)
    unlock_map(case, by=doctor)
    case.refresh_from_db()
    assert obstacles(case) == []
    assert status_of(case).allows("lock")
    procedure = make_procedure(case)
    assert dict(Memory.objects.filter(case=case).values_list("pk", "number")) == numbers
    second = start_run(procedure.pk, by=None)
    assert second.expected_steps == 2
    advance(second.pk)
    second.refresh_from_db()
    assert second.outcome == Run.Outcome.COMPLETE
    assert Step.objects.filter(run=second, state=Step.State.DESTROYED).count() == 2
    certify(second.pk)


def test_the_pages_of_two_runs_each_count_what_their_run_destroyed(client: Client) -> None:
    first = make_stopped(done=PASS_COUNT)
    case = case_of(first)
    doctor = doctor_of(first)
    unlock_map(case, by=doctor)
    case.refresh_from_db()
    second = start_run(make_procedure(case).pk, by=None)
    advance(second.pk)
    for run, gone, total in ((first, 1, 3), (second, 2, 2)):
        client.force_login(doctor_of(run))
        page = client.get(f"/sessions/{run.pk}/").content.decode()
        assert f'<span data-count="destroyed">{gone}</span> of {total} destroyed' in page
        assert f'<dd data-night="gone">{gone}</dd>' in page


def test_a_memory_that_a_run_has_started_on_cannot_be_removed() -> None:
    run = make_stopped()
    case = case_of(run)
    unlock_map(case, by=doctor_of(run))
    memory = Memory.objects.filter(case=case).first()
    assert memory
    memory.keepsakes.update(memory=None)
    with pytest.raises(CaseLocked, match="A night has begun on this memory"):
        remove_memory(memory, by=case.patient)


def test_a_second_map_of_a_case_has_the_next_version() -> None:
    run = make_run(1)
    other = case_of(make_stopped(1))
    assert other.pk != run.procedure.case_id
    unlock_map(other, by=doctor_of(run))
    other.refresh_from_db()
    make_signed(other)
    assert LockedMap.objects.filter(case=other).count() == 2
    lock = LockedMap.objects.get(case=other, unlocked_at__isnull=True)
    assert lock.version == 2
    with pytest.raises(Exception, match="The map is locked already"):
        lock_map(other, by=doctor_of(run))
