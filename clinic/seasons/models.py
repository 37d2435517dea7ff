"""Seasons: spans of days with rules of their own, who agreed to extra hours, and each change of them."""

import uuid
from datetime import date

from django.conf import settings
from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from clinic.calendar.models import Resource


class SeasonQuerySet(models.QuerySet["Season"]):
    def in_force(self) -> "SeasonQuerySet":
        """Return the seasons that were not canceled before they began."""
        return self.filter(canceled_at=None)

    def between(self, first: date, last: date) -> "SeasonQuerySet":
        """Return the seasons that have any day from `first` to `last`, both included."""
        return self.filter(first__lte=last, last__gte=first)


class Season(models.Model):
    """Some days with rules of their own, such as the weeks before Valentine's Day.

    What is signed or booked copies the values it needs. So a later change of the season does not affect it.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.CharField(max_length=80)  # patients read it
    first = models.DateField()
    last = models.DateField()  # the last day on which the rules hold
    # The extra hours on each day of the season that is one of these weekdays, as digits: 0 is Monday.
    extra_days = models.CharField(max_length=7, blank=True)
    extra_starts = models.TimeField(null=True, blank=True)
    # If it is not after `extra_starts`, it is on the next morning.
    extra_ends = models.TimeField(null=True, blank=True)
    # Increased when days or extra hours change. Whoever agreed to an earlier version is asked again.
    hours_version = models.PositiveIntegerField(default=1)
    # Hours from signing until a night may begin. null: as the clinic's setting says.
    cooling_off_hours = models.FloatField(null=True, blank=True, validators=[MinValueValidator(0)])
    # How many nights, and how many appointments, of one patient may begin in the season. null: no limit.
    nights_per_patient = models.PositiveSmallIntegerField(null=True, blank=True)
    appointments_per_patient = models.PositiveSmallIntegerField(null=True, blank=True)
    waitlist_open = models.BooleanField(default=False)
    # Set if it was given up before it began. Its rules never hold then.
    canceled_at = models.DateTimeField(null=True, blank=True)

    objects = SeasonQuerySet.as_manager()

    class Meta:
        ordering = ["-first"]
        constraints = [
            models.CheckConstraint(condition=Q(last__gte=F("first")), name="season_ends_after_it_begins"),
            models.CheckConstraint(condition=~Q(name=""), name="season_has_name"),
            models.CheckConstraint(
                condition=Q(extra_days="", extra_starts=None, extra_ends=None)
                | (~Q(extra_days="") & Q(extra_starts__isnull=False, extra_ends__isnull=False)),
                name="season_hours_complete",
            ),
            models.CheckConstraint(
                condition=Q(cooling_off_hours=None) | Q(cooling_off_hours__gte=0),
                name="season_cooling_off_not_negative",
            ),
        ]
        indexes = [models.Index(fields=["first", "last"], name="seasons_by_days")]

    def __str__(self) -> str:
        return self.name

    def holds_on(self, day: date) -> bool:
        """Return whether the rules hold on `day`."""
        return self.canceled_at is None and self.first <= day <= self.last

    @property
    def has_begun(self) -> bool:
        return self.first <= timezone.localdate()

    @property
    def is_over(self) -> bool:
        """Whether its rules hold on no day any more."""
        return self.canceled_at is not None or self.last < timezone.localdate()


class SeasonAgreement(models.Model):
    """A person, room or kit that can be booked in the extra hours of a season.

    People agree for themselves, administrators for rooms and kits. An agreement is in force only while the
    season has the hours that were agreed to (`hours_version`).
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    season = models.ForeignKey(Season, on_delete=models.PROTECT, related_name="agreements")
    resource = models.ForeignKey(Resource, on_delete=models.PROTECT, related_name="season_agreements")
    hours_version = models.PositiveIntegerField()
    agreed_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    agreed_at = models.DateTimeField(default=timezone.now)
    ended_at = models.DateTimeField(null=True, blank=True)
    ended_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["season", "resource"], condition=Q(ended_at=None), name="season_agreement_once"
            )
        ]


class SeasonChange(models.Model):
    """One change of a season: who, when, from what, to what, and why."""

    class What(models.TextChoices):
        MADE = "made", _("Entered")
        CHANGED = "changed", _("Changed")
        ENDED = "ended", _("Ended early")
        CANCELED = "canceled", _("Given up before it began")

    season = models.ForeignKey(Season, on_delete=models.PROTECT, related_name="changes")
    number = models.PositiveIntegerField()  # 1: the season was entered
    what = models.CharField(max_length=8, choices=What.choices)
    # By the name of each field that changed: its values before and after, as JSON has them.
    values = models.JSONField()
    reason = models.CharField(max_length=300)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["-at", "-number"]
        constraints = [
            models.UniqueConstraint(fields=["season", "number"], name="season_change_once"),
            models.CheckConstraint(condition=~Q(reason=""), name="season_change_has_reason"),
        ]
