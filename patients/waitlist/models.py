"""The waitlist: who waits for a time, what was offered to whom, and spans that are still to be processed."""

import uuid
from dataclasses import dataclass
from datetime import date, datetime

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from clinic.calendar.models import Booking
from patients.appointments.models import Appointment, AppointmentTemplate
from patients.cases.models import Case
from patients.vault.sealed import SealedModel

EVERY_DAY = 0b1111111


@dataclass(frozen=True)
class EntryFields:
    """The fields encrypted with the case's key. note: what the desk should know."""

    note: str = ""


class WaitlistEntryQuerySet(models.QuerySet["WaitlistEntry"]):
    def waiting(self) -> "WaitlistEntryQuerySet":
        """Return the entries that are on the list now."""
        return self.filter(ended_at=None)

    def in_order(self) -> "WaitlistEntryQuerySet":
        """Return the entries in the order in which times are offered."""
        return self.order_by("order_at", "-pk")


class WaitlistEntry(SealedModel):
    """One place on the waitlist: who waits, for what, and which days and hours suit them."""

    class Kind(models.TextChoices):
        APPOINTMENT = "appointment", _("an appointment")
        EARLIER = "earlier", _("an earlier time for an appointment")
        NIGHT = "night", _("a night")
        EARLIER_NIGHT = "earlier-night", _("an earlier night")

    class Ended(models.TextChoices):
        """Why an entry is not on the list any more."""

        BOOKED = "booked", _("an appointment is booked")
        TAKEN_BACK = "taken-back", _("the patient took it back")
        REMOVED = "removed", _("the desk took it off")
        CASE_OVER = "case-over", _("the file was closed")
        GONE = "gone", _("the appointment takes place no longer")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    case = models.ForeignKey(Case, on_delete=models.PROTECT, related_name="waitlist_entries")
    kind = models.CharField(max_length=16, choices=Kind.choices)
    # Of the appointment that is wanted. null: a night is wanted, or an earlier time for what is booked.
    template = models.ForeignKey(
        AppointmentTemplate, on_delete=models.PROTECT, null=True, related_name="waitlist_entries"
    )
    # The appointment for which an earlier time is wanted.
    appointment = models.ForeignKey(
        Appointment, on_delete=models.PROTECT, null=True, related_name="waitlist_entries"
    )
    # Where a night is wanted: a value of Procedure.Place, in the app above. "": no night is wanted, or an
    # earlier one at the same place.
    place = models.CharField(max_length=8, blank=True)
    # One bit for each weekday on which it may begin; the lowest bit is Monday.
    weekdays = models.PositiveSmallIntegerField(default=EVERY_DAY)
    # It begins at `from_clock` or later and is over by `until_clock`, by the clinic's clocks. null: at any
    # hour. These two do not count for nights.
    from_clock = models.TimeField(null=True, blank=True)
    until_clock = models.TimeField(null=True, blank=True)
    # The first and the last day that suit them. null: any.
    first_day = models.DateField(null=True, blank=True)
    last_day = models.DateField(null=True, blank=True)
    # The list is ordered by this time. An entry that is moved up gets an earlier one.
    order_at = models.DateTimeField(default=timezone.now)
    made_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    made_at = models.DateTimeField(default=timezone.now)
    ended_at = models.DateTimeField(null=True)
    ended_because = models.CharField(max_length=12, choices=Ended.choices, blank=True)

    sealed_fields = EntryFields
    objects = WaitlistEntryQuerySet.as_manager()

    class Meta:
        constraints = [
            # Nobody waits twice for one thing.
            models.UniqueConstraint(
                fields=["case", "template"],
                condition=Q(ended_at=None, kind="appointment"),
                name="waits_once_for_template",
            ),
            models.UniqueConstraint(
                fields=["appointment"],
                condition=Q(ended_at=None, kind="earlier"),
                name="waits_once_for_earlier",
            ),
            models.UniqueConstraint(
                fields=["case", "kind"],
                condition=Q(ended_at=None, kind__in=["night", "earlier-night"]),
                name="waits_once_for_night",
            ),
            models.CheckConstraint(
                condition=Q(kind="appointment", template__isnull=False, appointment__isnull=True)
                | Q(kind="earlier", template__isnull=True, appointment__isnull=False)
                | Q(kind="night", template__isnull=True, appointment__isnull=True) & ~Q(place="")
                | Q(kind="earlier-night", template__isnull=True, appointment__isnull=True),
                name="waitlist_entry_says_for_what",
            ),
            models.CheckConstraint(
                condition=Q(weekdays__gte=1, weekdays__lte=EVERY_DAY), name="waitlist_entry_has_a_weekday"
            ),
            models.CheckConstraint(
                condition=Q(ended_at=None, ended_because="")
                | (Q(ended_at__isnull=False) & ~Q(ended_because="")),
                name="waitlist_entry_ended_with_reason",
            ),
            models.CheckConstraint(
                condition=Q(first_day=None) | Q(last_day=None) | Q(last_day__gte=F("first_day")),
                name="waitlist_days_in_order",
            ),
        ]
        indexes = [
            models.Index(fields=["order_at", "-id"], condition=Q(ended_at=None), name="waitlist_in_order"),
            models.Index(
                fields=["template", "order_at", "-id"],
                condition=Q(ended_at=None),
                name="waitlist_by_template",
            ),
            models.Index(
                fields=["kind", "order_at", "-id"], condition=Q(ended_at=None), name="waitlist_by_kind"
            ),
        ]

    @property
    def seal_key_id(self) -> uuid.UUID:
        return self.case_id

    @property
    def weekday_numbers(self) -> list[int]:
        """The weekdays on which it may begin; 0 is Monday."""
        return [number for number in range(7) if self.weekdays >> number & 1]

    def suits(self, day: date) -> bool:
        """Return whether a time that begins on `day` suits the patient. Hours are not compared."""
        return (
            bool(self.weekdays >> day.weekday() & 1)
            and (self.first_day is None or self.first_day <= day)
            and (self.last_day is None or day <= self.last_day)
        )


