"""The day board: the bookings of a day and its night, the runs in progress, and what is still to be done.

The clinic app knows only the bookings and their resources. The apps above it know whose bookings they are,
how the runs progress and what is missing. They provide it through a `Lane` (`register_lane`).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from uuid import UUID

from django.db.models import F, Prefetch
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.functional import Promise
from django.utils.translation import gettext as _

from clinic.accounts.models import User
from clinic.calendar.models import QUARTER, Booking, Resource

MORNING, EVENING = time(8), time(20)
# The range of dates that the board accepts. Dates near the ends of Python's calendar would overflow.
FIRST, LAST = date(1970, 1, 2), date(2199, 12, 30)
PLACES = (Resource.Kind.ROOM, Resource.Kind.HOME_KIT)


@dataclass(frozen=True)
class Span:
    """A time span from `start` to `end` (aware); `end` is not part of it."""

    start: datetime
    end: datetime

    @property
    def quarters(self) -> int:
        """The number of quarters of an hour in it: 44 or 52 in a night in which the clocks change."""
        return int((self.end - self.start) / QUARTER)

    def contains(self, moment: datetime) -> bool:
        """Return whether `moment` lies in the span."""
        return self.start <= moment < self.end


@dataclass(frozen=True)
class BookingLabel:
    """What an app above says about one booking, for one viewer.

    who, url: empty if the viewer may not know whose booking it is. held: the consent does not let it start.
    """

    who: str = ""
    what: str | Promise = ""
    url: str = ""
    held: bool = False
    alarm: bool = False


@dataclass(frozen=True)
class Progress:
    """One run that is in progress, has ended or (on the wall) is booked, with its state and map.

    mark, kind: of the state, as in components/state.html. template: draws `drawing`, which it gets as `map`.
    The wall shows `initials`, never `name`. open: the run has begun and has not ended.
    """

    name: str
    initials: str
    state: str | Promise
    text: str | Promise
    mark: str = ""
    kind: str = ""
    url: str = ""
    alarm: bool = False
    open: bool = True
    drawing: object = None
    template: str = ""


@dataclass(frozen=True)
class Need:
    """Something that staff must do. who: the patient. url: the page to do it. late: due before tonight."""

    who: str
    text: str | Promise
    url: str = ""
    late: bool = False


@dataclass(frozen=True)
class Lane:
    """The functions with which an app above fills the board. Each is called once per page."""

    describe_bookings: Callable[[Sequence[Booking], User], Mapping[UUID, BookingLabel]] | None = None
    progress: Callable[[Span, User, bool], Sequence[Progress]] | None = None
    needs: Callable[[Span, User], Sequence[Need]] | None = None


_lanes: dict[str, Lane] = {}


def register_lane(name: str, lane: Lane) -> None:
    """Register the lane of an app. Call it from AppConfig.ready. A lane of the same name is replaced."""
    _lanes[name] = lane


@dataclass(frozen=True)
class Bar:
    """A booking on the row of one resource.

    at: its start in quarters of an hour from the start of the block. span: its length in quarters. again: it
    began in the previous block of the board and is shown there too. The scale shows that it continues; the
    list for narrow screens leaves it out here.
    """

    booking: Booking
    label: BookingLabel
    kind: str
    at: int
    span: int
    again: bool = False

    @property
    def until(self) -> str:
        """The time at which it ends, as text."""
        return date_format(timezone.localtime(self.booking.until), "H:i")

    @property
    def hours(self) -> str:
        """Its start and end, as text."""
        start, end = timezone.localtime(self.booking.starts_at), timezone.localtime(self.booking.until)
        return _("%(start)s to %(end)s") % {
            "start": date_format(start, "H:i"),
            "end": date_format(end, "H:i" if start.date() == end.date() else "MONTH_DAY_TIME_FORMAT"),
        }


@dataclass
class Row:
    """One resource with its bookings."""

    resource: Resource
    bars: list[Bar] = field(default_factory=list)

    @property
    def people(self) -> str:
        """The short names of the staff booked together with this resource, each once, in order of time."""
        names: dict[str, None] = {}
        for bar in self.bars:
            for resource in bar.booking.resources.all():
                if resource.user and resource != self.resource:
                    names[resource.user.short_name] = None
        return ", ".join(names)


@dataclass(frozen=True)
class Block:
    """A day (08:00 to 20:00) or a night of the board, with a row for each resource."""

    key: str
    title: str
    span: Span
    rows: list[Row]
    now: datetime
    # The time span that a user is choosing for a booking: start and length in quarters from the block's
    # start.
    chosen: tuple[int, int] | None = None

    @property
    def hours(self) -> list[str]:
        """The hours of the scale in local time. When the clocks go back, 01 appears twice."""
        at, out = self.span.start.astimezone(UTC), []
        while at < self.span.end:
            out.append(date_format(timezone.localtime(at), "H"))
            at += timedelta(hours=1)
        return out

    @property
    def now_at(self) -> int | None:
        """The present time in quarters from the block's start; None if it is not in the block."""
        return int((self.now - self.span.start) / QUARTER) if self.span.contains(self.now) else None


