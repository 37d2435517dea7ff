"""Visits, mapping visits and follow-ups of a case, their templates, and what they leave the desk to do."""

import uuid
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils import timezone
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from clinic.calendar.models import Booking
from patients.cases.models import Case
from patients.vault.sealed import SealedModel


class Kind(models.TextChoices):
    """What an appointment is for. The values are those of Booking.Kind; a night is not among them."""

    VISIT = Booking.Kind.VISIT.value, _("visit")
    MAPPING = Booking.Kind.MAPPING.value, _("mapping visit")
    FOLLOW_UP = Booking.Kind.FOLLOW_UP.value, _("follow-up")


class Place(models.TextChoices):
    """What kind of place an appointment needs."""

    ROOM = "room", _("a room")
    NONE = "none", _("no room")


SHORTEST_APPOINTMENT, LONGEST_APPOINTMENT = 15, 480  # minutes
MOST_PEOPLE = 4  # of one role
LONGEST_BUFFER = 120  # minutes
LONGEST_PREPARATION = 2000  # characters


class TemplateValues(models.Model):
    """What an appointment needs, in a template and in each appointment that was made with it."""

    kind = models.CharField(max_length=12, choices=Kind.choices)
    name = models.CharField(max_length=80)
    minutes = models.PositiveSmallIntegerField(
        validators=[MinValueValidator(SHORTEST_APPOINTMENT), MaxValueValidator(LONGEST_APPOINTMENT)]
    )
    doctors = models.PositiveSmallIntegerField(default=0, validators=[MaxValueValidator(MOST_PEOPLE)])
    technicians = models.PositiveSmallIntegerField(default=0, validators=[MaxValueValidator(MOST_PEOPLE)])
    place = models.CharField(max_length=8, choices=Place.choices, default=Place.ROOM)
    # Minutes before and after, in which its room is made ready.
    buffer_before = models.PositiveSmallIntegerField(
        default=0, validators=[MaxValueValidator(LONGEST_BUFFER)]
    )
    buffer_after = models.PositiveSmallIntegerField(default=0, validators=[MaxValueValidator(LONGEST_BUFFER)])
    # What the patient reads beforehand, in each language.
    preparation_en = models.TextField(blank=True, max_length=LONGEST_PREPARATION)
    preparation_vi = models.TextField(blank=True, max_length=LONGEST_PREPARATION)
    # What follows when it is completed, and after how many days.
    follow_up = models.ForeignKey(
        "patients.AppointmentTemplate", on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    follow_up_days = models.PositiveSmallIntegerField(null=True, blank=True)

    class Meta:
        abstract = True

    @property
    def preparation(self) -> str:
        """What the patient reads, in the active language; in the other one if that is all there is."""
        texts = {"en": self.preparation_en, "vi": self.preparation_vi}
        active = texts.get((get_language() or "en")[:2], "")
        return active or self.preparation_en or self.preparation_vi


# The columns that an appointment copies from its template.
TEMPLATE_FIELDS = tuple(field.attname for field in TemplateValues._meta.local_fields)


class AppointmentTemplateQuerySet(models.QuerySet["AppointmentTemplate"]):
    def usable(self) -> "AppointmentTemplateQuerySet":
        """Return the templates with which appointments are made, by name."""
        return self.filter(in_use=True).order_by("name")


class AppointmentTemplate(TemplateValues):
    """One kind of appointment as the clinic offers it. A change does not touch appointments already made."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    # The desk is asked to book it so many days after a night that closed a case. null: it is not.
    days_after_night = models.PositiveSmallIntegerField(null=True, blank=True)
    # Whether patients book it themselves, on their page.
    patients_may_book = models.BooleanField(default=False)
    in_use = models.BooleanField(default=True)

    objects = AppointmentTemplateQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["name"], name="appointment_template_name_once"),
            models.CheckConstraint(
                condition=models.Q(minutes__gte=SHORTEST_APPOINTMENT), name="appointment_template_has_length"
            ),
            models.CheckConstraint(
                condition=models.Q(follow_up__isnull=True, follow_up_days__isnull=True)
                | models.Q(follow_up__isnull=False, follow_up_days__isnull=False),
                name="appointment_template_follow_up_has_days",
            ),
        ]


@dataclass(frozen=True)
class ChangeFields:
    """The fields encrypted with the case's key. words: a note on why it was last moved, or cancelled."""

    words: str = ""


class AppointmentQuerySet(models.QuerySet["Appointment"]):
    def made(self) -> "AppointmentQuerySet":
        """Return the appointments that are or were booked, in any later state too; no mere holds."""
        return self.exclude(status=Appointment.Status.HELD)

    def booked(self) -> "AppointmentQuerySet":
        """Return the appointments that are booked and whose patient has not arrived."""
        return self.filter(status=Appointment.Status.BOOKED)

    def unsettled(self) -> "AppointmentQuerySet":
        """Return the appointments that are booked, and of which nobody has entered how they ended.

        By their times too, as their index has them: SQLite does not know an index by a list of states.
        """
        states = [Appointment.Status.BOOKED, Appointment.Status.ARRIVED, Appointment.Status.IN_PROGRESS]
        return self.filter(
            status__in=states, completed_at__isnull=True, missed_at__isnull=True, cancelled_at__isnull=True
        )

    def with_booking(self) -> "AppointmentQuerySet":
        return self.select_related("booking", "case__patient")


class Appointment(SealedModel, TemplateValues):
    """One appointment of a case, with a copy of what its template said when it was made."""

    class Status(models.TextChoices):
        # Reserved until Booking.held_until for the person who is about to book it. A hold that is given up,
        # or lost, keeps this status: its booking is canceled.
        HELD = "held", _("held")
        BOOKED = "booked", _("expected")
        ARRIVED = "arrived", _("arrived")
        IN_PROGRESS = "in_progress", _("in the room")
        COMPLETED = "completed", _("done")
        CANCELLED = "cancelled", _("canceled")
        NO_SHOW = "no_show", _("did not come")

    class Reason(models.TextChoices):
        """Why an appointment was moved or cancelled."""

        PATIENT = "patient", _("The patient asked for it")
        PATIENT_ILL = "patient-ill", _("The patient is ill")
        STAFF = "staff", _("Somebody of the team cannot come")
        PLACE = "place", _("The room cannot be used")
        CLINIC = "clinic", _("The clinic plans anew")
        MISTAKE = "mistake", _("It was booked by mistake")
        OTHER = "other", _("Another reason")
        CASE_OVER = "case-over", _("The file was closed")
        EARLIER = "earlier", _("An earlier time became free")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    case = models.ForeignKey(Case, on_delete=models.PROTECT, related_name="appointments")
    template = models.ForeignKey(
        AppointmentTemplate, on_delete=models.PROTECT, null=True, related_name="appointments"
    )
    booking = models.OneToOneField(Booking, on_delete=models.PROTECT, related_name="appointment")
    status = models.CharField(max_length=12, choices=Status.choices, default=Status.HELD)
    # How often it was moved, and how often of these because of the patient.
    sequence = models.PositiveIntegerField(default=0)
    patient_moves = models.PositiveIntegerField(default=0)
    # Why, by whom (null: by the system) and when it was last moved, or cancelled.
    reason = models.CharField(max_length=12, choices=Reason.choices, blank=True)
    changed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+"
    )
    changed_at = models.DateTimeField(null=True)
    made_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    made_at = models.DateTimeField(default=timezone.now)
    booked_at = models.DateTimeField(null=True)
    arrived_at = models.DateTimeField(null=True)
    started_at = models.DateTimeField(null=True)
    completed_at = models.DateTimeField(null=True)
    missed_at = models.DateTimeField(null=True)
    cancelled_at = models.DateTimeField(null=True)

    sealed_fields = ChangeFields
    objects = AppointmentQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(
                    status__in=[
                        *("held", "booked", "arrived", "in_progress"),
                        *("completed", "cancelled", "no_show"),
                    ]
                ),
                name="appointment_status_known",
            ),
            models.CheckConstraint(
                condition=models.Q(status="held", booked_at__isnull=True)
                | (~models.Q(status="held") & models.Q(booked_at__isnull=False)),
                name="appointment_booked_unless_held",
            ),
            models.CheckConstraint(
                condition=models.Q(patient_moves__lte=models.F("sequence")),
                name="appointment_patient_moves_are_moves",
            ),
        ]
        indexes = [
            models.Index(fields=["status"], name="appointments_by_status"),
            # Those that are to come, or whose state nobody has entered, among all that have been.
            models.Index(
                fields=["booking"],
                condition=models.Q(
                    completed_at__isnull=True, missed_at__isnull=True, cancelled_at__isnull=True
                ),
                name="appointments_open",
            ),
        ]

    @property
    def seal_key_id(self) -> uuid.UUID:
        return self.case_id

    @property
    def state_since(self) -> datetime | None:
        """When the appointment came into its present status; None for a hold."""
        return {
            self.Status.BOOKED: self.booked_at,
            self.Status.ARRIVED: self.arrived_at,
            self.Status.IN_PROGRESS: self.started_at,
            self.Status.COMPLETED: self.completed_at,
            self.Status.NO_SHOW: self.missed_at,
            self.Status.CANCELLED: self.cancelled_at,
        }.get(self.Status(self.status))


