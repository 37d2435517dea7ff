"""The calendar, the move of one of its bookings, and the printed sheet of a day."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, JsonResponse, QueryDict
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from clinic.calendar.board import Span, day_or_today
from clinic.calendar.models import Booking
from clinic.calendar.moving import Move, MoveRefused, movable_bookings, move_booking
from clinic.calendar_feeds.feeds import BOOKABLE
from clinic.calendar_pages.entries import MAX_ENTRIES, by_day, entries_of, span_in_words
from clinic.calendar_pages.forms import FilterForm, MoveForm
from clinic.calendar_pages.picture import LIBRARY_VIEWS, picture_of
from clinic.calendar_pages.ranges import DAY, LABELS, CalendarView, range_of
from clinic.calendar_pages.sheet import sheet_of
from clinic.http.requests import request_user

# The last move of a session, which the next page offers to undo.
UNDO = "calendar_undo"
# The names in the query string of the calendar's URL.
QUERY_NAMES = ("view", "date", "person", "place", "kind")


def _asked_view(text: str) -> CalendarView:
    return CalendarView(text) if text in set(CalendarView) else CalendarView.WEEK


def _query(current: QueryDict, **changed: str) -> str:
    """Return the query string of the calendar: that of the current page with these changes."""
    query = QueryDict(mutable=True)
    for name, value in {**{name: current.get(name, "") for name in QUERY_NAMES}, **changed}.items():
        if value:
            query[name] = value
    return query.urlencode()


def _calendar_url(current: QueryDict, **changed: str) -> str:
    """Return the URL of the calendar with the query of the current page and these changes."""
    query = _query(current, **changed)
    return reverse("calendar") + (f"?{query}" if query else "")


@require_safe
@never_cache
def calendar(request: HttpRequest) -> HttpResponse:
    """Show the calendar. `?view=` names the view, `?date=` a day in it; the other parameters are filters."""
    shown_range = range_of(
        _asked_view(request.GET.get("view", "")), day_or_today(request.GET.get("date", ""))
    )
    filters = FilterForm(request.GET)
    entries = entries_of(shown_range.span, filters.chosen(), request_user(request))
    has_more, entries = len(entries) > MAX_ENTRIES, entries[:MAX_ENTRIES]
    day = shown_range.day.isoformat()
    neighbors = {"before": shown_range.before, "after": shown_range.after}
    context = {
        "shown": shown_range,
        "filters": filters,
        "filtered": bool(filters.chosen()),
        "unfiltered": _calendar_url(QueryDict(), view=shown_range.view, date=day),
        "days": by_day(entries, shown_range.first),
        "more": MAX_ENTRIES if has_more else 0,
        "picture": picture_of(shown_range, entries) if shown_range.view in LIBRARY_VIEWS else None,
        "views": [
            (LABELS[view], _calendar_url(request.GET, view=view, date=day), view == shown_range.view)
            for view in CalendarView
        ],
        "today": _calendar_url(request.GET, view=shown_range.view, date=""),
        "query": _query(request.GET, view=shown_range.view, date=day),
        "may_feed": request_user(request).has_role(*BOOKABLE),
        "undo": request.session.pop(UNDO, None),
        **{
            name: _calendar_url(request.GET, view=shown_range.view, date=at.isoformat())
            for name, at in neighbors.items()
            if at
        },
    }
    return render(request, "clinic/calendar_pages/calendar.html", context)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def move(request: HttpRequest, booking: UUID) -> HttpResponse:
    """Show the form, or move the booking. The answer is a page, or JSON if the request does not accept HTML.

    The URL may have the query of the calendar page on which the user was. The answer leads back there.
    """
    row = get_object_or_404(Booking, pk=booking)
    span_before = Span(row.starts_at, row.ends_at)
    if request.method != "POST":
        if row.pk not in movable_bookings([row], request_user(request)):
            messages.error(request, _("This cannot be moved from here."))
            return redirect(_calendar_url(request.GET))
        return _move_page(request, row, MoveForm(initial=MoveForm.data_for(span_before, row)))
    form = MoveForm(request.POST)
    status = _try_move(request, row, form)
    row.refresh_from_db()
    if request.accepts("text/html"):
        if status != 200:
            return _move_page(request, row, form, status)
        messages.success(request, _moved_message(row))
        request.session[UNDO] = _undo_form(row, span_before)
        return redirect(_calendar_url(request.GET))
    if status == 200:
        return JsonResponse({"said": _moved_message(row), "undo": _undo_form(row, span_before)})
    reasons = " ".join(str(error) for errors in form.errors.values() for error in errors)
    return JsonResponse({"said": reasons, "confirm": form.confirm_token}, status=status)


def _moved_message(row: Booking) -> str:
    return _("Moved to %(hours)s.") % {"hours": span_in_words(Span(row.starts_at, row.ends_at))}


def _undo_form(row: Booking, before: Span) -> dict[str, Any]:
    """Return the URL and the data of the form that moves a booking back."""
    return {"url": reverse("calendar-move", args=[row.pk]), "fields": MoveForm.data_for(before, row)}


def _move_page(request: HttpRequest, row: Booking, form: MoveForm, status: int = 200) -> HttpResponse:
    entries = entries_of(Span(row.starts_at, row.ends_at), {}, request_user(request))
    context = {
        "form": form,
        "entry": next((one for one in entries if one.booking.pk == row.pk), None),
        "hours": span_in_words(Span(row.starts_at, row.ends_at)),
        "back": _calendar_url(request.GET),
    }
    return render(request, "clinic/calendar_pages/move.html", context, status=status)


def _try_move(request: HttpRequest, row: Booking, form: MoveForm) -> int:
    """Move the booking as the form says. Return 200, 422 if a field is invalid, or 409 if it is refused.

    The form then has the reasons as errors. If the page was stale, the form expects the present time instead.
    """
    if not form.is_valid():
        return 422
    data = form.cleaned_data
    if (data["begins_at"], data["ends_at"]) == (row.starts_at, row.ends_at):
        form.add_error(None, _("It is at this time already."))
        return 409
    wanted = Move(
        data["begins_at"], data["ends_at"], data["expected_start"], data["expected_end"], data["confirmed"]
    )
    try:
        move_booking(row, wanted, by=request_user(request))
    except PermissionError as error:
        raise PermissionDenied from error
    except MoveRefused as refusal:
        for sentence in refusal.sentences:
            form.add_error(None, sentence)
        form.confirm_token = refusal.confirm_token
        if refusal.stale:
            row.refresh_from_db()
            current = MoveForm.data_for(Span(row.starts_at, row.ends_at), row)
            form.data = {
                **form.data.dict(),  # type: ignore[attr-defined]
                **{name: current[name] for name in ("expected_start", "expected_end")},
            }
        return 409
    return 200


@require_safe
@never_cache
def day_sheet(request: HttpRequest) -> HttpResponse:
    """Show the sheet of a day, to be printed."""
    day = day_or_today(request.GET.get("date", ""))
    context = {
        "day": day,
        "sheet": sheet_of(day, request_user(request)),
        "before": (day - DAY).isoformat(),
        "after": (day + DAY).isoformat(),
    }
    return render(request, "clinic/calendar_pages/sheet.html", context)
