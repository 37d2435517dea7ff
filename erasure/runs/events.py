"""Events of a run: numbered without gaps and written in the transaction of the change they describe."""

from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import F
from django.db.models.functions import Now

from erasure.runs.models import Event, Run


@dataclass(frozen=True)
class NewEvent:
    """An event to emit. `data` holds ids and numbers; sentences are made for each viewer when it is shown."""

    kind: str
    data: dict[str, Any] = field(default_factory=dict)


def emit(run_id: UUID, *new_events: NewEvent) -> int:
    """Append events and return the last seq. Locks the run row, unless the caller has done so.

    Readers with a cursor on a serial primary key missed events on PostgreSQL, because it assigns ids before
    the commit. With a counter in the run's own row this cannot happen (LIVE.md).
    """
    Run.objects.filter(pk=run_id).update(last_seq=F("last_seq") + len(new_events))
    last = Run.objects.values_list("last_seq", flat=True).get(pk=run_id)
    first = last - len(new_events) + 1
    Event.objects.bulk_create(
        Event(run_id=run_id, seq=first + i, kind=item.kind, at=Now(), data=item.data)
        for i, item in enumerate(new_events)
    )
    if connection.vendor == "postgresql":
        # Sent at commit, dropped by a rollback. It carries only the run's id; listeners read the events.
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_notify('lacuna_live', %s)", [str(run_id)])
    return last
