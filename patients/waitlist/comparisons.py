"""What of this package is compared with the log when it is verified: places on the waitlist, and offers."""

from collections.abc import Mapping

from clinic.audit.comparisons import Rows, Said, register
from clinic.audit.models import Entry
from patients.waitlist.models import WaitlistEntry, WaitlistOffer

State = WaitlistOffer.State
ADDED, ENDED = "waitlist.added", "waitlist.ended"
ENTRY_ACTIONS = (ADDED, "waitlist.changed", "waitlist.moved-up", ENDED)
# The state of an offer after each action.
STATES = {
    "waitlist.offered": State.OPEN,
    "waitlist.accepted": State.ACCEPTED,
    "waitlist.declined": State.DECLINED,
    "waitlist.expired": State.EXPIRED,
    "waitlist.taken-back": State.TAKEN_BACK,
}


def stored_entries(entry_id: str | None) -> Mapping[str, Said]:
    """Return the case, the kind and the end of each entry (or of one), by id."""
    rows = WaitlistEntry.objects.all()
    if entry_id:
        rows = rows.filter(pk=entry_id)
    return {
        str(pk): {"case": case, "kind": kind, "ended": because}
        for pk, case, kind, because in rows.values_list("pk", "case_id", "kind", "ended_because")
    }


def logged_entries(entries: list[Entry]) -> Said:
    """Return what the log's entries say of an entry of the waitlist."""
    logged: dict[str, object] = {"case": entries[-1].case, "ended": ""}
    for entry in entries:
        if entry.action == ADDED:
            logged["kind"] = entry.details["kind"]
        elif entry.action == ENDED:
            logged["ended"] = entry.details["because"]
    return logged


def stored_offers(offer_id: str | None) -> Mapping[str, Said]:
    """Return the case, the entry and the state of each offer (or of one), by id."""
    rows = WaitlistOffer.objects.all()
    if offer_id:
        rows = rows.filter(pk=offer_id)
    return {
        str(pk): {"case": case, "entry": str(entry), "state": state}
        for pk, case, entry, state in rows.values_list("pk", "case_id", "entry_id", "state")
    }


def logged_offers(entries: list[Entry]) -> Said:
    """Return what the log's entries say of an offer."""
    logged: dict[str, object] = {"case": entries[-1].case, "state": STATES[entries[-1].action].value}
    for entry in entries:
        if entry.action == "waitlist.offered":
            logged["entry"] = entry.details["entry"]
    return logged


register(
    "places on the waitlist",
    Rows("waitlist-entry", ENTRY_ACTIONS, stored_entries, logged_entries),
)
register("offers of the waitlist", Rows("waitlist-offer", tuple(STATES), stored_offers, logged_offers))