class DeskTaskQuerySet(models.QuerySet["DeskTask"]):
    def open(self) -> "DeskTaskQuerySet":
        """Return what the desk still has to do."""
        return self.filter(answer="")


class DeskTask(models.Model):
    """Something that the desk has to do after an appointment or a night. answer: "" while it is open."""

    class Kind(models.TextChoices):
        CALL = "call", _("did not come: call")
        FOLLOW_UP = "follow-up", _("book the follow-up")

    class Answer(models.TextChoices):
        BOOKED = "booked", _("an appointment was booked")
        CLOSED = "closed", _("nothing is needed")
        UNDONE = "undone", _("it was entered by mistake")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    kind = models.CharField(max_length=12, choices=Kind.choices)
    case = models.ForeignKey(Case, on_delete=models.PROTECT, related_name="desk_tasks")
    # The appointment that it came from; null after a night.
    appointment = models.ForeignKey(
        Appointment, on_delete=models.PROTECT, null=True, related_name="desk_tasks"
    )
    # The template of the follow-up, and the day from which it is to take place.
    template = models.ForeignKey(
        AppointmentTemplate, on_delete=models.PROTECT, null=True, related_name="desk_tasks"
    )
    due = models.DateField(null=True)
    made_at = models.DateTimeField(default=timezone.now)
    answer = models.CharField(max_length=8, choices=Answer.choices, blank=True)
    answered_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+"
    )
    answered_at = models.DateTimeField(null=True)

    objects = DeskTaskQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["appointment", "kind"], condition=models.Q(answer=""), name="desk_task_open_once"
            ),
            models.CheckConstraint(
                condition=models.Q(kind="call", appointment__isnull=False, due__isnull=True)
                | models.Q(kind="follow-up", template__isnull=False, due__isnull=False),
                name="desk_task_complete",
            ),
        ]
        indexes = [
            models.Index(fields=["made_at"], condition=models.Q(answer=""), name="desk_tasks_open"),
        ]
