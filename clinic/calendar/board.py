"""The day board: day and night on one scale, what runs now, and what is missing before anyone sleeps.

This room knows bookings and who is in them. Whose night it is, how it goes and what it still lacks is told
by higher rooms, which register what they know (`register_lane`).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from uuid import UUID

from django.db.models import Prefetch
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.functional import Promise
from django.utils.translation import gettext as _

from clinic.accounts.models import User
from clinic.calendar.models import QUARTER, Booking, Resource

MORNING, EVENING = time(8), time(20)
# Beyond these a clock of the clinic has no meaning, and dates next to the calendar's ends overflow.
FIRST, LAST = date(1970, 1, 2), date(2199, 12, 30)
PLACES = (Resource.Kind.ROOM, Resource.Kind.HOME_KIT)


@dataclass(frozen=True)
class Span:
    """A stretch of time, from `start` (aware) up to and without `end`."""

    start: datetime
    end: datetime

    @property
    def quarters(self) -> int:
        """How many quarters of an hour really pass in it: 44 or 52 in a night that changes the clock."""
        return int((self.end - self.start) / QUARTER)

    def holds(self, moment: datetime) -> bool:
        return self.start <= moment < self.end


@dataclass(frozen=True)
class BookingLabel:
    """What a higher room says about one booking. `who` and `url` stay empty for whom it is none of."""

    who: str = ""
    what: str | Promise = ""
    url: str = ""
    held: bool = False
    alarm: bool = False


@dataclass(frozen=True)
class Progress:
    """One night as it goes: its state in a word (`mark`, `kind` as in components/state.html) and its map.

    `template` draws `drawing` (as `map`). The wall shows `initials` and never `name`.
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
    """Something to see to: whose it is, and where (`url`) it is done. `late`: before tonight."""

    who: str
    text: str | Promise
    url: str = ""
    late: bool = False


@dataclass(frozen=True)
class Lane:
    """What one higher room knows: each is asked once per page, however many bookings there are."""

    describe_bookings: Callable[[Sequence[Booking], User], Mapping[UUID, BookingLabel]] | None = None
    progress: Callable[[Span, User, bool], Sequence[Progress]] | None = None
    needs: Callable[[Span, User], Sequence[Need]] | None = None


_lanes: dict[str, Lane] = {}


def register_lane(name: str, lane: Lane) -> None:
    """Let a higher room speak on the board. Call it from AppConfig.ready; the same name replaces."""
    _lanes[name] = lane


@dataclass(frozen=True)
class Bar:
    """A booking on its row: `at` and `span` in quarters from the block's beginning.

    `again`: it began in the block before, where it stands already. A scale shows it go on; a list, as on a
    telephone, would name it twice.
    """

    booking: Booking
    told: BookingLabel
    kind: str
    at: int
    span: int
    again: bool = False

    @property
    def until(self) -> str:
        """The hour at which it ends."""
        return date_format(timezone.localtime(self.booking.ends_at), "H:i")

    @property
    def hours(self) -> str:
        start, end = timezone.localtime(self.booking.starts_at), timezone.localtime(self.booking.ends_at)
        return _("%(start)s to %(end)s") % {
            "start": date_format(start, "H:i"),
            "end": date_format(end, "H:i" if start.date() == end.date() else "MONTH_DAY_TIME_FORMAT"),
        }


@dataclass
class Row:
    """One resource with what holds it."""

    resource: Resource
    bars: list[Bar] = field(default_factory=list)

    @property
    def people(self) -> str:
        """Who is booked into it here, once each, in the order of their hours."""
        names: dict[str, None] = {}
        for bar in self.bars:
            for resource in bar.booking.resources.all():
                if resource.user and resource != self.resource:
                    names[resource.user.short_name] = None
        return ", ".join(names)


@dataclass(frozen=True)
class Block:
    """A day or a night of the board."""

    key: str
    title: str
    span: Span
    rows: list[Row]
    now: datetime
    # Hours that somebody is choosing, in quarters from the beginning: where, and how many.
    chosen: tuple[int, int] | None = None

    @property
    def hours(self) -> list[str]:
        """The hours on the scale, as the clinic's clocks show them: 01 stands twice when they go back."""
        at, out = self.span.start.astimezone(UTC), []
        while at < self.span.end:
            out.append(date_format(timezone.localtime(at), "H"))
            at += timedelta(hours=1)
        return out

    @property
    def now_at(self) -> int | None:
        return int((self.now - self.span.start) / QUARTER) if self.span.holds(self.now) else None


@dataclass(frozen=True)
class Board:
    """One day with everything on it."""

    day: date
    now: datetime
    blocks: list[Block]
    progress: list[Progress]
    needs: list[Need]

    @property
    def is_today(self) -> bool:
        return self.day == timezone.localdate(self.now)


def asked_day(text: str) -> date:
    """The day in `text` (ISO), or today's where it is none."""
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return timezone.localdate()
    return day if FIRST <= day <= LAST else timezone.localdate()


def at_clock(day: date, clock: time) -> datetime:
    """The moment a clock of the clinic shows `clock` on `day`; the first of two when it shows it twice."""
    # In UTC: Python subtracts two times of one zone as if their clock had never changed.
    return datetime.combine(day, clock, tzinfo=timezone.get_default_timezone()).astimezone(UTC)


def _spans(day: date) -> dict[str, Span]:
    before, after = day - timedelta(days=1), day + timedelta(days=1)
    morning, evening = at_clock(day, MORNING), at_clock(day, EVENING)
    return {
        "before": Span(at_clock(before, EVENING), morning),
        "day": Span(morning, evening),
        "night": Span(evening, at_clock(after, MORNING)),
    }


