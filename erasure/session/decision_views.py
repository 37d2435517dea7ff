"""The page on which the doctor decides on a copy that was found off the map.

With htmx its parts are loaded into the session page; without it, it is a page of its own.
"""

from typing import Any
from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from clinic.http.requests import request_user, wants_fragment
from erasure.runs import resistance
from erasure.runs.models import Hold, Run, Step
from erasure.runs.run_actions import NotNow
from erasure.session import answers
from erasure.session.forms import DecisionForm
from erasure.session.likeness import LOOK_REASONS, seen
from erasure.session.likeness import look as record_look
from erasure.session.views import run_or_404
from patients.keepsakes.playback import with_player


def _asked_hold(request: HttpRequest, run: Run) -> Hold:
    """Return the hold that the request names, whatever its state. Errors: Http404."""
    try:
        wanted = UUID((request.POST or request.GET).get("hold", ""))
    except ValueError:
        raise Http404 from None
    rows = Hold.objects.select_related(
        "step__memory",
        "step__run__procedure__consent",
        "keepsake__memory",
        "keepsake__picture",
        "copy__memory",
        "copy__picture",
    )
    row = rows.filter(pk=wanted, step__run=run).first()
    if row is None:
        raise Http404
    return row


def _context(run: Run, item: Hold, *, sharp: bool = False, **more: Any) -> dict[str, Any]:
    """Return the context of the page and of its parts. sharp: both keepsakes are shown unblurred."""
    lies_in = item.copy.memory
    return {
        "run": run,
        "hold": item,
        "number": item.step.memory.number,
        "seen": seen(item, sharp=sharp),
        "sharp": sharp,
        "look_reasons": LOOK_REASONS,
        "in_childhood": lies_in is None or lies_in.zone == lies_in.Zone.CHILDHOOD,
        "kept_already": item.step.state == Step.State.SPARED,
        "paused": run.state == Run.State.PAUSED,
        "why_not_extend": resistance.why_not_extend(item),
        "spare": [r for r in resistance.fitting_reasons(item, extend=False) if r != resistance.Reason.DOUBT],
        "doubt": resistance.Reason.DOUBT,
        "extend": resistance.fitting_reasons(item, extend=True),
        **more,
    }


def _page(request: HttpRequest, part: str, context: dict[str, Any], status: int = 200) -> HttpResponse:
    """Render `part` for htmx, else the whole page."""
    template = part if wants_fragment(request) else "decide"
    return render(request, f"erasure/session/{template}.html", context, status=status)


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@with_player
def decide(request: HttpRequest, run: UUID) -> HttpResponse:
    """Show the copy, its memory and the form (GET). Ask to confirm an answer, then record it (POST)."""
    row = run_or_404(run)
    item = _asked_hold(request, row)
    if request.method != "POST":
        return _page(request, "_decide", _context(row, item, closed=_closed(row, item)))
    form = DecisionForm(request.POST)
    if not form.is_valid():
        problem = form.errors["answer"][0]
        return _page(request, "_decision_form", _context(row, item, problem=problem), 422)
    extend, reason = form.extend, form.reason
    try:
        if form.cleaned_data["confirmed"]:
            resistance.decide(row.pk, item.pk, extend=extend, reason=reason, by=request_user(request))
            return answers.done(request, row, answers.decided_reply(row.pk))
        resistance.check_decision(resistance.open_hold(row, item.pk), extend=extend, reason=reason)
    except (NotNow, ValueError) as refusal:
        closed = _closed(row, item)
        problem = "" if closed else str(refusal)
        return _page(request, "_decision_form", _context(row, item, problem=problem, closed=closed), 409)
    follows = resistance.consequence(item, extend=extend, reason=reason)
    chosen = {"answer": form.cleaned_data["answer"], "reason": resistance.Reason(reason).label}
    return _page(request, "_decision_form", _context(row, item, follows=follows, **chosen))


def _closed(run: Run, item: Hold) -> str:
    """Return why nothing can be decided on a hold any more, or "" if it can."""
    try:
        resistance.open_hold(run, item.pk)
    except (NotNow, ValueError) as refusal:
        return str(refusal)
    return ""


@require_POST
@never_cache
@with_player
def look(request: HttpRequest, run: UUID) -> HttpResponse:
    """Show both keepsakes unblurred in this response only, after recording the reason."""
    row = run_or_404(run)
    item = _asked_hold(request, row)
    try:
        if closed := _closed(row, item):
            raise ValueError(closed)
        record_look(item, request.POST.get("why", ""), by=request_user(request))
    except ValueError as refusal:
        context = _context(row, item, look_problem=str(refusal), closed=_closed(row, item))
        return _page(request, "_likeness", context, 409)
    return _page(request, "_likeness", _context(row, item, sharp=True))
