"""The facts of a case's status that procedures and runs give (patients/cases/status.py)."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from django.db.models.functions import Now

from erasure.procedures.models import Procedure
from erasure.procedures.readiness import faults_at_start, hours_at
from erasure.runs.calls import unanswered
from erasure.runs.models import Hold
from patients.cases.facts import facts
from patients.cases.models import Case
from patients.cases.status import Night


@facts("nights")
def nights_of(cases: Sequence[Case]) -> Mapping[UUID, tuple[Night, ...]]:
    """Return the procedures that were not canceled, each with what its run waits for, the oldest first."""
    procedures = list(
        Procedure.objects.filter(case__in=cases)
        .exclude(state=Procedure.State.CANCELED)
        .select_related("booking", "consent", "map", "run", "run__certificate")
        .annotate(now=Now())
        .order_by("booked_at", "pk")
    )
    runs = [procedure.run.pk for procedure in procedures if hasattr(procedure, "run")]
    decisions = Counter(Hold.objects.waiting().filter(step__run__in=runs).values_list("step__run", flat=True))
    calls = dict(unanswered().filter(run__in=runs).values_list("run", "called_at"))
    faults = faults_at_start([row for row in procedures if row.state == Procedure.State.BOOKED])
    found: dict[UUID, tuple[Night, ...]] = {}
    for row in procedures:
        night = _night(row, faults.get(row.pk, ""), decisions, calls)
        found[row.case_id] = (*found.get(row.case_id, ()), night)
    return found


def _night(row: Procedure, fault: str, decisions: Counter[UUID], calls: Mapping[UUID, datetime]) -> Night:
    run = getattr(row, "run", None)
    return Night(
        id=row.pk,
        map_id=row.map_id,
        state=str(row.state),
        starts_at=row.booking.starts_at,
        ends_at=row.booking.ends_at,
        place=Procedure.Place(row.place).for_patient,
        fault=fault,
        # By the database's clock, as the start.
        hours=hours_at(row, row.now),  # type: ignore[attr-defined]
        run=run.pk if run else None,
        run_state=str(run.state) if run else "",
        outcome=str(run.outcome) if run else "",
        finished_at=run.finished_at if run else None,
        decisions=decisions[run.pk] if run else 0,
        called_at=calls.get(run.pk) if run else None,
        certified=run is not None and hasattr(run, "certificate"),
    )
