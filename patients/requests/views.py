"""The public form that asks for an appointment, and the front desk's inbox."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import get_language, ngettext
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from clinic.accounts.models import Role, User
from clinic.audit.context import client_address
from clinic.http.keyset import PAGE_SIZE, Count
from clinic.http.requests import announce, decision_of, request_user, wants_fragment
from clinic.names import normalize_text
from clinic.outgoing.lists import when_it_leaves
from patients.drafts.reading import drafts_of
from patients.drafts.writing import end_saved_draft
from patients.requests.decisions import (
    CannotDecide,
    Refusal,
    create_request,
    decide,
    decide_each,
    invite_again,
    request_mark,
)
from patients.requests.drafts import answer_draft
from patients.requests.forms import DecisionForm, RequestForm, SeveralDecisionForm
from patients.requests.lists import FILTERS, WAITING, decided_last, read_filter, requests_page
from patients.requests.models import AppointmentRequest
from patients.requests.numbers import request_number
from patients.requests.same_person import possible_matches
from patients.requests.throttle import too_many
from patients.requests.tickets import new_ticket
from patients.vault.keys import KeyGone
from patients.vault.sealed import read_many

MOST_PICKED = 2 * PAGE_SIZE  # requests that one answer is for


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
            made = create_request(**fields, language=get_language() or "en", by=by)
        except KeyGone:
            messages.error(request, _("This form was used before. Please fill in a new one."))
            return redirect("patients:request")
        number = request_number(made.pk)
        if by:
            messages.success(
                request, _("The request is in the inbox. Its number is %(number)s.") % {"number": number}
            )
            return redirect("patients:requests")
        messages.success(request, _("The number of your request is %(number)s.") % {"number": number})
        return redirect("patients:request-sent")
    return render(request, "patients/requests/request.html", {"form": form, "by": by})


@login_not_required
@require_safe
def sent(request: HttpRequest) -> HttpResponse:
    """Show the page that thanks the visitor."""
    return render(request, "patients/requests/sent.html")


@require_safe
@never_cache
def inbox(request: HttpRequest) -> HttpResponse:
    """List requests: by state, searched, in pages. At first those that wait, the oldest first."""
    return _inbox_page(request)


@dataclass(frozen=True)
class PartialAnswer:
    """What the page shows if not all of several requests were answered.

    refused: those that were not, and why. reason: as it was typed. problem: why nothing was answered, or "".
    """

    refused: list[Refusal]
    reason: str = ""
    problem: str = ""


def _inbox_page(
    request: HttpRequest,
    refused: AppointmentRequest | None = None,
    note: str = "",
    several: PartialAnswer | None = None,
) -> HttpResponse:
    """Render the list. refused: a request that could not be answered like this (409). note: why not.

    several: an answer to several requests of which not all were answered (409).
    """
    text = normalize_text(request.GET.get("find", "").replace("\0", ""))[:100]
    chosen = read_filter(request.GET)
    page, count = requests_page(request.GET, chosen, text)
    shown = list(page.rows)
    if refused and refused not in shown:
        shown.insert(0, refused)  # its row says why it was not answered
    context = {
        "rows": _rows(request, shown, refused, note),
        "page": page,
        "count": count,
        "chosen": chosen,
        "chosen_label": FILTERS[chosen][0],
        "filters": [(key, label) for key, (label, _states) in FILTERS.items()],
        "find": text,
        "waiting_shown": any(row.is_waiting for row in shown),
        "several": several,
        "decided": [(row, request_mark(row)) for row in decided_last()] if chosen == WAITING else None,
    }
    if wants_fragment(request) and not (refused or several):
        announce(request, _found_words(count))
        return render(request, "patients/requests/rows.html", context | {"fragment": True})
    status = 409 if refused or several else 200
    return render(request, "patients/requests/inbox.html", context, status=status)


def _found_words(count: Count) -> str:
    if not count.n:
        return _("No request found.")
    words = ngettext("%(n)s request found.", "%(n)s requests found.", count.n)
    return words % {"n": count.words}


def _rows(
    request: HttpRequest,
    shown: list[AppointmentRequest],
    refused: AppointmentRequest | None = None,
    note: str = "",
) -> list[dict[str, Any]]:
    """Return the context of row.html for each request. The number of queries does not depend on theirs."""
    fields, others = read_many(shown), possible_matches(shown, reader=request_user(request))
    drafts = drafts_of(request_user(request), [answer_draft(row.pk) for row in shown if row.is_waiting])
    return [
        {
            "request_row": row,
            "number": request_number(row.pk),
            "fields": fields.get(row.pk),
            "others": others.get(row.pk, []),
            "draft": drafts.get(answer_draft(row.pk)),
            "note": note if row == refused else "",
            "reason": request.POST.get("reason", "")[:1000] if note and row == refused else "",
            "seen": request_mark(row),
        }
        for row in shown
    ]


@require_safe
@never_cache
def one(request: HttpRequest, appointment_request: UUID) -> HttpResponse:
    """Show one request in any state, with what was written to the visitor."""
    rows = AppointmentRequest.objects.select_related("invitation", "decided_by")
    row = get_object_or_404(rows, pk=appointment_request)
    context = {"row": _rows(request, [row])[0]}
    return render(request, "patients/requests/one.html", context)


@require_POST
@never_cache
def decide_request(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Apply the front desk's answer. An htmx request gets only the row of the request back."""
    row = get_object_or_404(AppointmentRequest, pk=pk)
    error = ""
    try:
        row = _apply_decision(request, row)
        announce(request, _report(row, request.POST["decision"]))
    except CannotDecide as refusal:
        error = str(refusal)
    row = AppointmentRequest.objects.select_related("invitation", "decided_by").get(pk=pk)
    if wants_fragment(request):
        context = _rows(request, [row], row, error)[0] | {"fragment": True}
        return render(request, "patients/requests/row.html", context, status=409 if error else 200)
    return _inbox_page(request, row, error) if error else redirect("patients:requests")


