"""The list that a patient sees before they sign: what is erased, what stays, and its digest.

The digest is salted with a key that is made of the keys of all that is listed. Whoever has those keys can
read the list anyway; whoever has the paper of a consent has the salt too. When the first thing on the list is
destroyed, nobody else can compute the digest of a guess any more.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from uuid import UUID

from django.db.models import F
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from clinic.audit.canonical import dump
from patients.cases.models import Case
from patients.keepsakes.models import UNNAMED, Keepsake, KeepsakeFields
from patients.keepsakes.playback import format_duration
from patients.memories.forms import each_name_once, split_names
from patients.memories.models import LockedMap, Memory, MemoryFields
from patients.memories.when import shown
from patients.vault.joint_keys import joint_key
from patients.vault.models import StoredObject
from patients.vault.sealed import read_many

PURPOSE = "salt of a consent's list"


@dataclass(frozen=True)
class ListedKeepsake:
    """One keepsake as the list shows it.

    day: ISO, "" if unknown. when: a rough date in the patient's words. pages, words: how many a letter has.
    seconds: of a recording or a film. others: who else is in it. with_us: whether the thing itself is in the
    clinic's custody. thumb: shown on the page, not in the digest.
    """

    id: UUID
    kind: str
    caption: str
    day: str
    when: str
    pages: int
    words: int
    seconds: int
    others: str
    with_us: bool = False
    thumb: StoredObject | None = field(default=None, compare=False)

    @property
    def tag(self) -> str:
        return Keepsake(pk=self.id).tag

    @property
    def described(self) -> str:
        """What it is, when it was made and how long it is: "On the ice, photograph, 14 Feb 2003"."""
        kind = str(Keepsake.Kind(self.kind).label)
        parts = [self.caption, kind] if self.caption else [str(UNNAMED[self.kind])]
        if date := shown(self.day, self.when):
            parts.append(date)
        if self.pages:
            parts.append(ngettext("%(n)d page", "%(n)d pages", self.pages) % {"n": self.pages})
        if self.words:
            parts.append(ngettext("%(n)d word", "%(n)d words", self.words) % {"n": self.words})
        if self.seconds:
            parts.append(format_duration(self.seconds))
        if self.kind == Keepsake.Kind.OBJECT:
            parts.append(self.tag)
        if self.with_us:
            parts.append(_("with us"))
        if self.others:
            parts.append(_("with %(names)s") % {"names": self.others})
        return ", ".join(parts)

    def content(self) -> dict[str, Any]:
        return {
            "id": str(self.id),
            "kind": self.kind,
            "caption": self.caption,
            "day": self.day,
            "when": self.when,
            "pages": self.pages,
            "words": self.words,
            "seconds": self.seconds,
            "others": self.others,
            "with-us": self.with_us,
        }


@dataclass(frozen=True)
class ListedMemory:
    """One memory as the list shows it. number: its place on the map; None if it is not on it."""

    id: UUID
    number: int | None
    title: str
    when: str
    day: str
    place: str
    people: tuple[str, ...]
    keepsakes: tuple[ListedKeepsake, ...]

    @property
    def name(self) -> str:
        return self.title or _("A memory")

    @property
    def described(self) -> str:
        """When and where it was, and who was there: "winter 2003, Montauk, with Anna, Tom"."""
        people = _("with %(names)s") % {"names": ", ".join(self.people)} if self.people else ""
        return ", ".join(filter(None, [shown(self.day, self.when), self.place, people]))

    def content(self) -> dict[str, Any]:
        return {
            "id": str(self.id),
            "number": self.number,
            "title": self.title,
            "when": self.when,
            "day": self.day,
            "place": self.place,
            "people": list(self.people),
            "keepsakes": [one.content() for one in self.keepsakes],
        }


@dataclass(frozen=True)
class ConsentList:
    """What a patient agrees to.

    erased: in the order in which it is erased. unplaced: keepsakes that are in no memory. gone: numbers of
    memories that an earlier night erased. key_ids: the keys of the case and of all that is listed. salt: hex.
    """

    map_digest: str
    erased: tuple[ListedMemory, ...]
    protected: tuple[ListedMemory, ...]
    childhood: tuple[ListedMemory, ...]
    unplaced: tuple[ListedKeepsake, ...]
    gone: tuple[int, ...]
    key_ids: frozenset[UUID]
    salt: str

    def content(self) -> dict[str, Any]:
        """Return everything that the digest covers, as data: no more than the page shows, and the salt."""
        return {
            "map": self.map_digest,
            "erased": [one.content() for one in self.erased],
            "protected": [one.content() for one in self.protected],
            "childhood": [one.content() for one in self.childhood],
            "not-placed": [one.content() for one in self.unplaced],
            "gone": list(self.gone),
            "salt": self.salt,
        }

    @cached_property
    def digest(self) -> str:
        """The SHA-256 (hex) of the content as canonical JSON."""
        return hashlib.sha256(self.file).hexdigest()

    @cached_property
    def file(self) -> bytes:
        """The content as canonical JSON. The paper of a consent has it attached."""
        return dump(self.content())

    @property
    def memories(self) -> Iterator[tuple[str, ListedMemory]]:
        """Each memory that is listed, with the name of the part in which it is."""
        parts = (("erased", self.erased), ("protected", self.protected), ("childhood", self.childhood))
        return ((part, memory) for part, listed in parts for memory in listed)

    @property
    def erased_keepsakes(self) -> list[ListedKeepsake]:
        return [keepsake for memory in self.erased for keepsake in memory.keepsakes]

    @property
    def people(self) -> list[str]:
        """Everybody who was there or is in a keepsake that is erased, each once, as the patient wrote it."""
        named = [name for memory in self.erased for name in memory.people]
        named += [name for one in self.erased_keepsakes for name in split_names(one.others)]
        return each_name_once(named)


def list_of(case: Case, locked_map: LockedMap) -> ConsentList:
    """Return the list of a case with a locked map. The number of queries is the same for every case.

    What cannot be decrypted because its key is destroyed is not listed. Errors: KeyGone if the key of the
    case is destroyed, or one of the others while it is read.
    """
    memories = list(Memory.objects.filter(case=case).order_by(F("number").desc(nulls_last=True), "pk"))
    rows = Keepsake.objects.filter(case=case, gone_at__isnull=True).select_related("thumb", "custody")
    keepsakes = list(rows.order_by("added_at", "pk"))
    memory_fields = read_many([*memories], skip_damaged=True)
    keepsake_fields = read_many([*keepsakes], skip_damaged=True)
    listed = {
        row.pk: _listed_keepsake(row, keepsake_fields[row.pk])
        for row in keepsakes
        if row.pk in keepsake_fields
    }
    of_memory: dict[UUID | None, list[ListedKeepsake]] = {}
    for row in keepsakes:
        if row.pk in listed:
            of_memory.setdefault(row.memory_id, []).append(listed[row.pk])
    parts: dict[str, list[ListedMemory]] = {"erased": [], "protected": [], "childhood": []}
    gone, key_ids = [], {case.pk, *listed}
    for memory in memories:
        if memory.fate == Memory.Fate.ERASED:
            gone.append(memory.number or 0)
        elif memory.pk in memory_fields:
            key_ids.add(memory.pk)
            entry = _listed_memory(memory, memory_fields[memory.pk], of_memory.get(memory.pk, []))
            parts[_part_of(memory)].append(entry)
    return ConsentList(
        map_digest=locked_map.digest,
        erased=tuple(parts["erased"]),
        protected=tuple(parts["protected"]),
        childhood=tuple(parts["childhood"]),
        unplaced=tuple(of_memory.get(None, [])),
        gone=tuple(sorted(gone)),
        key_ids=frozenset(key_ids),
        salt=joint_key(key_ids, PURPOSE).hex(),
    )


def _part_of(memory: Memory) -> str:
    if memory.zone == Memory.Zone.CHILDHOOD:
        return "childhood"
    return "erased" if memory.fate == Memory.Fate.TARGET else "protected"


def _listed_memory(row: Memory, fields: MemoryFields, keepsakes: list[ListedKeepsake]) -> ListedMemory:
    return ListedMemory(
        row.pk,
        row.number,
        fields.title,
        fields.when,
        fields.day,
        fields.place,
        tuple(fields.people),
        tuple(keepsakes),
    )


def _listed_keepsake(row: Keepsake, fields: KeepsakeFields) -> ListedKeepsake:
    return ListedKeepsake(
        id=row.pk,
        kind=str(row.kind),
        caption=fields.caption,
        day=fields.known_day,
        when=fields.when,
        pages=fields.pages,
        words=fields.words,
        seconds=round(fields.seconds),
        others=fields.others,
        with_us=hasattr(row, "custody") and not row.custody.closed,
        thumb=row.thumb,
    )
