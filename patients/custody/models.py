"""The custody of physical objects ("things") that patients leave with the clinic."""

import uuid

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from patients.keepsakes.models import Keepsake


class Custody(models.Model):
    """The custody of one thing. The row stays after the keepsake's words and picture are destroyed."""

    class State(models.TextChoices):
        RECEIVED = "received", pgettext_lazy("a thing", "on our shelf")
        HANDED = "handed", pgettext_lazy("a thing", "handed to the procedure")
        # One person has recorded the outcome; a second has not confirmed it yet.
        ENDING = "ending", pgettext_lazy("a thing", "waiting for a second witness")
        DESTROYED = "destroyed", pgettext_lazy("a thing", "destroyed before two witnesses")
        RETURNED = "returned", pgettext_lazy("a thing", "given back before two witnesses")

    class Outcome(models.TextChoices):
        DESTROYED = "destroyed", _("destroyed")
        RETURNED = "returned", _("given back")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    keepsake = models.OneToOneField(Keepsake, on_delete=models.PROTECT, related_name="custody")
    state = models.CharField(max_length=10, choices=State.choices, default=State.RECEIVED)
    shelf = models.CharField(max_length=12)  # a code of a place in the clinic, such as B-14; never words
    received_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    received_at = models.DateTimeField(default=timezone.now)
    handed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+"
    )
    handed_at = models.DateTimeField(null=True)
    outcome = models.CharField(max_length=10, choices=Outcome.choices, blank=True)
    ended_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+"
    )
    ended_at = models.DateTimeField(null=True)
    witnessed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+"
    )
    witnessed_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=~Q(state__in=["destroyed", "returned"])
                | (
                    Q(ended_by__isnull=False, ended_at__isnull=False, witnessed_at__isnull=False)
                    & Q(witnessed_by__isnull=False, outcome=F("state"))
                    & ~Q(witnessed_by=F("ended_by"))
                ),
                name="custody_closed_by_two",
            ),
            models.CheckConstraint(
                condition=~Q(state="handed") | Q(handed_by__isnull=False, handed_at__isnull=False),
                name="custody_handed_by_somebody",
            ),
            models.CheckConstraint(
                condition=~Q(state="ending") | (Q(ended_by__isnull=False) & ~Q(outcome="")),
                name="custody_ending_says_how",
            ),
        ]

    @property
    def closed(self) -> bool:
        return self.state in {self.State.DESTROYED, self.State.RETURNED}

    @property
    def tag(self) -> str:
        return self.keepsake.tag
