"""Start a booked procedure: create its run and steps."""

from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models.functions import Now
from django.utils.translation import gettext as _

from clinic.accounts.models import User
from clinic.audit.record import Act, actor_of, record
from clinic.configuration.values import value_of
from erasure.procedures.mails import end_reminders
from erasure.procedures.models import Procedure
from erasure.procedures.readiness import FAULTS, fault_of, hours_fault
from erasure.runs.configuration import (
    CALL_AGAIN_SECONDS,
    CALL_ESCALATE_SECONDS,
    PRESENCE_GRACE_SECONDS,
    PRESENCE_MINUTES,
    PRESENCE_STRENGTH,
)
from erasure.runs.events import NewEvent, emit
from erasure.runs.handover import first_responsible
from erasure.runs.models import Run, Step
from erasure.runs.run_actions import after
from patients.cases.models import Case
from patients.consent.models import Signature
from patients.memories.models import Memory
from patients.waitlist.automatic_ends import end_night_entries


class CannotStart(Exception):
    """The procedure may not start now; the message tells the user why."""


def obstacle(procedure: Procedure) -> str:
    """Return a sentence for the user that says why the procedure may not start now, or "" if it may."""
    if fault := fault_of(procedure):
        return str(FAULTS[fault][1])
    # By the database's clock, as everything that a supervisor decides.
    signed_before = after(-3600 * procedure.consent.cooling_off_hours)
    if not Signature.objects.filter(pk=procedure.consent_id, signed_at__lte=signed_before).exists():
        return str(FAULTS["cooling-off"][1])
    return hours_fault(procedure)


def policies_of(procedure: Procedure) -> dict[str, float]:
    """Return the policies that a run begins with: the procedure's own, else what the clinic has now."""
    own = procedure.presence_minutes
    return {
        "presence_minutes": value_of(PRESENCE_MINUTES) if own is None else own,
        "presence_grace_seconds": value_of(PRESENCE_GRACE_SECONDS),
        "presence_strength": value_of(PRESENCE_STRENGTH),
        "call_again_seconds": value_of(CALL_AGAIN_SECONDS),
        "call_escalate_seconds": value_of(CALL_ESCALATE_SECONDS),
    }


@transaction.atomic
def start_run(procedure_id: UUID, *, by: User | None) -> Run:
    """Create the run and one step for each target, newest first. by: None if the supervisor starts it.

    Errors: CannotStart.
    """
    procedure = (
        Procedure.objects.select_for_update(of=("self",))
        .select_related("consent", "map", "case", "booking")
        .get(pk=procedure_id)
    )
    # A review of the intake takes the same lock, so none is recorded between the check and the start.
    procedure.case = Case.objects.select_for_update().get(pk=procedure.case_id)
    if why := obstacle(procedure):
        raise CannotStart(why)
    targets = list(Memory.objects.targets().filter(case=procedure.case).order_by("-number"))
    try:
        with transaction.atomic():
            run = Run.objects.create(
                procedure=procedure,
                expected_steps=len(targets),
                started_by=by,
                responsible=first_responsible(procedure),
                **policies_of(procedure),
            )
    except IntegrityError as error:
        raise CannotStart(_("This procedure was started or canceled before.")) from error
    Run.objects.filter(pk=run.pk).update(next_due_at=Now(), attended_at=Now())
    run.refresh_from_db(fields=["next_due_at", "attended_at"])
    Step.objects.bulk_create(
        Step(run=run, memory=memory, position=position) for position, memory in enumerate(targets)
    )
    Procedure.objects.filter(pk=procedure.pk).update(state=Procedure.State.STARTED)
    end_reminders(procedure)
    Case.objects.filter(pk=procedure.case_id).update(stage=Case.Stage.RUNNING)
    end_night_entries(procedure.case, booked=False, by=by)
    emit(run.pk, NewEvent("started", {"total": len(targets)}))
    record(
        Act(
            "run.started",
            f"run:{run.pk}",
            actor=actor_of(by, "supervisor"),
            case=procedure.case_id,
            run=run.pk,
            details={
                "steps": len(targets),
                "map": procedure.map.digest,
                "pace_ms": int(procedure.pace_seconds * 1000),
            },
        )
    )
    return run
