"""The session page and its controls. Each control works as a plain form and as a fetch."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from clinic.http.requests import request_user
from erasure.runs import calls, control, open_pages, presence, resistance
from erasure.runs.models import Hold, Run, Step
from erasure.runs.run_actions import Done
from erasure.session import answers
from erasure.session.forms import AbortForm, DecisionForm, ProtectForm
from erasure.session.map_css import map_css as render_map_css
from erasure.session.proof import proven
from erasure.session.snapshot import Viewer, people, present
from erasure.session.verification_summary import verification_of
from erasure.session.viewers import viewer_of
from patients.memories.models import Memory


def run_or_404(pk: UUID) -> Run:
    """The run with what every view of it needs. Errors: Http404."""
    return get_object_or_404(Run.objects.select_related("procedure__case__patient"), pk=pk)


@require_safe
@never_cache
def session(request: HttpRequest, run: UUID) -> HttpResponse:
    """The session view: the whole present in one page, complete without JavaScript."""
    row = run_or_404(run)
    state = present(row.pk, viewer_of(request_user(request), row))
    context = {
        "present": state,
        "run": row,
        "abort_form": AbortForm(),
        "decision_form": DecisionForm(),
        "verification": verification_of(row),
    }
    return _page(request, context)


@require_safe
@never_cache
def state(request: HttpRequest, run: UUID) -> HttpResponse:
    """The same present as JSON, for a view that lost its stream."""
    row = run_or_404(run)
    return JsonResponse(present(row.pk, viewer_of(request_user(request), row)))


@require_safe
@never_cache
def wall(request: HttpRequest, run: UUID) -> HttpResponse:
    """The same session without names or controls, for a screen on a wall."""
    shown = present(run_or_404(run).pk, Viewer(user=None, names=False, pictures=False))
    return _page(request, {"present": shown, "wall": True})


def _page(request: HttpRequest, context: Mapping[str, Any]) -> HttpResponse:
    """Answer with the session's page; the map waits for its places, so the browser asks for them at once."""
    page = render(request, "erasure/session/session.html", context)
    page["Link"] = f"<{context['present']['map_css_url']}>; rel=preload; as=style"
    return page


@require_safe
def map_css(request: HttpRequest, run: UUID) -> HttpResponse:
    """Positions of the memories as a stylesheet: the content security policy knows no style attributes."""
    row = run_or_404(run)
    placed = Memory.objects.filter(case=row.procedure.case_id, x__isnull=False).order_by("number")
    response = HttpResponse(render_map_css(placed), content_type="text/css; charset=utf-8")
    response["Cache-Control"] = "private, max-age=86400, immutable"
    return response


def act(
    request: HttpRequest,
    run: UUID,
    do: Callable[[], object],
    done: Callable[[bool], str] | str,
    already: str = "",
) -> HttpResponse:
    """Do one control action and answer in the manner of the question: JSON for a fetch, else the page.

    done: what to say, or what says it given whether anything changed. already: what to say where it was so
    before. Only what has committed is said to be so.
    """
    wants_json = request.headers.get("Accept", "").startswith("application/json")
    try:
        came = do()
    except (control.NotNow, ValueError) as refusal:
        if wants_json:
            return JsonResponse({"ok": False, "text": str(refusal)}, status=409)
        messages.error(request, str(refusal))
        return redirect("erasure:session", run=run)
    result = came if isinstance(came, Done) else Done(changed=True)
    text = done(result.changed) if callable(done) else done if result.changed else already or done
    if wants_json:
        return JsonResponse({"ok": True, "text": text, "changed": result.changed, "seq": result.seq})
    messages.success(request, text)
    return redirect("erasure:session", run=run)


def faulty(request: HttpRequest, run: UUID, text: str) -> HttpResponse:
    """Answer what cannot even be tried, in the manner of the question."""
    if request.headers.get("Accept", "").startswith("application/json"):
        return JsonResponse({"ok": False, "text": text}, status=400)
    messages.error(request, text)
    return redirect("erasure:session", run=run)


@require_POST
def pause(request: HttpRequest, run: UUID) -> HttpResponse:
    """Stop before the next pass."""
    user, row = request_user(request), run_or_404(run)
    why = Run.Why.PATIENT if row.procedure.case.patient_id == user.pk else Run.Why.STAFF
    return act(request, run, lambda: control.pause(run, by=user, why=why), partial(answers.paused, run))


