"""The staff page of the things of one case that are in the clinic's custody."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from uuid import UUID

from django.contrib import messages
from django.db import transaction
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from clinic.access.policy import allowed
from clinic.accounts.models import User
from clinic.http.requests import request_user
from patients.cases.current_case import case_or_404
from patients.cases.facts import status_of
from patients.cases.models import Case
from patients.cases.view_log import viewed
from patients.custody import transfers
from patients.custody.models import Custody
from patients.keepsakes.models import Keepsake


@dataclass(frozen=True)
class Thing:
    """A keepsake that is a physical object, with its custody. may: names of the actions possible now."""

    keepsake: Keepsake
    custody: Custody | None
    may: frozenset[str]

    problem: str = ""
    shelf: str = ""  # as it was typed when the receipt was refused

    @property
    def tag(self) -> str:
        return self.keepsake.tag

    @property
    def seen(self) -> str:
        """The mark of what the page shows of it."""
        return transfers.custody_mark(self.keepsake, self.custody)


def _things(case: Case, by: User) -> list[Thing]:
    is_thing = Q(custody__isnull=False) | Q(kind=Keepsake.Kind.OBJECT, gone_at__isnull=True)
    rows = Keepsake.objects.filter(is_thing, case=case).select_related(
        "custody__received_by", "custody__handed_by", "custody__ended_by", "custody__witnessed_by"
    )
    team = status_of(case).allows("hand-thing")
    return [
        Thing(row, custody := getattr(row, "custody", None), _next_actions(custody, row, by, team))
        for row in rows.order_by("added_at", "pk")
    ]


def _next_actions(custody: Custody | None, keepsake: Keepsake, by: User, team: bool) -> frozenset[str]:
    """Return the names of the actions possible now, for the buttons. transfers.py checks them again.

    team: a night is booked or under way, so there is a team to hand the thing to.
    """
    if custody is None:
        return frozenset({"receive"})
    match custody.state:
        case Custody.State.RECEIVED:
            return frozenset({"hand", "returned"} if team else {"returned"})
        case Custody.State.HANDED:
            gone = keepsake.gone_at is not None and keepsake.level > 0
            return frozenset({"destroyed", "returned"} if gone else {"returned"})
        case Custody.State.ENDING if custody.ended_by_id != by.pk:
            return frozenset({"witness", "contradict"})
    return frozenset()


@require_safe
@never_cache
def custody(request: HttpRequest, case: UUID) -> HttpResponse:
    """Show every thing of one case: where it is, who had it, the outcome. No pictures and no words."""
    row = case_or_404(case)
    viewed(row, "custody", by=request_user(request))
    return _page(request, row)


def _page(
    request: HttpRequest, case: Case, refused: Keepsake | None = None, problem: str = ""
) -> HttpResponse:
    """Render the page. refused: the thing of which nothing could be written down; problem: why (409)."""
    person = request_user(request)
    things = [
        replace(thing, problem=problem, shelf=request.POST.get("shelf", "")[:12])
        if thing.keepsake == refused
        else thing
        for thing in _things(case, person)
    ]
    may_change = allowed(person, "patients:custody-change", {"case": case.pk}, "POST").allowed
    context = {"case": case, "things": things, "may_change": may_change}
    if refused and refused not in [thing.keepsake for thing in things]:
        messages.error(request, problem)
    return render(request, "patients/custody/custody.html", context, status=409 if problem else 200)


@require_POST
@never_cache
def change(request: HttpRequest, case: UUID, keepsake: UUID) -> HttpResponse:
    """Do the posted action (`do`) with one thing, if it is what the page showed; else show it (409)."""
    row = get_object_or_404(Keepsake, pk=keepsake, case=case)
    by = request_user(request)
    actions: dict[str, Callable[[], Custody]] = {
        "receive": lambda: transfers.receive(row, request.POST.get("shelf", ""), by=by),
        "hand": lambda: transfers.hand_over(row, by=by),
        "destroyed": lambda: transfers.end(row, "destroyed", by=by),
        "returned": lambda: transfers.end(row, "returned", by=by),
        "witness": lambda: transfers.witness(row, by=by),
        "contradict": lambda: transfers.contradict(row, by=by),
    }
    try:
        if (action := actions.get(request.POST.get("do", ""))) is None:
            raise transfers.CannotTransfer(_("Choose what happened to the thing."))
        with transaction.atomic():
            transfers.check_seen(row, request.POST.get("seen", ""))
            action()
    except transfers.CannotTransfer as refusal:
        return _page(request, case_or_404(case), row, str(refusal))
    messages.success(request, _("Written down."))
    return redirect("patients:custody", case=case)
