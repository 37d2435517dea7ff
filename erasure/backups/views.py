"""The page that lists backups and drills. Both are run by commands on the server.

The page also lets an administrator destroy the keys that are held because a restored database has no row for
them.
"""

from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import Count, Min
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from clinic.access.policy import allowed
from clinic.audit.record import actor_of
from erasure.backups.forms import EndHeld
from erasure.backups.models import DRILL_STALE, Backup, Drill
from patients.vault.models import HeldKey
from patients.vault.unknown_keys import NotAsShown, destroy_held_keys


@require_safe
@never_cache
def backups(request: HttpRequest) -> HttpResponse:
    """Show the catalogue of backups with their drills, the last drill, and the held keys."""
    page = Paginator(Backup.objects.prefetch_related("drills"), 25).get_page(request.GET.get("page"))
    last = Drill.objects.select_related("backup").first()
    held = HeldKey.objects.aggregate(count=Count("pk"), since=Min("since"))
    context = {
        "held": held,
        "held_form": EndHeld(initial={"seen": held["count"]}),
        "may_end_held": allowed(request.user, "erasure:backups-end-held", {}, "POST").allowed,
        "page": page,
        "last": last,
        "broken": last is not None and last.result == Drill.Result.BROKEN,
        "stale": last is not None and last.held_at < timezone.now() - DRILL_STALE,
    }
    return render(request, "erasure/backups/backups.html", context)


@require_POST
def end_held_keys(request: HttpRequest) -> HttpResponse:
    """Destroy the held keys: those without a row since a restore."""
    form = EndHeld(request.POST)
    if not form.is_valid():
        messages.error(request, " ".join(str(text) for texts in form.errors.values() for text in texts))
        return redirect("erasure:backups")
    try:
        destroyed = destroy_held_keys(form.cleaned_data["seen"], by=actor_of(request.user))
        messages.success(request, _("Destroyed: %(count)d keys.") % {"count": destroyed})
    except NotAsShown as refusal:
        messages.error(request, str(refusal))
    return redirect("erasure:backups")
