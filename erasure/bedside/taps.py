"""Taps on the safe word of the page for the bed. They may come late, and more than once."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from clinic.accounts.models import User
from clinic.audit.canonical import DetailInput
from clinic.audit.record import Act, actor_of, record
from erasure.bedside.models import BedTap
from erasure.bedside.tokens import DETAILS
from erasure.runs import control
from erasure.runs.models import SafeWord
from erasure.runs.run_actions import lock


@dataclass(frozen=True)
class Arrival:
    """A tap that has arrived. changed: False if it had arrived before."""

    at: datetime
    changed: bool


@transaction.atomic
def arrive(run_id: UUID, *, by: User, tap: UUID, tapped_at: datetime | None) -> Arrival:
    """Take a tap of the patient `by`: the safe word is said. The same tap counts once.

    tap: the id that the page made at the tap. tapped_at: when that was by the clock of the device, None if
    the page did not say. A tap that comes late pauses the run too, even if an earlier safe word was lifted in
    the meantime. Errors: NotNow if the run is finished or stopping.
    """
    run = lock(run_id, allow_finished=True)
    earlier = BedTap.objects.filter(run=run, tap=tap).first()
    if earlier is not None:
        return Arrival(earlier.arrived_at, changed=False)
    control.safe_word(run.pk, by=by, details=DETAILS)
    row = BedTap.objects.create(
        run=run,
        tap=tap,
        tapped_by=by,
        tapped_at=tapped_at,
        arrived_at=timezone.now(),
        safe_word=SafeWord.objects.get(run=run, lifted_at__isnull=True),
    )
    details: dict[str, DetailInput] = {**DETAILS, "tap": tap}
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
    return Arrival(row.arrived_at, changed=True)
