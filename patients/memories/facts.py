"""The facts of a case's status that memories and the locked map give (patients/cases/status.py)."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from django.db.models import Count, Q

from patients.cases.facts import facts
from patients.cases.models import Case
from patients.cases.status import Map, Memories
from patients.memories.map_content import map_bodies, map_digest
from patients.memories.models import LockedMap, Memory
from patients.vault.sealed import read_many


@facts("memories")
def memories_of(cases: Sequence[Case]) -> Mapping[UUID, Memories]:
    """Return the counts of memories. Dates are sealed, so they are unsealed for maps that may be locked."""
    undated = _undated([case.pk for case in cases if case.map_is_open])
    on_map = Q(zone=Memory.Zone.MAP)
    rows = (
        Memory.objects.filter(case__in=cases)
        .order_by()
        .values("case")
        .annotate(
            on_map=Count("pk", filter=on_map),
            targets=Count("pk", filter=on_map & Q(fate=Memory.Fate.TARGET)),
            protected=Count("pk", filter=on_map & Q(fate=Memory.Fate.PROTECTED)),
            erased=Count("pk", filter=on_map & Q(fate=Memory.Fate.ERASED)),
            childhood=Count("pk", filter=~on_map),
            unrated=Count("pk", filter=Q(intensity__isnull=True) & ~Q(fate=Memory.Fate.ERASED)),
        )
    )
    counts: list[dict[str, Any]] = [dict(row) for row in rows]
    return {case: Memories(**row, undated=undated[case]) for row in counts if (case := row.pop("case"))}


def _undated(cases: Sequence[UUID]) -> Counter[UUID]:
    """Return how many memories on the map have no date, by the case's id."""
    here = Memory.objects.filter(case__in=cases, zone=Memory.Zone.MAP).exclude(fate=Memory.Fate.ERASED)
    rows = list(here)
    fields = read_many(rows)
    return Counter(row.case_id for row in rows if row.pk in fields and not fields[row.pk].day)


@facts("map")
def maps_of(cases: Sequence[Case]) -> Mapping[UUID, Map]:
    """Return the locked maps. While a night erases its memories, a map is not compared with them."""
    locked = list(LockedMap.objects.filter(case__in=cases, unlocked_at__isnull=True).defer("body"))
    still = {case.pk for case in cases if case.stage in {"mapped", "consented", "booked"}}
    bodies = map_bodies(row.case_id for row in locked if row.case_id in still)
    return {
        row.case_id: Map(
            id=row.pk,
            locked_at=row.locked_at,
            current=row.case_id not in bodies or map_digest(bodies[row.case_id]) == row.digest,
        )
        for row in locked
    }
