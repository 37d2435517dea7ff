"""Bookable resources (rooms, staff, home kits) and their bookings."""

import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

QUARTER = timedelta(minutes=15)


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

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["kind", "label"], name="resource_label_once"),
            models.UniqueConstraint(fields=["kind", "user"], name="resource_person_once"),
        ]


class Booking(models.Model):
    """A time span for which several resources are booked together, all or none."""

    class Kind(models.TextChoices):
        VISIT = "visit", _("visit")
        MAPPING = "mapping", _("mapping")
        ERASURE = "erasure", _("erasure")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    kind = models.CharField(max_length=12, choices=Kind.choices)
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    canceled_at = models.DateTimeField(null=True, blank=True)
    # When its people and things were freed, if that was before its end. The hours planned stay as they were.
    released_at = models.DateTimeField(null=True, blank=True)
    made_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    made_at = models.DateTimeField(default=timezone.now)
    resources = models.ManyToManyField(Resource, related_name="bookings")

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(ends_at__gt=models.F("starts_at")), name="booking_has_length"
            )
        ]

    @property
    def until(self) -> datetime:
        """When its people and things are free again."""
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
