"""The page of backups and drills. Made and held by command, where the disks are; read here."""

from datetime import timedelta

from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from erasure.backups.models import Backup, Drill

# A drill older than this says little of the backups of today.
STALE = timedelta(days=31)


@require_safe
@never_cache
def backups(request: HttpRequest) -> HttpResponse:
    """Every known backup with its last drill, and how the last of all went."""
    page = Paginator(Backup.objects.prefetch_related("drills"), 25).get_page(request.GET.get("page"))
    last = Drill.objects.select_related("backup").first()
    context = {
        "page": page,
        "last": last,
        "broken": last is not None and last.result == Drill.Result.BROKEN,
        "stale": last is not None and last.held_at < timezone.now() - STALE,
    }
    return render(request, "erasure/backups/backups.html", context)
