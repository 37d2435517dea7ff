"""The day board: the bookings of a day and its night, the runs in progress, and what is still to be done.

The clinic app knows only the bookings and their resources. The apps above it know whose bookings they are,
how the runs progress and what is missing. They provide it through a `BoardSource` (`register_board_source`).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from uuid import UUID

from django.db.models import F, Prefetch
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.functional import Promise
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from clinic.accounts.models import User
from clinic.calendar.durations import format_end
from clinic.calendar.look_alikes import BoardPatient, mistakable
from clinic.calendar.models import PLACES, QUARTER, Booking, Resource
from clinic.calendar.state_lanes import Card, StateLane, lanes_of, state_by_hours

# Clock times at which the day and the night of the board begin.
MORNING, EVENING = time(8), time(20)
# The range of dates that pages accept. Dates near the ends of Python's calendar would overflow.
FIRST_DAY, LAST_DAY = date(1970, 1, 2), date(2199, 12, 30)


@dataclass(frozen=True)
class Span:
    """A time span from `start` to `end` (aware); `end` is not part of it."""

    start: datetime
    end: datetime

    @property
    def quarters(self) -> int:
        """The number of quarters of an hour in it: of a night 48, or 44 or 52 if the clocks change in it."""
        return int((self.end - self.start) / QUARTER)

    def contains(self, moment: datetime) -> bool:
        """Return whether `moment` lies in the span."""
        return self.start <= moment < self.end


@dataclass(frozen=True)
class BookingLabel:
    """What an app above says about one booking, for one viewer.

    who, url: empty if the viewer may not know whose booking it is. held: drawn as "Held": an appointment that
    is not confirmed yet, or a night that cannot start as things stand. state, since: a value of `State`
    (state_lanes.py) and when it began; "": the board derives the state from the hours. patient: set if the
    viewer may read names.
    """

    who: str = ""
    what: str | Promise = ""
    url: str = ""
    held: bool = False
    alarm: bool = False
    state: str = ""
    since: datetime | None = None
    patient: BoardPatient | None = None


@dataclass(frozen=True)
class Progress:
    """One run that is in progress, has ended or (on the wall) is booked, with its state and map.

    The wall (the board on a public screen) shows `initials`, never `name`. mark, kind: parameters of
    components/state.html. template: draws `drawing`, which it gets as `map`. open: the run has begun and has
    not ended.
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
    patient: BoardPatient | None = None


@dataclass(frozen=True)
class Need:
    """Something that staff must do. who: the patient. url: the page on which it is done.

    late: it is due before tonight, or overdue. tag: the word shown then; empty: "tonight".
    """

    who: str
    text: str | Promise
    url: str = ""
    late: bool = False
    tag: str | Promise = ""
    patient: BoardPatient | None = None


@dataclass(frozen=True)
class Panel:
    """A part of the board with a template of its own, which gets `content` as `panel`."""

    template: str
    content: object


@dataclass(frozen=True)
class BoardSource:
    """The functions with which an app above fills the board. Each is called once per page.

    progress: gets the time shown, the viewer, and whether the page is the wall.
    """

    describe_bookings: Callable[[Sequence[Booking], User], Mapping[UUID, BookingLabel]] | None = None
    progress: Callable[[Span, User, bool], Sequence[Progress]] | None = None
    needs: Callable[[Span, User], Sequence[Need]] | None = None
    panel: Callable[[Span, User], Panel | None] | None = None


_sources: dict[str, BoardSource] = {}


def register_board_source(name: str, source: BoardSource) -> None:
    """Register a source, or replace the one of this name. Call it from AppConfig.ready."""
    _sources[name] = source


