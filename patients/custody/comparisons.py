"""What of this package is compared with the log when it is verified: the custody of each thing."""

from collections.abc import Mapping
from uuid import UUID

from clinic.audit.comparisons import Rows, Said, register
from clinic.audit.models import Entry
from patients.custody.models import Custody

ACTIONS = ("custody.received", "custody.handed", "custody.ended", "custody.witnessed", "custody.contradicted")
State = Custody.State


def stored(custody_id: str | None) -> Mapping[str, Said]:
    """Return where each thing is (or one of them) and who signed for it, by id."""
    rows = Custody.objects.filter(pk=custody_id) if custody_id else Custody.objects.all()
    return {
        str(row.pk): {
            "keepsake": str(row.keepsake_id),
            "shelf": row.shelf.lower(),
            "state": str(row.state),
            "outcome": str(row.outcome),
            "received by": _actor(row.received_by_id),
            "handed by": _actor(row.handed_by_id),
            "ended by": _actor(row.ended_by_id),
            "witnessed by": _actor(row.witnessed_by_id),
        }
        for row in rows
    }


def _actor(user_id: UUID | None) -> str:
    return f"user:{user_id}" if user_id else ""


def logged(entries: list[Entry]) -> Said:
    """Return what the entries on one thing say, in their order, as `stored` returns it."""
    said = dict.fromkeys(("outcome", "handed by", "ended by", "witnessed by", "shelf", "received by"), "")
    for entry in entries:
        said["keepsake"] = entry.details["keepsake"]
        match entry.action:
            case "custody.received":
                said |= {"state": State.RECEIVED.value, "shelf": entry.details["shelf"]}
                said["received by"] = entry.actor
            case "custody.handed":
                said |= {"state": State.HANDED.value, "handed by": entry.actor}
            case "custody.ended":
                said |= {"state": State.ENDING.value, "outcome": entry.details["outcome"]}
                said["ended by"] = entry.actor
            case "custody.witnessed":
                said |= {"state": entry.details["outcome"], "witnessed by": entry.actor}
            case "custody.contradicted":
                before = State.HANDED if said["handed by"] else State.RECEIVED
                said |= {"state": before.value, "outcome": "", "ended by": ""}
    return said


register("custody records", Rows("custody", ACTIONS, stored, logged))
