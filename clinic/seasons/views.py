"""The pages of the seasons: all of them, one of them, and a person's agreement to extra hours."""

from datetime import date
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from clinic.accounts.models import Role, User
from clinic.edits.changes import last_change
from clinic.http.requests import decision_of, request_user
from clinic.seasons.agreements import agree_to, agreed_resources, agreements_of, open_places
from clinic.seasons.changes import SeasonRefused, change_season, end_season, lock_season, make_season
from clinic.seasons.forms import AgreeForm, EndForm, PlacesForm, SeasonForm
from clinic.seasons.models import Season
from clinic.seasons.words import season_days, season_history, season_hours, season_rules

CHANGES = ("season.made", "season.changed", "season.ended")


def season_context(season: Season) -> dict[str, Any]:
    """Return a season with its days, hours and rules in words, for templates."""
    return {
        "season": season,
        "days": season_days(season),
        "hours": season_hours(season),
        "rules": season_rules(season),
        "holds_today": season.holds_on(timezone.localdate()),
    }


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def seasons(request: HttpRequest) -> HttpResponse:
    """List the seasons with their rules; an administrator enters one."""
    may_change = Role.ADMINISTRATOR in decision_of(request).roles
    form = SeasonForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        try:
            row = make_season(form.values(), reason=form.cleaned_data["reason"], by=request_user(request))
        except SeasonRefused as refusal:
            form.add_error(refusal.field or None, str(refusal))
        else:
            messages.success(request, _("The season “%(name)s” is entered.") % {"name": row.name})
            return redirect("season", season=row.pk)
    rows = list(Season.objects.order_by("-first"))
    context = {
        "ahead": [season_context(row) for row in reversed(rows) if not row.is_over],
        "over": [season_context(row) for row in rows if row.is_over],
        "may_change": may_change,
        "may_open": not {Role.ADMINISTRATOR, Role.AUDITOR}.isdisjoint(decision_of(request).roles),
        "form": form if may_change else None,
    }
    return render(
        request, "clinic/seasons/seasons.html", context, status=422 if form.errors and form.is_bound else 200
    )


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def season_page(request: HttpRequest, season: UUID) -> HttpResponse:
    """Show one season with its history; an administrator changes it, ends it, or opens rooms in it."""
    row = get_object_or_404(Season, pk=season)
    by = request_user(request)
    if request.method != "POST":
        return _render_season(request, row, _forms(row, by), 200)
    try:
        forms, message = _change(request, season, by)
    except SeasonRefused as refusal:
        messages.error(request, str(refusal))
        return redirect("season", season=row.pk)
    if message:
        messages.success(request, message)
        return redirect("season", season=row.pk)
    row.refresh_from_db()
    return _render_season(request, row, forms, forms["form"].refused_status())


def _forms(row: Season, by: User, request: HttpRequest | None = None) -> dict[str, Any]:
    """Return the three forms of the page. request: a POST; the form whose button was pressed gets it."""
    posted = request.POST if request else None
    do = posted.get("do", "") if posted is not None else ""
    saved = SeasonForm.saved_of(row)
    return {
        "form": SeasonForm(
            posted if do == "save" else None,
            about=f"season:{row.pk}",
            saved=saved,
            initial=saved,
            changed_by=lambda: last_change(f"season:{row.pk}", CHANGES, viewer=by, names=True),
        ),
        "end_form": EndForm(
            posted if do == "end" else None, prefix="end", initial={"seen": f"{row.last:%Y-%m-%d}"}
        ),
        "places_form": PlacesForm(
            posted if do == "places" else None,
            prefix="open",
            initial={"version": row.hours_version, "places": agreed_resources(row)},
        ),
    }


@transaction.atomic
def _change(request: HttpRequest, season: UUID, by: User) -> tuple[dict[str, Any], str]:
    """Do what the pressed button says, under the lock. Return the forms, and the message of success or "".

    A refusal that is about a field becomes an error of the form. Raises SeasonRefused for any other.
    """
    locked = lock_season(season)
    if locked is None:
        raise Http404
    forms = _forms(locked, by, request)
    do = request.POST.get("do", "")
    if do == "end" and forms["end_form"].is_valid():
        seen: date = forms["end_form"].cleaned_data["seen"]
        ended = end_season(locked, seen_last=seen, reason=forms["end_form"].cleaned_data["reason"], by=by)
        return forms, _("The season is given up.") if ended.canceled_at else _("The season ends today.")
    if do == "places" and forms["places_form"].is_valid():
        data = forms["places_form"].cleaned_data
        open_places(locked, {one.pk for one in data["places"]}, seen_version=data["version"], by=by)
        return forms, _("Saved. What is booked already stays booked.")
    form = forms["form"]
    if do == "save" and form.is_valid():
        try:
            changed = change_season(locked, form.values(), reason=form.cleaned_data["reason"], by=by)
        except SeasonRefused as refusal:
            if not refusal.field:
                raise
            form.add_error(refusal.field, str(refusal))
            return forms, ""
        if not changed:
            return forms, _("Nothing was changed: it is so already.")
        return forms, _("Saved. What was signed or booked already keeps what it began with.")
    return forms, ""


def _render_season(request: HttpRequest, row: Season, forms: dict[str, Any], status: int) -> HttpResponse:
    context = {
        **season_context(row),
        **forms,
        "may_change": Role.ADMINISTRATOR in decision_of(request).roles and not row.is_over,
        "agreements": agreements_of(row),
        "history": season_history(row.changes.select_related("by")),
    }
    return render(request, "clinic/seasons/season.html", context, status=status)


@never_cache
@require_POST
def agree(request: HttpRequest, season: UUID) -> HttpResponse:
    """Record that the signed-in person agrees to the extra hours of a season, or does not any more."""
    row = get_object_or_404(Season, pk=season)
    form = AgreeForm(request.POST)
    if not form.is_valid():
        messages.error(request, _("Please choose whether you agree."))
        return redirect("my-hours")
    agrees = form.cleaned_data["agrees"] == "yes"
    try:
        agree_to(row, agrees=agrees, seen_version=form.cleaned_data["version"], by=request_user(request))
    except SeasonRefused as refusal:
        messages.error(request, str(refusal))
    else:
        agreed = _("Thank you. You can be booked in these hours now.")
        not_any_more = _("You are not booked in these hours any more. What is booked already stays booked.")
        messages.success(request, agreed if agrees else not_any_more)
    return redirect("my-hours")
