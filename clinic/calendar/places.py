"""Rooms and home kits: adding one, taking it out of use, putting it back."""

from collections import Counter
from uuid import UUID

from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from clinic.accounts.models import User
from clinic.audit.record import Act, actor_of, record
from clinic.calendar.models import LONGEST_BOOKING, PLACES, Booking, Resource


class PlaceRefused(Exception):
    """The place was not changed. The message is a sentence for the user."""


def places() -> list[Resource]:
    """Return all rooms and kits, those in use first, each with `ahead`: how many bookings are not over."""
    rows = list(Resource.objects.filter(kind__in=PLACES).order_by("-in_use", "-kind", "label"))
    now = timezone.now()
    # By the index on the start: a place has had thousands of bookings that are over.
    not_over = Booking.objects.filter(canceled_at=None, starts_at__gt=now - LONGEST_BOOKING, ends_at__gt=now)
    booked = Counter(not_over.filter(resources__in=rows).values_list("resources", flat=True))
    for row in rows:
        row.ahead = booked[row.pk]  # type: ignore[attr-defined]
    return rows


@transaction.atomic
def add_place(kind: str, label: str, *, by: User) -> Resource:
    """Add a room or a home kit. Errors: PlaceRefused if one of its kind has this name."""
    try:
        with transaction.atomic():
            row = Resource.objects.create(kind=kind, label=label)
    except IntegrityError as error:
        raise PlaceRefused(
            _("There is one of this name already. If it is out of use, put it back in use.")
        ) from error
    record(Act("place.added", f"resource:{row.pk}", actor=actor_of(by), details={"kind": str(kind)}))
    return row


@transaction.atomic
def set_in_use(place: UUID, in_use: bool, *, reason: str, by: User) -> Resource:
    """Take a place out of use, or put it back. Bookings of it stay.

    Errors: PlaceRefused if there is no such place, or if a reason is missing for taking it out of use.
    """
    row = Resource.objects.select_for_update().filter(pk=place, kind__in=PLACES).first()
    if row is None:
        raise PlaceRefused(_("There is no such room or kit."))
    if not in_use and not reason.strip():
        raise PlaceRefused(_("Please say why it is out of use."))
    if row.in_use != in_use:
        row.in_use = in_use
        row.save(update_fields=["in_use"])
        action = "place.in-use" if in_use else "place.out-of-use"
        record(Act(action, f"resource:{row.pk}", actor=actor_of(by), reason=reason.strip()))
    return row
