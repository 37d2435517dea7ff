"""The printed sheet of one day: by room and by person, with file numbers and no names of patients."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, time

from django.utils import timezone
from django.utils.translation import gettext as _

from clinic.accounts.models import User
from clinic.availability.timetables import holder_of
from clinic.calendar.board import Span, at_clock
from clinic.calendar.models import PLACES
from clinic.calendar.moving import file_numbers
from clinic.calendar_pages.entries import Entry, entries_of
from clinic.calendar_pages.ranges import DAY


@dataclass(frozen=True)
class Line:
    """One booking on the sheet. file_number: "" if the viewer may not know it.

    others: for a place the people of the booking, for a person its places.
    """

    entry: Entry
    file_number: str
    others: str

    @property
    def hours(self) -> str:
        """Its hours without days, although it may begin on the day before."""
        start, end = self.entry.booking.starts_at, self.entry.booking.ends_at
        return f"{timezone.localtime(start):%H:%M}–{timezone.localtime(end):%H:%M}"

    @property
    def state(self) -> str:
        """The state of the entry; for one that has not begun, "held" or "booked"."""
        return self.entry.state or (_("held") if self.entry.label.held else _("booked"))


@dataclass
class Part:
    """The bookings of one room, kit or person."""

    title: str
    is_place: bool
    lines: list[Line] = field(default_factory=list)


@dataclass(frozen=True)
class Sheet:
    """The sheet of one day."""

    places: Sequence[Part]
    people: Sequence[Part]


def sheet_of(day: date, viewer: User) -> Sheet:
    """Return the sheet of the bookings that overlap `day`, from midnight to midnight."""
    entries = entries_of(Span(at_clock(day, time(0)), at_clock(day + DAY, time(0))), {}, viewer)
    numbers = file_numbers([entry.booking for entry in entries], viewer)
    parts: dict[object, Part] = {}
    for entry in entries:
        file_number = numbers.get(entry.booking.pk, "")
        by_holder = {holder_of(resource): resource for resource in [*entry.places, *entry.people]}
        for holder, resource in by_holder.items():
            is_place = resource.kind in PLACES
            name = resource.user.name if resource.user else resource.label
            others = entry.people_names if is_place else entry.place_names
            part = parts.setdefault(holder, Part(name, is_place))
            part.lines.append(Line(entry, file_number, others))
    found = sorted(parts.values(), key=lambda part: part.title.casefold())
    return Sheet([part for part in found if part.is_place], [part for part in found if not part.is_place])
