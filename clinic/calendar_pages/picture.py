"""The data from which static/calendar/calendar.js draws the calendar, in local time, with its texts."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from clinic.availability.timetables import holder_of
from clinic.calendar.board import MORNING, Span
from clinic.calendar.models import PLACES, QUARTER, Resource
from clinic.calendar_pages.entries import Entry
from clinic.calendar_pages.forms import MoveForm
from clinic.calendar_pages.ranges import DAY, CalendarView, Range, first_weekday

# The views that the script draws, by the names of the library EventCalendar. The list view needs no script.
LIBRARY_VIEWS = {
    CalendarView.DAY: "timeGridDay",
    CalendarView.WEEK: "timeGridWeek",
    CalendarView.MONTH: "dayGridMonth",
    CalendarView.RESOURCES: "resourceTimelineDay",
}


def _local_time(moment: datetime) -> str:
    """Return a moment as the clinic's local time, in ISO format without a zone: the script knows no zones."""
    return timezone.localtime(moment).strftime("%Y-%m-%dT%H:%M:%S")


def _drawn_end(entry: Entry, shown_range: Range) -> datetime:
    """Return the end of an entry as drawn: when its resources are free, at least a quarter after its start.

    In the month view a night that ends in the next morning is drawn on its first day only.
    """
    booking = entry.booking
    end = max(booking.occupied_until, booking.starts_at + QUARTER)
    local_end = timezone.localtime(end)
    ends_next_morning = local_end.date() == entry.day + DAY and local_end.time() <= MORNING
    if shown_range.view != CalendarView.MONTH or not ends_next_morning:
        return end
    midnight = local_end.replace(hour=0, minute=0, fold=0)
    return midnight - timedelta(minutes=1)


def _event(entry: Entry, shown_range: Range) -> dict[str, Any]:
    booking = entry.booking
    resources = [*entry.people, *entry.places]
    looks = ["look", *([f"look--{entry.look}"] if entry.look else [])]
    move = {}
    if entry.movable:
        move = {
            "move": reverse("calendar-move", args=[booking.pk]),
            "fields": MoveForm.data_for(Span(booking.starts_at, booking.ends_at), booking),
        }
    return {
        "id": str(booking.pk),
        "start": _local_time(booking.starts_at),
        "end": _local_time(_drawn_end(entry, shown_range)),
        "resourceIds": list(dict.fromkeys(str(holder_of(one)) for one in resources)),
        "classNames": looks,
        "editable": entry.movable,
        "extendedProps": {
            "begins": _local_time(booking.starts_at),
            "ends": _local_time(booking.ends_at),
            "hours": entry.hours,
            "who": entry.label.who,
            "what": str(entry.label.what),
            "where": ", ".join(filter(None, [entry.place_names, entry.people_names, entry.state])),
            "url": entry.label.url,
            **move,
        },
    }


def _rows(entries: Sequence[Entry]) -> list[dict[str, str]]:
    """Return the rows of the view by person and room: of all resources in use or booked, each person once."""
    booked = [one for entry in entries for one in [*entry.places, *entry.people]]
    in_use = Resource.objects.filter(in_use=True).select_related("user").by_name()
    language = get_language() or "en"
    rows: dict[str, dict[str, str]] = {}
    for one in sorted([*in_use, *booked], key=lambda one: (one.kind not in PLACES, one.sort_key(language))):
        name = one.user.name if one.user else one.label
        rows.setdefault(str(holder_of(one)), {"id": str(holder_of(one)), "title": name})
    return list(rows.values())


def picture_of(shown_range: Range, entries: Sequence[Entry]) -> dict[str, Any]:
    """Return the data of one page for the script, of types that JSON has."""
    # Two weeks more than are drawn, because a booking may end or be moved there.
    named_days = [*shown_range.days, *(shown_range.end + number * DAY for number in range(14))]
    now = timezone.now()
    return {
        "view": LIBRARY_VIEWS[shown_range.view],
        "date": shown_range.day.isoformat(),
        "today": timezone.localdate(now).isoformat(),
        "firstDay": first_weekday(),
        "locale": get_language() or "en",
        "morning": f"{MORNING:%H:%M}",
        "resources": _rows(entries) if shown_range.view == CalendarView.RESOURCES else [],
        "events": [_event(entry, shown_range) for entry in entries],
        # Days as heads of columns, and days in sentences. The script writes other days as ISO dates.
        "heads": {day.isoformat(): date_format(day, "D j") for day in shown_range.days},
        "days": {day.isoformat(): date_format(day, "MONTH_DAY_FORMAT") for day in named_days},
        "texts": {
            "span": _("%(start)s to %(end)s"),
            "moment": _("%(day)s, %(clock)s"),
            "picked": _(
                "Picked up: %(hours)s. Arrows move it, Shift and arrows move its end. Enter puts it down, "
                "Escape puts it back."
            ),
            "back": _("Put back: %(hours)s."),
            "fixed": _("This cannot be moved from here."),
            "long": _("A booking is shorter than a day."),
            "outside": _("That is not on this page. Use “Move” in the list."),
            "people": _("People and rooms cannot be exchanged here. It was put back."),
            "failed": _("There was no answer, so it was put back. Please try again."),
            "sending": _("Moving to %(hours)s."),
            "undo": _("Undo"),
            "confirm": _("Move it even so: those concerned know about it"),
            "leave": _("Leave it where it is"),
        },
    }
