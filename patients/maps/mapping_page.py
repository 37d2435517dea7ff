"""Data for the mapping bench, the page on which staff and patient go through the keepsakes one by one.

It shows each keepsake with its memory, and what is missing before the map can be locked.
"""

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from itertools import pairwise
from uuid import UUID

from django.db.models import Q
from django.utils.formats import date_format
from django.utils.translation import get_language, ngettext
from django.utils.translation import gettext as _

from clinic.configuration.values import value_of
from clinic.names import normalize_text, sort_key, text_key
from patients.cases.models import Case
from patients.keepsakes.models import Keepsake, KeepsakeFields
from patients.maps.configuration import PACE_SECONDS
from patients.memories.models import Memory, MemoryFields, MemoryLink
from patients.vault.sealed import read_many

NAME_SEPARATORS = re.compile(r"[,;\n]+")
# Sort key of memories without a date: after all dated ones.
AFTER_ALL_DATES = "9999"


@dataclass(frozen=True)
class Item:
    """One item of the bench: a keepsake with its memory, or a memory without keepsakes.

    key: id of the keepsake, or else of the memory. keepsake_fields, story: the decrypted fields of keepsake
    and memory.
    """

    key: UUID
    keepsake: Keepsake | None
    keepsake_fields: KeepsakeFields
    memory: Memory | None
    story: MemoryFields

    @property
    def title(self) -> str:
        named = self.story.title or self.keepsake_fields.caption or self.keepsake_fields.filename
        return named or (
            str(self.keepsake.get_kind_display()).capitalize() if self.keepsake else _("Untitled")
        )

    @property
    def lacks(self) -> list[str]:
        """What this item lacks before the map can be locked, in a few words each."""
        if self.memory is None:
            return [_("not placed in a memory")]
        return [
            *([_("not reviewed")] if self.keepsake and self.keepsake.review != "accepted" else []),
            *([_("no date")] if self.memory.zone == Memory.Zone.MAP and not self.story.day else []),
            *([_("no intensity")] if self.memory.intensity is None else []),
        ]


@dataclass(frozen=True)
class Linked:
    """A memory linked to the one shown. key: of its first item on the bench."""

    memory: Memory
    title: str
    key: UUID


@dataclass(frozen=True)
class Collateral:
    """Another person who appears in what will be erased, and in how many keepsakes and memories."""

    name: str
    keepsakes: int
    memories: int

    @property
    def words(self) -> str:
        parts = [
            ngettext("%(n)d keepsake", "%(n)d keepsakes", self.keepsakes) % {"n": self.keepsakes}
            if self.keepsakes
            else "",
            ngettext("%(n)d memory", "%(n)d memories", self.memories) % {"n": self.memories}
            if self.memories
            else "",
        ]
        return ", ".join(part for part in parts if part)


