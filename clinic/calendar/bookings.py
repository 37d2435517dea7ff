"""Taking several resources for one span, all or nothing, moving them, and giving them back."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from clinic.accounts.models import User
from clinic.calendar.models import Booking, Reservation, Resource, quarters


class Clash(Exception):
    """Something is taken. `taken` are the bookings in the way, with the resource each holds."""

    def __init__(self, taken: Sequence[tuple[Resource, Booking]]) -> None:
        self.taken = list(taken)
        super().__init__(" ".join(self.sentences()))

    def sentences(self) -> list[str]:
        """Name each clash: who or what, and until when."""
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
    """The booking is no longer as the mover saw it; `booking` is how it is now."""

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
    resources: Iterable[Resource], starts_at: datetime, ends_at: datetime, *, but: Booking | None = None
) -> list[tuple[Resource, Booking]]:
    """Bookings that hold any of `resources` in the span, but for `but`: none clashes with itself."""
    rows = (
        Reservation.objects.filter(
            resource__in=list(resources), quarter__in=list(quarters(starts_at, ends_at))
        )
        .exclude(booking=but)
        .select_related("resource", "booking")
        .order_by("resource__label", "quarter")
    )
    return list({(row.resource_id, row.booking_id): (row.resource, row.booking) for row in rows}.values())


def _in_utc(starts_at: datetime, ends_at: datetime) -> tuple[datetime, datetime]:
    """The span in UTC. Errors: ValueError without length.

    Two times of one zone are compared as its clocks show them, which is wrong in the hour they show twice.
    """
    starts_at, ends_at = starts_at.astimezone(UTC), ends_at.astimezone(UTC)
    if ends_at <= starts_at:
        raise ValueError(_("The end must be after the start."))
    return starts_at, ends_at


def _hold(resources: Sequence[Resource]) -> None:
    """Lock the resources' rows, in one order for everybody, so that none wait in a ring."""
    wanted = [resource.pk for resource in resources]
    list(Resource.objects.select_for_update().filter(pk__in=wanted).order_by("pk").values_list("pk"))


def _reserve(booking: Booking, resources: Sequence[Resource]) -> None:
    """Take every quarter of the booking for every resource. Errors: Clash."""
    try:
        with transaction.atomic():
            Reservation.objects.bulk_create(
                Reservation(resource=resource, quarter=quarter, booking=booking)
                for resource in sorted(resources, key=lambda resource: resource.pk)
                for quarter in quarters(booking.starts_at, booking.ends_at)
            )
    except IntegrityError as error:
        raise Clash(clashes(resources, booking.starts_at, booking.ends_at, but=booking)) from error


def book(
    *, kind: str, resources: Sequence[Resource], starts_at: datetime, ends_at: datetime, by: User
) -> Booking:
    """Take all `resources` from `starts_at` to `ends_at` (aware) or none. Call inside a transaction.

    The unique constraint on (resource, quarter) decides races, on both databases. Errors: Clash; ValueError
    for a span without length.
    """
    starts_at, ends_at = _in_utc(starts_at, ends_at)
    with transaction.atomic():
        _hold(resources)
        booking = Booking.objects.create(kind=kind, starts_at=starts_at, ends_at=ends_at, made_by=by)
        booking.resources.set(resources)
        _reserve(booking, resources)
    return booking


def move(booking: Booking, *, starts_at: datetime, ends_at: datetime, expected_start: datetime) -> Booking:
    """Move a booking with all it holds to another span, or leave it. Call inside a transaction.

    expected_start: when it started as the mover saw it. Errors: Stale where it starts at another time by
    now or was given back, Clash, ValueError for a span without length; nothing is then changed.
    """
    starts_at, ends_at = _in_utc(starts_at, ends_at)
    with transaction.atomic():
        row = Booking.objects.select_for_update().get(pk=booking.pk)
        if row.canceled_at is not None or row.starts_at != expected_start:
            raise Stale(row)
        resources = list(row.resources.all())
        _hold(resources)
        Reservation.objects.filter(booking=row).delete()
        row.starts_at, row.ends_at = starts_at, ends_at
        row.save(update_fields=["starts_at", "ends_at"])
        _reserve(row, resources)
    return row


def cancel(booking: Booking) -> None:
    """Give everything back; the booking stays as a line of history."""
    Reservation.objects.filter(booking=booking).delete()
    Booking.objects.filter(pk=booking.pk).update(canceled_at=timezone.now())
