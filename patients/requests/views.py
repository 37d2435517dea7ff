"""The public form that asks for an appointment, and the front desk's inbox."""

from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from clinic.accounts.models import Role, User
from clinic.audit.context import client_address
from clinic.http.requests import decision_of, request_user
from clinic.mail import Unsent
from patients.requests.decisions import CannotDecide, create_request, decide, invite_again
from patients.requests.forms import DecisionForm, RequestForm
from patients.requests.models import AppointmentRequest
from patients.requests.throttle import too_many
from patients.requests.tickets import new_ticket
from patients.vault.keys import KeyGone
from patients.vault.sealed import read_many


def _receptionist(request: HttpRequest) -> User | None:
    """Return the receptionist who fills in the form for a caller on the telephone; None for a visitor."""
    return request_user(request) if Role.RECEPTIONIST in decision_of(request).roles else None


def _client_address(request: HttpRequest) -> str:
    return client_address(request.META.get("REMOTE_ADDR", ""), request.META.get("HTTP_X_FORWARDED_FOR", ""))


def _form(request: HttpRequest) -> RequestForm:
    """Return the empty form, or the posted one. An expired ticket is replaced; the entries stay."""
    if request.method != "POST":
        return RequestForm(initial={"ticket": new_ticket()})
    data = request.POST.copy()
    form = RequestForm(data)
    if "ticket" in form.errors:
        data["ticket"] = new_ticket()
    return form


@login_not_required
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def ask_for_appointment(request: HttpRequest) -> HttpResponse:
    """Show the public form; a POST stores the request. The front desk uses it for callers too."""
    form, by = _form(request), _receptionist(request)
    if request.method == "POST" and form.is_valid():
        if not by and too_many(_client_address(request)):
            form.add_error(None, _("That was one request too many. Please call us, or come back later."))
            return render(request, "patients/requests/request.html", {"form": form, "by": by}, status=429)
        fields = {key: form.cleaned_data[key] for key in ("ticket", "name", "email", "phone", "message")}
        try:
            create_request(**fields, language=get_language() or "en", by=by)
        except KeyGone:
            messages.error(request, _("This form was used before. Please fill in a new one."))
            return redirect("patients:request")
        if by:
            messages.success(request, _("The request is in the inbox."))
        return redirect("patients:requests" if by else "patients:request-sent")
    return render(request, "patients/requests/request.html", {"form": form, "by": by})


@login_not_required
@require_safe
def sent(request: HttpRequest) -> HttpResponse:
    """Show the page that thanks the visitor."""
    return render(request, "patients/requests/sent.html")


@require_safe
@never_cache
def inbox(request: HttpRequest) -> HttpResponse:
    """Show the open requests, oldest first, and the 20 decided last."""
    waiting = list(AppointmentRequest.objects.waiting().order_by("created_at", "pk"))
    decided = AppointmentRequest.objects.decided().select_related("invitation").order_by("-decided_at")[:20]
    fields = read_many(waiting)
    context = {
        "rows": [(row, fields.get(row.pk)) for row in waiting],
        "decided": decided,
    }
    return render(request, "patients/requests/inbox.html", context)


@require_POST
def decide_request(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Apply the front desk's answer. An htmx request gets only the row of the request back."""
    row = get_object_or_404(AppointmentRequest, pk=pk)
    error = ""
    try:
        row = _apply_decision(request, row)
    except (CannotDecide, Unsent) as refusal:
        error = str(refusal)
        row.refresh_from_db()
    if request.htmx:  # type: ignore[attr-defined]
        fields = read_many([row]).get(row.pk)
        context = {"request_row": row, "fields": fields, "note": error}
        return render(request, "patients/requests/row.html", context, status=409 if error else 200)
    if error:
        messages.error(request, error)
    return redirect("patients:requests")


def _apply_decision(request: HttpRequest, row: AppointmentRequest) -> AppointmentRequest:
    """Apply the posted form to a request and return it. Errors: CannotDecide (also if invalid), Unsent."""
    form, by, base = DecisionForm(request.POST), request_user(request), request.build_absolute_uri("/")
    if not form.is_valid():
        raise CannotDecide(_("Please choose accept, hold or decline."))
    if form.cleaned_data["decision"] == "again":
        return invite_again(row, by=by, base=base)
    return decide(row, form.cleaned_data["decision"], reason=form.cleaned_data["reason"], by=by, base=base)
