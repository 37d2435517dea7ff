"""The page for the bed, the page before the night that opens it, and what its controls do.

The page works by its token all night, without a sign-in (erasure/bedside/tokens.py). Its controls are plain
forms, which a script sends.
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

from clinic.access.passes import acting_pass, bearer_of
from clinic.http.requests import announce, request_user
from clinic.keyed_digests import keyed_digest
from erasure.bed_pages.forms import WordForm
from erasure.bed_pages.now import clock, now_of
from erasure.bedside import tokens
from erasure.bedside.models import BedToken
from erasure.bedside.taps import arrive
from erasure.bedside.words import choose_word, is_open, word_of
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
    """Show the page for the bed to a browser with its token, and to the signed-in patient the way to it."""
    row = procedure_or_404(procedure)
    if acting_pass(request) is None:
        return _before(request, row, WordForm(**_word_now(row)))
    owner = f"{row.pk}:{bearer_of(request).pk}"
    context = {
        "procedure": row,
        "now": now_of(row),
        "tap": uuid.uuid4(),
        # A kept tap is encrypted under a key that only this page is given (static/bed/taps.js).
        "kept_name": keyed_digest("erasure.bed_pages.kept-name", owner)[:32],
        "kept_key": keyed_digest("erasure.bed_pages.kept-key", owner),
    }
    return render(request, "erasure/bed_pages/bed.html", context)


def _word_now(row: Procedure) -> dict[str, Any]:
    """Return the arguments of a WordForm that shows the word as it is now."""
    saved = {"word": word_of(row)}
    return {"about": f"spoken-word:{row.pk}", "saved": saved, "initial": saved}


def _before(request: HttpRequest, row: Procedure, form: WordForm, status: int = 200) -> HttpResponse:
    """Show the page before the night: the word to be said, and the button that opens the page for the bed."""
    try:
        tokens.check_opens(row, request_user(request))
        closed = ""
    except NotNow as refusal:
        closed = str(refusal)
    context = {"procedure": row, "form": form, "closed": closed, "word_open": is_open(row)}
    return render(request, "erasure/bed_pages/before.html", context, status=status)


@require_safe
@never_cache
def now(request: HttpRequest, procedure: UUID) -> HttpResponse:
    """Return what the page says now, and a fresh token against forged requests, as JSON."""
    shown = now_of(procedure_or_404(procedure))
    html = render_to_string("erasure/bed_pages/_now.html", {"now": shown}, request)
    begun = shown.run is not None
    return JsonResponse({"state": shown.state, "html": html, "begun": begun, "csrf": get_token(request)})


@require_POST
@never_cache
def open_bed(request: HttpRequest, procedure: UUID) -> HttpResponse:
    """Give the patient's browser a token, and lead to the page for the bed."""
    row = procedure_or_404(procedure)
    try:
        token, value = tokens.open_page(row.pk, by=request_user(request))
    except NotNow as refusal:
        messages.error(request, str(refusal))
        return redirect("erasure:bed", procedure=row.pk)
    answer = redirect("erasure:bed", procedure=row.pk)
    tokens.remember(request, token)
    tokens.set_cookie(answer, value)
    return answer


@require_POST
@never_cache
def close(request: HttpRequest, procedure: UUID) -> HttpResponse:
    """End the token of this browser. Without one nothing is to end."""
    carried = acting_pass(request)
    if carried:
        tokens.end_tokens(
            BedToken.objects.filter(pk=carried.id), BedToken.Because.PATIENT, by=bearer_of(request)
        )
    answer = redirect("home")
    tokens.delete_cookie(answer)
    return answer


@require_POST
@never_cache
def end(request: HttpRequest, run: UUID) -> HttpResponse:
    """End every token of this night: a member of its team wants the page for the bed closed."""
    row = get_object_or_404(Run, pk=run)
    open_ones = BedToken.objects.filter(procedure=row.procedure_id)
    count = tokens.end_tokens(open_ones, BedToken.Because.STAFF, by=request_user(request))
    text = ngettext("The page for the bed is closed.", "The pages for the bed are closed.", count)
    messages.success(request, text if count else _("No page for the bed was open."))
    return redirect("erasure:session", run=row.pk)


@require_POST
@never_cache
def word(request: HttpRequest, procedure: UUID) -> HttpResponse:
    """Set the word that the patient chose to say aloud. It can be changed until the night begins."""
    with transaction.atomic():
        row = get_object_or_404(
            Procedure.objects.select_for_update(of=("self",)).select_related("booking", "case__patient"),
            pk=procedure,
        )
        form = WordForm(request.POST, **_word_now(row))
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
    return _before(request, row, form, status)


def said_time(text: str) -> datetime | None:
    """Return when a page says that something was tapped; None if that is no time of about now.

    A wrong clock must not keep a safe word from counting, so nothing is refused here.
    """
    try:
        moment = parse_datetime(text)
    except ValueError:
        return None
    if moment is None or timezone.is_naive(moment):
        return None
    apart = abs(timezone.now() - moment)
    return moment if apart < timedelta(days=2) else None


def said_id(text: str) -> UUID:
    """Return the id that a page made at a tap; a new one if it is none."""
    try:
        return UUID(text)
    except ValueError:
        return uuid.uuid4()


def _answer(request: HttpRequest, procedure: UUID, done: Callable[[UUID], str]) -> HttpResponse:
    """Do what a control asks for, and reply: JSON for the script, else a message on the page for the bed.

    done: gets the run, and returns the sentence once it is committed.
    """
    run = Run.objects.filter(procedure=procedure_or_404(procedure)).first()
    wants_json = request.headers.get("Accept", "").startswith("application/json")
    try:
        if run is None:
            raise NotNow(_("The night has not begun, so there is nothing to stop."))
        ok, text = True, done(run.pk)
    except NotNow as refusal:
        ok, text = False, str(refusal)
    if wants_json:
        return JsonResponse({"ok": ok, "text": text}, status=200 if ok else 409)
    messages.add_message(request, messages.SUCCESS if ok else messages.ERROR, text)
    return redirect("erasure:bed", procedure=procedure)


@require_POST
@never_cache
def safe_word(request: HttpRequest, procedure: UUID) -> HttpResponse:
    """Take a tap on the safe word. It may come late, and more than once; it counts once."""
    by = bearer_of(request)
    tap, at = said_id(request.POST.get("tap", "")), said_time(request.POST.get("at", ""))

    def say(run: UUID) -> str:
        came = arrive(run, by=by, tap=tap, tapped_at=at)
        return _("It arrived at %(at)s. The night is paused.") % {"at": clock(came.at)}

    return _answer(request, procedure, say)


@require_POST
@never_cache
def pause(request: HttpRequest, procedure: UUID) -> HttpResponse:
    """Pause the night, because the patient wants it."""
    by = bearer_of(request)

    def say(run: UUID) -> str:
        result: ActionResult = control.pause(run, by=by, why=Run.Why.PATIENT, details=tokens.DETAILS)
        return _("Paused.") if result.changed else _("It was paused already.")

    return _answer(request, procedure, say)


@require_POST
@never_cache
def call_doctor(request: HttpRequest, procedure: UUID) -> HttpResponse:
    """Call the doctor."""
    by = bearer_of(request)

    def say(run: UUID) -> str:
        result = control.call_doctor(run, by=by, details=tokens.DETAILS)
        return (
            _("The doctor has been called.")
            if result.changed
            else _("The doctor was called already, and is called again until somebody answers.")
        )

    return _answer(request, procedure, say)
