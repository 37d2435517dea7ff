"""The page of messages that could not be delivered, and of those that wait."""

from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from clinic.http.requests import decision_of, request_user
from clinic.mail import waits_for_server
from clinic.outgoing.decisions import Changed, give_up, try_again
from clinic.outgoing.events import event_title
from clinic.outgoing.lists import failed_page, lines, shown_of, visible_to, waiting_first
from clinic.outgoing.models import OutgoingMessage

WAITING_SHOWN = 20


@require_safe
@never_cache
def undelivered(request: HttpRequest) -> HttpResponse:
    """List the messages that failed for good, and those that wait."""
    return _page(request)


def _page(request: HttpRequest, status: int = 200) -> HttpResponse:
    decision = decision_of(request)
    user = request_user(request)
    page = failed_page(request.GET, user, decision.roles)
    queued, count = waiting_first(user, decision.roles, WAITING_SHOWN)
    context = {
        "page": page,
        "failed": lines(page.rows, names=decision.names),
        "waiting": lines(queued, names=decision.names),
        "waiting_count": count,
        "no_server": waits_for_server(),
    }
    return render(request, "clinic/outgoing/undelivered.html", context, status=status)


@require_POST
@never_cache
def decide(request: HttpRequest, message: UUID) -> HttpResponse:
    """Try a message again, or give it up."""
    do, by = request.POST.get("do", ""), request_user(request)
    rows = visible_to(by, decision_of(request).roles)
    if not shown_of(by, rows.filter(pk=message)):
        raise Http404
    try:
        if do == "again":
            row = try_again(rows, message, seen=request.POST.get("seen", ""), by=by)
            done = _("%(event)s: it is tried again now.")
        elif do == "give-up":
            row = give_up(rows, message, seen=request.POST.get("seen", ""), by=by)
            done = _("%(event)s: given up. It is not sent.")
        else:
            raise Changed(_("Please choose: try it again, or give it up."))
    except OutgoingMessage.DoesNotExist:
        raise Http404 from None
    except Changed as refusal:
        messages.error(request, str(refusal))
        return _page(request, status=409)
    messages.success(request, done % {"event": event_title(row.event)})
    return redirect("mails")
