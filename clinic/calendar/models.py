"""Bookable resources (rooms, staff, home kits) and their bookings."""

import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from clinic.accounts.models import name_order
from clinic.names import sort_key

QUARTER = timedelta(minutes=15)
# No booking is longer. So one that overlaps a span begins at most this long before it: the index finds it.
LONGEST_BOOKING = timedelta(days=7)


class ResourceQuerySet(models.QuerySet["Resource"]):
    def by_name(self, *first: str) -> "ResourceQuerySet":
        """Order by the columns `first`, then people as `UserQuerySet.by_name`, then places by label."""
        return self.order_by(*first, models.F(f"user__{name_order()}").asc(nulls_last=True), "label")


class Resource(models.Model):
    """Something that can have only one booking at a time: a member of staff, a room, a home kit."""

    class Kind(models.TextChoices):
        DOCTOR = "doctor", _("doctor")
        TECHNICIAN = "technician", _("technician")
        ROOM = "room", _("room")
        HOME_KIT = "home-kit", _("home kit")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    kind = models.CharField(max_length=12, choices=Kind.choices)
    label = models.CharField(max_length=80)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="resources"
    )
    in_use = models.BooleanField(default=True)

    objects = ResourceQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["kind", "label"], name="resource_label_once"),
            models.UniqueConstraint(fields=["kind", "user"], name="resource_person_once"),
        ]

    def sort_key(self, language: str) -> bytes:
        """Return the key by which this is sorted among its kind for readers of `language`."""
        return self.user.name_sort_key(language) if self.user else sort_key(self.label, language)


# The kinds of resource that are places, not people.
PLACES = (Resource.Kind.ROOM, Resource.Kind.HOME_KIT)


class BookingQuerySet(models.QuerySet["Booking"]):
    def in_force(self) -> "BookingQuerySet":
        """Return the bookings that count: not canceled, and no hold that has expired."""
        expired = models.Q(held_until__lte=timezone.now())
        return self.filter(canceled_at__isnull=True).exclude(expired)

    def overlapping(self, start: datetime, end: datetime) -> "BookingQuerySet":
        """Return the bookings that overlap [start, end), found by the index on their start."""
        return self.filter(starts_at__gt=start - LONGEST_BOOKING, starts_at__lt=end, ends_at__gt=start)


class Booking(models.Model):
    """A time span for which several resources are booked together, all or none."""

    class Kind(models.TextChoices):
        VISIT = "visit", _("visit")
        MAPPING = "mapping", _("mapping")
        ERASURE = "erasure", _("erasure")
        FOLLOW_UP = "follow-up", _("follow-up")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    kind = models.CharField(max_length=12, choices=Kind.choices)
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    canceled_at = models.DateTimeField(null=True, blank=True)
    # How often it was moved or canceled. Calendars that read a feed take the highest sequence as the newest.
    sequence = models.PositiveIntegerField(default=0)
    moved_at = models.DateTimeField(null=True, blank=True)
    # When its resources were freed, if that was before `ends_at`. `ends_at` stays as planned.
    released_at = models.DateTimeField(null=True, blank=True)
    # Set while the booking is a hold for somebody who has not decided yet: the hold expires then. Another
    # booking may replace an expired hold.
    held_until = models.DateTimeField(null=True, blank=True)
    # Minutes for which its rooms and kits are reserved before and after: to prepare, to travel, to clean.
    buffer_before = models.PositiveSmallIntegerField(default=0)
    buffer_after = models.PositiveSmallIntegerField(default=0)
    made_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    made_at = models.DateTimeField(default=timezone.now)
    resources = models.ManyToManyField(Resource, related_name="bookings")

    objects = BookingQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(ends_at__gt=models.F("starts_at")), name="booking_has_length"
            )
        ]
        indexes = [models.Index(fields=["starts_at"], name="bookings_by_start")]

    @property
    def occupied_until(self) -> datetime:
        """When its resources are free again: its end, or when they were released if that was earlier."""
        return min(self.ends_at, self.released_at) if self.released_at else self.ends_at


class Reservation(models.Model):
    """One resource booked for one quarter of an hour.

    SQLite has no exclusion constraints. With a row per quarter and a unique constraint, SQLite and PostgreSQL
    both refuse overlapping bookings, also when two are made at once (DESIGN.md).
    """

    resource = models.ForeignKey(Resource, on_delete=models.PROTECT, related_name="reservations")
    quarter = models.DateTimeField()
    booking = models.ForeignKey(Booking, on_delete=models.CASCADE, related_name="reservations")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["resource", "quarter"], name="resource_taken_once")]


def quarters(starts_at: datetime, ends_at: datetime) -> Iterator[datetime]:
    """Yield the start (UTC) of every quarter of an hour that [starts_at, ends_at) overlaps.

    Counted in UTC, so the number is right in a night in which the clocks change.
    """
    at = starts_at.astimezone(UTC)
    at -= timedelta(minutes=at.minute % 15, seconds=at.second, microseconds=at.microsecond)
    while at < ends_at:
        yield at
        at += QUARTER
