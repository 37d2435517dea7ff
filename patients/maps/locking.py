"""Locking a map: from then on it is exactly this that is consented to and erased, in this order."""

import hashlib
from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from clinic.accounts.models import User
from clinic.audit.canonical import dump
from clinic.audit.record import Act, actor_of, record
from patients.cases.models import Case
from patients.consent.models import Signature
from patients.keepsakes.models import Keepsake
from patients.maps.layout import Print, layout
from patients.memories.models import LockedMap, Memory, MemoryLink
from patients.vault.sealed import read_many

# Aspect ratio (width / height) of a memory that has no picture: an upright sheet of paper.
SHEET = 0.77


class CannotLock(Exception):
    """The map is not ready; `obstacles` says why, one plain sentence each."""

    def __init__(self, obstacles: list[str]) -> None:
        super().__init__(" ".join(obstacles))
        self.obstacles = obstacles


def obstacles(case: Case) -> list[str]:
    """What still stands in the way of locking, in plain words; empty when the map is ready."""
    if case.stage not in {Case.Stage.BRINGING, Case.Stage.REVIEW, Case.Stage.INTAKE}:
        # Nothing else is looked at: after the night begins, words of memories open no more.
        return [_("The map is locked already.")]
    memories = list(Memory.objects.filter(case=case))
    papers = read_many(memories)
    keepsakes = Keepsake.objects.filter(case=case, gone_at__isnull=True)
    found: list[str] = []
    if not any(memory.zone == Memory.Zone.MAP and memory.fate == Memory.Fate.TARGET for memory in memories):
        found.append(_("There is no memory to erase on the map yet."))
    if count := keepsakes.filter(memory__isnull=True).count():
        found.append(
            ngettext(
                "%(count)d keepsake is not placed in a memory.",
                "%(count)d keepsakes are not placed in a memory.",
                count,
            )
            % {"count": count}
        )
    if count := keepsakes.exclude(review=Keepsake.Review.ACCEPTED).count():
        found.append(
            ngettext(
                "%(count)d keepsake is not reviewed yet.", "%(count)d keepsakes are not reviewed yet.", count
            )
            % {"count": count}
        )
    if count := sum(1 for memory in memories if memory.zone == Memory.Zone.MAP and not papers[memory.pk].day):
        found.append(
            ngettext(
                "%(count)d memory has no date, not even a rough one.",
                "%(count)d memories have no date, not even a rough one.",
                count,
            )
            % {"count": count}
        )
    if count := sum(1 for memory in memories if memory.intensity is None):
        found.append(
            ngettext("%(count)d memory has no intensity.", "%(count)d memories have no intensity.", count)
            % {"count": count}
        )
    return found


def map_body(case: Case) -> dict[str, Any]:
    """Return what a locked map says, as plain data: opaque ids, numbers, fates. Nothing of the content."""
    memories = Memory.objects.filter(case=case).order_by("number", "pk").prefetch_related("keepsakes")
    return {
        "case": str(case.pk),
        "memories": [
            {
                "id": str(memory.pk),
                "number": memory.number,
                "zone": memory.zone,
                "fate": memory.fate,
                "keepsakes": sorted(
                    str(keepsake.pk) for keepsake in memory.keepsakes.all() if not keepsake.gone_at
                ),
            }
            for memory in memories
        ],
    }


def map_digest(body: dict[str, Any]) -> str:
    """SHA-256 (hex) of the body as canonical JSON: sorted keys, no spaces, UTF-8."""
    return hashlib.sha256(dump(body)).hexdigest()


def _drawn_from(case: Case) -> tuple[object, ...]:
    """All that numbers, chapters and places are made from; equal as long as none of it was changed."""
    memories = Memory.objects.filter(case=case, zone=Memory.Zone.MAP).order_by("pk")
    links = MemoryLink.objects.filter(a__case=case).order_by("a", "b")
    keepsakes = Keepsake.objects.filter(case=case, gone_at__isnull=True).order_by("added_at", "pk")
    return (
        bytes(Case.objects.values_list("sealed", flat=True).get(pk=case.pk)),
        [(memory.pk, bytes(memory.sealed), memory.intensity) for memory in memories],
        list(links.values_list("a", "b")),
        list(keepsakes.values_list("pk", "memory", "width", "height")),
    )


