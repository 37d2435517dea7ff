"""The set-up page: the checklist of the installation, and the trial of its mail server."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from clinic.http.requests import request_user
from clinic.setup.checklist import lines
from clinic.setup.mail_trial import is_only_stored, last_trial, mail_server, try_mail


@require_safe
@never_cache
def setup(request: HttpRequest) -> HttpResponse:
    """Show the checklist: first the missing lines, among them those that a night needs first."""
    found = lines()
    context = {
        "missing": [line for line in found if not line.done],
        "done": [line for line in found if line.done],
        "needed": sum(line.needed and not line.done for line in found),
        "mail_server": "" if is_only_stored() else mail_server(),
        "trial": last_trial(),
    }
    return render(request, "clinic/setup/setup.html", context)


@require_POST
def mail(request: HttpRequest) -> HttpResponse:
    """Send a message to the administrator's own address, and show the result."""
    if is_only_stored():
        messages.error(request, _("No mail server is set, so nothing can be sent."))
        return redirect("setup")
    trial = try_mail(request_user(request))
    if trial.sent:
        messages.success(
            request,
            _("The mail server took a message to %(address)s. Please look whether it arrives.")
            % {"address": request_user(request).email},
        )
    else:
        messages.error(request, _("It was not sent. The server says: %(why)s") % {"why": trial.refusal})
    return redirect("setup")
