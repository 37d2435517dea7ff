"""The bookings that the calendar shows, with what the viewer may read of each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from django.db.models import Exists, OuterRef, Prefetch, QuerySet
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.functional import Promise
from django.utils.translation import gettext as _

from clinic.accounts.models import User
from clinic.calendar.board import BookingLabel, Span, describe_bookings
from clinic.calendar.durations import format_end, format_moment
from clinic.calendar.models import PLACES, Booking, Resource
from clinic.calendar.moving import movable_bookings

# A page shows at most this many bookings: a month of a clinic with twenty nights a day.
MAX_ENTRIES = 600
# The form that moves a booking has one day and two clock times. So it moves only shorter bookings.
TOO_LONG_TO_MOVE = timedelta(hours=24)


def span_in_words(span: Span) -> str:
    """Return day and hours of a span as the clinic's clocks show them."""
    return _("%(start)s to %(end)s") % {
        "start": format_moment(span.start),
        "end": format_end(span.start, span.end),
    }


@dataclass(frozen=True)
class Entry:
    """One booking of the calendar, for one viewer.

    look: how it is drawn: "", "mapping", "night" or "held", as on the day board. movable: the viewer may move
    it now.
    """

    booking: Booking
    label: BookingLabel
    look: str
    people: Sequence[Resource]
    places: Sequence[Resource]
    movable: bool
    now: datetime

    @property
    def day(self) -> date:
        return timezone.localtime(self.booking.starts_at).date()

    @property
    def hours(self) -> str:
        """Its hours, with the day of its end if it ends on another day."""
        return _("%(start)s to %(end)s") % {
            "start": date_format(timezone.localtime(self.booking.starts_at), "H:i"),
            "end": format_end(self.booking.starts_at, self.booking.ends_at),
        }

    @property
    def people_names(self) -> str:
        """The names of the people booked. Somebody who is booked in two roles is named once."""
        return ", ".join(dict.fromkeys(one.user.name if one.user else one.label for one in self.people))

    @property
    def place_names(self) -> str:
        return ", ".join(one.label for one in self.places)

    @property
    def state(self) -> str:
        """Its state as a word: on hold, now or over; "" if it has not begun."""
        if self.booking.held_until:
            return _("on hold")
        if self.booking.occupied_until <= self.now:
            return _("over")
        return _("now") if self.booking.starts_at <= self.now else ""

    @property
    def kind(self) -> str | Promise:
        return self.booking.get_kind_display().capitalize()

    @property
    def name(self) -> str:
        """One line with who, what, when, people, places and state."""
        parts = [
            self.label.who,
            self.label.what,
            span_in_words(Span(self.booking.starts_at, self.booking.ends_at)),
        ]
        return ", ".join(
            str(part) for part in [*parts, self.people_names, self.place_names, self.state] if part
        )


def bookings_of(span: Span, chosen: Mapping[str, Any]) -> QuerySet[Booking]:
    """Return the bookings that overlap a span, in order of time. chosen: as from `FilterForm.chosen`.

    The filters are subqueries, so that the database finds the bookings by the index on their start first.
    """
    rows = Booking.objects.in_force().overlapping(span.start, span.end)
    booking_resources = Booking.resources.through.objects.filter(booking=OuterRef("pk"))
    if person := chosen.get("person"):
        rows = rows.filter(Exists(booking_resources.filter(resource__user=person)))
    if place := chosen.get("place"):
        rows = rows.filter(Exists(booking_resources.filter(resource=place)))
    if kind := chosen.get("kind"):
        rows = rows.filter(kind=kind)
    return rows.order_by("starts_at", "pk")


def entries_of(span: Span, chosen: Mapping[str, Any], viewer: User) -> list[Entry]:
    """Return the entries of a span in order of time.

    At most MAX_ENTRIES + 1: the one too many tells the page that there are more.
    """
    people = Prefetch("resources", Resource.objects.select_related("user").by_name("kind"))
    bookings = list(bookings_of(span, chosen).prefetch_related(people)[: MAX_ENTRIES + 1])
    labels, now = describe_bookings(bookings, viewer), timezone.now()
    movable = movable_bookings(bookings, viewer)
    return [_entry(booking, labels.get(booking.pk), booking.pk in movable, now) for booking in bookings]


def _entry(booking: Booking, label: BookingLabel | None, movable: bool, now: datetime) -> Entry:
    label = label or BookingLabel(what=booking.get_kind_display().capitalize())
    looks = {Booking.Kind.MAPPING: "mapping", Booking.Kind.ERASURE: "night"}
    resources = list(booking.resources.all())
    return Entry(
        booking,
        label,
        "held" if label.held else looks.get(Booking.Kind(booking.kind), ""),
        [one for one in resources if one.kind not in PLACES],
        [one for one in resources if one.kind in PLACES],
        movable and booking.ends_at - booking.starts_at < TOO_LONG_TO_MOVE,
        now,
    )


def by_day(entries: Sequence[Entry], first: date) -> list[tuple[date, list[Entry]]]:
    """Return the entries by the day on which they begin. Those that began before `first` count to `first`."""
    days: dict[date, list[Entry]] = {}
    for entry in entries:
        days.setdefault(max(entry.day, first), []).append(entry)
    return sorted(days.items())