@dataclass
class Bench:
    """Everything about one case's map, loaded once.

    stories: decrypted fields by memory id. links: ids of linked memories by memory id.
    """

    case: Case
    items: list[Item] = field(default_factory=list)
    memories: list[Memory] = field(default_factory=list)
    stories: dict[UUID, MemoryFields] = field(default_factory=dict)
    links: dict[UUID, set[UUID]] = field(default_factory=lambda: defaultdict(set))
    subject: str = ""

    @property
    def done(self) -> int:
        return sum(not item.lacks for item in self.items)

    @property
    def lacking(self) -> list[Item]:
        return [item for item in self.items if item.lacks]

    @property
    def on_map(self) -> list[Memory]:
        return [memory for memory in self.memories if memory.zone == Memory.Zone.MAP]

    @property
    def targets(self) -> list[Memory]:
        """The memories to be erased, newest first."""
        chosen = [memory for memory in self.on_map if memory.fate == Memory.Fate.TARGET]
        return sorted(chosen, key=lambda memory: (self.day(memory), memory.made_at), reverse=True)

    def day(self, memory: Memory) -> str:
        return self.stories[memory.pk].day if memory.pk in self.stories else ""

    def title(self, memory: Memory) -> str:
        return (self.stories[memory.pk].title if memory.pk in self.stories else "") or _("Untitled")

    def at(self, key: str) -> Item | None:
        """Return the item of this keepsake or memory; else the first that lacks something, or the first."""
        for item in self.items:
            if key and key in {str(item.key), str(item.memory.pk) if item.memory else ""}:
                return item
        return next(iter(self.lacking), self.items[0] if self.items else None)

    def item_of_memory(self, key: str, memory: Memory) -> Item:
        """Return the item of this key if it is in `memory`, else the first one of `memory`.

        Errors: ValueError if the memory is not on the bench.
        """
        items = [item for item in self.items if item.memory == memory]
        if not items:
            raise ValueError("this memory is not on the bench")
        return next((item for item in items if str(item.key) == key), items[0])

    def around(self, item: Item) -> tuple[Item | None, Item | None]:
        """Return the items before and after `item`."""
        place = self.items.index(item)
        before = self.items[place - 1] if place else None
        return before, self.items[place + 1] if place + 1 < len(self.items) else None

    def linked(self, memory: Memory) -> list[Linked]:
        by_id = {one.pk: one for one in self.memories}
        keys = {item.memory.pk: item.key for item in reversed(self.items) if item.memory}
        others = [by_id[pk] for pk in self.links[memory.pk] if pk in by_id]
        return [
            Linked(one, self.title(one), keys.get(one.pk, one.pk)) for one in sorted(others, key=self.day)
        ]

    def isolated(self) -> list[Item]:
        """Return the first item of each memory on the map without links. Empty for a map of one memory."""
        alone = {memory.pk for memory in self.on_map if not self.links[memory.pk]}
        seen: dict[UUID, Item] = {}
        for item in self.items:
            if item.memory and item.memory.pk in alone:
                seen.setdefault(item.memory.pk, item)
        return list(seen.values()) if len(self.on_map) > 1 else []

    def uncovered(self) -> list[str]:
        """Return the months without a memory, between the first and the last memory, as periods in words.

        Empty once a memory is erased: its date is lost, so its month would seem to have no memory.
        """
        if any(memory.fate == Memory.Fate.ERASED for memory in self.on_map):
            return []
        months = sorted({day[:7] for memory in self.on_map if (day := self.day(memory))})
        return list(_gaps_between([(int(month[:4]), int(month[5:7])) for month in months]))

    @property
    def complete(self) -> bool:
        """Whether the map has several memories, all dated and linked, and none of its months is empty."""
        dated = [memory for memory in self.on_map if self.day(memory)]
        gaps = self.uncovered() or self.isolated()
        return len(self.on_map) > 1 and dated == self.on_map and not gaps

    def collateral(self) -> list[Collateral]:
        """Return the other people in what will be erased, the most frequent first, without the subject."""
        targets = {memory.pk for memory in self.targets}
        keepsakes: dict[str, set[UUID]] = defaultdict(set)
        memories: dict[str, set[UUID]] = defaultdict(set)
        spellings: dict[str, str] = {}
        for item in self.items:
            if item.memory is None or item.memory.pk not in targets:
                continue
            for name in NAME_SEPARATORS.split(item.keepsake_fields.others):
                keepsakes[_count_key(name, spellings)].add(item.key)
            for name in item.story.people:
                memories[_count_key(name, spellings)].add(item.memory.pk)
        subject = text_key(self.subject)
        rows = [
            Collateral(shown, len(keepsakes[key]), len(memories[key]))
            for key, shown in spellings.items()
            if key not in {"", subject}
        ]
        language = get_language() or "en"
        return sorted(rows, key=lambda row: (-row.keepsakes - row.memories, sort_key(row.name, language)))

    @property
    def seconds(self) -> float:
        """How long the run would take at the pace of a night that is booked now, in seconds."""
        return len(self.targets) * value_of(PACE_SECONDS)


def _count_key(name: str, spellings: dict[str, str]) -> str:
    """Return the key under which a name is counted; add its first spelling to `spellings`, for display."""
    key = text_key(name)
    spellings.setdefault(key, normalize_text(name))
    return key


def _gaps_between(months: Sequence[tuple[int, int]]) -> Iterator[str]:
    for (year, month), (next_year, next_month) in pairwise(months):
        missing = (next_year - year) * 12 + next_month - month - 1
        if missing < 1:
            continue
        first = date(year + month // 12, month % 12 + 1, 1)
        last = date(next_year - (next_month == 1), (next_month - 2) % 12 + 1, 1)
        if first == last:
            yield date_format(first, "YEAR_MONTH_FORMAT")
        else:
            yield _("%(first)s to %(last)s") % {
                "first": date_format(first, "YEAR_MONTH_FORMAT"),
                "last": date_format(last, "YEAR_MONTH_FORMAT"),
            }


def bench_of(case: Case) -> Bench:
    """Load the bench of a case, its items in order of time. The number of queries is the same for any size.

    An erased memory has no item, but it is in `memories`.
    """
    memories = list(Memory.objects.filter(case=case))
    keepsakes = list(
        Keepsake.objects.filter(case=case, gone_at__isnull=True)
        .select_related("picture")
        .order_by("added_at")
    )
    stories, fields = read_many(memories), read_many(keepsakes)
    bench = Bench(case, memories=memories, stories=stories, subject=case.read().subject_name)
    for link in MemoryLink.objects.filter(Q(a__case=case) | Q(b__case=case)):
        bench.links[link.a_id].add(link.b_id)
        bench.links[link.b_id].add(link.a_id)
    by_id = {memory.pk: memory for memory in memories}
    with_keepsake = {keepsake.memory_id for keepsake in keepsakes}
    items = [
        Item(
            keepsake.pk,
            keepsake,
            fields.get(keepsake.pk) or KeepsakeFields(),
            by_id.get(keepsake.memory_id) if keepsake.memory_id else None,
            (stories.get(keepsake.memory_id) if keepsake.memory_id else None) or MemoryFields(),
        )
        for keepsake in keepsakes
    ] + [
        Item(memory.pk, None, KeepsakeFields(), memory, stories.get(memory.pk) or MemoryFields())
        for memory in memories
        if memory.pk not in with_keepsake and memory.fate != Memory.Fate.ERASED
    ]
    bench.items = sorted(
        items,
        key=lambda item: (
            item.story.day or AFTER_ALL_DATES,
            item.memory.made_at.isoformat() if item.memory else "",
            item.keepsake.added_at.isoformat() if item.keepsake else "",
            str(item.key),
        ),
    )
    return bench