def bookings_in(span: Span) -> list[Booking]:
    """What is booked in `span`, with its resources, in the order of time."""
    rows = Booking.objects.filter(canceled_at__isnull=True, starts_at__lt=span.end, ends_at__gt=span.start)
    people = Prefetch("resources", Resource.objects.select_related("user").order_by("kind", "label"))
    return list(rows.order_by("starts_at", "pk").prefetch_related(people))


def describe_bookings(bookings: Sequence[Booking], viewer: User) -> dict[UUID, BookingLabel]:
    """Ask every lane what the bookings are, for this viewer."""
    said: dict[UUID, BookingLabel] = {}
    for lane in _lanes.values():
        if lane.describe_bookings:
            said.update(lane.describe_bookings(bookings, viewer))
    return said


def _quarters_in(span: Span, starts_at: datetime, ends_at: datetime) -> tuple[int, int]:
    """Where a stretch lies on the scale of `span`, and for how many quarters, begun ones counted whole."""
    at = int((max(starts_at, span.start) - span.start) / QUARTER)
    until = -((span.start - min(ends_at, span.end)) // QUARTER)
    return at, max(1, until - at)


def _bar(booking: Booking, told: BookingLabel, span: Span, *, first: bool) -> Bar:
    kind = {Booking.Kind.MAPPING: "mapping", Booking.Kind.ERASURE: "night"}.get(
        Booking.Kind(booking.kind), ""
    )
    return Bar(
        booking,
        told,
        "held" if told.held else kind,
        *_quarters_in(span, booking.starts_at, booking.ends_at),
        again=not first and booking.starts_at < span.start,
    )


def _default(booking: Booking) -> BookingLabel:
    return BookingLabel(what=booking.get_kind_display().capitalize())


def rows_of(
    bookings: Sequence[Booking],
    said: Mapping[UUID, BookingLabel],
    span: Span,
    always: Sequence[Resource] = (),
    *,
    first: bool = False,
) -> list[Row]:
    """One row per place with what is booked there in `span`; per person for what has no place.

    `always`: resources that get a row though nothing is booked in them. `first`: no block stands before.
    """
    rows = {resource.pk: Row(resource) for resource in always}
    for booking in bookings:
        if booking.starts_at >= span.end or booking.ends_at <= span.start:
            continue
        held = list(booking.resources.all())
        bar = _bar(booking, said.get(booking.pk) or _default(booking), span, first=first)
        for resource in [one for one in held if one.kind in PLACES] or held:
            rows.setdefault(resource.pk, Row(resource)).bars.append(bar)
    order = [Resource.Kind.ROOM, Resource.Kind.HOME_KIT, Resource.Kind.DOCTOR, Resource.Kind.TECHNICIAN]
    return sorted(
        rows.values(), key=lambda row: (order.index(Resource.Kind(row.resource.kind)), row.resource.label)
    )


def blocks_of(day: date, viewer: User, now: datetime) -> list[Block]:
    """Day and night of `day`, and before them what is left of the night that began the evening before."""
    spans = _spans(day)
    bookings = bookings_in(Span(spans["before"].start, spans["night"].end))
    said = describe_bookings(bookings, viewer)
    places = list(Resource.objects.filter(in_use=True, kind__in=PLACES).order_by("label"))
    midnight = at_clock(day, time(0))
    early = [one for one in bookings if one.starts_at < spans["before"].end and one.ends_at > midnight]
    rooms = [place for place in places if place.kind == Resource.Kind.ROOM]
    kits = [place for place in places if place.kind == Resource.Kind.HOME_KIT]
    return [
        *(
            [
                Block(
                    "before",
                    _("Last night"),
                    spans["before"],
                    rows_of(early, said, spans["before"], first=True),
                    now,
                )
            ]
            if early
            else []
        ),
        Block("day", _("Day"), spans["day"], rows_of(bookings, said, spans["day"], rooms), now),
        Block("night", _("Night"), spans["night"], rows_of(bookings, said, spans["night"], kits), now),
    ]


def taken(day: date, resources: Sequence[Resource], viewer: User, chosen: Span | None = None) -> list[Block]:
    """Day and night of `day` with a row for each of `resources`, and the hours somebody is choosing."""
    spans = _spans(day)
    wanted = {resource.pk for resource in resources}
    bookings = bookings_in(Span(spans["day"].start, spans["night"].end))
    said = describe_bookings(bookings, viewer)
    blocks = []
    for key, title in {"day": _("Day"), "night": _("Night")}.items():
        span = spans[key]
        rows = {resource.pk: Row(resource) for resource in resources}
        for booking in bookings:
            if booking.starts_at < span.end and booking.ends_at > span.start:
                for pk in wanted & {resource.pk for resource in booking.resources.all()}:
                    told = said.get(booking.pk) or _default(booking)
                    rows[pk].bars.append(_bar(booking, told, span, first=key == "day"))
        meets = chosen and chosen.start < span.end and chosen.end > span.start
        place = _quarters_in(span, chosen.start, chosen.end) if chosen and meets else None
        blocks.append(Block(key, title, span, list(rows.values()), timezone.now(), place))
    return blocks


def board_of(day: date, viewer: User, *, now: datetime | None = None, wall: bool = False) -> Board:
    """Return the board of one day as `viewer` may see it; `wall`: with large maps and no blocks."""
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
