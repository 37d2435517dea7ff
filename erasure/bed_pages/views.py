"""Views of the page for the bed, of its controls, and of the page before the night that opens it.

A browser with a token uses the page for the bed all night without a sign-in (erasure/bedside/tokens.py). Its
controls are plain forms; static/bed/bed.js sends them by fetch where scripts run.
"""

import uuid
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.middleware.csrf import get_token
from django.shortcuts import get_object_or_404, redirect, render
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from clinic.access.passes import acting_pass, acting_user
from clinic.http.requests import announce, request_user
from clinic.keyed_digests import keyed_digest
from erasure.bed_pages.forms import WordForm
from erasure.bed_pages.status import bed_status, time_of_day
from erasure.bedside import tokens
from erasure.bedside.models import BedToken
from erasure.bedside.taps import record_tap
from erasure.bedside.words import can_choose_word, choose_word, word_of
from erasure.procedures.models import Procedure
from erasure.runs import control
from erasure.runs.models import Run
from erasure.runs.run_actions import ActionResult, NotNow


def procedure_or_404(pk: UUID) -> Procedure:
    """Return the procedure with its booking, case and patient. Errors: Http404."""
    return get_object_or_404(Procedure.objects.select_related("booking", "case__patient"), pk=pk)


@require_safe
@never_cache
def bed(request: HttpRequest, procedure: UUID) -> HttpResponse:
    """Show the page for the bed to a browser with a token, else to the patient the page that opens it."""
    row = procedure_or_404(procedure)
    if acting_pass(request) is None:
        return _render_before(request, row, WordForm(**_word_form_args(row)))
    owner = f"{row.pk}:{acting_user(request).pk}"
    context = {
        "procedure": row,
        "status": bed_status(row),
        "tap": uuid.uuid4(),
        # The script stores an unsent tap in the browser, encrypted with a key that only this page has
        # (static/bed/taps.js).
        "kept_name": keyed_digest("erasure.bed_pages.kept-name", owner)[:32],
        "kept_key": keyed_digest("erasure.bed_pages.kept-key", owner),
    }
    return render(request, "erasure/bed_pages/bed.html", context)


def _word_form_args(row: Procedure) -> dict[str, Any]:
    """Return the arguments for a WordForm that shows the stored word."""
    saved = {"word": word_of(row)}
    return {"about": f"spoken-word:{row.pk}", "saved": saved, "initial": saved}


def _render_before(request: HttpRequest, row: Procedure, form: WordForm, status: int = 200) -> HttpResponse:
    """Return the page with the form for the spoken word and the button that opens the page for the bed."""
    try:
        tokens.check_may_open(row, request_user(request))
        why_closed = ""
    except NotNow as refusal:
        why_closed = str(refusal)
    context = {"procedure": row, "form": form, "why_closed": why_closed, "word_open": can_choose_word(row)}
    return render(request, "erasure/bed_pages/before.html", context, status=status)


@require_safe
@never_cache
def status(request: HttpRequest, procedure: UUID) -> HttpResponse:
    """Return the present status as JSON: state, HTML, whether the night has begun, and a CSRF token."""
    shown = bed_status(procedure_or_404(procedure))
    html = render_to_string("erasure/bed_pages/_status.html", {"status": shown}, request)
    begun = shown.run is not None
    return JsonResponse({"state": shown.state, "html": html, "begun": begun, "csrf": get_token(request)})


@require_POST
@never_cache
def open_bed(request: HttpRequest, procedure: UUID) -> HttpResponse:
    """Issue a token to the patient's browser, and redirect to the page for the bed."""
    row = procedure_or_404(procedure)
    try:
        token, value = tokens.issue_token(row.pk, by=request_user(request))
    except NotNow as refusal:
        messages.error(request, str(refusal))
        return redirect("erasure:bed", procedure=row.pk)
    answer = redirect("erasure:bed", procedure=row.pk)
    tokens.remember_in_session(request, token)
    tokens.set_cookie(answer, value)
    return answer


@require_POST
@never_cache
def close(request: HttpRequest, procedure: UUID) -> HttpResponse:
    """End the token that this browser sent, if any, and delete its cookie."""
    access_pass = acting_pass(request)
    if access_pass:
        tokens.end_tokens(
            BedToken.objects.filter(pk=access_pass.id), BedToken.Because.PATIENT, by=acting_user(request)
        )
    answer = redirect("home")
    tokens.delete_cookie(answer)
    return answer


