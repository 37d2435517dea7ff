"""Reads everything that a patient brought, with its memories, for the pages on which it is placed."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from uuid import UUID

from django.db.models import QuerySet

from clinic.edits.seen import seen_mark
from patients.cases.models import Case
from patients.keepsakes.models import Keepsake, KeepsakeFields
from patients.keepsakes.removal import keepsake_state
from patients.memories.models import Memory, MemoryFields
from patients.memories.when import shown
from patients.vault.models import StoredObject
from patients.vault.sealed import read_many

# Sorts keepsakes without a date behind all others.
_UNDATED = "9999"


@dataclass(frozen=True)
class ReadKeepsake:
    """One keepsake with its unsealed fields, and its memory if it is in one that can be read."""

    row: Keepsake
    fields: KeepsakeFields
    memory: MemoryFields | None = None

    @property
    def key(self) -> str:
        return str(self.row.pk)

    @property
    def title(self) -> str:
        return self.fields.caption or str(self.row.unnamed)

    @cached_property
    def taken_at(self) -> datetime | None:
        """The time of taking; None if only a day is known, or the patient gave another date."""
        is_time = len(self.fields.taken) > len("2004-02-14")
        if self.fields.day or not is_time or not self.known_day:
            return None
        return datetime.fromisoformat(self.fields.taken).replace(tzinfo=None)

    @cached_property
    def known_day(self) -> str:
        """The ISO day it is from, exact or the middle of a rough period; empty if unknown."""
        return self.fields.known_day

    @cached_property
    def exact_day(self) -> str:
        """The ISO day it is from; empty if that is unknown, or known only roughly."""
        return "" if self.fields.when else self.known_day

    @property
    def date(self) -> str:
        """The date in words, as a page shows it: its own, else that of its memory."""
        if self.fields.known_date or self.memory is None:
            return self.fields.known_date
        return shown(self.memory.day, self.memory.when)

    @cached_property
    def sort_key(self) -> tuple[str, str, datetime, str]:
        """What sorts keepsakes by day, then by time, then by when they were brought."""
        day = self.known_day or (self.memory.day if self.memory else "") or _UNDATED
        at = self.taken_at
        return day, at.isoformat() if at else "", self.row.added_at, self.key

    @property
    def mark(self) -> str:
        """The mark of what the page shows of it."""
        return seen_mark(*state_of(self.row, self.fields))

    @property
    def tick(self) -> str:
        """The value of its tick in a form: what is ticked, and what the page showed of it."""
        return f"{self.key}:{self.mark}"


def state_of(row: Keepsake, fields: KeepsakeFields) -> tuple[str, list[object]]:
    """Return what a tick's mark is made of: the keepsake, and its words and memory (clinic/edits/seen.py)."""
    return f"placement:{row.pk}", keepsake_state(row, fields)


def read_ticks(values: Iterable[str]) -> dict[UUID, str]:
    """Return the marks of posted ticks by keepsake id. Malformed values are left out."""
    found = {}
    for value in values:
        key, _colon, mark = value.partition(":")
        try:
            found[UUID(key)] = mark
        except ValueError:
            continue
    return found


Memories = dict[UUID, tuple[Memory, MemoryFields]]


@dataclass(frozen=True)
class Brought:
    """Everything that a patient brought, and their memories that are not erased. keepsakes: oldest first."""

    keepsakes: list[ReadKeepsake]
    memories: Memories

    @cached_property
    def loose(self) -> list[ReadKeepsake]:
        """What is in no memory."""
        return [keepsake for keepsake in self.keepsakes if keepsake.row.memory_id is None]


def brought_in(case: Case) -> QuerySet[Keepsake]:
    """Return the keepsakes of a case that are there, in the order in which they were brought."""
    return Keepsake.objects.filter(case=case, gone_at__isnull=True).order_by("added_at", "pk")


def memories_of(case: Case) -> Memories:
    """Return the memories of a case that are not erased, with their fields, by id."""
    rows = {row.pk: row for row in Memory.objects.filter(case=case).exclude(fate=Memory.Fate.ERASED)}
    fields = read_many(rows.values())
    return {key: (row, fields[key]) for key, row in rows.items() if key in fields}


def read_keepsakes(rows: Iterable[Keepsake], memories: Memories) -> list[ReadKeepsake]:
    """Unseal keepsakes, in their order. Those whose key is gone are left out."""
    there = list(rows)
    fields = read_many(there)
    return [
        ReadKeepsake(row, fields[row.pk], memories[row.memory_id][1] if row.memory_id in memories else None)
        for row in there
        if row.pk in fields
    ]


def read_brought(case: Case, memories: Memories | None = None) -> Brought:
    """Read all keepsakes and memories of a case: two queries, and the key store is asked twice.

    memories: what `memories_of` has read already. Call `load_thumbs` too for those that a page shows.
    """
    memories = memories_of(case) if memories is None else memories
    keepsakes = read_keepsakes(brought_in(case), memories)
    return Brought(sorted(keepsakes, key=lambda keepsake: keepsake.sort_key), memories)


def load_thumbs(keepsakes: Iterable[ReadKeepsake]) -> None:
    """Load the thumbs of the keepsakes that a page shows, with one query.

    `read_brought` leaves them out, because loading those of a whole case would take longer than all the rest.
    """
    rows = [keepsake.row for keepsake in keepsakes]
    thumbs = StoredObject.objects.in_bulk({row.thumb_id for row in rows if row.thumb_id})
    for row in rows:
        row.thumb = thumbs.get(row.thumb_id)
