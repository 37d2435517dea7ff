"""Booking several resources for a time span, all or none; moving and canceling bookings."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from uuid import UUID

from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from clinic.accounts.models import User
from clinic.calendar.models import QUARTER, Booking, Reservation, Resource, quarters


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
                "start": _clock(booking.starts_at),
                "end": _clock(booking.ends_at),
            }
            for resource, booking in self.taken
        ] or [_("Somebody was faster. Please look at the times again.")]


class Stale(Exception):
    """A booking was moved or canceled since the user loaded it. booking: its present state."""

    def __init__(self, booking: Booking) -> None:
        self.booking = booking
        super().__init__(
            _("Somebody changed it meanwhile: it is from %(start)s to %(end)s now.")
            % {"start": _clock(booking.starts_at), "end": _clock(booking.ends_at)}
            if booking.canceled_at is None
            else _("Somebody gave it back meanwhile.")
        )


def _clock(moment: datetime) -> str:
    return date_format(timezone.localtime(moment), "MONTH_DAY_TIME_FORMAT")


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
    """Return both times in UTC. Errors: ValueError if the end is not after the start.

    Python compares two times of one zone as their clocks show them. That is wrong in the hour that clocks
    show twice.
    """
    starts_at, ends_at = starts_at.astimezone(UTC), ends_at.astimezone(UTC)
    if ends_at <= starts_at:
        raise ValueError(_("The end must be after the start."))
    return starts_at, ends_at


def _lock(resources: Sequence[Resource]) -> None:
    """Lock the rows of the resources, always in the order of their ids, to avoid deadlocks."""
    wanted = [resource.pk for resource in resources]
    list(Resource.objects.select_for_update().filter(pk__in=wanted).order_by("pk").values_list("pk"))


def _reserve(booking: Booking, resources: Sequence[Resource]) -> None:
    """Create the reservations of a booking for all its resources. Errors: Clash."""
    try:
        with transaction.atomic():
            Reservation.objects.bulk_create(
                Reservation(resource=resource, quarter=quarter, booking=booking)
                for resource in sorted(resources, key=lambda resource: resource.pk)
                for quarter in quarters(booking.starts_at, booking.ends_at)
            )
    except IntegrityError as error:
        raise Clash(clashes(resources, booking.starts_at, booking.ends_at, exclude=booking)) from error


def book(
    *, kind: str, resources: Sequence[Resource], starts_at: datetime, ends_at: datetime, by: User
) -> Booking:
    """Book all `resources` from `starts_at` to `ends_at` (aware), or none. Call it inside a transaction.

    If two bookings are made at once, the unique constraint on (resource, quarter) refuses one, on both
    databases. Errors: Clash; ValueError if the end is not after the start.
    """
    starts_at, ends_at = _in_utc(starts_at, ends_at)
    with transaction.atomic():
        _lock(resources)
        booking = Booking.objects.create(kind=kind, starts_at=starts_at, ends_at=ends_at, made_by=by)
        booking.resources.set(resources)
        _reserve(booking, resources)
    return booking


def move(booking: Booking, *, starts_at: datetime, ends_at: datetime, expected_start: datetime) -> Booking:
    """Move a booking with all its resources to another span. Call it inside a transaction.

    expected_start: the start that the user saw. Errors: Stale if it now starts at another time or was
    canceled; Clash; ValueError if the end is not after the start. After an error nothing is changed.
    """
    starts_at, ends_at = _in_utc(starts_at, ends_at)
    with transaction.atomic():
        row = Booking.objects.select_for_update().get(pk=booking.pk)
        if row.canceled_at is not None or row.starts_at != expected_start:
            raise Stale(row)
        resources = list(row.resources.all())
        _lock(resources)
        Reservation.objects.filter(booking=row).delete()
        row.starts_at, row.ends_at = starts_at, ends_at
        row.save(update_fields=["starts_at", "ends_at"])
        _reserve(row, resources)
    return row


def cancel(booking: Booking) -> None:
    """Delete the reservations of a booking and mark it canceled. Its row stays."""
    Reservation.objects.filter(booking=booking).delete()
    Booking.objects.filter(pk=booking.pk).update(canceled_at=timezone.now())


def release(booking_id: UUID) -> None:
    """Free the people and things of a booking from now on, because what it was for is over.

    The quarter of an hour that has begun is freed too. Releasing again changes nothing.
    """
    now = timezone.now()
    left = Booking.objects.filter(pk=booking_id, released_at__isnull=True, ends_at__gt=now)
    if left.update(released_at=now):
        Reservation.objects.filter(booking=booking_id, quarter__gt=now - QUARTER).delete()
