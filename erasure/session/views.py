"""The session page and its controls.

A control can be called by a plain form or by the script with fetch().
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from clinic.accounts.proof import passphrase_matches
from clinic.http.requests import decision_of, request_user
from erasure.bedside.tokens import valid_tokens_of
from erasure.bedside.words import word_for
from erasure.runs import calls, control, open_pages, presence, trouble
from erasure.runs.models import Run, Step
from erasure.runs.run_actions import ActionResult
from erasure.session import answers
from erasure.session.forms import AbortForm, DamageForm, ProtectForm
from erasure.session.looks import record_session_look
from erasure.session.map_css import map_css as render_map_css
from erasure.session.safe_words import what_was_said
from erasure.session.snapshot import Viewer, people, snapshot
from erasure.session.verification_summary import verification_of
from erasure.session.viewers import viewer_of
from patients.cases.relations import may_read_content
from patients.intake_review.reviewing import conditions_of
from patients.keepsakes.playback import with_player
from patients.memories.models import Memory


def run_or_404(pk: UUID) -> Run:
    """Return the run with its procedure, case and patient. Errors: Http404."""
    return get_object_or_404(Run.objects.select_related("procedure__case__patient"), pk=pk)


@require_safe
@never_cache
@with_player
def session(request: HttpRequest, run: UUID) -> HttpResponse:
    """Show the session page. It is complete without JavaScript."""
    row = run_or_404(run)
    record_session_look(row, "session", by=request_user(request), opened=True)
    content = may_read_content(decision_of(request))
    state = snapshot(row.pk, viewer_of(request_user(request), row, decision_of(request)))
    context = {
        "present": state,
        "run": row,
        "abort_form": AbortForm(),
        "ending": "ending" in request.GET,
        "said": what_was_said(row, request_user(request)) if content else [],
        "verification": verification_of(row),
        "conditions": conditions_of(row.procedure.case) if content else "",
        "spoken_word": word_for(row, request_user(request), decision_of(request)),
        "bed_pages": valid_tokens_of(row.procedure_id) if state["staff"] else [],
    }
    return _page(request, context)


@require_safe
@never_cache
def state(request: HttpRequest, run: UUID) -> HttpResponse:
    """Return the snapshot of the session page as JSON, for a page that lost its stream."""
    row = run_or_404(run)
    record_session_look(row, "state", by=request_user(request))
    return JsonResponse(snapshot(row.pk, viewer_of(request_user(request), row, decision_of(request))))


@require_safe
@never_cache
def wall(request: HttpRequest, run: UUID) -> HttpResponse:
    """Show the session without names, pictures and controls, for a public screen."""
    shown = snapshot(run_or_404(run).pk, Viewer(user=None, names=False, pictures=False))
    return _page(request, {"present": shown, "wall": True})


def _page(request: HttpRequest, context: Mapping[str, Any]) -> HttpResponse:
    """Render the session page.

    Its Link header lets the browser fetch map.css at once, because the map is not drawn without it.
    """
    page = render(request, "erasure/session/session.html", context)
    page["Link"] = f"<{context['present']['map_css_url']}>; rel=preload; as=style"
    return page


@require_safe
@never_cache
def map_css(request: HttpRequest, run: UUID) -> HttpResponse:
    """Return the positions of the memories as a stylesheet (see erasure/session/map_css.py)."""
    row = run_or_404(run)
    placed = Memory.objects.filter(case=row.procedure.case_id, x__isnull=False).order_by("number")
    return HttpResponse(render_map_css(placed), content_type="text/css; charset=utf-8")


def run_control(
    request: HttpRequest,
    run: UUID,
    action: Callable[[], object],
    done: Callable[[bool], str] | str,
    already: str = "",
) -> HttpResponse:
    """Call `action` and reply with its result: JSON for a fetch, else a message on the session page.

    `action` returns after its commit, so the reply reports only what is committed. It may return an
    `ActionResult`. done: the reply, or a function that gets whether anything changed and returns the reply.
    already: the reply if nothing had to change.
    """
    wants_json = request.headers.get("Accept", "").startswith("application/json")
    try:
        outcome = action()
    except (control.NotNow, ValueError) as refusal:
        if wants_json:
            return JsonResponse({"ok": False, "text": str(refusal)}, status=409)
        messages.error(request, str(refusal))
        return redirect("erasure:session", run=run)
    result = outcome if isinstance(outcome, ActionResult) else ActionResult(changed=True)
    text = done(result.changed) if callable(done) else done if result.changed else already or done
    if wants_json:
        return JsonResponse({"ok": True, "text": text, "changed": result.changed, "seq": result.seq})
    messages.success(request, text)
    return redirect("erasure:session", run=run)


def reply_invalid(request: HttpRequest, run: UUID, text: str) -> HttpResponse:
    """Reply that the input is invalid: JSON (400) for a fetch, else a message on the session page."""
    if request.headers.get("Accept", "").startswith("application/json"):
        return JsonResponse({"ok": False, "text": text}, status=400)
    messages.error(request, text)
    return redirect("erasure:session", run=run)


@require_POST
def pause(request: HttpRequest, run: UUID) -> HttpResponse:
    """Pause the run before its next pass."""
    user, row = request_user(request), run_or_404(run)
    why = Run.Why.PATIENT if row.procedure.case.patient_id == user.pk else Run.Why.STAFF
    return run_control(
        request, run, lambda: control.pause(run, by=user, why=why), partial(answers.paused_reply, run)
    )


@require_POST
def resume(request: HttpRequest, run: UUID) -> HttpResponse:
    """Resume the run."""
    user, agrees = request_user(request), request.POST.get("patient_agrees") == "yes"
    return run_control(
        request,
        run,
        lambda: control.resume(run, by=user, patient_agrees=agrees),
        _("Resumed."),
        _("It goes on already."),
    )


@require_POST
def protect(request: HttpRequest, run: UUID) -> HttpResponse:
    """Protect one memory: keep it as it is now."""
    user, form = request_user(request), ProtectForm(request.POST)
    if not form.is_valid():
        return reply_invalid(request, run, _("Please choose a memory to protect."))
    step = get_object_or_404(Step, run=run_or_404(run), memory=form.cleaned_data["memory"])
    return run_control(
        request,
        run,
        lambda: control.protect(run, step.memory_id, by=user),
        _("Protected, as it is now."),
        _("It was kept already."),
    )


@require_POST
def call_doctor(request: HttpRequest, run: UUID) -> HttpResponse:
    """Call the doctor."""
    user, row = request_user(request), run_or_404(run)
    return run_control(
        request,
        run,
        lambda: control.call_doctor(row.pk, by=user),
        _("The doctor has been called."),
        _("The doctor was called already, and is called again until somebody answers."),
    )


@require_POST
def acknowledge(request: HttpRequest, run: UUID) -> HttpResponse:
    """Acknowledge the doctor call: a doctor is coming."""
    user, row = request_user(request), run_or_404(run)
    return run_control(
        request, run, lambda: calls.acknowledge(row.pk, by=user), partial(answers.acknowledged_reply, row.pk)
    )


@require_POST
def safe_word(request: HttpRequest, run: UUID) -> HttpResponse:
    """Stop the run at the safe word and call the doctor."""
    user, row = request_user(request), run_or_404(run)
    return run_control(
        request,
        run,
        lambda: control.safe_word(row.pk, by=user),
        _("Stopped. The doctor has been called."),
        _("Everything had stopped already, and the doctor is called."),
    )


@require_POST
def abort(request: HttpRequest, run: UUID) -> HttpResponse:
    """First of two steps to end the session: pause at once, without a question."""
    user, row = request_user(request), run_or_404(run)
    answer = run_control(
        request,
        run,
        lambda: control.pause(row.pk, by=user, why=Run.Why.ABORT),
        partial(answers.paused_reply, row.pk),
    )
    if isinstance(answer, HttpResponseRedirect):  # without a script: the page asks the question at once
        return redirect(f"{answer.url}?ending=")
    return answer


@require_POST
def abort_finish(request: HttpRequest, run: UUID) -> HttpResponse:
    """Second step: end the session for good. It needs a reason and the passphrase."""
    user, row, form = request_user(request), run_or_404(run), AbortForm(request.POST)
    if not form.is_valid():
        return reply_invalid(request, run, _("Please give a reason and your passphrase."))
    try:
        is_user = passphrase_matches(user, form.cleaned_data["passphrase"])
    except ValidationError as throttled:
        return reply_invalid(request, run, " ".join(throttled.messages))
    if not is_user:
        return reply_invalid(request, run, _("That is not your passphrase. The session stays paused."))
    reason = form.cleaned_data["reason"]
    return run_control(
        request,
        run,
        lambda: control.abort(row.pk, by=user, reason=reason),
        _("The session has been ended."),
        _("The session was being ended already."),
    )


@require_POST
def decide_damaged(request: HttpRequest, run: UUID) -> HttpResponse:
    """Record the doctor's decision on a memory that cannot be read."""
    user, row, form = request_user(request), run_or_404(run), DamageForm(request.POST)
    if not form.is_valid():
        return reply_invalid(request, run, _("Please choose what shall happen."))
    step = get_object_or_404(Step, pk=form.cleaned_data["step"], run=row)
    destroy = form.cleaned_data["decision"] == "destroy"
    return run_control(
        request,
        run,
        lambda: trouble.decide_damaged(row.pk, step.pk, destroy=destroy, by=user),
        partial(answers.damage_decided_reply, row.pk),
    )


@require_POST
def answer_presence_check(request: HttpRequest, run: UUID) -> HttpResponse:
    """Record that a member of the team answered the presence check."""
    user, row = request_user(request), run_or_404(run)
    return run_control(
        request,
        run,
        lambda: presence.answer(row.pk, by=user),
        partial(answers.presence_reply, row.pk),
    )


@require_POST
def here(request: HttpRequest, run: UUID) -> HttpResponse:
    """Record that the user has the page open, and return who has. Open pages call it every few seconds."""
    user, row = request_user(request), run_or_404(run)
    open_pages.attend(row.pk, user)
    return JsonResponse({"people": people(row, viewer_of(user, row, decision_of(request)))})
