"""The patient's pages to read and sign a consent, and its paper."""

import hashlib
import hmac
from functools import cached_property
from typing import cast
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_POST, require_safe

from clinic.configuration.values import value_of
from clinic.http.requests import request_user
from patients.cases.current_case import current_case_or_404
from patients.cases.facts import status_of
from patients.cases.models import Case
from patients.cases.status import Status
from patients.consent.cooling_off import CoolingOff, cooling_off_on
from patients.consent.models import ConsentText
from patients.consent.signing import CannotSign, current_text, may_start_from
from patients.consent_papers.configuration import CONSENT_WITNESSES
from patients.consent_papers.consent_list import ConsentList, list_of
from patients.consent_papers.differences import Difference, difference_from, mark_of
from patients.consent_papers.forms import ProcedureSignForm, SignForm
from patients.consent_papers.list_words import beyond_reach, counts
from patients.consent_papers.models import ConsentPaper
from patients.consent_papers.signing import Seen, locked_map_of, sign_what_was_shown
from patients.intake_review.reviewing import FAULTS_FOR_PATIENT, conditions_of
from patients.memories.silhouette import silhouette
from patients.vault.configured import key_store
from patients.vault.keys import KeyGone
from patients.vault.stream import Tampered


def kind_for(case: Case) -> str:
    """Return the kind of text to sign now: storage until the map is locked, then the procedure."""
    return ConsentText.Kind.STORAGE if case.map_is_open else ConsentText.Kind.PROCEDURE


class _Shown:
    """What the page shows: the text, and for the procedure the list and the time to think it over."""

    def __init__(self, case: Case) -> None:
        self.case = case
        self.text = current_text(kind_for(case))
        self.procedure = self.text.kind == ConsentText.Kind.PROCEDURE
        self.map = locked_map_of(case) if self.procedure else None
        self.cooling_off: CoolingOff | None = cooling_off_on(timezone.localdate()) if self.procedure else None

    @cached_property
    def listed(self) -> ConsentList | None:
        """The list, read when it is needed first; None while a night destroys what would be on it."""
        if self.map is None or self.case.stage == Case.Stage.RUNNING:
            return None
        try:
            return list_of(self.case, self.map)
        except KeyGone:
            return None

    @cached_property
    def marks(self) -> dict[str, str]:
        """What the form carries back, to say what the page showed."""
        return {
            "text_seen": self.text.digest,
            "map_seen": self.map.digest if self.map else "",
            "list_seen": self.listed.digest if self.listed else "",
            "list_shown": mark_of(self.listed) if self.listed else "",
            "hours_seen": self.cooling_off.mark if self.cooling_off else "",
        }

    def form(self, request: HttpRequest) -> SignForm:
        data = request.POST if request.method == "POST" else None
        initial = self.marks if data is None else None  # a posted form has its own
        if not self.procedure:
            return SignForm(data, request=request, initial=initial)
        witnesses = int(value_of(CONSENT_WITNESSES))
        return ProcedureSignForm(data, request=request, initial=initial, case=self.case, witnesses=witnesses)


def _show_as_it_is_now(form: SignForm, shown: _Shown) -> None:
    """Have a refused form carry the marks of what the page shows now, so that it can be sent once more."""
    posted = cast(QueryDict, form.data).copy()
    for name, mark in shown.marks.items():
        posted[name] = mark
    form.data = posted


def _may_sign(status: Status, kind: str) -> bool:
    """Return whether a text of this kind can be signed now."""
    return status.allows("sign" if kind == ConsentText.Kind.PROCEDURE else "agree")


