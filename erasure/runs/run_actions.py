"""What every act on a run shares: the row's lock, who may act now, the event and the log entry."""

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


class NotNow(Exception):
    """The run is in a state in which this cannot be done; the message says so in plain words."""


@dataclass(frozen=True)
class Done:
    """What an act came to. `changed` is False where it was so already; `seq`: the event that says it."""

    changed: bool
    seq: int = 0


UNCHANGED = Done(changed=False)


def after(seconds: float) -> ExpressionWrapper:
    """A moment so many seconds from now (or before), by the database's clock."""
    return ExpressionWrapper(Now() + timedelta(seconds=seconds), output_field=DateTimeField())


def lock(run_id: UUID, *, over: bool = False) -> Run:
    """Take the run row's lock, inside a transaction. Errors: NotNow when the run is over, unless `over`."""
    run = Run.objects.select_for_update(of=("self",)).select_related("procedure__case").get(pk=run_id)
    if run.state == Run.State.FINISHED and not over:
        raise NotNow(_("This session is over."))
    return run


def only_in_charge(run: Run, by: User | None) -> None:
    """Let only the doctor act who has taken over, while one has; the system itself always may.

    Errors: NotNow.
    """
    if run.taken_over_by is not None and by is not None and by.pk != run.taken_over_by_id:
        raise NotNow(
            _("%(who)s has taken over, so only they do this now. Pausing and the safe word stay yours.")
            % {"who": run.taken_over_by.short_name}
        )


def of_the_team(run: Run, by: User | None) -> bool:
    """Whether `by` is somebody whose acts show that the patient is not alone."""
    if by is None or by.pk == run.procedure.case.patient_id:
        return False
    return by.has_role(Role.TECHNICIAN) or by.pk == run.taken_over_by_id


def record_run_event(
    run: Run,
    kind: str,
    by: User | None,
    data: Mapping[str, Detail] | None = None,
    *,
    action: str = "",
    system: str = "supervisor",
) -> Done:
    """Event and log entry of one act; the last thing in its transaction.

    data: ids and numbers, for both. action: the log's word, else "run.<kind>". system: who acts without `by`.
    """
    data = data or {}
    who = {"by": str(by.pk)} if by else {}
    if of_the_team(run, by):
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
    return Done(changed=True, seq=seq)
