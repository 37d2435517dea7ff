"""Close a step, and finish a run."""

import logging
from uuid import UUID

from django.db import transaction
from django.db.models import Count, Sum
from django.db.models.functions import Now
from django.utils import timezone

from clinic.audit.record import Act, record
from clinic.calendar.bookings import release
from clinic.failpoints import hit
from clinic.outgoing.queue import queue
from clinic.outgoing.recipients import to_patient
from erasure.procedures.models import Procedure
from erasure.runs.events import NewEvent, emit
from erasure.runs.models import Handover, Hold, Run, Step, Trouble
from erasure.runs.passes import PASS_COUNT
from patients.appointments.booking import end_appointments_after_night
from patients.cases.models import Case
from patients.consent.models import Signature
from patients.drafts.writing import end_drafts_of_case
from patients.messages.waiting import end_wait
from patients.vault.configured import key_store
from patients.vault.models import StoredObject
from patients.vault.objects import destroy, mark_for_destruction
from patients.waitlist import automatic_ends as waitlist

log = logging.getLogger("lacuna.worker")


def close_step(step: Step) -> bool:
    """Destroy what is doomed of a memory, then record that it is destroyed.

    Returns False if something of it is left, or another process recorded it first. Any process may call it,
    also while the run is paused or stopping: the last pass has committed, only the record is missing. The
    audit entry, the step's new state and the event are one transaction; a step has exactly one entry.
    """
    doomed = StoredObject.objects.filter(doomed_by=f"step:{step.pk}")
    destroy(doomed)
    if doomed.remaining().exists():
        return False
    key_store().roll_case(step.memory.case_id)  # before the log says that the memory is destroyed
    hit("case-rolled")
    with transaction.atomic():
        Run.objects.select_for_update().get(pk=step.run_id)
        fresh = Step.objects.filter(pk=step.pk, state=Step.State.FADING, level=PASS_COUNT).first()
        if fresh is None or doomed.remaining().exists():
            return False
        gone = doomed.exclude(role=StoredObject.Role.SEAL).aggregate(n=Count("pk"), size=Sum("size"))
        objects, size = gone["n"], gone["size"] or 0
        unfaded = Trouble.objects.filter(
            step=step, state=Trouble.State.DESTROY, keepsake__isnull=False
        ).count()
        emit(
            step.run_id,
            NewEvent("destroyed", {"n": step.memory.number, "bytes": size, "copies": objects}),
        )
        (entry,) = record(
            Act(
                "memory.destroyed",
                f"step:{step.pk}",
                actor="system:worker",
                case=step.memory.case_id,
                run=step.run_id,
                details={
                    "memory": str(step.memory_id),
                    "objects": objects,
                    "bytes": size,
                    "passes": PASS_COUNT,
                    # Keepsakes that could not be read, so that they did not fade.
                    **({"unfaded": unfaded} if unfaded else {}),
                },
            )
        )
        Step.objects.filter(pk=step.pk).update(
            state=Step.State.DESTROYED,
            done_at=timezone.now(),
            bytes_destroyed=size,
            objects_destroyed=objects,
            entry=entry,
        )
        hit("before-close")
    hit("after-close")
    return True


def close_gone_steps(run_id: UUID) -> None:
    """Close every step whose last pass has committed, so that a pause or an abort leaves none unrecorded."""
    faded = Step.objects.filter(run_id=run_id, state=Step.State.FADING, level=PASS_COUNT)
    for step in faded.select_related("memory"):
        close_step(step)


def outcome_of(run: Run) -> str:
    """Return the outcome of a run: COMPLETE only if every target was destroyed and no copy was spared.

    A find that the doctor judged to be no copy does not count.
    """
    if run.state == Run.State.STOPPING:
        return Run.Outcome.STOPPED
    spared = Step.objects.filter(run=run, state=Step.State.SPARED).exists()
    copies = Hold.objects.filter(step__run=run, state=Hold.State.SPARED).exclude(reason="not-a-copy").exists()
    return Run.Outcome.PARTIAL if spared or copies else Run.Outcome.COMPLETE


