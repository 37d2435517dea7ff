"""Work on one destruction for a time slice: claim it, destroy what is due, finish and certify it."""

import time
from uuid import UUID

from django.conf import settings
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.db.models.functions import Now

from erasure.destructions.destroying import destroy_next, finish
from erasure.destructions.models import Destruction, DestructionItem
from erasure.jobs.certifying import certify_destruction
from erasure.runs.lease import HOLDER, lease_end, unleased
from erasure.runs.run_actions import after

RETRY_DELAY = 5.0  # seconds until the next attempt, after the storage or the key store failed


def due_destructions() -> "QuerySet[Destruction]":
    """Return the destructions on which work is due: unfinished ones, and finished ones to be certified.

    Those on which a process works now are left out.
    """
    destroyed = DestructionItem.objects.filter(
        destruction=OuterRef("pk"), state=DestructionItem.State.DESTROYED
    )
    to_certify = Q(state=Destruction.State.FINISHED, certificate__isnull=True) & Exists(destroyed)
    return Destruction.objects.filter(
        unleased(), ~Q(state=Destruction.State.FINISHED) | to_certify, next_due_at__lte=Now()
    )


def advance_destruction(destruction_id: UUID) -> bool:
    """Work on a destruction for one time slice. Return whether its certificate was issued.

    Does nothing if another process works on it. Errors: OSError, KeyStoreDamaged; the next call tries the
    same item again.
    """
    rows = Destruction.objects.filter(pk=destruction_id)
    if not rows.filter(unleased()).update(lease_until=lease_end(), lease_holder=HOLDER):
        return False
    try:
        _destroy_for_a_slice(destruction_id)
    finally:
        rows.filter(lease_holder=HOLDER).update(lease_until=None, lease_holder="")
    return certify_destruction(destruction_id)


def _destroy_for_a_slice(destruction_id: UUID) -> None:
    waiting = Destruction.objects.filter(pk=destruction_id, state=Destruction.State.WAITING)
    waiting.update(state=Destruction.State.DESTROYING)
    began = time.monotonic()
    while time.monotonic() - began < settings.LACUNA_SLICE_SECONDS:
        if not destroy_next(destruction_id):
            finish(destruction_id)
            return


def postpone(destruction_id: UUID) -> None:
    """Let the next attempt at a destruction wait for `RETRY_DELAY`."""
    Destruction.objects.filter(pk=destruction_id).update(next_due_at=after(RETRY_DELAY))