def _page(
    request: HttpRequest,
    shown: _Shown,
    form: SignForm,
    *,
    status: int = 200,
    changed: Difference | None = None,
) -> HttpResponse:
    case, text = shown.case, shown.text
    status_now = status_of(case)
    map_is_current = status_now.facts.map is not None and status_now.facts.map.current
    signatures = list(case.signatures.select_related("text", "map", "paper").order_by("-signed_at"))
    signed = next((one for one in signatures if one.text.kind == text.kind and one.in_force), None)
    context = {
        "case": case,
        "text": text,
        "mapped": shown.map,
        "map": silhouette(case) if shown.procedure else None,
        "listed": shown.listed,
        "counts": counts(shown.listed) if shown.listed else [],
        "beyond": beyond_reach(shown.listed) if shown.listed else [],
        "changed": changed,
        "form": form,
        "signed": signed,
        "may_sign": _may_sign(status_now, str(text.kind)),
        "signatures": signatures,
        "readable": readable_papers(case),
        "conditions": conditions_of(case) if shown.procedure else "",
        # Why a doctor's review keeps the patient from signing. Of an older map it says nothing: that one is
        # locked again first.
        "not_yet": FAULTS_FOR_PATIENT.get(status_now.facts.review_fault, "") if map_is_current else "",
        "cooling_off": shown.cooling_off,
        "starts": may_start_from(signed) if signed and shown.procedure else None,
    }
    return render(request, "patients/consent_papers/consent.html", context, status=status)


def readable_papers(case: Case) -> set[UUID]:
    """Return the ids of the papers of a case that can still be opened: none of their keys is destroyed."""
    papers = ConsentPaper.objects.filter(signature__case=case).defer("sealed")
    live = key_store().get_many(papers.key_ids())
    return {paper.pk for paper in papers if all(UUID(key_id) in live for key_id in paper.keys)}


@require_safe
@never_cache
def consent(request: HttpRequest) -> HttpResponse:
    """Show the text to sign now, with the list it is about."""
    shown = _Shown(current_case_or_404(request))
    return _page(request, shown, shown.form(request))


@require_POST
@never_cache
@sensitive_post_parameters("passphrase", "list_shown")
def consent_sign(request: HttpRequest) -> HttpResponse:
    """Sign the text and the list that the page showed."""
    case = current_case_or_404(request)
    shown = _Shown(case)
    form = shown.form(request)
    if not _may_sign(status_of(case), str(shown.text.kind)):
        messages.error(request, _("There is nothing for you to sign now."))
        return redirect("patients:consent")
    if form.is_valid():
        data = form.cleaned_data
        hours = data["hours_seen"] if shown.procedure else None
        try:
            sign_what_was_shown(
                case,
                by=request_user(request),
                kind=str(shown.text.kind),
                seen=Seen(data["text_seen"], data["map_seen"], data["list_seen"], hours),
                name=data["name"],
                witness=data.get("witness", ""),
                may_extend=bool(data.get("may_extend")),
            )
        except CannotSign as refusal:
            form.add_error(None, str(refusal))
            shown = _Shown(case)
        else:
            messages.success(request, _("Signed. You can take it back at any time."))
            return redirect("patients:portal")
    mark = str(form.data.get("list_shown", ""))
    changed = difference_from(mark, shown.listed) if shown.listed and mark else None
    if changed or form.non_field_errors():
        _show_as_it_is_now(form, shown)
    return _page(request, shown, form, status=422, changed=changed)


@require_safe
@never_cache
def consent_paper(request: HttpRequest, consent_paper: UUID) -> HttpResponse:
    """Return the paper of a consent as a file, as long as nothing on it is destroyed."""
    row = get_object_or_404(ConsentPaper.objects.select_related("signature__case"), pk=consent_paper)
    signature = row.signature
    try:
        pdf = row.read()
        whole = hmac.compare_digest(hashlib.sha256(pdf).hexdigest(), signature.paper_digest)
    except KeyGone:
        messages.info(request, _("Something on this paper is destroyed since, and the paper with it."))
        return redirect("patients:portal")
    except Tampered:
        whole = False
    if not whole:
        messages.error(request, _("This paper is not the one that was signed. Please tell the clinic."))
        return redirect("patients:portal")
    name = f"consent-{signature.case.reference}-{timezone.localtime(signature.signed_at):%Y-%m-%d}.pdf"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return HttpResponse(pdf, content_type="application/pdf", headers=headers)
