"""When people, rooms and kits can be booked at all: working hours, exceptions, and limits on nights."""

import uuid
from datetime import date

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Q
from django.utils import dates, timezone

from clinic.calendar.models import Resource

WEEKDAYS = tuple(dates.WEEKDAYS[number] for number in range(7))  # with Django's translations


class WorkingHoursQuerySet(models.QuerySet["WorkingHours"]):
    def valid_on_or_after(self, day: date) -> "WorkingHoursQuerySet":
        """Return the hours that are valid on `day` or on a later day."""
        return self.filter(Q(valid_until__isnull=True) | Q(valid_until__gte=day))


class WorkingHours(models.Model):
    """Hours of a resource on one weekday. A change adds rows and ends the old ones; the past stays as it was.

    A day with a lunch break has two rows. A resource without any rows can always be booked.
    """

    resource = models.ForeignKey(Resource, on_delete=models.PROTECT, related_name="working_hours")
    weekday = models.PositiveSmallIntegerField()  # 0 is Monday
    starts = models.TimeField()
    # If it is not after `starts`, it is on the next morning; if both are equal, the hours last a day.
    ends = models.TimeField()
    valid_from = models.DateField()
    valid_until = models.DateField(null=True, blank=True)  # the last day on which they are valid
    made_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    made_at = models.DateTimeField(default=timezone.now)

    objects = WorkingHoursQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(weekday__lte=6), name="hours_on_a_weekday"),
            models.CheckConstraint(
                condition=Q(valid_until__isnull=True) | Q(valid_until__gte=F("valid_from")),
                name="hours_end_after_they_begin",
            ),
        ]
        indexes = [models.Index(fields=["resource", "valid_from"], name="hours_by_resource")]

    def __str__(self) -> str:
        return f"{self.starts:%H:%M}–{self.ends:%H:%M}"


class AvailabilityException(models.Model):
    """A span in which a resource or the whole clinic cannot be booked, or (adds) in which a resource can be.

    A span of a resource overrules a closing of the clinic: somebody who works on a holiday has a span that
    adds. Of two spans of one resource, the one that does not add overrules the other.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    # null: the whole clinic
    resource = models.ForeignKey(
        Resource, on_delete=models.PROTECT, null=True, blank=True, related_name="exceptions"
    )
    adds = models.BooleanField(default=False)
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    reason = models.CharField(max_length=200)
    made_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    made_at = models.DateTimeField(default=timezone.now)
    ended_at = models.DateTimeField(null=True, blank=True)  # when it was taken back
    ended_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(ends_at__gt=F("starts_at")), name="exception_has_length"),
            models.CheckConstraint(
                condition=Q(resource__isnull=False) | Q(adds=False), name="the_clinic_only_closes"
            ),
        ]
        indexes = [models.Index(fields=["ends_at"], name="exceptions_by_end")]


class NightLimits(models.Model):
    """How many nights a person may have, and how long they rest after one. null: no limit."""

    resource = models.OneToOneField(Resource, on_delete=models.PROTECT, related_name="night_limits")
    nights_a_week = models.PositiveSmallIntegerField(
        null=True, blank=True, validators=[MinValueValidator(1), MaxValueValidator(7)]
    )
    rest_hours = models.PositiveSmallIntegerField(null=True, blank=True, validators=[MaxValueValidator(72)])
