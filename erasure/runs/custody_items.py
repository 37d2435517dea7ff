"""What a certificate says of the physical objects whose photographs a run faded.

Destroying a key does not destroy an object. Two people destroy it or give it back, and the certificate says
that they signed for it. Until they have, the object is open, whatever happened to its photograph.
"""

from datetime import UTC, datetime
from typing import Any

from django.db.models import Q

from erasure.runs.models import Run, Step
from patients.custody.models import Custody
from patients.keepsakes.models import Keepsake

OPEN, WITH_PATIENT = "open", "with-the-patient"


def custody_items(run: Run) -> list[dict[str, Any]]:
    """Return one item for each object of the memories that `run` worked on, ordered by memory number.

    `thing`: the object's tag. `state`: "destroyed" or "returned" if two people signed for it, "open" if the
    clinic still has it, "with-the-patient" if it was never brought. `proof`: "witnessed" for the first two,
    else "none"; it is never cryptographic.
    """
    return custody_items_of(Q(memory__in=Step.objects.filter(run=run).values("memory")))


def custody_items_of(keepsakes: Q) -> list[dict[str, Any]]:
    """Return one item for each object among the keepsakes that match the filter; see `custody_items`."""
    objects = Keepsake.objects.filter(keepsakes, kind=Keepsake.Kind.OBJECT).select_related(
        "memory", "custody__ended_by", "custody__witnessed_by", "custody__received_by"
    )
    return [_item(row) for row in objects.order_by("memory__number", "added_at", "pk")]


def _item(row: Keepsake) -> dict[str, Any]:
    custody: Custody | None = getattr(row, "custody", None)
    item = {"memory": row.memory.number if row.memory else None, "thing": row.tag}
    if custody is None:
        return {**item, "state": WITH_PATIENT, "proof": "none"}
    item["received"] = _isoformat(custody.received_at)
    if not custody.closed or custody.ended_by is None or custody.witnessed_by is None:
        return {**item, "state": OPEN, "proof": "none"}
    return {
        **item,
        "state": str(custody.state),
        "proof": "witnessed",
        "ended": _isoformat(custody.ended_at),
        "witnesses": [custody.ended_by.name, custody.witnessed_by.name],
    }


def _isoformat(moment: datetime | None) -> str | None:
    return moment.astimezone(UTC).isoformat(timespec="seconds") if moment else None
