"""The content of a person's feed: their own bookings, with file numbers and without any name."""

from collections.abc import Mapping
from datetime import timedelta
from uuid import UUID

from django.conf import settings
from django.db.models import Exists, OuterRef, Prefetch, Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import override

from clinic.accounts.models import User
from clinic.calendar.models import LONGEST_BOOKING, PLACES, Booking, Resource
from clinic.calendar.moving import file_numbers
from clinic.calendar_feeds.icalendar_format import Event, write_calendar

# A feed has the bookings from so long ago until so far ahead.
BACK, AHEAD = timedelta(days=30), timedelta(days=180)
# A cancelled booking stays in the feed for this long, so that calendar programs learn of it.
KEEP_CANCELLED = timedelta(days=30)


def own_bookings(user: User) -> QuerySet[Booking]:
    """Return the bookings of `user` for the feed, in order of time, without holds."""
    now = timezone.now()
    own = Booking.resources.through.objects.filter(booking=OuterRef("pk"), resource__user=user)
    places = Prefetch("resources", Resource.objects.filter(kind__in=PLACES).order_by("label"), "places")
    return (
        Booking.objects.overlapping(now - BACK, now + AHEAD)
        .filter(Exists(own), held_until=None)
        .filter(Q(canceled_at=None) | Q(canceled_at__gt=now - KEEP_CANCELLED))
        .order_by("starts_at", "pk")
        .prefetch_related(places)
    )


def _title(booking: Booking, numbers: Mapping[UUID, str]) -> str:
    titles = {
        Booking.Kind.VISIT: _("Visit"),
        Booking.Kind.MAPPING: _("Mapping"),
        Booking.Kind.ERASURE: _("Night"),
        Booking.Kind.FOLLOW_UP: _("Follow-up"),
    }
    title = titles[Booking.Kind(booking.kind)]
    number = numbers.get(booking.pk)
    return _("%(what)s, file %(number)s") % {"what": title, "number": number} if number else title


def feed_of(user: User) -> bytes:
    """Return the feed of `user` as iCalendar, in their language and in the clinic's time zone."""
    with override(user.mail_language):
        bookings = list(own_bookings(user))
        numbers = file_numbers(bookings, user)
        events = [
            Event(
                uid=str(booking.pk),
                sequence=booking.sequence,
                changed_at=booking.canceled_at or booking.moved_at or booking.made_at,
                starts_at=booking.starts_at,
                ends_at=booking.ends_at,
                summary=_title(booking, numbers),
                location=", ".join(place.label for place in booking.places),  # type: ignore[attr-defined]
                cancelled=booking.canceled_at is not None,
            )
            for booking in bookings
        ]
        now = timezone.now()
        start, end = now - BACK - LONGEST_BOOKING, now + AHEAD + LONGEST_BOOKING
        zone = timezone.get_default_timezone()
        return write_calendar(_("Lacuna, my bookings"), events, zone, settings.TIME_ZONE, start, end)
