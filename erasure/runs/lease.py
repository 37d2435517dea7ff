"""Which worker may work on a run: a lease with an epoch. The database decides, by its own clock."""

import os
from uuid import UUID

from django.conf import settings
from django.db.models import ExpressionWrapper, F, Q, QuerySet
from django.db.models.functions import Now

from erasure.runs.models import Fence, Run
from erasure.runs.run_actions import after

# Set by `manage.py serve` for each child process, so that it can free a dead child's leases at once.
HOLDER = os.environ.get("LACUNA_WORKER", f"pid-{os.getpid()}")


def lease_end() -> ExpressionWrapper:
    """Return when a lease that is given or extended now will end, by the database's clock.

    LACUNA_LEASE_SECONDS must be longer than SQLite's lock timeout. Otherwise a worker that waits for that
    lock would be taken for dead.
    """
    return after(settings.LACUNA_LEASE_SECONDS)


def unleased() -> Q:
    """Condition for runs on which no worker has an unexpired lease."""
    return Q(lease_until__isnull=True) | Q(lease_until__lt=Now())


def claim(run_id: UUID, holder: str = "") -> Fence | None:
    """Lease a running run to this worker; return None if it is leased, paused, stopping or finished.

    Every claim raises the epoch by one, so an earlier worker can no longer commit anything.
    """
    epoch = Run.objects.filter(pk=run_id).values_list("epoch", flat=True).first()
    if epoch is None:
        return None
    taken = Run.objects.filter(unleased(), pk=run_id, epoch=epoch, state=Run.State.RUNNING).update(
        epoch=F("epoch") + 1,
        lease_until=lease_end(),
        lease_holder=holder or HOLDER,
        woken_at=None,
    )
    return Fence(run_id, epoch + 1) if taken else None


def claimed_run(fence: Fence) -> "QuerySet[Run]":
    """Return the run, or no row if the worker has lost it: the lease expired or the epoch changed.

    Updating the queryset locks the run row, so it comes before or after every other change of the run.
    """
    return Run.objects.filter(pk=fence.run_id, epoch=fence.epoch, lease_until__gt=Now())


def may_store(fence: Fence) -> bool:
    """Return whether the worker may store a frame: it has the run, which is running. Locks the run row.

    Call it in the transaction that makes the frame's row: every claim, pause and end of the run then comes
    either before the row, which is not made, or after it, and dooms it.
    """
    running = claimed_run(fence).filter(state=Run.State.RUNNING)
    return running.select_for_update().first() is not None


def heartbeat(fence: Fence) -> bool:
    """Extend the lease; return False if the worker has lost the run."""
    return claimed_run(fence).update(lease_until=lease_end()) == 1


def release(fence: Fence) -> None:
    """End the lease early, if the worker still has it."""
    Run.objects.filter(pk=fence.run_id, epoch=fence.epoch).update(lease_until=None, lease_holder="")


def free_holder(holder: str) -> int:
    """End the leases of a dead process; returns how many. The raised epoch makes its fences invalid."""
    return Run.objects.filter(lease_holder=holder, lease_until__isnull=False).update(
        lease_until=None, lease_holder="", epoch=F("epoch") + 1, woken_at=None
    )


def free_expired() -> int:
    """End the leases that have expired; returns how many. The raised epoch makes their fences invalid."""
    return Run.objects.filter(lease_until__lt=Now()).update(
        lease_until=None, lease_holder="", epoch=F("epoch") + 1, woken_at=None
    )