def _numbered_and_placed(case: Case, memories: list[Memory]) -> list[Memory]:
    """Number the memories on the map from the oldest, give each its chapter and its place; save nothing."""
    papers = read_many(memories)
    ordered = sorted(memories, key=lambda memory: (papers[memory.pk].day, memory.made_at, memory.pk))
    numbers = {memory.pk: place for place, memory in enumerate(ordered, start=1)}
    links: dict[Any, set[int]] = {memory.pk: set() for memory in ordered}
    for link in MemoryLink.objects.filter(a__in=memories, b__in=memories):
        links[link.a_id].add(numbers[link.b_id])
        links[link.b_id].add(numbers[link.a_id])
    aspects: dict[Any, float] = {}
    for keepsake in Keepsake.objects.filter(memory__in=memories, gone_at__isnull=True).order_by("added_at"):
        if keepsake.height:
            aspects.setdefault(keepsake.memory_id, keepsake.width / keepsake.height)
    places = {
        placed.n: placed
        for placed in layout(
            [
                Print(
                    n=numbers[memory.pk],
                    intensity=memory.intensity or 0,
                    aspect=aspects.get(memory.pk, SHEET),
                    links=links[memory.pk],
                )
                for memory in ordered
            ]
        )
    }
    chapters = Case.objects.get(pk=case.pk).read().chapters
    for memory in ordered:
        placed = places[numbers[memory.pk]]
        memory.number = numbers[memory.pk]
        memory.x, memory.y, memory.w, memory.h, memory.tilt = (
            placed.x,
            placed.y,
            placed.w,
            placed.h,
            placed.tilt,
        )
        day = papers[memory.pk].day
        memory.chapter = next(
            (i for i, span in enumerate(chapters) if span["from"] <= day <= span["to"]), None
        )
    return ordered


def _save_places(case: Case, ordered: list[Memory]) -> None:
    # Numbers are unique per case: clear them first, or two memories that swap places collide.
    Memory.objects.filter(case=case).update(number=None)
    Memory.objects.bulk_update(ordered, ["number", "chapter", "x", "y", "w", "h", "tilt"])


def lock_map(case: Case, *, by: User) -> LockedMap:
    """Freeze order, places and digest. Errors: CannotLock.

    The layout (2.5 s for a large map) is made before the transaction that takes the log's head.
    """
    if found := obstacles(case):
        raise CannotLock(found)
    drawn_from = _drawn_from(case)
    placed = _numbered_and_placed(case, list(Memory.objects.filter(case=case, zone=Memory.Zone.MAP)))
    with transaction.atomic():
        locked = Case.objects.select_for_update().get(pk=case.pk)
        # Again, now that nobody can change the case: an upload may have ended meanwhile.
        if found := obstacles(locked):
            raise CannotLock(found)
        if _drawn_from(locked) != drawn_from:
            raise CannotLock([_("The map has changed since you opened this page. Please look at it again.")])
        _save_places(locked, placed)
        body = map_body(locked)
        version = LockedMap.objects.filter(case=locked).count() + 1
        mapped = LockedMap.objects.create(
            case=locked, version=version, digest=map_digest(body), body=body, locked_by=by
        )
        Case.objects.filter(pk=locked.pk).update(stage=Case.Stage.MAPPED)
        record(
            Act(
                "map.locked",
                f"map:{mapped.pk}",
                actor=actor_of(by),
                case=locked.pk,
                details={"version": version, "digest": mapped.digest, "memories": len(body["memories"])},
            )
        )
    return mapped


@transaction.atomic
def unlock_map(case: Case, *, by: User) -> None:
    """Open a locked map again. What was signed on it is void, so the patient has to be asked anew.

    Errors: CannotLock when a procedure is booked or running (cancel it first) or nothing is locked.
    """
    locked = Case.objects.select_for_update().get(pk=case.pk)
    if locked.stage not in {Case.Stage.MAPPED, Case.Stage.CONSENTED}:
        raise CannotLock([_("Only a locked map without a booked night can be opened again.")])
    now = timezone.now()
    mapped = LockedMap.objects.get(case=locked, unlocked_at__isnull=True)
    LockedMap.objects.filter(pk=mapped.pk).update(unlocked_at=now)
    Signature.objects.in_force().filter(map=mapped).update(superseded_at=now)
    Case.objects.filter(pk=locked.pk).update(stage=Case.Stage.REVIEW)
    record(
        Act(
            "map.unlocked",
            f"map:{mapped.pk}",
            actor=actor_of(by),
            case=locked.pk,
            details={"version": mapped.version},
        )
    )
