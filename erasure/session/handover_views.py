"""Handing the night to another technician, and a doctor's taking over and giving back."""

from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from clinic.access.policy import allowed
from clinic.http.requests import request_user
from erasure.runs import handover
from erasure.session.forms import HandoverForm
from erasure.session.views import act, faulty, run_or_404


@require_safe
@never_cache
def page(request: HttpRequest, run: UUID) -> HttpResponse:
    """Who answers for the night now, and who could. All that somebody sees who is asked from outside."""
    row, user = run_or_404(run), request_user(request)
    offered = handover.open_offer(row)
    inside = allowed(user, "erasure:handover-offer", {"run": row.pk}, "POST").allowed
    context = {
        "run": row,
        "offered": offered,
        "mine": offered is not None and offered.offered_to_id == user.pk,
        "own": offered is not None and offered.offered_by_id == user.pk,
        "candidates": handover.candidates(row) if inside else [],
        "inside": inside,
    }
    return render(request, "erasure/session/handover.html", context)


def _outside(request: HttpRequest, run: UUID, answer: HttpResponse) -> HttpResponse:
    """Lead who may not see the session (any more, or yet) to today's board instead of to a closed door."""
    if (
        answer.status_code != 302
        or allowed(request_user(request), "erasure:session", {"run": run}, "GET").allowed
    ):
        return answer
    return redirect("today")


@require_POST
def offer(request: HttpRequest, run: UUID) -> HttpResponse:
    """Ask another technician."""
    user, row, form = request_user(request), run_or_404(run), HandoverForm(request.POST)
    if not form.is_valid():
        return faulty(request, run, _("Please choose who shall take over."))
    return act(
        request,
        run,
        lambda: handover.offer(row.pk, form.cleaned_data["to"], by=user),
        _("Asked. You are responsible until they accept."),
        _("They were asked already."),
    )


@require_POST
def accept(request: HttpRequest, run: UUID) -> HttpResponse:
    """Take the night."""
    user, row = request_user(request), run_or_404(run)
    answer = act(
        request,
        run,
        lambda: handover.accept(row.pk, by=user),
        _("You are responsible for this night now."),
        _("You are responsible for this night already."),
    )
    return _outside(request, run, answer)


@require_POST
def decline(request: HttpRequest, run: UUID) -> HttpResponse:
    """Leave it as it is: no from who was asked, or taken back by who asked."""
    user, row = request_user(request), run_or_404(run)
    answer = act(
        request,
        run,
        lambda: handover.decline(row.pk, by=user),
        _("The night is not handed over."),
        _("There is no such offer any more."),
    )
    return _outside(request, run, answer)


@require_POST
def take_over(request: HttpRequest, run: UUID) -> HttpResponse:
    """The doctor's controls, and only theirs, act from now on."""
    user, row = request_user(request), run_or_404(run)
    return act(
        request,
        run,
        lambda: handover.take_over(row.pk, by=user),
        _("You have taken over."),
        _("You have taken over already."),
    )


@require_POST
def hand_back(request: HttpRequest, run: UUID) -> HttpResponse:
    """The team acts again."""
    user, row = request_user(request), run_or_404(run)
    return act(
        request,
        run,
        lambda: handover.hand_back(row.pk, by=user),
        _("Handed back to the team."),
        _("Nobody has taken over."),
    )
