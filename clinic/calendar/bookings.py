"""Booking several resources for a time span, all or none; moving and canceling bookings."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import F, Q
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext as _

from clinic.accounts.models import User
from clinic.calendar.durations import format_moment
from clinic.calendar.models import LONGEST_BOOKING, PLACES, QUARTER, Booking, Reservation, Resource, quarters
from clinic.calendar.span_changes import span_changed
from clinic.edits.seen import is_seen, seen_mark


class Clash(Exception):
    """A resource is booked already. taken: (resource, booking) of each conflict."""

    def __init__(self, taken: Sequence[tuple[Resource, Booking]]) -> None:
        self.taken = list(taken)
        super().__init__(" ".join(self.sentences()))

    def sentences(self) -> list[str]:
        """Return a sentence for each conflict: which resource, and when it is booked."""
        return [
            _("%(resource)s is taken from %(start)s to %(end)s.")
            % {
                "resource": resource.label,
                "start": format_moment(booking.starts_at),
                "end": format_moment(booking.ends_at),
            }
            for resource, booking in self.taken
        ] or [_("Somebody was faster. Please look at the times again.")]


class Stale(Exception):
    """A booking was moved or canceled since the user loaded the page. booking: the row as it is now."""

    def __init__(self, booking: Booking) -> None:
        self.booking = booking
        super().__init__(
            _("Somebody changed it meanwhile: it is from %(start)s to %(end)s now.")
            % {"start": format_moment(booking.starts_at), "end": format_moment(booking.ends_at)}
            if booking.canceled_at is None
            else _("Somebody gave it back meanwhile.")
        )


def clashes(
    resources: Iterable[Resource], starts_at: datetime, ends_at: datetime, *, exclude: Booking | None = None
) -> list[tuple[Resource, Booking]]:
    """Return (resource, booking) for each booking of any of `resources` in the span, except `exclude`."""
    rows = (
        Reservation.objects.filter(
            resource__in=list(resources), quarter__in=list(quarters(starts_at, ends_at))
        )
        .exclude(booking=exclude)
        .select_related("resource", "booking")
        .order_by("resource__label", "quarter")
    )
    return list({(row.resource_id, row.booking_id): (row.resource, row.booking) for row in rows}.values())


def _in_utc(starts_at: datetime, ends_at: datetime) -> tuple[datetime, datetime]:
    """Return both times in UTC.

    Errors: ValueError if the end is not after the start, or if the span is longer than LONGEST_BOOKING.

    In UTC, because Python compares two times of one zone by their clock times. That is wrong in the hour
    that the clocks show twice.
    """
    starts_at, ends_at = starts_at.astimezone(UTC), ends_at.astimezone(UTC)
    if ends_at <= starts_at:
        raise ValueError(_("The end must be after the start."))
    if ends_at - starts_at > LONGEST_BOOKING:
        raise ValueError(_("That is more than a week. Please look at the times again."))
    return starts_at, ends_at


def with_other_roles(resources: Iterable[Resource]) -> list[Resource]:
    """Return `resources`, and of each person among them also the resources for their other roles.

    A person is booked in all of them, because nobody is at two places at once.
    """
    chosen = list(resources)
    people = {resource.user_id for resource in chosen if resource.user_id}
    others = Resource.objects.filter(user__in=people).exclude(pk__in=[one.pk for one in chosen])
    return [*chosen, *(others if people else [])]


def _lock(resources: Sequence[Resource]) -> None:
    """Lock the rows of the resources, always in the order of their ids, to avoid deadlocks."""
    wanted = [resource.pk for resource in resources]
    list(Resource.objects.select_for_update().filter(pk__in=wanted).order_by("pk").values_list("pk"))


def _reserved_span(booking: Booking, resource: Resource) -> tuple[datetime, datetime]:
    """Return from when to when a booking reserves a resource; of places with the buffers."""
    if resource.kind not in PLACES:
        return booking.starts_at, booking.ends_at
    before, after = timedelta(minutes=booking.buffer_before), timedelta(minutes=booking.buffer_after)
    return booking.starts_at - before, booking.ends_at + after


def _end_expired_holds(resources: Sequence[Resource], starts_at: datetime, ends_at: datetime) -> None:
    """Cancel the expired holds that reserve any of `resources` in the span."""
    reservations = Reservation.objects.filter(
        resource__in=resources,
        quarter__gt=starts_at - QUARTER,
        quarter__lt=ends_at,
        booking__held_until__lte=timezone.now(),
    )
    ids = set(reservations.values_list("booking_id", flat=True))
    # The condition is checked again under the lock: `confirm_hold` may have cleared held_until meanwhile.
    rows = Booking.objects.select_for_update().filter(pk__in=ids, held_until__lte=timezone.now())
    for booking in rows.order_by("pk") if ids else []:
        cancel(booking)


def _reserve(booking: Booking, resources: Sequence[Resource]) -> None:
    """Create the reservations of a booking for all its resources. Errors: Clash.

    resources: as from `with_other_roles`.
    """
    spans = {resource: _reserved_span(booking, resource) for resource in resources}
    first, last = min(start for start, _end in spans.values()), max(end for _start, end in spans.values())
    _end_expired_holds(resources, first, last)
    try:
        with transaction.atomic():
            Reservation.objects.bulk_create(
                Reservation(resource=resource, quarter=quarter, booking=booking)
                for resource in sorted(resources, key=lambda resource: resource.pk)
                for quarter in quarters(*spans[resource])
            )
    except IntegrityError as error:
        raise Clash(_clashes_of(booking, spans)) from error


def _clashes_of(
    booking: Booking, spans: Mapping[Resource, tuple[datetime, datetime]]
) -> list[tuple[Resource, Booking]]:
    """Return the clashes of a booking with others in `spans`.

    A person with two roles is listed once for each other booking.
    """
    found: dict[tuple[UUID, UUID], tuple[Resource, Booking]] = {}
    for resource, span in spans.items():
        for _resource, other in clashes([resource], *span, exclude=booking):
            found.setdefault((resource.user_id or resource.pk, other.pk), (resource, other))
    return list(found.values())


def book(
    *,
    kind: str,
    resources: Sequence[Resource],
    starts_at: datetime,
    ends_at: datetime,
    by: User,
    buffers: tuple[int, int] = (0, 0),
    held_until: datetime | None = None,
) -> Booking:
    """Book all `resources` from `starts_at` to `ends_at` (aware), or none. Call it inside a transaction.

    If two bookings are made at once, the unique constraint on (resource, quarter) refuses one, on both
    databases. buffers: minutes before and after for which rooms and kits are reserved too. held_until: when
    the booking expires if nobody confirms it (`confirm_hold`); None: it does not expire. Errors: Clash;
    ValueError if the end is not after the start, or more than a week later.
    """
    starts_at, ends_at = _in_utc(starts_at, ends_at)
    with transaction.atomic():
        reserved = with_other_roles(resources)
        _lock(reserved)
        booking = Booking.objects.create(
            kind=kind,
            starts_at=starts_at,
            ends_at=ends_at,
            buffer_before=buffers[0],
            buffer_after=buffers[1],
            held_until=held_until,
            made_by=by,
        )
        booking.resources.set(resources)
        _reserve(booking, reserved)
    return booking


def confirm_hold(booking: Booking) -> bool:
    """Turn a hold into a firm booking. Return False if it expired and another booking has replaced it.

    Call it inside a transaction. An expired hold that no booking has replaced is still confirmed.
    """
    row = Booking.objects.select_for_update().get(pk=booking.pk)
    if row.canceled_at is not None:
        return False
    row.held_until = None
    row.save(update_fields=["held_until"])
    return True


def booking_mark(booking: Booking) -> str:
    """Return the `seen_mark` of the start and end of a booking, for a page with a button that acts on it."""
    return seen_mark(f"booking:{booking.pk}", *_span(booking))


def is_span_seen(posted: str, booking: Booking) -> bool:
    """Return whether `posted` is the `booking_mark` of the booking at its present start and end."""
    return is_seen(posted, f"booking:{booking.pk}", *_span(booking))


def _span(booking: Booking) -> list[object]:
    return [booking.starts_at.astimezone(UTC), booking.ends_at.astimezone(UTC)]


def move(
    booking: Booking,
    *,
    starts_at: datetime,
    ends_at: datetime,
    expected_start: datetime,
    expected_end: datetime | None = None,
    new_resources: Sequence[Resource] | None = None,
) -> Booking:
    """Move a booking to another span. Call it inside a transaction.

    expected_start, expected_end: the span that the user saw; an end of None is not checked. new_resources:
    what is booked in place of its resources; None: it keeps them. Raises Stale if it is at another time now
    or was canceled, Clash if one of them has another booking then, and ValueError if the end is not after the
    start, or more than a week later. After an error nothing is changed.
    """
    starts_at, ends_at = _in_utc(starts_at, ends_at)
    with transaction.atomic():
        row = Booking.objects.select_for_update().get(pk=booking.pk)
        seen = (expected_start, expected_end or row.ends_at)
        if row.canceled_at is not None or (row.starts_at, row.ends_at) != seen:
            raise Stale(row)
        before = (row.starts_at, row.ends_at)
        resources = with_other_roles(row.resources.all() if new_resources is None else new_resources)
        _lock(resources)
        Reservation.objects.filter(booking=row).delete()
        if new_resources is not None:
            row.resources.set(new_resources)
        row.starts_at, row.ends_at = starts_at, ends_at
        row.sequence, row.moved_at = row.sequence + 1, timezone.now()
        row.released_at = None  # set, if it was missed
        row.save(update_fields=["starts_at", "ends_at", "sequence", "moved_at", "released_at"])
        _reserve(row, resources)
        span_changed(*before)
    return row


def cancel(booking: Booking) -> None:
    """Delete the reservations of a booking and mark it canceled. Its row stays."""
    Reservation.objects.filter(booking=booking).delete()
    Booking.objects.filter(pk=booking.pk).update(canceled_at=timezone.now(), sequence=F("sequence") + 1)
    if booking.held_until is None:  # what was only held was nobody's
        span_changed(booking.starts_at, booking.ends_at)


def take_hold(booking: Booking) -> bool:
    """End a hold, so that this transaction can book its time for whom it was held.

    Its people and things are locked first: nobody else comes between. Return False if another booking has
    taken its place. Call it inside a transaction.
    """
    _lock(with_other_roles(booking.resources.all()))
    row = Booking.objects.select_for_update().get(pk=booking.pk)
    if row.canceled_at is not None:
        return False
    cancel(row)
    return True


def release(booking_id: UUID) -> None:
    """Free the resources of a booking from now on, because its appointment or night is over.

    The quarter of an hour that has begun is freed too. A room or kit stays reserved for the buffer after the
    booking, in which it is made ready again. A second release changes nothing.
    """
    now = timezone.now()
    unreleased = Booking.objects.filter(pk=booking_id, released_at__isnull=True, ends_at__gt=now)
    if unreleased.update(released_at=now):
        booking = Booking.objects.get(pk=booking_id)
        rows = Reservation.objects.filter(booking=booking_id, quarter__gt=now - QUARTER)
        if booking.buffer_after:
            ready_again = now + timedelta(minutes=booking.buffer_after)
            rows = rows.exclude(Q(resource__kind__in=PLACES, quarter__lt=ready_again))
        rows.delete()
        span_changed(now, booking.ends_at)


def release_missed(booking_id: UUID) -> bool:
    """Free the resources of a booking whose hours have passed without its appointment or night.

    The booking then counts as one of no length: nobody has to rest after it, and no room is made ready again.
    Return whether this call did it: of several calls at once, one returns True. `move` undoes it. Whether the
    hours have passed is compared with the database's clock.
    """
    passed = Booking.objects.filter(
        pk=booking_id, released_at__isnull=True, canceled_at__isnull=True, ends_at__lte=Now()
    )
    if passed.update(released_at=F("starts_at")) != 1:
        return False
    Reservation.objects.filter(booking=booking_id).delete()
    return True


def undo_release(booking_id: UUID) -> None:
    """Reserve the resources of a released booking again, from now on. Call it inside a transaction.

    If the booking was not released, nothing is changed. If its end has passed, only `released_at` is cleared.
    Errors: Clash if one of the resources has another booking by now; then nothing is changed.
    """
    booking = Booking.objects.select_for_update().get(pk=booking_id)
    if booking.released_at is None:
        return
    resources = with_other_roles(booking.resources.all())
    _lock(resources)
    now = timezone.now()
    kept = set(Reservation.objects.filter(booking=booking).values_list("resource_id", "quarter"))
    spans = {resource: _reserved_span(booking, resource) for resource in resources}
    wanted = [
        Reservation(resource=resource, quarter=quarter, booking=booking)
        for resource, span in spans.items()
        for quarter in quarters(*span)
        if quarter > now - QUARTER and (resource.pk, quarter) not in kept
    ]
    if wanted:
        _end_expired_holds(resources, now - QUARTER, max(end for _start, end in spans.values()))
    try:
        with transaction.atomic():
            Reservation.objects.bulk_create(wanted)
    except IntegrityError as error:
        remaining = {resource: (now, end) for resource, (_start, end) in spans.items() if end > now}
        raise Clash(_clashes_of(booking, remaining)) from error
    booking.released_at = None
    booking.save(update_fields=["released_at"])
