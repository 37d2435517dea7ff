"""The staff page of the things of one case that are in the clinic's custody."""

from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

from django.contrib import messages
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

    @property
    def tag(self) -> str:
        return self.keepsake.tag


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
    row, person = case_or_404(case), request_user(request)
    viewed(row, "custody", by=person)
    may_change = allowed(person, "patients:custody-change", {"case": row.pk}, "POST").allowed
    context = {"case": row, "things": _things(row, person), "may_change": may_change}
    return render(request, "patients/custody/custody.html", context)


@require_POST
def change(request: HttpRequest, case: UUID, keepsake: UUID) -> HttpResponse:
    """Do the posted action (`do`) with one thing."""
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
        action()
        messages.success(request, _("Written down."))
    except transfers.CannotTransfer as refusal:
        messages.error(request, str(refusal))
    return redirect("patients:custody", case=case)