@dataclass(frozen=True)
class Bar:
    """A booking on the row of one resource.

    offset: its start in quarters of an hour from the start of the block. length: in quarters. continued: it
    began in the previous block of the board and is shown there too. The scale shows that it goes on; the list
    for narrow screens leaves it out here.
    """

    booking: Booking
    label: BookingLabel
    kind: str
    offset: int
    length: int
    continued: bool = False

    @property
    def until(self) -> str:
        """The time at which it ends, as text."""
        return date_format(timezone.localtime(self.booking.occupied_until), "H:i")

    @property
    def hours(self) -> str:
        """Its start and end, as text."""
        return _("%(start)s to %(end)s") % {
            "start": date_format(timezone.localtime(self.booking.starts_at), "H:i"),
            "end": format_end(self.booking.starts_at, self.booking.occupied_until),
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
    # The time that a user is choosing for a booking: its offset and length, as of a `Bar`.
    chosen: tuple[int, int] | None = None

    @property
    def hours(self) -> list[str]:
        """The hours of the scale in local time. When the clocks go back, 01 appears twice."""
        moment, hours = self.span.start.astimezone(UTC), []
        while moment < self.span.end:
            hours.append(date_format(timezone.localtime(moment), "H"))
            moment += timedelta(hours=1)
        return hours

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
    lanes: list[StateLane] = field(default_factory=list)
    panels: list[Panel] = field(default_factory=list)

    @property
    def under_way(self) -> list[Progress]:
        """The runs that have begun and have not ended."""
        return [one for one in self.progress if one.open]

    @property
    def ended(self) -> list[Progress]:
        """The runs that ended on this day or in its night."""
        return [one for one in self.progress if not one.open]

    @property
    def is_today(self) -> bool:
        return self.day == timezone.localdate(self.now)


def day_or_today(text: str) -> date:
    """Return the date in `text` (ISO), or today if it is not a date from FIRST_DAY to LAST_DAY."""
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return timezone.localdate()
    return day if FIRST_DAY <= day <= LAST_DAY else timezone.localdate()


def at_clock(day: date, clock: time) -> datetime:
    """Return the moment (UTC) at which local time is `clock` on `day`; the first, if there are two."""
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


def bookings_in(span: Span, *, missed: bool = False) -> list[Booking]:
    """Return the bookings in `span` with their resources, in order of time.

    missed: also those of no length, because they were released at their start or before.
    """
    rows = Booking.objects.in_force().overlapping(span.start, span.end)
    if missed:
        rows = rows.exclude(released_at__gt=F("starts_at"), released_at__lte=span.start)
    else:
        rows = rows.exclude(released_at__lte=F("starts_at")).exclude(released_at__lte=span.start)
    people = Prefetch("resources", Resource.objects.select_related("user").by_name("kind"))
    return list(rows.order_by("starts_at", "pk").prefetch_related(people))


def describe_bookings(bookings: Sequence[Booking], viewer: User) -> dict[UUID, BookingLabel]:
    """Return the labels that all sources give to these bookings for this viewer, by booking id."""
    labels: dict[UUID, BookingLabel] = {}
    for source in _sources.values():
        if source.describe_bookings:
            labels.update(source.describe_bookings(bookings, viewer))
    return labels


def _quarters_in(span: Span, starts_at: datetime, ends_at: datetime) -> tuple[int, int]:
    """Return the offset from the start of `span`, and the length of the part inside `span`, in quarters.

    A quarter that has begun counts as a whole.
    """
    offset = int((max(starts_at, span.start) - span.start) / QUARTER)
    end = -((span.start - min(ends_at, span.end)) // QUARTER)  # rounded up
    return offset, max(1, end - offset)


def _bar(booking: Booking, label: BookingLabel, span: Span, *, first_block: bool) -> Bar:
    kind = {Booking.Kind.MAPPING: "mapping", Booking.Kind.ERASURE: "night"}.get(
        Booking.Kind(booking.kind), ""
    )
    return Bar(
        booking,
        label,
        "held" if label.held else kind,
        *_quarters_in(span, booking.starts_at, booking.occupied_until),
        continued=not first_block and booking.starts_at < span.start,
    )


def _default_label(booking: Booking) -> BookingLabel:
    return BookingLabel(what=booking.get_kind_display().capitalize())


def rows_of(
    bookings: Sequence[Booking],
    labels: Mapping[UUID, BookingLabel],
    span: Span,
    always: Sequence[Resource] = (),
    *,
    first_block: bool = False,
) -> list[Row]:
    """Return rows with the bookings in `span`: of places, and of staff for bookings without a place.

    always: resources that get a row even without bookings. first_block: whether this is the first block of
    the board.
    """
    rows = {resource.pk: Row(resource) for resource in always}
    for booking in bookings:
        if booking.starts_at >= span.end or booking.occupied_until <= span.start:
            continue
        resources = list(booking.resources.all())
        bar = _bar(booking, labels.get(booking.pk) or _default_label(booking), span, first_block=first_block)
        places = [one for one in resources if one.kind in PLACES]
        for resource in places or resources:
            rows.setdefault(resource.pk, Row(resource)).bars.append(bar)
    order = [Resource.Kind.ROOM, Resource.Kind.HOME_KIT, Resource.Kind.DOCTOR, Resource.Kind.TECHNICIAN]
    language = get_language() or "en"
    return sorted(
        rows.values(),
        key=lambda row: (order.index(Resource.Kind(row.resource.kind)), row.resource.sort_key(language)),
    )


def blocks_of(day: date, viewer: User, now: datetime) -> list[Block]:
    """Return day and night of `day`, and before them the previous night if it has bookings after 00:00."""
    spans = _spans(day)
    bookings = bookings_in(Span(spans["before"].start, spans["night"].end))
    return _blocks(day, bookings, describe_bookings(bookings, viewer), now)


def _blocks(
    day: date, bookings: Sequence[Booking], labels: Mapping[UUID, BookingLabel], now: datetime
) -> list[Block]:
    spans = _spans(day)
    places = list(Resource.objects.filter(in_use=True, kind__in=PLACES).order_by("label"))
    midnight = at_clock(day, time(0))
    early = [one for one in bookings if one.starts_at < spans["before"].end and one.occupied_until > midnight]
    rooms = [place for place in places if place.kind == Resource.Kind.ROOM]
    kits = [place for place in places if place.kind == Resource.Kind.HOME_KIT]
    blocks = []
    if early:
        rows = rows_of(early, labels, spans["before"], first_block=True)
        blocks.append(Block("before", _("Last night"), spans["before"], rows, now))
    return [
        *blocks,
        Block("day", _("Day"), spans["day"], rows_of(bookings, labels, spans["day"], rooms), now),
        Block("night", _("Night"), spans["night"], rows_of(bookings, labels, spans["night"], kits), now),
    ]


def resource_blocks(
    day: date, resources: Sequence[Resource], viewer: User, chosen: Span | None = None
) -> list[Block]:
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
            if booking.starts_at < span.end and booking.occupied_until > span.start:
                for pk in wanted & {resource.pk for resource in booking.resources.all()}:
                    label = labels.get(booking.pk) or _default_label(booking)
                    rows[pk].bars.append(_bar(booking, label, span, first_block=key == "day"))
        highlight = None
        if chosen and chosen.start < span.end and chosen.end > span.start:
            highlight = _quarters_in(span, chosen.start, chosen.end)
        blocks.append(Block(key, title, span, list(rows.values()), timezone.now(), highlight))
    return blocks


def _card(booking: Booking, label: BookingLabel, now: datetime) -> Card:
    resources = list(booking.resources.all())
    places = [one.label for one in resources if one.kind in PLACES]
    people = [one.user.short_name for one in resources if one.user]
    return Card(
        key=str(booking.pk),
        who=label.who,
        what=label.what,
        url=label.url,
        places=", ".join([*places, *dict.fromkeys(people)]),
        state=label.state or state_by_hours(booking.starts_at, booking.occupied_until, now),
        starts_at=booking.starts_at,
        ends_at=booking.ends_at,
        now=now,
        since=label.since,
    )


def _with_file_numbers(
    board: Board, labels: Mapping[UUID, BookingLabel]
) -> tuple[Board, dict[UUID, BookingLabel]]:
    """Return board and labels with the file number after each name that could be taken for another one."""
    items: list[BookingLabel | Progress | Need] = [*labels.values(), *board.progress, *board.needs]
    ambiguous = mistakable({item.patient for item in items if item.patient})

    def suffix(patient: BoardPatient | None) -> str:
        return f", {patient.number}" if patient and patient.number in ambiguous else ""

    progress = [replace(one, name=one.name + suffix(one.patient)) for one in board.progress]
    needs = [replace(one, who=one.who + suffix(one.patient)) for one in board.needs]
    new_labels = {pk: replace(one, who=one.who + suffix(one.patient)) for pk, one in labels.items()}
    return replace(board, progress=progress, needs=needs), new_labels


def board_of(
    day: date, viewer: User, *, now: datetime | None = None, wall: bool = False, by_state: bool = False
) -> Board:
    """Return the board of one day for `viewer`, with blocks, or with lanes if `by_state`.

    wall: for a public screen, with large maps, and without blocks, lanes, needs and panels.
    """
    now = now or timezone.now()
    spans = _spans(day)
    span = Span(at_clock(day, time(0)), spans["night"].end)
    progress: list[Progress] = []
    needs: list[Need] = []
    panels: list[Panel | None] = []
    for source in _sources.values():
        if source.progress:
            progress += source.progress(span, viewer, wall)
        if source.needs and not wall:
            needs += source.needs(span, viewer)
        if source.panel and not wall:
            panels.append(source.panel(span, viewer))
    board = Board(
        day=day,
        now=now,
        blocks=[],
        progress=sorted(progress, key=lambda one: (not one.alarm, not one.open)),
        needs=sorted(needs, key=lambda need: not need.late),
        panels=[panel for panel in panels if panel],
    )
    if wall:
        return board
    time_shown = span if by_state else Span(spans["before"].start, spans["night"].end)
    bookings = bookings_in(time_shown, missed=by_state)
    board, labels = _with_file_numbers(board, describe_bookings(bookings, viewer))
    if not by_state:
        return replace(board, blocks=_blocks(day, bookings, labels, now))
    cards = [_card(one, labels.get(one.pk) or _default_label(one), now) for one in bookings]
    return replace(board, lanes=lanes_of(cards))