@require_POST
@never_cache
def decide_several(request: HttpRequest) -> HttpResponse:
    """Answer all ticked requests alike. If some cannot be answered like this, show which and why (409)."""
    form, picked = SeveralDecisionForm(request.POST), _picked(request.POST.getlist("pick"))
    reason = request.POST.get("reason", "")[:1000]
    if not form.is_valid() or not picked:
        problem = next((str(errors[0]) for errors in form.errors.values()), _("Please tick a request first."))
        return _inbox_page(request, several=PartialAnswer([], reason, problem))
    done, refused = decide_each(
        picked,
        form.cleaned_data["decision"],
        reason=form.cleaned_data["reason"],
        by=request_user(request),
        base=request.build_absolute_uri("/"),
    )
    if done:
        words = ngettext("%(n)d request is answered.", "%(n)d requests are answered.", len(done))
        mail = _("The mail about it is queued.")
        messages.success(request, f"{words % {'n': len(done)}} {mail} {when_it_leaves()}")
    if refused or not done:
        problem = "" if refused else _("These requests are not here any more.")
        return _inbox_page(request, several=PartialAnswer(refused, reason, problem))
    return redirect("patients:requests")


def _picked(ticked: list[str]) -> dict[UUID, str]:
    """Return by id of each ticked request the mark that the page showed. Malformed values are left out."""
    found = {}
    for value in ticked[:MOST_PICKED]:
        pk, _colon, seen = value.partition(":")
        try:
            found[UUID(pk)] = seen
        except ValueError:
            continue
    return found


def _report(row: AppointmentRequest, decision: str) -> str:
    """Return the sentences for the front desk: what was decided, its mail, and how many requests wait."""
    mail = f"{_('The mail about it is queued.')} {when_it_leaves()}"
    if decision == "again":
        return f"{_('%(name)s is invited again.') % {'name': row.name}} {mail}"
    decided = _("%(name)s: %(state)s.") % {"name": row.name, "state": row.get_state_display()}
    decided = f"{decided} {mail}"
    n = AppointmentRequest.objects.waiting().count()
    if not n:
        return f"{decided} {_('Nobody is waiting for an answer.')}"
    waiting = ngettext("%(n)d request waits for an answer.", "%(n)d requests wait for an answer.", n)
    return f"{decided} {waiting % {'n': n}}"


def _apply_decision(request: HttpRequest, row: AppointmentRequest) -> AppointmentRequest:
    """Apply the posted form to a request and return it. Errors: CannotDecide, also if invalid."""
    form, by, base = DecisionForm(request.POST), request_user(request), request.build_absolute_uri("/")
    if not form.is_valid():
        raise CannotDecide(_("Please choose accept, hold or decline."))
    if form.cleaned_data["decision"] == "again":
        return invite_again(row, seen=request.POST.get("seen", ""), by=by, base=base)
    decision, reason = form.cleaned_data["decision"], form.cleaned_data["reason"]
    with transaction.atomic():
        decided = decide(row, decision, reason=reason, seen=request.POST.get("seen", ""), by=by, base=base)
        end_saved_draft(request, answer_draft(row.pk))
    return decided
