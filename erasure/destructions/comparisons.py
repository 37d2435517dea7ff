"""Rows that are compared with the audit log when it is verified: finished destructions and their items."""

from collections.abc import Mapping

from clinic.audit.comparisons import Rows, Said, register
from clinic.audit.models import Entry
from erasure.destructions.models import Destruction, DestructionItem

ITEM_ACTIONS = tuple(f"destruction.{kind}" for kind in DestructionItem.Kind.values)


def stored_destructions(destruction_id: str | None) -> Mapping[str, Said]:
    """Return the outcomes of finished destructions by id. destruction_id: of only this one; None: of all."""
    rows = Destruction.objects.filter(state=Destruction.State.FINISHED)
    rows = rows.filter(pk=destruction_id) if destruction_id else rows
    return {str(pk): {"outcome": outcome} for pk, outcome in rows.values_list("pk", "outcome")}


def logged_destruction(entries: list[Entry]) -> Said:
    """Return the outcome of one destruction as its last entry says it."""
    return {"outcome": entries[-1].details["outcome"]}


def stored_items(item_id: str | None) -> Mapping[str, Said]:
    """Return the figures of destroyed items by id. item_id: of only this one; None: of all."""
    rows = DestructionItem.objects.filter(state=DestructionItem.State.DESTROYED)
    return {
        str(item.pk): {
            "kind": f"destruction.{item.kind}",
            "destruction": item.destruction_id,
            "objects": item.objects_destroyed,
            "bytes": item.bytes_destroyed,
            "entry": item.entry_id,
        }
        for item in (rows.filter(pk=item_id) if item_id else rows)
    }


def logged_item(entries: list[Entry]) -> Said:
    """Return the figures of one item as its last entry says them."""
    entry = entries[-1]
    figures = {name: entry.details[name] for name in ("objects", "bytes")}
    return {**figures, "kind": entry.action, "destruction": entry.run, "entry": entry.index}


register(
    "destructions",
    Rows("destruction", ("destruction.finished",), stored_destructions, logged_destruction),
)
register("destroyed things", Rows("item", ITEM_ACTIONS, stored_items, logged_item))