@require_POST
@never_cache
def close_all(request: HttpRequest, run: UUID) -> HttpResponse:
    """End every token of a night, for a member of its team."""
    row = get_object_or_404(Run, pk=run)
    night_tokens = BedToken.objects.filter(procedure=row.procedure_id)
    count = tokens.end_tokens(night_tokens, BedToken.Because.STAFF, by=request_user(request))
    text = ngettext("The page for the bed is closed.", "The pages for the bed are closed.", count)
    messages.success(request, text if count else _("No page for the bed was open."))
    return redirect("erasure:session", run=row.pk)


@require_POST
@never_cache
def word(request: HttpRequest, procedure: UUID) -> HttpResponse:
    """Set the patient's spoken safe word, until the night begins."""
    with transaction.atomic():
        row = get_object_or_404(
            Procedure.objects.select_for_update(of=("self",)).select_related("booking", "case__patient"),
            pk=procedure,
        )
        form = WordForm(request.POST, **_word_form_args(row))
        status = 422
        if form.is_valid():
            try:
                if "word" in form.edited:
                    choose_word(row, form.cleaned_data["word"], by=request_user(request))
            except (NotNow, ValueError) as refusal:
                form.add_error("word", str(refusal))
                status = 409 if isinstance(refusal, NotNow) else 422
            else:
                announce(request, _("Kept. Your team reads it when the night begins."))
                return redirect("erasure:bed", procedure=row.pk)
        else:
            status = form.refused_status()
    return _render_before(request, row, form, status)


def parse_tap_time(text: str) -> datetime | None:
    """Return the time of a tap as a page sent it; None if unreadable, or two days or more from now.

    It raises no error, because a wrong clock must not keep a safe word from counting.
    """
    try:
        moment = parse_datetime(text)
    except ValueError:
        return None
    if moment is None or timezone.is_naive(moment):
        return None
    difference = abs(timezone.now() - moment)
    return moment if difference < timedelta(days=2) else None


def parse_tap_id(text: str) -> UUID:
    """Return the id of a tap as a page sent it, or a new id if `text` is not a UUID."""
    try:
        return UUID(text)
    except ValueError:
        return uuid.uuid4()


def _run_control(request: HttpRequest, procedure: UUID, action: Callable[[UUID], str]) -> HttpResponse:
    """Do the action of a control and reply: JSON for the script, else a redirect to the page with a message.

    action: gets the run's id, commits the action and returns the sentence that reports it. It may raise
    NotNow; then the reply has status 409 or an error message.
    """
    run = Run.objects.filter(procedure=procedure_or_404(procedure)).first()
    wants_json = request.headers.get("Accept", "").startswith("application/json")
    try:
        if run is None:
            raise NotNow(_("The night has not begun, so there is nothing to stop."))
        ok, text = True, action(run.pk)
    except NotNow as refusal:
        ok, text = False, str(refusal)
    if wants_json:
        return JsonResponse({"ok": ok, "text": text}, status=200 if ok else 409)
    messages.add_message(request, messages.SUCCESS if ok else messages.ERROR, text)
    return redirect("erasure:bed", procedure=procedure)


@require_POST
@never_cache
def safe_word(request: HttpRequest, procedure: UUID) -> HttpResponse:
    """Record a tap on the safe word. A tap that is sent more than once counts once."""
    by = acting_user(request)
    tap, tapped_at = parse_tap_id(request.POST.get("tap", "")), parse_tap_time(request.POST.get("at", ""))

    def tap_safe_word(run: UUID) -> str:
        recorded = record_tap(run, by=by, tap=tap, tapped_at=tapped_at)
        at = {"at": time_of_day(recorded.arrived_at)}
        if recorded.is_paused:
            return _("It arrived at %(at)s. The night is paused.") % at
        return _("It arrived at %(at)s. The night is not paused any more.") % at

    return _run_control(request, procedure, tap_safe_word)


@require_POST
@never_cache
def pause(request: HttpRequest, procedure: UUID) -> HttpResponse:
    """Pause the night for the patient."""
    by = acting_user(request)

    def pause_run(run: UUID) -> str:
        result: ActionResult = control.pause(run, by=by, why=Run.Why.PATIENT, details=tokens.AUDIT_DETAILS)
        return _("Paused.") if result.changed else _("It was paused already.")

    return _run_control(request, procedure, pause_run)


@require_POST
@never_cache
def call_doctor(request: HttpRequest, procedure: UUID) -> HttpResponse:
    """Call the doctor to the patient."""
    by = acting_user(request)

    def call(run: UUID) -> str:
        result = control.call_doctor(run, by=by, details=tokens.AUDIT_DETAILS)
        return (
            _("The doctor has been called.")
            if result.changed
            else _("The doctor was called already, and is called again until somebody answers.")
        )

    return _run_control(request, procedure, call)