@require_POST
def resume(request: HttpRequest, run: UUID) -> HttpResponse:
    """Go on."""
    user = request_user(request)
    return act(request, run, lambda: control.resume(run, by=user), _("Resumed."), _("It goes on already."))


@require_POST
def protect(request: HttpRequest, run: UUID) -> HttpResponse:
    """Keep one memory as it is now."""
    user, form = request_user(request), ProtectForm(request.POST)
    if not form.is_valid():
        return faulty(request, run, _("Please choose a memory to protect."))
    step = get_object_or_404(Step, run=run_or_404(run), memory=form.cleaned_data["memory"])
    return act(
        request,
        run,
        lambda: control.protect(run, step.memory_id, by=user),
        _("Protected, as it is now."),
        _("It was kept already."),
    )


@require_POST
def call_doctor(request: HttpRequest, run: UUID) -> HttpResponse:
    """Ask the doctor to come."""
    user, row = request_user(request), run_or_404(run)
    return act(
        request,
        run,
        lambda: control.call_doctor(row.pk, by=user),
        _("The doctor has been called."),
        _("The doctor was called already, and is called again until somebody answers."),
    )


@require_POST
def acknowledge(request: HttpRequest, run: UUID) -> HttpResponse:
    """The doctor is coming."""
    user, row = request_user(request), run_or_404(run)
    return act(
        request, run, lambda: calls.acknowledge(row.pk, by=user), partial(answers.acknowledged, row.pk)
    )


@require_POST
def safe_word(request: HttpRequest, run: UUID) -> HttpResponse:
    """Everything halts and the doctor is called."""
    user, row = request_user(request), run_or_404(run)
    return act(
        request,
        run,
        lambda: control.safe_word(row.pk, by=user),
        _("Stopped. The doctor has been called."),
        _("Everything had stopped already, and the doctor is called."),
    )


@require_POST
def abort(request: HttpRequest, run: UUID) -> HttpResponse:
    """The first touch: pauses at once, asks nothing."""
    user, row = request_user(request), run_or_404(run)
    return act(
        request,
        run,
        lambda: control.pause(row.pk, by=user, why=Run.Why.ABORT),
        partial(answers.paused, row.pk),
    )


@require_POST
def abort_finish(request: HttpRequest, run: UUID) -> HttpResponse:
    """The second: a reason and the passphrase again end the session for good."""
    user, row, form = request_user(request), run_or_404(run), AbortForm(request.POST)
    if not form.is_valid():
        return faulty(request, run, _("Please give a reason and your passphrase."))
    try:
        sure = proven(user, form.cleaned_data["passphrase"])
    except ValidationError as throttled:
        return faulty(request, run, " ".join(throttled.messages))
    if not sure:
        return faulty(request, run, _("That is not your passphrase. The session stays paused."))
    reason = form.cleaned_data["reason"]
    return act(
        request,
        run,
        lambda: control.abort(row.pk, by=user, reason=reason),
        _("The session has been ended."),
        _("The session was being ended already."),
    )


@require_POST
def decide(request: HttpRequest, run: UUID) -> HttpResponse:
    """The doctor's decision on a copy found off the map."""
    user, row, form = request_user(request), run_or_404(run), DecisionForm(request.POST)
    if not form.is_valid():
        return faulty(request, run, _("Please choose what shall happen, and why."))
    hold = get_object_or_404(Hold, pk=form.cleaned_data["hold"], step__run=row)
    extend = form.cleaned_data["decision"] == "extend"
    return act(
        request,
        run,
        lambda: resistance.decide(
            row.pk, hold.pk, extend=extend, reason=form.cleaned_data["reason"], by=user
        ),
        _("Decided. The procedure goes on."),
    )


@require_POST
def present_at(request: HttpRequest, run: UUID) -> HttpResponse:
    """Somebody of the team answers that they are there."""
    user, row = request_user(request), run_or_404(run)
    return act(
        request,
        run,
        lambda: presence.answer(row.pk, by=user),
        _("Thank you. It goes on."),
        _("Somebody answered already."),
    )


@require_POST
def here(request: HttpRequest, run: UUID) -> HttpResponse:
    """A page that is open says so every few seconds, and learns who else is there."""
    user, row = request_user(request), run_or_404(run)
    open_pages.attend(row.pk, user)
    return JsonResponse({"people": people(row, viewer_of(user, row))})
