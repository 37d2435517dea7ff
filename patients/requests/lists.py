"""The front desk's lists of requests: by state, searched, in pages."""

from collections.abc import Mapping, Sequence

from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _

from clinic.accounts.search_words import find_owners
from clinic.http.keyset import Count, Page, Start, count_up_to, page_of, read_start, take
from patients.requests.models import AppointmentRequest, RequestWord

State = AppointmentRequest.State
WAITING = "waiting"
ALL = "all"
# What the list can be narrowed to: the word in the URL, its label, and the states.
FILTERS = {
    WAITING: (_("Waiting for an answer"), (State.NEW, State.HELD)),
    "new": (_("New"), (State.NEW,)),
    "held": (_("On hold"), (State.HELD,)),
    "accepted": (_("Invited"), (State.ACCEPTED,)),
    "declined": (_("Declined"), (State.DECLINED,)),
    ALL: (_("All"), ()),
}
MOST_COUNTED = 1_000
MAX_DECIDED = 10  # decided requests that stand beside the waiting ones


def read_filter(query: Mapping[str, str]) -> str:
    """Return the filter that `?state=` asks for. A search without a filter looks through all."""
    asked = query.get("state", "")
    if asked in FILTERS:
        return asked
    return ALL if query.get("find", "").strip() else WAITING


def requests_page(query: Mapping[str, str], chosen: str, text: str) -> tuple[Page[AppointmentRequest], Count]:
    """Return one page of the requests with this filter that match `text`, and how many there are.

    Those that wait for an answer come oldest first, all others newest first.
    """
    parts = _parts(chosen, text)
    newest_first = chosen not in {WAITING, "new", "held"}

    def fetch(start: Start | None, most: int) -> list[AppointmentRequest]:
        return take(parts, "created_at", start, most, newest_first=newest_first)

    start = read_start(query, AppointmentRequest.objects.all(), "created_at")
    return page_of(fetch, start), count_up_to(parts, MOST_COUNTED)


def _parts(chosen: str, text: str) -> "Sequence[QuerySet[AppointmentRequest]]":
    """Return one query for each state of the filter: an index has the requests of one state in order."""
    rows = AppointmentRequest.objects.select_related("invitation", "decided_by")
    if text:
        found = find_owners(RequestWord, "request", text, "pk")
        rows = rows.filter(found.condition)
        if found.owners is not None:
            rows = rows.filter(pk__in=found.owners)
    states = FILTERS[chosen][1]
    return [rows.filter(state=state) for state in states] if states else [rows]


def decided_last() -> "QuerySet[AppointmentRequest]":
    """Return the requests that were decided last, the latest first."""
    rows = AppointmentRequest.objects.decided().filter(decided_at__isnull=False)
    return rows.select_related("invitation").order_by("-decided_at", "pk")[:MAX_DECIDED]
