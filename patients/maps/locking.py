"""Locks a map: the patient signs for exactly this map, and it is erased in exactly this order."""

import dataclasses
import itertools
from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from clinic.accounts.models import User
from clinic.audit.record import Act, actor_of, record
from clinic.edits.seen import is_seen, seen_mark
from clinic.failpoints import hit
from clinic.outgoing.queue import cancel, cancel_events_of, queue
from clinic.outgoing.recipients import to_patient
from patients.cases.models import Case
from patients.consent.models import Signature
from patients.drafts.writing import end_drafts_of_case
from patients.intake_review.drafts import review_draft
from patients.intake_review.reviewing import FAULTS_FOR_STAFF, fault_of_review
from patients.keepsakes.models import Keepsake
from patients.maps.layout import Print, layout
from patients.memories.map_content import map_body, map_digest
from patients.memories.models import LockedMap, Memory, MemoryLink
from patients.vault.sealed import read_many

# Width / height of a memory that has no picture: a page in portrait format.
PAGE_ASPECT = 0.77


def map_mark(case: Case) -> str:
    """Return the mark of all that locking the map freezes, for the page that offers to lock it."""
    return seen_mark(f"map:{case.pk}", *_map_state(case))


def _map_state(case: Case) -> list[object]:
    """Return what is on the map: its memories with their words, and which keepsakes lie in them."""
    memories = list(Memory.objects.filter(case=case).order_by("pk"))
    fields = read_many(memories)
    keepsakes = Keepsake.objects.filter(case=case, gone_at__isnull=True).order_by("pk")
    return [
        [
            (row.pk, row.zone, row.fate, row.intensity, dataclasses.asdict(fields[row.pk]))
            for row in memories
            if row.pk in fields
        ],
        list(keepsakes.values_list("pk", "memory_id")),
    ]


class CannotLock(Exception):
    """The map cannot be locked or unlocked. obstacles: the reasons, one sentence each."""

    def __init__(self, obstacles: list[str]) -> None:
        super().__init__(" ".join(obstacles))
        self.obstacles = obstacles


def obstacles(case: Case) -> list[str]:
    """Return why the map cannot be locked yet, one sentence each; empty if it can."""
    if case.stage not in {Case.Stage.BRINGING, Case.Stage.REVIEW, Case.Stage.INTAKE}:
        # Return at once: when a run has begun, some memories cannot be decrypted any more.
        return [_("The map is locked already.")]
    # What a stopped night erased stays erased: it lacks nothing, and has no words any more.
    memories = list(Memory.objects.filter(case=case).exclude(fate=Memory.Fate.ERASED))
    fields = read_many(memories)
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
    if count := sum(1 for memory in memories if memory.zone == Memory.Zone.MAP and not fields[memory.pk].day):
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
    if fault := fault_of_review(case):
        found.append(str(FAULTS_FOR_STAFF[fault]))
    return found


def _layout_inputs(case: Case) -> tuple[object, ...]:
    """Return everything that numbers, chapters and places depend on, to see whether it has changed."""
    memories = Memory.objects.filter(case=case, zone=Memory.Zone.MAP).order_by("pk")
    links = MemoryLink.objects.filter(a__case=case).order_by("a", "b")
    keepsakes = Keepsake.objects.filter(case=case, gone_at__isnull=True).order_by("added_at", "pk")
    return (
        bytes(Case.objects.values_list("sealed", flat=True).get(pk=case.pk)),
        [(memory.pk, bytes(memory.sealed), memory.intensity) for memory in memories],
        list(links.values_list("a", "b")),
        list(keepsakes.values_list("pk", "memory", "width", "height")),
    )


def _number_and_place(case: Case, memories: list[Memory]) -> list[Memory]:
    """Set number (1 is the oldest), chapter and place of each memory. Return them in order; save nothing.

    Memories that an earlier night erased keep their numbers, by which its certificate names them.
    """
    fields = read_many(memories)
    ordered = sorted(memories, key=lambda memory: (fields[memory.pk].day, memory.made_at, memory.pk))
    erased = Memory.objects.filter(case=case, fate=Memory.Fate.ERASED)
    taken = set(erased.values_list("number", flat=True))
    free = (number for number in itertools.count(1) if number not in taken)
    numbers = {memory.pk: number for memory, number in zip(ordered, free, strict=False)}
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
                    aspect=aspects.get(memory.pk, PAGE_ASPECT),
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
        day = fields[memory.pk].day
        memory.chapter = next(
            (i for i, span in enumerate(chapters) if span["from"] <= day <= span["to"]), None
        )
    return ordered


