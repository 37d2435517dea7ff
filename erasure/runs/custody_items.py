"""Things that can be held: what a run says of the objects behind the photographs it faded.

No key destroys a thing. It is destroyed or given back by two people, and a certificate says that they said
so; what they have not said yet is open, whatever became of the photograph.
"""

from datetime import UTC, datetime
from typing import Any

from erasure.runs.models import Run, Step
from patients.custody.models import Custody
from patients.keepsakes.models import Keepsake

OPEN, WITH_PATIENT = "open", "with-the-patient"


def custody_items(run: Run) -> list[dict[str, Any]]:
    """Every thing of the memories that `run` worked on, by memory number: its mark, and how it stands.

    `state`: "destroyed" or "returned" where two people signed for it, "open" where the clinic still has it,
    "with-the-patient" where it was never brought. `proof` is "witnessed" for the first two: never
    cryptographic.
    """
    steps = Step.objects.filter(run=run).values("memory")
    things = Keepsake.objects.filter(memory__in=steps, kind=Keepsake.Kind.OBJECT).select_related(
        "memory", "custody__ended_by", "custody__witnessed_by", "custody__received_by"
    )
    return [_item(row) for row in things.order_by("memory__number", "added_at", "pk")]


def _item(row: Keepsake) -> dict[str, Any]:
    custody: Custody | None = getattr(row, "custody", None)
    said = {"memory": row.memory.number if row.memory else None, "thing": row.tag}
    if custody is None:
        return {**said, "state": WITH_PATIENT, "proof": "none"}
    said["received"] = _at(custody.received_at)
    if not custody.closed or custody.ended_by is None or custody.witnessed_by is None:
        return {**said, "state": OPEN, "proof": "none"}
    return {
        **said,
        "state": str(custody.state),
        "proof": "witnessed",
        "ended": _at(custody.ended_at),
        "witnesses": [custody.ended_by.name, custody.witnessed_by.name],
    }


def _at(moment: datetime | None) -> str | None:
    return moment.astimezone(UTC).isoformat(timespec="seconds") if moment else None
