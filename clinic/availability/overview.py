"""What the pages on hours show: weeks, absences, bookings outside the hours, and who changed what."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from uuid import UUID

from django.utils import timezone
from django.utils.dateparse import parse_date
from django.utils.formats import date_format
from django.utils.functional import Promise
from django.utils.translation import gettext as _

from clinic.accounts.models import User
from clinic.audit.actions import ACTIONS
from clinic.audit.models import Entry
from clinic.availability.changes import DAY_KEYS, limits_of, week_on, weekly_hours_of
from clinic.availability.forms import spans_text, whole_days_of
from clinic.availability.models import WEEKDAYS, AvailabilityException, NightLimits, WorkingHours
from clinic.availability.offers import DAYS_AHEAD
from clinic.availability.timetables import Grid, exceptions_in, holder_of, load_timetables
from clinic.calendar.board import BookingLabel, describe_bookings
from clinic.calendar.bookings import with_other_roles
from clinic.calendar.durations import format_moment
from clinic.calendar.models import Booking, Resource
from clinic.seasons.models import Season, SeasonAgreement
from clinic.seasons.rules import seasons_between
from clinic.seasons.words import season_days, season_hours

MAX_CHANGES = 30  # changes that a page lists
MAX_OUTSIDE = 40  # bookings outside the hours that a page lists


@dataclass(frozen=True)
class ExceptionLine:
    """One absence, closing or added span on a page. words: when it is, as text."""

    row: AvailabilityException
    words: str


@dataclass(frozen=True)
class Period:
    """Weekly hours that are valid from one day to another. days: weekday and hours, as text. None: no end."""

    valid_from: date
    valid_until: date | None
    days: list[tuple[str | Promise, str]]


@dataclass(frozen=True)
class BookingOutsideHours:
    """A booking that does not lie within the hours as they are now."""

    when: str
    label: BookingLabel


@dataclass(frozen=True)
class Change:
    """One change, from the audit log. lines: the values before and after, as text."""

    when: str
    who: str
    what: str | Promise
    lines: list[str]
    why: str


@dataclass
class ResourceLine:
    """One person, room or kit in the list. today: its hours today. exceptions: those that are not over."""

    resource: Resource
    roles: list[str] = field(default_factory=list)
    has_hours: bool = False
    today: str = ""
    exceptions: list[ExceptionLine] = field(default_factory=list)


def exception_in_words(row: AvailabilityException) -> str:
    """Return when an exception is, as text: days, or days with hours."""
    days = whole_days_of(row.starts_at, row.ends_at)
    if days is None:
        return _("%(start)s to %(end)s") % {
            "start": format_moment(row.starts_at),
            "end": format_moment(row.ends_at),
        }
    first, last = (date_format(day, "DATE_FORMAT") for day in days)
    return first if first == last else _("%(start)s to %(end)s") % {"start": first, "end": last}


def coming_exceptions(resources: Sequence[Resource] | None) -> list[ExceptionLine]:
    """Return the exceptions of `resources` (None: of the clinic) that are not over, in the order of time."""
    rows = AvailabilityException.objects.filter(ended_at=None, ends_at__gt=timezone.now())
    rows = rows.select_related("made_by").order_by("starts_at", "pk")
    rows = rows.filter(resource=None) if resources is None else rows.filter(resource__in=resources)
    return [ExceptionLine(row, exception_in_words(row)) for row in rows]


def resource_lines() -> list[ResourceLine]:
    """Return all people, rooms and kits in use, each person once: people first, by name."""
    resources = list(Resource.objects.filter(in_use=True).select_related("user").by_name())
    by_holder: dict[UUID, ResourceLine] = {}
    for resource in sorted(resources, key=lambda one: one.user_id is None):
        line = by_holder.setdefault(holder_of(resource), ResourceLine(resource))
        line.roles.append(resource.get_kind_display())
    line_of = {one.pk: by_holder[holder_of(one)] for one in resources}
    today = timezone.localdate()
    hours: dict[UUID, list[WorkingHours]] = {}
    for row in WorkingHours.objects.filter(resource__in=line_of):
        line = line_of[row.resource_id]
        line.has_hours = True
        hours.setdefault(holder_of(line.resource), []).append(row)
    for holder, rows in hours.items():
        by_holder[holder].today = spans_text(week_on(rows, today)[today.weekday()])
    for exception in coming_exceptions(resources):
        if exception.row.resource_id:
            line_of[exception.row.resource_id].exceptions.append(exception)
    return list(by_holder.values())


def periods_of(resource: Resource) -> list[Period]:
    """Return the weekly hours of a person, room or kit, one period after another, the newest first."""
    rows = weekly_hours_of(resource)
    days = sorted({row.valid_from for row in rows})
    periods = []
    for number, first in enumerate(days):
        week = week_on(rows, first)
        ends = {row.valid_until for day in week.values() for row in day}
        last = min((day for day in ends if day), default=None)
        if last is None and number + 1 < len(days):
            last = days[number + 1] - timedelta(days=1)
        periods.append(
            Period(
                first,
                last,
                [(WEEKDAYS[day], spans_text(week[day])) for day in range(7)],
            )
        )
    return periods[::-1]


def newest_week(resource: Resource) -> tuple[date, dict[int, list[WorkingHours]]]:
    """Return the newest weekly hours, and before them the day from which they are valid: today or later."""
    rows = weekly_hours_of(resource)
    newest = max([row.valid_from for row in rows], default=timezone.localdate())
    day = max(newest, timezone.localdate())
    return day, week_on(rows, day)


def bookings_outside_hours(resource: Resource, viewer: User) -> list[BookingOutsideHours]:
    """Return the coming bookings of a person, room or kit that lie outside its hours or in an absence."""
    now = timezone.now()
    grid = Grid.around(now, now + timedelta(days=DAYS_AHEAD), timedelta())
    table = load_timetables([resource], grid)[resource.pk]
    hours = table.open_bits()
    bookings = [
        booking
        for booking in Booking.objects.in_force()
        .filter(
            resources__in=with_other_roles([resource]),
            starts_at__gt=now - timedelta(days=1),
            starts_at__lt=grid.end,
            ends_at__gt=now,
        )
        .prefetch_related("resources")
        .order_by("starts_at")
        .distinct()
        if booking.occupied_until > now
        and grid.touched(max(now, booking.starts_at), booking.occupied_until) & ~hours
    ]
    return _for_page(bookings[:MAX_OUTSIDE], viewer)


def bookings_in_closings(viewer: User) -> list[BookingOutsideHours]:
    """Return the coming bookings that overlap a closing of the clinic."""
    now = timezone.now()
    bookings: dict[UUID, Booking] = {}
    for row in exceptions_in(now, now + timedelta(days=DAYS_AHEAD)).filter(resource=None)[:MAX_OUTSIDE]:
        rows = Booking.objects.in_force().filter(
            starts_at__gt=max(now, row.starts_at) - timedelta(days=1),
            starts_at__lt=row.ends_at,
            ends_at__gt=max(now, row.starts_at),
            released_at=None,
        )
        bookings |= {
            one.pk: one for one in rows.prefetch_related("resources").order_by("starts_at")[:MAX_OUTSIDE]
        }
    return _for_page(list(bookings.values())[:MAX_OUTSIDE], viewer)


def _for_page(bookings: Sequence[Booking], viewer: User) -> list[BookingOutsideHours]:
    labels = describe_bookings(bookings, viewer)
    return [
        BookingOutsideHours(
            _("%(start)s to %(end)s")
            % {"start": format_moment(one.starts_at), "end": format_moment(one.ends_at)},
            labels.get(one.pk) or BookingLabel(what=one.get_kind_display().capitalize()),
        )
        for one in bookings
    ]


def hours_history(resource: Resource | None) -> list[Change]:
    """Return the last changes to a resource's hours (None: the clinic's closings), the newest first."""
    entries = Entry.objects.filter(action__startswith="hours.").order_by("-index")
    if resource is None:
        entries = entries.filter(subject__startswith="closure:")
    else:
        subjects = [f"resource:{one.pk}" for one in with_other_roles([resource])]
        entries = entries.filter(subject__in=subjects)
    newest = list(entries[:MAX_CHANGES])
    ids = {entry.actor.removeprefix("user:") for entry in newest if entry.actor.startswith("user:")}
    names = {str(pk): name for pk, name in User.objects.filter(pk__in=ids).values_list("pk", "name")}
    return [
        Change(
            format_moment(entry.at),
            names.get(entry.actor.removeprefix("user:"), ""),
            ACTIONS[entry.action].words,
            _change_lines(entry),
            entry.reason,
        )
        for entry in newest
    ]


def _change_lines(entry: Entry) -> list[str]:
    """Return the values before and after a change of hours or limits, as text; [] for any other entry."""
    details = entry.details
    if entry.action == "hours.limits":
        texts = {"nights": _("Nights a week"), "rest": _("Hours of rest after a night")}
        return [
            _("%(what)s: %(before)s, now %(after)s")
            % {"what": what, "before": details[f"{name}_before"] or "–", "after": details[name] or "–"}
            for name, what in texts.items()
            if details[f"{name}_before"] != details[name]
        ]
    if entry.action != "hours.changed":
        return []
    lines = [
        _("%(what)s: %(before)s, now %(after)s")
        % {
            "what": WEEKDAYS[weekday],
            "before": _spans_in_words(str(details[f"{key}_before"])),
            "after": _spans_in_words(str(details[key])),
        }
        for weekday, key in enumerate(DAY_KEYS)
        if key in details
    ]
    day = parse_date(str(details["valid"]))
    return [*lines, _("from %(day)s on") % {"day": date_format(day, "DATE_FORMAT")}] if day else lines


def _spans_in_words(text: str) -> str:
    """Return the hours of a day as a page shows them. text: as `_audit_text` in changes.py makes it."""
    if text == "none":
        return "–"
    spans = [span.split("-") for span in text.split(".")]
    return ", ".join(f"{start[:2]}:{start[2:]}–{end[:2]}:{end[2:]}" for start, end in spans)


def resource_context(resource: Resource, viewer: User) -> dict[str, object]:
    """Return the template context for the page of one person, room or kit, without its forms."""
    limits: NightLimits | None = limits_of(resource)
    return {
        "resource": resource,
        "periods": periods_of(resource),
        "exceptions": coming_exceptions(with_other_roles([resource])),
        "closures": coming_exceptions(None),
        "outside": bookings_outside_hours(resource, viewer),
        "limits": limits,
        "seasons": season_hours_for(resource),
    }


@dataclass(frozen=True)
class SeasonHours:
    """A season's extra hours, for one person, room or kit.

    agreed: it can be booked in them. agreed_before: it agreed to earlier hours, not to these.
    """

    season: Season
    days: str
    hours: str
    agreed: bool
    agreed_before: bool


def season_hours_for(resource: Resource) -> list[SeasonHours]:
    """Return the seasons with extra hours that are not over, and whether this resource has agreed to them."""
    today = timezone.localdate()
    seasons = [one for one in seasons_between(today, date.max) if one.extra_days]
    rows = SeasonAgreement.objects.filter(
        season__in=seasons, resource__in=with_other_roles([resource]), ended_at=None
    )
    versions: dict[UUID, set[int]] = {}
    for season, version in rows.values_list("season", "hours_version"):
        versions.setdefault(season, set()).add(version)
    return [
        SeasonHours(
            one,
            season_days(one),
            season_hours(one),
            one.hours_version in versions.get(one.pk, ()),
            one.pk in versions and one.hours_version not in versions[one.pk],
        )
        for one in seasons
    ]
