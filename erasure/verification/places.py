"""What a verification says: one finding for each place where a byte of what was destroyed could survive."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self
from uuid import UUID

from django.db.models import Q

from clinic.audit.canonical import WORD, Detail
from erasure.runs.models import Run, Step
from patients.keepsakes.models import Keepsake
from patients.memories.models import Memory
from patients.vault.models import StoredObject

CLEAN, FOUND, UNCHECKABLE = "clean", "found", "not-checkable"
RESULTS = frozenset({CLEAN, FOUND, UNCHECKABLE})
UNFIT = str.maketrans(dict.fromkeys("/ \\()[]<>'\"@+=,;%#&?!*|~^`{}", "-"))


def word(text: object) -> str:
    """`text` as a word that the log takes: lower case, no space, at most 80 characters."""
    lowered = str(text).lower().translate(UNFIT)[-80:]
    return lowered if WORD.fullmatch(lowered) else "unnamed"


@dataclass(frozen=True)
class Place:
    """One place: what was looked for there, how much of it was found, and where, or why nobody can say.

    `looked_for` counts what was asked for by name. `where` names the first thing found, as a word. `why` is a
    code of erasure/verification/result_texts.py where a place is not checkable, or does not exist here.
    """

    name: str
    result: str
    looked_for: int = 0
    found: int = 0
    where: str = ""
    why: str = ""

    @classmethod
    def of(cls, name: str, found: Iterable[object], looked_for: int = 0, why: str = "") -> Self:
        """A place that was looked into: clean if nothing was `found`."""
        things = list(found)
        if not things:
            return cls(name, CLEAN, looked_for, why=why)
        return cls(name, FOUND, looked_for, len(things), word(things[0]))

    @classmethod
    def closed(cls, name: str, why: str) -> Self:
        """A place that cannot be looked into from here."""
        return cls(name, UNCHECKABLE, why=why)


@dataclass(frozen=True)
class Findings:
    """What one verification found, place by place, and what held it from writing."""

    places: Sequence[Place]
    confined: str = ""
    database: str = ""

    @property
    def clean(self) -> bool:
        return all(place.result != FOUND for place in self.places)

    def figures(self) -> dict[str, Detail]:
        """Numbers and short words only, flat, as the log takes them; `statement` reads them back."""
        out: dict[str, Detail] = {"result": CLEAN if self.clean else FOUND}
        for name, value in (("confined", self.confined), ("database", self.database)):
            if value:
                out[name] = value
        for place in self.places:
            out[place.name] = place.result
            for part in ("looked_for", "found", "where", "why"):
                if value := getattr(place, part):
                    out[f"{place.name}_{part}"] = value
        return out


def statement(figures: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
    """What the log holds of a verification, as a certificate states it.

    `names`: every place there is, in order. {"result", "confined", "database", "places": [{"place", "found",
    "why", "looked-for", "count"}]}, and each place's result by its name.
    """
    if not figures:
        return {}
    told = [name for name in names if name in figures]
    places = [
        {
            "place": name,
            "found": figures[name],
            "why": figures.get(f"{name}_where", figures.get(f"{name}_why", "")),
            "looked-for": figures.get(f"{name}_looked_for", 0),
            "count": figures.get(f"{name}_found", 0),
        }
        for name in told
    ]
    head = {name: figures[name] for name in ("result", "confined", "database") if name in figures}
    return {**head, **{name: figures[name] for name in told}, "places": places}


@dataclass(frozen=True)
class Subject:
    """What a run, and the case it belongs to, has destroyed: opaque ids, all that a verifier may know."""

    run: Run

    @property
    def case_id(self) -> UUID:
        return self.run.procedure.case_id

    @cached_property
    def objects(self) -> list[StoredObject]:
        """Every object of the case that its row says is destroyed, or doomed and so to be."""
        of_case = StoredObject.objects.filter(case_id=self.case_id)
        return list(of_case.filter(state__in=[StoredObject.State.DOOMED, StoredObject.State.DESTROYED]))

    @cached_property
    def steps(self) -> list[Step]:
        return list(Step.objects.filter(run=self.run, state=Step.State.DESTROYED))

    @cached_property
    def memories(self) -> set[UUID]:
        """Memories that are gone: those of this run, and whatever of the case is erased."""
        erased = Memory.objects.filter(case_id=self.case_id, fate=Memory.Fate.ERASED)
        return {step.memory_id for step in self.steps} | set(erased.values_list("pk", flat=True))

    @cached_property
    def keepsakes(self) -> set[UUID]:
        gone = Q(memory__in=self.memories) | Q(gone_at__isnull=False)
        mine = Keepsake.objects.filter(gone, case_id=self.case_id)
        extended = self.run.steps.filter(holds__state="extended").values_list("holds__copy", flat=True)
        return set(mine.values_list("pk", flat=True)) | {pk for pk in extended if pk}

    @cached_property
    def ids(self) -> set[UUID]:
        """Ids of everything that is gone: objects, memories, keepsakes."""
        return {row.pk for row in self.objects} | self.memories | self.keepsakes


def speaks(value: object) -> bool:
    """Whether `value` holds what could be a sentence: text with a space in it, or bytes.

    Ids, states, numbers, times and addresses of pages do not; a name of one word would pass unseen.
    """
    if isinstance(value, str):
        return len(value.split()) > 1 or len(value) > 400
    if isinstance(value, bytes | bytearray | memoryview):
        return True
    if isinstance(value, Mapping):
        return any(speaks(part) for pair in value.items() for part in pair)
    if isinstance(value, list | tuple | set | frozenset):
        return any(speaks(part) for part in value)
    return False
