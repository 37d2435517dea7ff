"""Models of the page for the bed: its tokens, taps on the safe word, and the spoken safe word."""

import uuid
from dataclasses import dataclass

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from erasure.procedures.models import Procedure
from erasure.runs.models import Run, SafeWord
from patients.cases.models import Case
from patients.vault.sealed import SealedModel


class BedToken(models.Model):
    """A token lets one browser use the page for the bed of one night without a sign-in.

    The browser's cookie has the secret value. The database has only its SHA-256 digest.
    """

    class Because(models.TextChoices):
        PATIENT = "patient", _("by the patient")
        STAFF = "staff", _("by the team")
        SIGNED_OUT = "signed-out", _("signed out in the same browser")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    procedure = models.ForeignKey(Procedure, on_delete=models.PROTECT, related_name="bed_tokens")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    digest = models.CharField(max_length=64, unique=True)
    # The owner's session hash when the token was issued. A new passphrase, a closed account and signing out
    # everywhere change the owner's hash; then the token is not valid any more.
    session_hash = models.CharField(max_length=128)
    opened_at = models.DateTimeField(default=timezone.now)
    ended_at = models.DateTimeField(null=True)
    ended_because = models.CharField(max_length=12, choices=Because.choices, blank=True)
    ended_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+"
    )

    class Meta:
        ordering = ["opened_at", "pk"]
        constraints = [
            models.CheckConstraint(
                condition=Q(ended_at__isnull=True, ended_because="")
                | (Q(ended_at__isnull=False) & ~Q(ended_because="")),
                name="bed_token_ends_for_a_reason",
            )
        ]


class BedTap(models.Model):
    """One tap on the safe word of the page for the bed. However often the page sends it, it has one row."""

    run = models.ForeignKey(Run, on_delete=models.PROTECT, related_name="bed_taps")
    tap = models.UUIDField()  # the id that the page made for this tap
    tapped_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    tapped_at = models.DateTimeField(null=True)  # by the device's clock; null if unknown
    arrived_at = models.DateTimeField(default=timezone.now)
    safe_word = models.ForeignKey(SafeWord, on_delete=models.PROTECT, related_name="taps")

    class Meta:
        ordering = ["arrived_at", "pk"]
        constraints = [models.UniqueConstraint(fields=["run", "tap"], name="tap_counts_once")]


@dataclass(frozen=True)
class SpokenWordFields:
    """The field encrypted with the case's key. It is lost when that key is destroyed."""

    word: str = ""


class SpokenWord(SealedModel):
    """The safe word that the patient chose to say aloud in one night, for the team to recognise."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    procedure = models.OneToOneField(Procedure, on_delete=models.PROTECT, related_name="spoken_word")
    case = models.ForeignKey(Case, on_delete=models.PROTECT, related_name="+")  # its key encrypts the word
    set_at = models.DateTimeField(default=timezone.now)

    sealed_fields = SpokenWordFields

    @property
    def seal_key_id(self) -> uuid.UUID:
        return self.case_id
