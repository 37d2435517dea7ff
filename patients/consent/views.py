"""The patient's page to take a consent back."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from clinic.http.requests import request_user
from patients.cases.current_case import current_case
from patients.cases.facts import status_of
from patients.cases.status import Stage
from patients.consent.signing import CannotSign, withdraw


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def withdraw_consent(request: HttpRequest) -> HttpResponse:
    """Show the page that withdraws consent; a POST withdraws it."""
    case = current_case(request)
    signed = case is not None and case.signatures.in_force().exists()
    if request.method == "POST" and case is not None and signed:
        try:
            withdraw(case, by=request_user(request))
            messages.success(
                request, _("Taken back. Nothing more will be erased. Say below what becomes of what is here.")
            )
        except CannotSign as refusal:
            messages.error(request, str(refusal))
        return redirect("patients:portal")
    status = status_of(case) if case is not None else None
    context = {
        "case": case,
        "signed": signed,
        "status": status,
        "night": status.night if status and status.stage in {Stage.BOOKED, Stage.RUNNING} else None,
        "things": status.facts.things.here if status else 0,
    }
    return render(request, "patients/consent/withdraw.html", context)
