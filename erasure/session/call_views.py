"""The page of a doctor call: what is asked, whom to reach, and who was told.

Administrators are told when no doctor answers. They may not open the session, so they get this page.
"""

from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from clinic.access.policy import allowed
from clinic.calendar.models import Resource
from clinic.http.requests import request_user
from erasure.runs import calls
from erasure.runs.call_alerts import WHY
from erasure.runs.models import DoctorCall
from erasure.runs.run_actions import NotNow
from erasure.session.views import run_or_404


@require_safe
@never_cache
def call(request: HttpRequest, run: UUID) -> HttpResponse:
    """Show the call that is open, or else the last one. It names the file, and not the patient."""
    row, user = run_or_404(run), request_user(request)
    shown = calls.unanswered().filter(run=row).first()
    shown = shown or DoctorCall.objects.filter(run=row).order_by("-pk").first()
    if shown is None:
        raise Http404
    open_now = shown.acknowledged_at is None and calls.unanswered().filter(pk=shown.pk).exists()

    def may(name: str, method: str = "POST") -> bool:
        return allowed(user, f"erasure:{name}", {"run": row.pk}, method).allowed

    notices = list(shown.notices.select_related("user"))
    context = {
        "run": row,
        "case": row.procedure.case,
        "call": shown,
        "why": WHY[shown.why],
        "open": open_now,
        "told": notices,
        "seen": any(notice.user_id == user.pk and notice.seen_at for notice in notices),
        "team": _booked_team(row.procedure.booking_id),
        "may_answer": open_now and may("acknowledge"),
        "may_see": open_now and may("call-seen"),
        "may_open": may("session", "GET"),
    }
    return render(request, "erasure/session/call.html", context)


def _booked_team(booking: UUID) -> list[Resource]:
    """Return the people booked for the night, doctors first."""
    people = Resource.objects.filter(bookings=booking, user__isnull=False, user__is_active=True)
    return list(people.select_related("user").by_name("kind"))


@require_POST
def call_seen(request: HttpRequest, run: UUID) -> HttpResponse:
    """Record that the user knows of the call and is reaching a doctor. The call stays open."""
    try:
        done = calls.mark_seen(run_or_404(run).pk, by=request_user(request))
    except NotNow as refusal:
        messages.error(request, str(refusal))
    else:
        text = _("Written down: you know, and are reaching a doctor. The call stays open until one answers.")
        messages.success(request, text if done.changed else _("That was written down already."))
    return redirect("erasure:call", run=run)