def _save_places(case: Case, ordered: list[Memory]) -> None:
    # Numbers are unique per case. Clear them first: two memories that swap numbers would collide.
    Memory.objects.filter(case=case).exclude(fate=Memory.Fate.ERASED).update(number=None)
    Memory.objects.bulk_update(ordered, ["number", "chapter", "x", "y", "w", "h", "tilt"])


def lock_map(case: Case, *, seen: str | None = None, by: User) -> LockedMap:
    """Lock the map of a case: store order, places and digest.

    seen: the `map_mark` on the page; None where no page was shown. Errors: CannotLock, also if the map is not
    what the page showed.

    The layout takes 2.5 s for a large map. It is computed before the transaction, which locks the head of the
    audit log. Everything that it was computed from is read again under the lock of the case, which everybody
    takes who changes any of it; if something has changed, nothing is locked and nothing is saved.
    """
    if found := obstacles(case):
        raise CannotLock(found)
    inputs = _layout_inputs(case)
    on_map = Memory.objects.filter(case=case, zone=Memory.Zone.MAP).exclude(fate=Memory.Fate.ERASED)
    placed = _number_and_place(case, list(on_map))
    hit("map-laid-out")
    with transaction.atomic():
        locked = Case.objects.select_for_update().get(pk=case.pk)
        # Check again with the case locked: an upload may have finished meanwhile.
        if found := obstacles(locked):
            raise CannotLock(found)
        if _layout_inputs(locked) != inputs or (
            seen is not None and not is_seen(seen, f"map:{locked.pk}", *_map_state(locked))
        ):
            raise CannotLock([_("The map has changed since you opened this page. Please look at it again.")])
        _save_places(locked, placed)
        hit("places-saved")
        body = map_body(locked)
        version = LockedMap.objects.filter(case=locked).count() + 1
        locked_map = LockedMap.objects.create(
            case=locked, version=version, digest=map_digest(body), body=body, locked_by=by
        )
        Case.objects.filter(pk=locked.pk).update(stage=Case.Stage.MAPPED)
        # No other form can be saved any more.
        end_drafts_of_case(locked.pk, except_form=review_draft(locked.pk))
        hit("map-written")
        patient = to_patient(locked.patient)
        queue("map-ready", f"map:{locked_map.pk}", to=[patient], version=1, case=locked.pk)
        record(
            Act(
                "map.locked",
                f"map:{locked_map.pk}",
                actor=actor_of(by),
                case=locked.pk,
                details={
                    "version": version,
                    "digest": locked_map.digest,
                    "memories": len(body["memories"]),
                    "reviewed": True,
                },
            )
        )
        hit("map-recorded")
    hit("map-locked")
    return locked_map


@transaction.atomic
def unlock_map(case: Case, *, by: User) -> None:
    """Unlock a map. The patient's consent to it is superseded, so the patient must sign again.

    Errors: CannotLock if no map is locked, or if a procedure is booked (cancel it first) or running.
    """
    locked = Case.objects.select_for_update().get(pk=case.pk)
    if locked.stage not in {Case.Stage.MAPPED, Case.Stage.CONSENTED}:
        raise CannotLock([_("Only a locked map without a booked night can be opened again.")])
    now = timezone.now()
    locked_map = LockedMap.objects.get(case=locked, unlocked_at__isnull=True)
    LockedMap.objects.filter(pk=locked_map.pk).update(unlocked_at=now)
    Signature.objects.in_force().filter(map=locked_map).update(superseded_at=now)
    Case.objects.filter(pk=locked.pk).update(stage=Case.Stage.REVIEW)
    cancel(f"map:{locked_map.pk}")
    cancel_events_of(locked.pk, "consent-signed")
    record(
        Act(
            "map.unlocked",
            f"map:{locked_map.pk}",
            actor=actor_of(by),
            case=locked.pk,
            details={"version": locked_map.version},
        )
    )
