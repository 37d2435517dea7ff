"""The planned erasure of a locked map."""

import uuid

from django.conf import settings
from django.core.validators import MinValueValidator
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from clinic.calendar.models import Booking
from patients.cases.models import Case
from patients.consent.models import Signature
from patients.memories.models import LockedMap


class Procedure(models.Model):
    """When, where and by whom a map is erased. The supervisor starts it at its time, or a person earlier."""

    class Place(models.TextChoices):
        CLINIC = "clinic", _("in the clinic")
        HOME = "home", _("at the patient's home")

        @property
        def for_patient(self) -> str:
            """The place in words that the patient reads."""
            return gettext("at your home") if self == self.HOME else str(self.label)

    class State(models.TextChoices):
        BOOKED = "booked", _("booked")
        STARTED = "started", _("started")
        DONE = "done", _("done")
        CANCELED = "canceled", _("canceled")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    case = models.ForeignKey(Case, on_delete=models.PROTECT, related_name="procedures")
    map = models.ForeignKey(LockedMap, on_delete=models.PROTECT, related_name="procedures")
    consent = models.ForeignKey(Signature, on_delete=models.PROTECT, related_name="procedures")
    booking = models.OneToOneField(Booking, on_delete=models.PROTECT, related_name="procedure")
    place = models.CharField(max_length=8, choices=Place.choices)
    state = models.CharField(max_length=10, choices=State.choices, default=State.BOOKED)
    pace_seconds = models.FloatField(
        validators=[MinValueValidator(0)]
    )  # seconds per memory; 0: as fast as possible
    # Minutes between two presence checks. null: the clinic's setting when the run starts. 0: no checks.
    presence_minutes = models.FloatField(null=True, blank=True, validators=[MinValueValidator(0)])
    booked_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    booked_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["case"],
                condition=models.Q(state__in=["booked", "started"]),
                name="one_procedure_at_a_time",
            ),
            models.CheckConstraint(condition=models.Q(pace_seconds__gte=0), name="pace_not_negative"),
        ]
        # The few that are to come or were missed, among all that have been.
        indexes = [
            models.Index(fields=["booking"], condition=models.Q(state="booked"), name="procedures_booked")
        ]
