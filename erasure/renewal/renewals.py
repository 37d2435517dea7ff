"""Before a certificate, replaces the processes that may still have what was destroyed in their memory.

Python cannot empty its own memory: what a process has decoded stays in freed blocks, caches and buffers until
the process ends. So every web server, worker and supervisor that began before the run's keys were gone is
replaced. A process that begins later can no longer read anything of the run.
"""

from datetime import timedelta

from django.conf import settings
from django.db.models import Max, Q, QuerySet
from django.db.models.functions import Now

from erasure.destructions.models import Destruction
from erasure.renewal.models import Renewal, ServerProcess
from erasure.renewal.processes import living, machine, record_ends
from erasure.runs.models import Run
from erasure.runs.run_actions import after

# Certificates do not wait for a process that its machine has not reported for so long: the machine is off, or
# cut off.
UNREACHABLE_AFTER = timedelta(minutes=5)


def begin(work: Run | Destruction) -> Renewal:
    """Request that all processes running now are replaced, and return the request.

    Call it when the keys of the work are gone. A second call for the same work returns the first request.
    """
    record_ends()
    newest = ServerProcess.objects.aggregate(newest=Max("pk"))["newest"] or 0
    renewal, created = Renewal.objects.get_or_create(
        **{work.noun: work}, defaults={"last_process": newest, "asked_at": Now()}
    )
    if created:
        renewal.refresh_from_db()  # loads `asked_at`, which the database has set
    return renewal


def processes_at_request(renewal: Renewal) -> "QuerySet[ServerProcess]":
    """Return the processes that ran when the renewal was requested, also those that have ended since."""
    return ServerProcess.objects.filter(pk__lte=renewal.last_process).exclude(ended_at__lt=renewal.asked_at)


def not_ended(renewal: Renewal) -> "QuerySet[ServerProcess]":
    """Return the processes that ran when the renewal was requested and are not known to have ended since."""
    return processes_at_request(renewal).filter(ended_at__isnull=True).order_by("pk")


def must_wait(renewal: Renewal) -> bool:
    """Return whether the certificate should wait for processes to be replaced.

    It waits for the processes that can be replaced and that their machine reports, but no longer than
    LACUNA_RENEWAL_SECONDS after the request.
    """
    record_ends()
    in_time = Renewal.objects.filter(pk=renewal.pk, asked_at__gt=after(-settings.LACUNA_RENEWAL_SECONDS))
    replaceable = not_ended(renewal).filter(
        renewable=True, seen_at__gt=after(-UNREACHABLE_AFTER.total_seconds())
    )
    return in_time.exists() and replaceable.exists()


def pids_to_replace() -> list[int]:
    """Return the process ids to replace on this machine, for all work that has no certificate yet."""
    open_renewals = Renewal.objects.filter(
        Q(run__isnull=False, run__certificate__isnull=True)
        | Q(destruction__isnull=False, destruction__certificate__isnull=True)
    )
    newest = open_renewals.aggregate(newest=Max("last_process"))["newest"]
    if newest is None:
        return []
    record_ends()
    mine = living().filter(machine=machine(), renewable=True, pk__lte=newest)
    return list(mine.order_by("pk").values_list("pid", flat=True))
