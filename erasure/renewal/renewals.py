"""After a run its processes forget: those that may have seen it are replaced before the certificate.

Python cannot empty its own memory: what a process has decoded stays in freed blocks, caches and buffers until
the process ends. So every web server, worker and supervisor that began before the run's keys were gone is
replaced. What begins later can no longer read anything of the run.
"""

from datetime import timedelta

from django.conf import settings
from django.db.models import Max, QuerySet
from django.db.models.functions import Now

from erasure.renewal.models import Renewal, ServerProcess
from erasure.renewal.processes import living, machine, note_ends
from erasure.runs.models import Run
from erasure.runs.run_actions import after

# A process that its machine has not seen for so long is not waited for: the machine is off or cut off.
SILENT = timedelta(minutes=5)


def begin(run: Run) -> Renewal:
    """Have the processes renewed that have begun by now. Call it when the keys of the run are gone."""
    note_ends()
    newest = ServerProcess.objects.aggregate(newest=Max("pk"))["newest"] or 0
    now = {"last_process": newest, "asked_at": Now()}
    renewal, new = Renewal.objects.get_or_create(run=run, defaults=now)
    if new:
        renewal.refresh_from_db()  # the database's clock said when
    return renewal


def concerned(renewal: Renewal) -> "QuerySet[ServerProcess]":
    """Return the processes that had begun when the renewal was asked for and had not ended then."""
    return ServerProcess.objects.filter(pk__lte=renewal.last_process).exclude(ended_at__lt=renewal.asked_at)


def left(renewal: Renewal) -> "QuerySet[ServerProcess]":
    """Return those of them that are not known to have ended."""
    return concerned(renewal).filter(ended_at__isnull=True).order_by("pk")


def waits(renewal: Renewal) -> bool:
    """Return whether a certificate should wait: a process that can be renewed is there, and time too."""
    note_ends()
    still_time = Renewal.objects.filter(pk=renewal.pk, asked_at__gt=after(-settings.LACUNA_RENEWAL_SECONDS))
    expected = left(renewal).filter(renewable=True, seen_at__gt=after(-SILENT.total_seconds()))
    return still_time.exists() and expected.exists()


def to_renew() -> list[int]:
    """Return the process ids on this machine that runs without a certificate want renewed."""
    open_renewals = Renewal.objects.filter(run__certificate__isnull=True)
    newest = open_renewals.aggregate(newest=Max("last_process"))["newest"]
    if newest is None:
        return []
    note_ends()
    mine = living().filter(machine=machine(), renewable=True, pk__lte=newest)
    return list(mine.order_by("pk").values_list("pid", flat=True))
