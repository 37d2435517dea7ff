"""The patient's pages to read, sign and withdraw consent."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from clinic.http.requests import request_user
from patients.cases.current_case import current_case, current_case_or_404
from patients.cases.facts import status_of
from patients.cases.models import Case
from patients.consent.forms import ProcedureSignForm, SignForm
from patients.consent.models import ConsentText
from patients.consent.signing import CannotSign, current_text, may_start_from, sign, withdraw
from patients.memories.models import LockedMap, Memory
from patients.memories.silhouette import silhouette


def kind_for(case: Case) -> str:
    """Return the kind of text to sign now: storage until the map is locked, then the procedure."""
    return ConsentText.Kind.STORAGE if case.map_is_open else ConsentText.Kind.PROCEDURE


def _locked_map_of(case: Case) -> LockedMap | None:
    return LockedMap.objects.filter(case=case, unlocked_at__isnull=True).first()


def _form(request: HttpRequest, text: ConsentText, locked_map: LockedMap | None) -> SignForm:
    procedure = text.kind == ConsentText.Kind.PROCEDURE
    initial = {"text_seen": text.digest, "map_seen": locked_map.digest if locked_map and procedure else ""}
    form_class = ProcedureSignForm if procedure else SignForm
    return form_class(request.POST if request.method == "POST" else None, request=request, initial=initial)


def _may_sign(case: Case, kind: str) -> bool:
    """Return whether this text can be signed now: it is not signed yet, and what it is about is there."""
    return status_of(case).allows("sign" if kind == ConsentText.Kind.PROCEDURE else "agree")


def _page(request: HttpRequest, case: Case, form: SignForm, text: ConsentText, status: int) -> HttpResponse:
    procedure = text.kind == ConsentText.Kind.PROCEDURE
    memories = Memory.objects.filter(case=case, zone=Memory.Zone.MAP)
    signatures = list(case.signatures.select_related("text", "map").order_by("-signed_at"))
    signed = next((one for one in signatures if one.text.kind == text.kind and one.in_force), None)
    context = {
        "case": case,
        "text": text,
        "mapped": _locked_map_of(case) if procedure else None,
        "map": silhouette(case) if procedure else None,
        "targets": memories.filter(fate=Memory.Fate.TARGET).count(),
        "kept": memories.filter(fate=Memory.Fate.PROTECTED).count(),
        "form": form,
        "signed": signed,
        "may_sign": _may_sign(case, str(text.kind)),
        "signatures": signatures,
        "starts": may_start_from(signed) if signed and procedure else None,
    }
    return render(request, "patients/consent/consent.html", context, status=status)


@require_safe
@never_cache
def consent(request: HttpRequest) -> HttpResponse:
    """Show the text to sign now, with the map it is about."""
    case = current_case_or_404(request)
    text = current_text(kind_for(case))
    return _page(request, case, _form(request, text, _locked_map_of(case)), text, 200)


@require_POST
@never_cache
@sensitive_post_parameters("passphrase")
def consent_sign(request: HttpRequest) -> HttpResponse:
    """Sign the text and the map that the page showed."""
    case = current_case_or_404(request)
    text = current_text(kind_for(case))
    form = _form(request, text, _locked_map_of(case))
    if not _may_sign(case, str(text.kind)):
        messages.error(request, _("There is nothing for you to sign now."))
        return redirect("patients:consent")
    if form.is_valid():
        data = form.cleaned_data
        try:
            sign(
                case,
                by=request_user(request),
                kind=str(text.kind),
                text_seen=data["text_seen"],
                map_seen=data["map_seen"],
                may_extend=bool(data.get("may_extend")),
            )
        except CannotSign as refusal:
            form.add_error(None, str(refusal))
        else:
            messages.success(request, _("Signed. You can take it back at any time."))
            return redirect("patients:portal")
    return _page(request, case, form, text, 422)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def withdraw_consent(request: HttpRequest) -> HttpResponse:
    """Show the page that withdraws consent; a POST withdraws it."""
    case = current_case(request)
    signed = case is not None and case.signatures.in_force().exists()
    if request.method == "POST" and case is not None and signed:
        try:
            withdraw(case, by=request_user(request))
            messages.success(request, _("Withdrawn. Nothing more will be erased."))
        except CannotSign as refusal:
            messages.error(request, str(refusal))
        return redirect("patients:portal")
    return render(request, "patients/consent/withdraw.html", {"case": case, "signed": signed})
