"""Records taps on the safe word of the page for the bed. A tap may arrive late, and more than once."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from clinic.accounts.models import User
from clinic.audit.canonical import DetailInput
from clinic.audit.record import Act, actor_of, record
from erasure.bedside.models import BedTap
from erasure.bedside.tokens import AUDIT_DETAILS
from erasure.runs import control
from erasure.runs.models import Run, SafeWord
from erasure.runs.run_actions import lock


@dataclass(frozen=True)
class RecordedTap:
    """Result of `record_tap`.

    arrived_at: when the tap first arrived. changed: False if that was an earlier
    call. is_paused: whether the run is paused now.
    """

    arrived_at: datetime
    changed: bool
    is_paused: bool


@transaction.atomic
def record_tap(run_id: UUID, *, by: User, tap: UUID, tapped_at: datetime | None) -> RecordedTap:
    """Record a tap of the patient `by`, pause the run and call the doctor. The same tap counts once.

    tap: the id that the page made for this tap. tapped_at: the time of the tap by the device's clock, None if
    unknown. A new tap that arrives late pauses the run even if a doctor has meanwhile lifted the safe word of
    an earlier tap. Errors: NotNow if the run is finished or stopping and the tap had not arrived before.
    """
    run = lock(run_id, allow_finished=True)
    earlier = BedTap.objects.filter(run=run, tap=tap).first()
    if earlier is not None:
        return RecordedTap(earlier.arrived_at, changed=False, is_paused=run.state == Run.State.PAUSED)
    control.safe_word(run.pk, by=by, details=AUDIT_DETAILS)
    row = BedTap.objects.create(
        run=run,
        tap=tap,
        tapped_by=by,
        tapped_at=tapped_at,
        arrived_at=timezone.now(),
        safe_word=SafeWord.objects.get(run=run, lifted_at__isnull=True),
    )
    details: dict[str, DetailInput] = {**AUDIT_DETAILS, "tap": tap}
    if tapped_at:
        details["tapped"] = tapped_at
    record(
        Act(
            "bed.safe-word",
            f"run:{run.pk}",
            actor=actor_of(by),
            case=run.procedure.case_id,
            run=run.pk,
            details=details,
        )
    )
    return RecordedTap(row.arrived_at, changed=True, is_paused=True)
