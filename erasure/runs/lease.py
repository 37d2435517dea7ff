"""Who may work on a run: a lease with an epoch. The database decides, by its own clock."""

import os
from uuid import UUID

from django.conf import settings
from django.db.models import ExpressionWrapper, F, Q, QuerySet
from django.db.models.functions import Now

from erasure.runs.models import Fence, Run
from erasure.runs.run_actions import after

# Given by `manage.py serve` to each child, so that a dead child's leases can be found and freed at once.
HOLDER = os.environ.get("LACUNA_WORKER", f"pid-{os.getpid()}")


def lease_end() -> ExpressionWrapper:
    """Until when a worker that falls silent now keeps a run, by the database's clock.

    Longer than SQLite's lock timeout, or a slow write looks dead.
    """
    return after(settings.LACUNA_LEASE_SECONDS)


def free_now() -> Q:
    return Q(lease_until__isnull=True) | Q(lease_until__lt=Now())


def claim(run_id: UUID, holder: str = "") -> Fence | None:
    """Take a running run nobody holds; None if it is held, paused or over.

    The epoch goes up by one with every claim. Whoever held it before can no longer commit anything.
    """
    epoch = Run.objects.filter(pk=run_id).values_list("epoch", flat=True).first()
    if epoch is None:
        return None
    taken = Run.objects.filter(free_now(), pk=run_id, epoch=epoch, state=Run.State.RUNNING).update(
        epoch=F("epoch") + 1,
        lease_until=lease_end(),
        lease_holder=holder or HOLDER,
        woken_at=None,
    )
    return Fence(run_id, epoch + 1) if taken else None


def held(fence: Fence) -> "QuerySet[Run]":
    """The run, if the fence still stands. Updating it takes the row's lock, which orders all else."""
    return Run.objects.filter(pk=fence.run_id, epoch=fence.epoch, lease_until__gt=Now())


def heartbeat(fence: Fence) -> bool:
    """Extend the lease; False for a zombie."""
    return held(fence).update(lease_until=lease_end()) == 1


def release(fence: Fence) -> None:
    """Give the run back before the lease ends."""
    Run.objects.filter(pk=fence.run_id, epoch=fence.epoch).update(lease_until=None, lease_holder="")


def free_holder(holder: str) -> int:
    """Free what a dead process held; its epoch dies with it. Returns how many runs."""
    return Run.objects.filter(lease_holder=holder, lease_until__isnull=False).update(
        lease_until=None, lease_holder="", epoch=F("epoch") + 1, woken_at=None
    )


def free_expired() -> int:
    """Free leases whose holder has been silent too long."""
    return Run.objects.filter(lease_until__lt=Now()).update(
        lease_until=None, lease_holder="", epoch=F("epoch") + 1, woken_at=None
    )
