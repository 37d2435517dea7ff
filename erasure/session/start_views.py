"""The page on which a booked procedure is started."""

from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from clinic.access.policy import allowed
from clinic.accounts.models import User
from clinic.calendar.durations import format_duration
from clinic.http.requests import request_user
from erasure.procedures.models import Procedure
from erasure.procedures.readiness import is_missed
from erasure.runs.planning import CannotStart, obstacle, start_run
from patients.intake_review.reviewing import conditions_of


def _may(user: User, procedure: Procedure) -> dict[str, bool]:
    """Return whether `user` may move and cancel a procedure that is still booked."""
    booked = procedure.state == Procedure.State.BOOKED
    kwargs = {"procedure": procedure.pk}
    pages = {"move": "erasure:procedure-move", "cancel": "erasure:procedure-cancel"}
    return {key: booked and allowed(user, name, kwargs, "POST").allowed for key, name in pages.items()}


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
def start(request: HttpRequest, procedure: UUID) -> HttpResponse:
    """Ask for confirmation (GET), then start the run (POST)."""
    row = get_object_or_404(
        Procedure.objects.select_related("case__patient", "consent", "map", "booking"), pk=procedure
    )
    if request.method == "POST":
        try:
            run = start_run(row.pk, by=request_user(request))
        except CannotStart as refusal:
            messages.error(request, str(refusal))
            return redirect("erasure:start", procedure=row.pk)
        return redirect("erasure:session", run=run.pk)
    targets = row.case.memories.filter(zone="map", fate="target").count()
    context = {
        "procedure": row,
        "obstacle": obstacle(row),
        "missed": is_missed(row),
        "may": _may(request_user(request), row),
        "conditions": conditions_of(row.case),
        "targets": targets,
        "lasts": format_duration(targets * row.pace_seconds) if row.pace_seconds else "",
    }
    return render(request, "erasure/session/start.html", context)
