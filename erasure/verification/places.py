"""Results of a verification: one for each place where something that was destroyed could survive."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self
from uuid import UUID

from django.db.models import Q

from clinic.audit.canonical import WORD, Detail
from erasure.destructions.models import Destruction, DestructionItem
from erasure.runs.models import Run, Step
from patients.keepsakes.models import Keepsake
from patients.memories.models import Memory
from patients.vault.models import StoredObject

CLEAN, FOUND, UNCHECKABLE = "clean", "found", "not-checkable"
RESULTS = frozenset({CLEAN, FOUND, UNCHECKABLE})
# Characters that audit details do not accept in a word, each replaced by "-".
REPLACED = str.maketrans(dict.fromkeys("/ \\()[]<>'\"@+=,;%#&?!*|~^`{}", "-"))


def word(text: object) -> str:
    """Return `text` as a word that audit details accept: lower case, no space, the last 80 characters."""
    lowered = str(text).lower().translate(REPLACED)[-80:]
    return lowered if WORD.fullmatch(lowered) else "unnamed"


@dataclass(frozen=True)
class Place:
    """The result for one place.

    looked_for: how many things were searched for by name. found: how many of them were found. where: the
    first thing found, as a word. why: a code of erasure/verification/result_texts.py if the place is not
    checkable or does not exist in this installation.
    """

    name: str
    result: str
    looked_for: int = 0
    found: int = 0
    where: str = ""
    why: str = ""

    @classmethod
    def checked(cls, name: str, found: Iterable[object], looked_for: int = 0, why: str = "") -> Self:
        """Return the result for a place that was checked: clean if nothing was `found`."""
        things = list(found)
        if not things:
            return cls(name, CLEAN, looked_for, why=why)
        return cls(name, FOUND, looked_for, len(things), word(things[0]))

    @classmethod
    def not_checkable(cls, name: str, why: str) -> Self:
        """Return the result for a place that this process cannot check."""
        return cls(name, UNCHECKABLE, why=why)


@dataclass(frozen=True)
class Findings:
    """The results of one verification.

    confined: what kept the process from writing files (see `confine`). database: what kept it from writing to
    the database (see `confine_database`). Both are empty if the process was not confined.
    """

    places: Sequence[Place]
    confined: str = ""
    database: str = ""

    @property
    def clean(self) -> bool:
        return all(place.result != FOUND for place in self.places)

    def figures(self) -> dict[str, Detail]:
        """Return the results as audit details, a flat dict of numbers and words. `statement` reads it."""
        details: dict[str, Detail] = {"result": CLEAN if self.clean else FOUND}
        for name, value in (("confined", self.confined), ("database", self.database)):
            if value:
                details[name] = value
        for place in self.places:
            details[place.name] = place.result
            for field in ("looked_for", "found", "where", "why"):
                if value := getattr(place, field):
                    details[f"{place.name}_{field}"] = value
        return details


def statement(figures: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
    """Return a verification's audit details in the form of the certificate; empty if there are none.

    figures: as `Findings.figures` returns them. names: all places, in order. The result has "result",
    "confined", "database", "places": [{"place", "found", "why", "looked-for", "count"}], and each place's
    result under the place's name.
    """
    if not figures:
        return {}
    recorded = [name for name in names if name in figures]
    places = [
        {
            "place": name,
            "found": figures[name],
            "why": figures.get(f"{name}_where", figures.get(f"{name}_why", "")),
            "looked-for": figures.get(f"{name}_looked_for", 0),
            "count": figures.get(f"{name}_found", 0),
        }
        for name in recorded
    ]
    head = {name: figures[name] for name in ("result", "confined", "database") if name in figures}
    return {**head, **{name: figures[name] for name in recorded}, "places": places}


@dataclass(frozen=True)
class Subject:
    """What a run, or a destruction, and its case have destroyed, as ids. A verifier may know nothing else."""

    work: Run | Destruction

    @property
    def case_id(self) -> UUID:
        return self.work.case_id

    @cached_property
    def whole_case(self) -> bool:
        """Whether the words of the case are destroyed too: whom it was about, answers, notes, reviews."""
        if isinstance(self.work, Run):
            return self.work.outcome != Run.Outcome.STOPPED
        cases = self.work.items.filter(kind=DestructionItem.Kind.CASE, state=DestructionItem.State.DESTROYED)
        return cases.exists()

    @cached_property
    def objects(self) -> list[StoredObject]:
        """Objects of the case whose row says that they are destroyed or marked for destruction."""
        of_case = StoredObject.objects.filter(case_id=self.case_id)
        return list(of_case.filter(state__in=[StoredObject.State.DOOMED, StoredObject.State.DESTROYED]))

    @property
    def uploads_ended(self) -> bool:
        """Whether no upload of the case may be unfinished: its map was locked, or nothing of it is left."""
        return isinstance(self.work, Run) or self.whole_case

    @cached_property
    def own_memories(self) -> set[UUID]:
        """Ids of the memories that this run or destruction destroyed."""
        if isinstance(self.work, Run):
            steps = Step.objects.filter(run=self.work, state=Step.State.DESTROYED)
            return set(steps.values_list("memory_id", flat=True))
        items = self.work.items.filter(memory__isnull=False, state=DestructionItem.State.DESTROYED)
        return {pk for pk in items.values_list("memory_id", flat=True) if pk}

    @cached_property
    def memories(self) -> set[UUID]:
        """Ids of erased memories: those that this work destroyed, and all others of the case."""
        erased = Memory.objects.filter(case_id=self.case_id, fate=Memory.Fate.ERASED)
        return self.own_memories | set(erased.values_list("pk", flat=True))

    @cached_property
    def keepsakes(self) -> set[UUID]:
        gone = Q(memory__in=self.memories) | Q(gone_at__isnull=False)
        found = set(Keepsake.objects.filter(gone, case_id=self.case_id).values_list("pk", flat=True))
        if isinstance(self.work, Run):
            extended = self.work.steps.filter(holds__state="extended").values_list("holds__copy", flat=True)
            return found | {pk for pk in extended if pk}
        items = self.work.items.filter(keepsake__isnull=False, state=DestructionItem.State.DESTROYED)
        return found | {pk for pk in items.values_list("keepsake_id", flat=True) if pk}

    @cached_property
    def ids(self) -> set[UUID]:
        """Ids of all objects, memories and keepsakes that are gone."""
        return {row.pk for row in self.objects} | self.memories | self.keepsakes


def may_be_text(value: object) -> bool:
    """Return whether `value` contains what could be a sentence: a string with a space in it, or bytes.

    Ids, states, numbers, times and URLs are not reported. A name of one word is not reported either.
    """
    if isinstance(value, str):
        return len(value.split()) > 1 or len(value) > 400
    if isinstance(value, bytes | bytearray | memoryview):
        return True
    if isinstance(value, Mapping):
        return any(may_be_text(part) for pair in value.items() for part in pair)
    if isinstance(value, list | tuple | set | frozenset):
        return any(may_be_text(part) for part in value)
    return False
