"""Destroys the items of a destruction one by one, and records each.

After a crash any process may repeat any part: an item is first marked for destruction, then destroyed, and
only then recorded.
"""

from uuid import UUID

from django.db import transaction
from django.db.models import Count, Q, Sum
from django.db.models.functions import Now
from django.utils import timezone

from clinic.audit.record import Act, record
from clinic.failpoints import hit
from erasure.destructions.models import Destruction, DestructionItem
from erasure.runs.models import Hold
from patients.cases.models import Case
from patients.drafts.writing import end_drafts_about, end_drafts_of_case
from patients.keepsakes.models import Keepsake, Upload
from patients.keepsakes.staging import Busy, discard
from patients.memories.models import Memory
from patients.vault.configured import key_store
from patients.vault.models import StoredObject
from patients.vault.objects import destroy, mark_for_destruction

ITEM, STATE = DestructionItem.Kind, DestructionItem.State


def faded_with(memory_id: UUID) -> Q:
    """Return the filter for keepsakes of a memory, and for copies off the map that a run faded with it."""
    extended = Hold.objects.filter(step__memory=memory_id, state=Hold.State.EXTENDED)
    return Q(memory_id=memory_id) | Q(pk__in=extended.values("copy"), level__gt=0)


def destroy_next(destruction_id: UUID) -> bool:
    """Destroy the next item and record it.

    Return False if there is none, or if something of it could not be destroyed yet. Else return True: the
    caller can go on with the next one.
    Errors: OSError and KeyStoreDamaged; the next call tries the same item again.
    """
    unfinished = DestructionItem.objects.filter(
        destruction=destruction_id, state__in=[STATE.WAITING, STATE.DOOMED]
    )
    item = unfinished.select_related("destruction").order_by("position").first()
    if item is None:
        return False
    if item.kind == ITEM.CASE:
        discard_uploads(item.destruction.case_id)
    if item.state == STATE.WAITING and not _doom(item):
        return True  # it was stopped meanwhile, or another process was faster: the next call sees which
    hit("item-doomed")
    doomed = StoredObject.objects.filter(doomed_by=item.mark)
    destroy(doomed)
    if doomed.remaining().exists():
        return False
    # Before the log says "destroyed": what a key store may keep of destroyed keys becomes unreadable.
    key_store().roll_case(item.destruction.case_id)
    hit("item-destroyed")
    _record_destroyed(item)
    return True


@transaction.atomic
def _doom(item: DestructionItem) -> bool:
    """Mark all stored objects of an item for destruction. From the commit on they are lost for good.

    Return False, and mark nothing, if the item does not wait any more.
    """
    Destruction.objects.select_for_update().get(pk=item.destruction_id)
    still_waiting = DestructionItem.objects.filter(pk=item.pk, state=STATE.WAITING)
    if not still_waiting.update(state=STATE.DOOMED):
        return False
    case_id = item.destruction.case_id
    Case.objects.select_for_update().get(pk=case_id)  # whoever changes what a case contains locks its row
    if item.kind == ITEM.CASE:
        end_drafts_of_case(case_id)
        mark_for_destruction(StoredObject.objects.filter(pk=case_id), item.mark)
        return True
    keepsakes = Keepsake.objects.select_for_update(of=("self",)).filter(case_id=case_id)
    if item.memory_id:
        keepsakes = keepsakes.filter(faded_with(item.memory_id))
    elif item.keepsake_id:
        keepsakes = keepsakes.filter(pk=item.keepsake_id)
    ids = [row.pk for row in keepsakes.order_by("pk")]
    Keepsake.objects.filter(pk__in=ids, gone_at__isnull=True).update(
        picture=None, thumb=None, gone_at=timezone.now()
    )
    objects = Q(keepsake__in=ids)
    if item.memory_id:
        objects |= Q(memory=item.memory_id)
        Memory.objects.filter(pk=item.memory_id).update(fate=Memory.Fate.ERASED)
        ids.append(item.memory_id)
    mark_for_destruction(StoredObject.objects.filter(objects), item.mark)
    end_drafts_about(*ids)
    return True


def discard_uploads(case_id: UUID) -> None:
    """Discard the unfinished uploads of a case. One that is being written to is left to its expiry."""
    for upload in Upload.objects.filter(case=case_id, keepsake__isnull=True):
        try:
            discard(upload)
        except Busy:
            continue


@transaction.atomic
def _record_destroyed(item: DestructionItem) -> None:
    """Write audit entry and state of a destroyed item in one transaction, if they are not written yet."""
    Destruction.objects.select_for_update().get(pk=item.destruction_id)
    if not DestructionItem.objects.filter(pk=item.pk, state=STATE.DOOMED).exists():
        return
    files = StoredObject.objects.filter(doomed_by=item.mark).exclude(role=StoredObject.Role.SEAL)
    counted = files.aggregate(n=Count("pk"), size=Sum("size"))
    objects, size = counted["n"], counted["size"] or 0
    ids = {"memory": str(item.memory_id)} if item.memory_id else {}
    ids |= {"keepsake": str(item.keepsake_id)} if item.keepsake_id else {}
    (entry,) = record(
        Act(
            f"destruction.{item.kind}",
            item.mark,
            actor="system:supervisor",
            case=item.destruction.case_id,
            run=item.destruction_id,
            details={**ids, "objects": objects, "bytes": size, "passes": 0},
        )
    )
    DestructionItem.objects.filter(pk=item.pk).update(
        state=STATE.DESTROYED,
        objects_destroyed=objects,
        bytes_destroyed=size,
        entry=entry,
        done_at=timezone.now(),
    )


@transaction.atomic
def finish(destruction_id: UUID) -> bool:
    """Finish a destruction. Return False if an item is not destroyed or spared yet, or if it is finished."""
    destruction = Destruction.objects.select_for_update().get(pk=destruction_id)
    items = destruction.items
    if destruction.state == Destruction.State.FINISHED:
        return False
    if items.filter(state__in=[STATE.WAITING, STATE.DOOMED]).exists():
        return False
    destroyed = items.filter(state=STATE.DESTROYED).count()
    spared = items.filter(state=STATE.SPARED).count()
    outcome = Destruction.Outcome.STOPPED if spared else Destruction.Outcome.COMPLETE
    Destruction.objects.filter(pk=destruction.pk).update(
        state=Destruction.State.FINISHED, outcome=outcome, finished_at=Now(), next_due_at=Now()
    )
    record(
        Act(
            "destruction.finished",
            f"destruction:{destruction.pk}",
            actor="system:supervisor",
            case=destruction.case_id,
            run=destruction.pk,
            details={"outcome": str(outcome), "destroyed": destroyed, "spared": spared},
        )
    )
    return True
