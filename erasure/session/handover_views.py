"""Handing a run over to another technician, and a doctor's taking over and handing back."""

from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from clinic.access.policy import allowed
from clinic.http.requests import request_user
from erasure.runs import handover
from erasure.runs.models import Run
from erasure.session.forms import HandoverForm
from erasure.session.views import reply_invalid, run_control, run_or_404


@require_safe
@never_cache
def page(request: HttpRequest, run: UUID) -> HttpResponse:
    """Show who is responsible for the run and to whom it can be handed over.

    A technician who is asked but not booked sees only this page, not the session.
    """
    row, user = run_or_404(run), request_user(request)
    offered = handover.open_offer(row)
    inside = allowed(user, "erasure:handover-offer", {"run": row.pk}, "POST").allowed
    may_offer = inside and handover.may_offer(row, user)
    over = row.state in {Run.State.STOPPING, Run.State.FINISHED}
    context = {
        "run": row,
        "offered": offered,
        "over": over,
        "mine": offered is not None and not over and offered.offered_to_id == user.pk,
        "own": offered is not None and not over and offered.offered_by_id == user.pk,
        "candidates": handover.candidates(row) if may_offer else [],
        "may_offer": may_offer,
        "inside": inside,
    }
    return render(request, "erasure/session/handover.html", context)


def _redirect_to_allowed(request: HttpRequest, run: UUID, answer: HttpResponse) -> HttpResponse:
    """Return `answer`, but redirect to today's board if the user may not (or no longer) see the session."""
    if (
        answer.status_code != 302
        or allowed(request_user(request), "erasure:session", {"run": run}, "GET").allowed
    ):
        return answer
    return redirect("today")


@require_POST
def offer(request: HttpRequest, run: UUID) -> HttpResponse:
    """Offer the run to another technician."""
    user, row, form = request_user(request), run_or_404(run), HandoverForm(request.POST)
    if not form.is_valid():
        return reply_invalid(request, run, _("Please choose who shall take over."))
    return run_control(
        request,
        run,
        lambda: handover.offer(row.pk, form.cleaned_data["to"], by=user),
        _("Asked. You are responsible until they accept."),
        _("They were asked already."),
    )


@require_POST
def accept(request: HttpRequest, run: UUID) -> HttpResponse:
    """Accept the offer: become responsible for the run."""
    user, row = request_user(request), run_or_404(run)
    answer = run_control(
        request,
        run,
        lambda: handover.accept(row.pk, by=user),
        _("You are responsible for this night now."),
        _("You are responsible for this night already."),
    )
    return _redirect_to_allowed(request, run, answer)


@require_POST
def decline(request: HttpRequest, run: UUID) -> HttpResponse:
    """End the offer: declined by the technician asked, or withdrawn by the one who asked."""
    user, row = request_user(request), run_or_404(run)
    answer = run_control(
        request,
        run,
        lambda: handover.decline(row.pk, by=user),
        _("The night is not handed over."),
        _("There is no such offer any more."),
    )
    return _redirect_to_allowed(request, run, answer)


@require_POST
def take_over(request: HttpRequest, run: UUID) -> HttpResponse:
    """Let the doctor take over: from now on only that doctor may control the run."""
    user, row = request_user(request), run_or_404(run)
    return run_control(
        request,
        run,
        lambda: handover.take_over(row.pk, by=user),
        _("You have taken over."),
        _("You have taken over already."),
    )


@require_POST
def hand_back(request: HttpRequest, run: UUID) -> HttpResponse:
    """Let the doctor hand the run back to the team."""
    user, row = request_user(request), run_or_404(run)
    return run_control(
        request,
        run,
        lambda: handover.hand_back(row.pk, by=user),
        _("Handed back to the team."),
        _("Nobody has taken over."),
    )