@transaction.atomic
def finish(run_id: UUID) -> bool:
    """Finish a run whose steps are all done, or that was stopped. Returns False if it may not finish yet."""
    run = Run.objects.select_for_update().select_related("procedure").get(pk=run_id)
    open_steps = Step.objects.filter(
        run=run, state__in=[Step.State.WAITING, Step.State.FADING, Step.State.HELD]
    )
    if run.state == Run.State.STOPPING:
        if open_steps.filter(level=PASS_COUNT).exists():
            return False
        open_steps.update(state=Step.State.SPARED, spared_because=run.why, done_at=timezone.now())
    elif run.state != Run.State.RUNNING or open_steps.exists():
        return False
    outcome = outcome_of(run)
    Run.objects.filter(pk=run_id).update(
        state=Run.State.FINISHED,
        outcome=outcome,
        finished_at=Now(),
        lease_until=None,
        lease_holder="",
    )
    # Damage that nobody decided on stays as it is. That the storage is away matters until the certificate.
    open_trouble = Trouble.objects.filter(run=run_id, state=Trouble.State.OPEN)
    open_trouble.filter(kind=Trouble.Kind.DAMAGED).update(state=Trouble.State.SPARED, ended_at=Now())
    open_trouble.exclude(kind=Trouble.Kind.STORAGE).update(state=Trouble.State.OVER, ended_at=Now())
    Procedure.objects.filter(pk=run.procedure_id).update(state=Procedure.State.DONE)
    doom_unfinished_frames(run)
    release(run.procedure.booking_id)
    Handover.objects.filter(run=run, state=Handover.State.OFFERED).update(
        state=Handover.State.WITHDRAWN, ended_at=Now()
    )
    update_case(run, outcome)
    counts = Step.objects.filter(run=run)
    destroyed = counts.filter(state=Step.State.DESTROYED).count()
    spared = counts.filter(state=Step.State.SPARED).count()
    case = run.procedure.case
    queue("night-over", f"run:{run_id}", to=[to_patient(case.patient)], version=1, case=case.pk)
    emit(run_id, NewEvent("finished", {"outcome": outcome, "destroyed": destroyed, "spared": spared}))
    record(
        Act(
            "run.finished",
            f"run:{run_id}",
            actor="system:worker",
            case=run.procedure.case_id,
            run=run_id,
            details={"outcome": outcome, "destroyed": destroyed, "spared": spared},
        )
    )
    return True


def doom_unfinished_frames(run: Run) -> None:
    """Doom the frames that no pass has committed: their makers are gone, or have lost the run.

    None can follow, because the row of a frame is made only while the run is running (`may_store`).
    """
    frames = StoredObject.objects.filter(case_id=run.procedure.case_id, role=StoredObject.Role.FRAME)
    mark_for_destruction(frames.filter(state=StoredObject.State.PENDING), f"run:{run.pk}")


def update_case(run: Run, outcome: str) -> None:
    """Unless the run was stopped, close the case and mark the seal of its data for destruction.

    The subject is forgotten then. If the run was stopped, the case is MAPPED again and the consent to this
    night is spent, except that a withdrawal sets both itself. A withdrawal may come while the run is stopping
    for another reason.
    """
    case = Case.objects.filter(pk=run.procedure.case_id)
    if outcome != Run.Outcome.STOPPED:
        case.update(stage=Case.Stage.CLOSED, closed_at=timezone.now())
        end_appointments_after_night(run.procedure.case)
        waitlist.end_entries_after_night(run.procedure.case)
        end_wait(run.procedure.case_id)
        end_drafts_of_case(run.procedure.case_id)  # the lock of the map has ended them already
        mark_for_destruction(StoredObject.objects.filter(pk=run.procedure.case_id), f"run:{run.pk}")
    elif run.why != Run.Why.WITHDRAWN:
        case.exclude(stage=Case.Stage.WITHDRAWN).update(stage=Case.Stage.MAPPED)
        # It was given for this night. For another the patient signs again, for the map as it is by then.
        spent = Signature.objects.in_force().filter(pk=run.procedure.consent_id)
        spent.update(superseded_at=timezone.now())
