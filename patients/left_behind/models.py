"""The ticks of the left-behind list."""

from django.conf import settings
from django.db import models
from django.utils import timezone


class LeftBehindTick(models.Model):
    """A place that a patient has looked through. There is no free text, so a row names nobody else.

    place: the id of a place (patients/left_behind/places.py). Closing the account deletes the row
    (patients/left_behind/personal_data.py).
    """

    patient = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, db_index=False, related_name="left_behind_ticks"
    )
    place = models.CharField(max_length=40)
    ticked_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=["patient", "place"], name="left_behind_place_ticked_once"),
        )
