"""Sources for the facts about a case's memories and its locked map (patients/cases/facts.py)."""

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
    """Return the counts of each case's memories. Dates are decrypted only where the map is still open."""
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
    memories: dict[UUID, Memories] = {}
    for row in rows:
        counts: dict[str, Any] = dict(row)
        case = counts.pop("case")
        memories[case] = Memories(**counts, undated=undated[case])
    return memories


def _undated(cases: Sequence[UUID]) -> Counter[UUID]:
    """Return how many memories on the map have no date, by the case's id."""
    here = Memory.objects.filter(case__in=cases, zone=Memory.Zone.MAP).exclude(fate=Memory.Fate.ERASED)
    rows = list(here)
    fields = read_many(rows)
    return Counter(row.case_id for row in rows if row.pk in fields and not fields[row.pk].day)


@facts("map")
def maps_of(cases: Sequence[Case]) -> Mapping[UUID, Map]:
    """Return the locked map of each case that has one.

    While a night is running, its map counts as current, although the night changes the memories.
    """
    locked = list(LockedMap.objects.filter(case__in=cases, unlocked_at__isnull=True).defer("body"))
    not_running = {case.pk for case in cases if case.stage in {"mapped", "consented", "booked"}}
    bodies = map_bodies(row.case_id for row in locked if row.case_id in not_running)
    return {
        row.case_id: Map(
            id=row.pk,
            locked_at=row.locked_at,
            needs_review=row.needs_review,
            current=row.case_id not in bodies or map_digest(bodies[row.case_id]) == row.digest,
        )
        for row in locked
    }