class WaitlistOfferQuerySet(models.QuerySet["WaitlistOffer"]):
    def open(self) -> "WaitlistOfferQuerySet":
        """Return the offers that wait for an answer."""
        return self.filter(state=WaitlistOffer.State.OPEN)


class WaitlistOffer(models.Model):
    """A time that is held for one entry until the patient answers, or the offer expires or is taken back."""

    class State(models.TextChoices):
        OPEN = "open", _("waits for an answer")
        ACCEPTED = "accepted", _("accepted")
        DECLINED = "declined", _("declined")
        EXPIRED = "expired", _("not answered in time")
        TAKEN_BACK = "taken-back", _("taken back")

    class Because(models.TextChoices):
        """Why an offer was taken back."""

        TEAM = "team", _("Somebody or something that it needs is not available any more.")
        CASE_OVER = "case-over", _("The file was closed.")
        NOT_READY = "not-ready", _("Something has to be settled before the night first.")
        PATIENT = "patient", _("The patient has something else at that time.")
        LATER = "later", _("The appointment is earlier than that now.")
        CHANGED = "changed", _("This kind of appointment was changed.")
        ENDED = "ended", _("The patient is not on the waitlist for it any more.")
        TAKEN = "taken", _("The time was given to somebody else.")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    entry = models.ForeignKey(WaitlistEntry, on_delete=models.PROTECT, related_name="offers")
    case = models.ForeignKey(Case, on_delete=models.PROTECT, related_name="waitlist_offers")
    # Holds the people, rooms and kits (Booking.held_until), until the offer ends.
    booking = models.OneToOneField(Booking, on_delete=models.PROTECT, related_name="waitlist_offer")
    state = models.CharField(max_length=12, choices=State.choices, default=State.OPEN)
    made_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)
    # Who answered or took it back; null: the system.
    ended_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+"
    )
    because = models.CharField(max_length=12, choices=Because.choices, blank=True)

    objects = WaitlistOfferQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["case"], condition=Q(state="open"), name="one_open_offer_each"),
            models.CheckConstraint(
                condition=Q(state__in=["open", "accepted", "declined", "expired", "taken-back"]),
                name="waitlist_offer_state_known",
            ),
            models.CheckConstraint(
                condition=Q(state="open", ended_at=None) | (~Q(state="open") & Q(ended_at__isnull=False)),
                name="waitlist_offer_ended_unless_open",
            ),
        ]
        indexes = [
            models.Index(fields=["expires_at"], condition=Q(state="open"), name="open_offer_expires"),
        ]

    @property
    def is_open(self) -> bool:
        return self.state == self.State.OPEN


class ChangedSpan(models.Model):
    """A span of the calendar in which something was freed or taken, until the supervisor has processed it."""

    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    made_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(ends_at__gt=F("starts_at")), name="changed_span_has_length")
        ]


def add_changed_span(starts_at: datetime, ends_at: datetime) -> None:
    """Add a span for the supervisor, if anybody waits or has an offer. Call it inside a transaction."""
    waits = WaitlistEntry.objects.waiting().exists() or WaitlistOffer.objects.open().exists()
    starts_at = max(starts_at, timezone.now())
    if waits and ends_at > starts_at:
        ChangedSpan.objects.create(starts_at=starts_at, ends_at=ends_at)
