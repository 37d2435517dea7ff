"""The facts of a case's status that keepsakes give (patients/cases/status.py)."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from django.db.models import Count, Max, Q

from patients.cases.facts import facts
from patients.cases.models import Case
from patients.cases.status import Things
from patients.keepsakes.models import Keepsake


@facts("things")
def things_of(cases: Sequence[Case]) -> Mapping[UUID, Things]:
    """Return the counts of keepsakes. One that is gone at level 0 was taken back by the patient."""
    here = Q(gone_at__isnull=True)
    rows = (
        Keepsake.objects.filter(case__in=cases)
        .order_by()
        .values("case")
        .annotate(
            brought=Count("pk", filter=here | Q(level__gt=0)),
            here=Count("pk", filter=here),
            waiting=Count("pk", filter=here & Q(review=Keepsake.Review.WAITING)),
            returned=Count("pk", filter=here & Q(review=Keepsake.Review.RETURNED)),
            unplaced=Count("pk", filter=here & Q(memory__isnull=True)),
            last=Max("added_at", filter=here | Q(level__gt=0)),
        )
    )
    things: dict[UUID, Things] = {}
    for row in rows:
        counts: dict[str, Any] = dict(row)
        case = counts.pop("case")
        things[case] = Things(**counts)
    return things