@dataclass(frozen=True)
class Board:
    """All that the board shows for one day."""

    day: date
    now: datetime
    blocks: list[Block]
    progress: list[Progress]
    needs: list[Need]

    @property
    def under_way(self) -> list[Progress]:
        """The runs that have begun and have not ended."""
        return [night for night in self.progress if night.open]

    @property
    def ended(self) -> list[Progress]:
        """The runs that ended on this day or in its night."""
        return [night for night in self.progress if not night.open]

    @property
    def is_today(self) -> bool:
        return self.day == timezone.localdate(self.now)


def asked_day(text: str) -> date:
    """Return the date in `text` (ISO), or today if it is not a date between FIRST and LAST."""
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return timezone.localdate()
    return day if FIRST <= day <= LAST else timezone.localdate()


def at_clock(day: date, clock: time) -> datetime:
    """Return the moment (UTC) when local time is `clock` on `day`; the first, if it is so twice."""
    # In UTC, because Python ignores clock changes when it subtracts two times of the same zone.
    return datetime.combine(day, clock, tzinfo=timezone.get_default_timezone()).astimezone(UTC)


def _spans(day: date) -> dict[str, Span]:
    """Return the spans of the previous night ("before"), the day and the night of `day`."""
    before, after = day - timedelta(days=1), day + timedelta(days=1)
    morning, evening = at_clock(day, MORNING), at_clock(day, EVENING)
    return {
        "before": Span(at_clock(before, EVENING), morning),
        "day": Span(morning, evening),
        "night": Span(evening, at_clock(after, MORNING)),
    }


def bookings_in(span: Span) -> list[Booking]:
    """Return the bookings in `span` with their resources, in order of time."""
    rows = Booking.objects.filter(canceled_at__isnull=True, starts_at__lt=span.end, ends_at__gt=span.start)
    # One that was released before its start took no time at all.
    rows = rows.exclude(released_at__lte=F("starts_at")).exclude(released_at__lte=span.start)
    people = Prefetch("resources", Resource.objects.select_related("user").order_by("kind", "label"))
    return list(rows.order_by("starts_at", "pk").prefetch_related(people))


def describe_bookings(bookings: Sequence[Booking], viewer: User) -> dict[UUID, BookingLabel]:
    """Return the labels that all lanes give to these bookings for this viewer, by booking id."""
    labels: dict[UUID, BookingLabel] = {}
    for lane in _lanes.values():
        if lane.describe_bookings:
            labels.update(lane.describe_bookings(bookings, viewer))
    return labels


