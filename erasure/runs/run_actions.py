"""Helpers for every user action on a run: row lock, who may act now, event and audit entry."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from django.db.models import DateTimeField, ExpressionWrapper
from django.db.models.functions import Now
from django.utils.translation import gettext as _

from clinic.accounts.models import Role, User
from clinic.audit.canonical import Detail
from clinic.audit.record import Act, actor_of, record
from erasure.runs.events import NewEvent, emit
from erasure.runs.models import Run
from patients.cases.relations import standing_to


class NotNow(Exception):
    """The run's state does not allow this action now; the message tells the user why."""


@dataclass(frozen=True)
class ActionResult:
    """Result of an action. changed: False if nothing had to change; seq: number of the emitted event."""

    changed: bool
    seq: int = 0


UNCHANGED = ActionResult(changed=False)


def after(seconds: float) -> ExpressionWrapper:
    """Return now plus `seconds` as an expression, by the database's clock. Negative seconds: in the past."""
    return ExpressionWrapper(Now() + timedelta(seconds=seconds), output_field=DateTimeField())


def lock(run_id: UUID, *, allow_finished: bool = False) -> Run:
    """Lock the run row and return the run. Call it inside a transaction.

    Errors: NotNow if the run is finished, unless `allow_finished`.
    """
    run = Run.objects.select_for_update(of=("self",)).select_related("procedure__case").get(pk=run_id)
    if run.state == Run.State.FINISHED and not allow_finished:
        raise NotNow(_("This session is over."))
    return run


def check_not_stopping(run: Run) -> None:
    """Raise NotNow if the run is being stopped: nothing fades any more, so nothing is left to change."""
    if run.state == Run.State.STOPPING:
        raise NotNow(_("This session is being stopped."))


def check_in_charge(run: Run, by: User | None) -> None:
    """Raise NotNow if a doctor other than `by` has taken over. The system (by=None) may always act."""
    if run.taken_over_by is not None and by is not None and by.pk != run.taken_over_by_id:
        raise NotNow(
            _("%(who)s has taken over, so only they do this now. Pausing and the safe word stay yours.")
            % {"who": run.taken_over_by.short_name}
        )


def counts_as_attending(run: Run, by: User | None) -> bool:
    """Whether an action of `by` shows that a member of the team is with the patient.

    A doctor who also has the role of technician counts as one only in nights they are booked for.
    """
    if by is None or by.pk == run.procedure.case.patient_id:
        return False
    if by.pk == run.taken_over_by_id:
        return True
    return by.has_role(Role.TECHNICIAN) and "assigned" in standing_to(by, run.procedure.case)


def record_run_event(
    run: Run,
    kind: str,
    by: User | None,
    data: Mapping[str, Detail] | None = None,
    *,
    action: str = "",
    system: str = "supervisor",
) -> ActionResult:
    """Emit the event of an action and write its audit entry. Must be the last call in the transaction.

    data: ids and numbers, for the event and the entry. action: code of the audit action, by default
    "run.<kind>". system: the actor if `by` is None.
    """
    data = data or {}
    who = {"by": str(by.pk)} if by else {}
    if counts_as_attending(run, by):
        Run.objects.filter(pk=run.pk).update(attended_at=Now())
    seq = emit(run.pk, NewEvent(kind, {**who, **data}))
    record(
        Act(
            action or f"run.{kind}",
            f"run:{run.pk}",
            actor=actor_of(by, system),
            case=run.procedure.case_id,
            run=run.pk,
            details=dict(data),
        )
    )
    return ActionResult(changed=True, seq=seq)
