"""The pages on hours and absences: of all people and places, of one of them, and of the user."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from clinic.accounts.models import User
from clinic.availability import overview
from clinic.availability.changes import (
    ChangeRefused,
    add_exception,
    change_limits,
    change_week,
    end_exception,
    limits_of,
    lock_resource,
    weekly_hours_of,
)
from clinic.availability.forms import (
    DAY_FIELDS,
    ClosureForm,
    EndExceptionForm,
    ExceptionForm,
    LimitsForm,
    WeekForm,
    spans_text,
)
from clinic.calendar.models import Resource
from clinic.edits.changes import last_change
from clinic.edits.forms import EditForm
from clinic.http.requests import request_user


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def everybody(request: HttpRequest) -> HttpResponse:
    """List all people and places with today's hours and coming absences; close the clinic for a time."""
    do, by = request.POST.get("do", ""), request_user(request)
    form = ClosureForm(request.POST if do == "close" else None)
    if request.method == "POST":
        try:
            if do == "end":
                _end_exception(request.POST, None, by)
                messages.success(request, _("The closing is taken back."))
                return redirect("hours")
            if form.is_valid():
                _add_exception(form, None, by)
                messages.success(
                    request, _("The clinic is closed then. What is booked already stays booked.")
                )
                return redirect("hours")
        except ChangeRefused as refusal:
            messages.error(request, str(refusal))
            return redirect("hours")
    context = {
        "lines": overview.resource_lines(),
        "form": form,
        "closures": overview.coming_exceptions(None),
        "outside": overview.bookings_in_closings(by),
        "history": overview.hours_history(None),
    }
    status = 422 if form.errors else 200
    return render(request, "clinic/availability/everybody.html", context, status=status)


def _add_exception(form: ClosureForm, resource: Resource | None, by: User) -> None:
    data = form.cleaned_data
    add_exception(
        resource,
        adds=data.get("kind") == ExceptionForm.ADDED,
        starts_at=data["starts_at"],
        ends_at=data["ends_at"],
        reason=data["reason"],
        by=by,
    )


def _end_exception(posted: QueryDict, resource: Resource | None, by: User) -> None:
    """Take back the exception that was chosen. Raises ChangeRefused if it is over, or another one's."""
    chosen = EndExceptionForm(posted)
    if not chosen.is_valid():
        raise ChangeRefused(_("It was taken back before, or it is over."))
    end_exception(chosen.cleaned_data["exception"], resource=resource, by=by)


@never_cache
@require_safe
def own_hours(request: HttpRequest) -> HttpResponse:
    """Show the signed-in person's own hours, absences and limits."""
    viewer = request_user(request)
    resource = Resource.objects.filter(user=viewer).select_related("user").order_by("kind").first()
    context = overview.resource_context(resource, viewer) if resource else {}
    return render(request, "clinic/availability/mine.html", context)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def resource_hours(request: HttpRequest, resource: UUID) -> HttpResponse:
    """Show the hours, absences and limits of a person, room or kit; change one of them."""
    row = get_object_or_404(Resource.objects.select_related("user"), pk=resource)
    by = request_user(request)
    if request.method != "POST":
        return _render_resource(request, row, _forms(row, by))
    try:
        forms, message = _change(row, request.POST, by)
    except ChangeRefused as refusal:
        messages.error(request, str(refusal))
        return redirect("hours-of", resource=row.pk)
    if message:
        messages.success(request, message)
        return redirect("hours-of", resource=row.pk)
    return _render_resource(request, row, forms)


def _render_resource(request: HttpRequest, row: Resource, forms: dict[str, Any]) -> HttpResponse:
    invalid = [form for form in forms.values() if form.is_bound and form.errors]
    status = 200
    for form in invalid:
        status = form.refused_status() if isinstance(form, EditForm) else 422
    history = overview.hours_history(row)
    context = {**overview.resource_context(row, request_user(request)), **forms, "history": history}
    return render(request, "clinic/availability/one.html", context, status=status)


def _forms(row: Resource, by: User, do: str = "", posted: QueryDict | None = None) -> dict[str, Any]:
    """Return the three forms of the page with the present values. The one that `do` names gets `posted`."""
    about = f"resource:{row.pk}"
    day, week = overview.newest_week(row)
    saved = {name: spans_text(week[weekday]) for weekday, name in enumerate(DAY_FIELDS)}
    # A change replaces all hours that are valid from its day on, not only the week that is shown. So the form
    # is compared with all of them.
    rows = weekly_hours_of(row)
    states = {
        name: " ".join(f"{one.valid_from}/{one.valid_until}/{one}" for one in rows if one.weekday == weekday)
        for weekday, name in enumerate(DAY_FIELDS)
    }
    limits = LimitsForm.saved_of(limits_of(row))
    return {
        "week_form": WeekForm(
            posted if do == "week" else None,
            about=about,
            saved=saved,
            states=states,
            initial={**saved, "valid_from": day},
            changed_by=lambda: last_change(about, ("hours.changed",), viewer=by, names=True),
        ),
        "limits_form": LimitsForm(
            posted if do == "limits" else None,
            prefix="limits",
            about=about,
            saved=limits,
            initial=limits,
            changed_by=lambda: last_change(about, ("hours.limits",), viewer=by, names=True),
        ),
        "away_form": ExceptionForm(
            posted if do == "away" else None, prefix="away", is_place=row.user_id is None
        ),
    }


@transaction.atomic
def _change(row: Resource, posted: QueryDict, by: User) -> tuple[dict[str, Any], str]:
    """Do what the submitted button asks for, under the lock of the person or thing.

    Return the forms, and the message of success, or "" if nothing was done. Raises ChangeRefused if it cannot
    be done, and no field of a form is the reason.
    """
    do = posted.get("do", "")
    locked = lock_resource(row.pk)
    if locked is None:
        raise Http404
    forms = _forms(locked, by, do, posted)
    if do == "end":
        _end_exception(posted, locked, by)
        return forms, _("It is taken back.")
    if do == "week" and forms["week_form"].is_valid():
        return forms, _save_week(locked, forms["week_form"], by)
    if do == "limits" and not locked.user_id:
        raise ChangeRefused(_("Only people have limits on nights."))
    if do == "limits" and forms["limits_form"].is_valid():
        form = forms["limits_form"]
        if not form.edited:
            return forms, _("Nothing was changed: it is so already.")
        change_limits(locked, **form.cleaned_data, by=by)
        return forms, _("The limits are saved.")
    if do == "away" and forms["away_form"].is_valid():
        _add_exception(forms["away_form"], locked, by)
        return forms, _("Entered. What is booked already stays booked.")
    return forms, ""


def _save_week(resource: Resource, form: WeekForm, by: User) -> str:
    """Save the week in a valid form, unless it is the same. Return the message of success."""
    data = form.cleaned_data
    same_week = not form.edited & set(DAY_FIELDS)
    if same_week and data["valid_from"] >= overview.newest_week(resource)[0]:
        return _("Nothing was changed: it is so already.")
    change_week(resource, form.week(), valid_from=data["valid_from"], reason=data["reason"], by=by)
    return _("The hours are saved. What is booked already stays booked.")
