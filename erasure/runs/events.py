"""Events of a run: numbered without gaps, in the transaction that makes them true."""

from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import F
from django.utils import timezone

from erasure.runs.models import Event, Run


@dataclass(frozen=True)
class NewEvent:
    """What happened, in ids and numbers. Words are put to it for each viewer, at the moment of showing."""

    kind: str
    data: dict[str, Any] = field(default_factory=dict)


def emit(run_id: UUID, *news: NewEvent) -> int:
    """Append events under the run row's lock, which this takes if the caller has not; return the last seq.

    A cursor on a serial primary key lost events on PostgreSQL, because ids are given before commit; a
    number counted up in the run's own row cannot (LIVE.md).
    """
    Run.objects.filter(pk=run_id).update(last_seq=F("last_seq") + len(news))
    last = Run.objects.values_list("last_seq", flat=True).get(pk=run_id)
    now = timezone.now()
    first = last - len(news) + 1
    Event.objects.bulk_create(
        Event(run_id=run_id, seq=first + i, kind=item.kind, at=now, data=item.data)
        for i, item in enumerate(news)
    )
    if connection.vendor == "postgresql":
        # Told at the commit, and dropped with a rollback. Only whose run it was; what happened is read.
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_notify('lacuna_live', %s)", [str(run_id)])
    return last