def _quarters_in(span: Span, starts_at: datetime, ends_at: datetime) -> tuple[int, int]:
    """Return start (from that of `span`) and length in quarters.

    A quarter that has begun counts as a whole.
    """
    at = int((max(starts_at, span.start) - span.start) / QUARTER)
    until = -((span.start - min(ends_at, span.end)) // QUARTER)
    return at, max(1, until - at)


def _bar(booking: Booking, label: BookingLabel, span: Span, *, first: bool) -> Bar:
    kind = {Booking.Kind.MAPPING: "mapping", Booking.Kind.ERASURE: "night"}.get(
        Booking.Kind(booking.kind), ""
    )
    return Bar(
        booking,
        label,
        "held" if label.held else kind,
        *_quarters_in(span, booking.starts_at, booking.until),
        again=not first and booking.starts_at < span.start,
    )


def _default_label(booking: Booking) -> BookingLabel:
    return BookingLabel(what=booking.get_kind_display().capitalize())


def rows_of(
    bookings: Sequence[Booking],
    labels: Mapping[UUID, BookingLabel],
    span: Span,
    always: Sequence[Resource] = (),
    *,
    first: bool = False,
) -> list[Row]:
    """Return rows with the bookings in `span`: of places, and of staff for bookings without a place.

    always: resources that get a row even without bookings. first: this is the first block of the board.
    """
    rows = {resource.pk: Row(resource) for resource in always}
    for booking in bookings:
        if booking.starts_at >= span.end or booking.until <= span.start:
            continue
        resources = list(booking.resources.all())
        bar = _bar(booking, labels.get(booking.pk) or _default_label(booking), span, first=first)
        for resource in [one for one in resources if one.kind in PLACES] or resources:
            rows.setdefault(resource.pk, Row(resource)).bars.append(bar)
    order = [Resource.Kind.ROOM, Resource.Kind.HOME_KIT, Resource.Kind.DOCTOR, Resource.Kind.TECHNICIAN]
    return sorted(
        rows.values(), key=lambda row: (order.index(Resource.Kind(row.resource.kind)), row.resource.label)
    )


def blocks_of(day: date, viewer: User, now: datetime) -> list[Block]:
    """Return day and night of `day`, and before them the previous night if it has bookings after 00:00."""
    spans = _spans(day)
    bookings = bookings_in(Span(spans["before"].start, spans["night"].end))
    labels = describe_bookings(bookings, viewer)
    places = list(Resource.objects.filter(in_use=True, kind__in=PLACES).order_by("label"))
    midnight = at_clock(day, time(0))
    early = [one for one in bookings if one.starts_at < spans["before"].end and one.until > midnight]
    rooms = [place for place in places if place.kind == Resource.Kind.ROOM]
    kits = [place for place in places if place.kind == Resource.Kind.HOME_KIT]
    return [
        *(
            [
                Block(
                    "before",
                    _("Last night"),
                    spans["before"],
                    rows_of(early, labels, spans["before"], first=True),
                    now,
                )
            ]
            if early
            else []
        ),
        Block("day", _("Day"), spans["day"], rows_of(bookings, labels, spans["day"], rooms), now),
        Block("night", _("Night"), spans["night"], rows_of(bookings, labels, spans["night"], kits), now),
    ]


def taken(day: date, resources: Sequence[Resource], viewer: User, chosen: Span | None = None) -> list[Block]:
    """Return day and night of `day` with a row for each of `resources`. chosen: a span to highlight."""
    spans = _spans(day)
    wanted = {resource.pk for resource in resources}
    bookings = bookings_in(Span(spans["day"].start, spans["night"].end))
    labels = describe_bookings(bookings, viewer)
    blocks = []
    for key, title in {"day": _("Day"), "night": _("Night")}.items():
        span = spans[key]
        rows = {resource.pk: Row(resource) for resource in resources}
        for booking in bookings:
            if booking.starts_at < span.end and booking.until > span.start:
                for pk in wanted & {resource.pk for resource in booking.resources.all()}:
                    label = labels.get(booking.pk) or _default_label(booking)
                    rows[pk].bars.append(_bar(booking, label, span, first=key == "day"))
        meets = chosen and chosen.start < span.end and chosen.end > span.start
        place = _quarters_in(span, chosen.start, chosen.end) if chosen and meets else None
        blocks.append(Block(key, title, span, list(rows.values()), timezone.now(), place))
    return blocks


def board_of(day: date, viewer: User, *, now: datetime | None = None, wall: bool = False) -> Board:
    """Return the board of one day for `viewer`. wall: for a public screen, with large maps and no blocks."""
    now = now or timezone.now()
    spans = _spans(day)
    span = Span(at_clock(day, time(0)), spans["night"].end)
    progress = [
        night for lane in _lanes.values() if lane.progress for night in lane.progress(span, viewer, wall)
    ]
    needs = (
        [] if wall else [need for lane in _lanes.values() if lane.needs for need in lane.needs(span, viewer)]
    )
    return Board(
        day=day,
        now=now,
        blocks=[] if wall else blocks_of(day, viewer, now),
        progress=sorted(progress, key=lambda night: (not night.alarm, not night.open)),
        needs=sorted(needs, key=lambda need: not need.late),
    )
