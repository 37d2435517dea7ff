"""The published consent texts, and the patients' signatures under them."""

import uuid

from django.conf import settings
from django.core.validators import MinValueValidator
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from clinic.seasons.models import Season
from patients.cases.models import Case
from patients.memories.models import LockedMap


class ConsentText(models.Model):
    """One version of a text to sign, in one language. Never edited: a new wording is a new row."""

    class Kind(models.TextChoices):
        STORAGE = "storage", _("keeping what you bring")
        PROCEDURE = "procedure", _("the procedure")

    kind = models.CharField(max_length=12, choices=Kind.choices)
    version = models.PositiveIntegerField()
    language = models.CharField(max_length=8, default="en")
    body = models.TextField()
    digest = models.CharField(max_length=64)  # SHA-256 hex of the body, UTF-8
    published_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["kind", "version", "language"], name="consent_text_once")
        ]


class SignatureQuerySet(models.QuerySet["Signature"]):
    def in_force(self) -> "SignatureQuerySet":
        return self.filter(withdrawn_at__isnull=True, superseded_at__isnull=True)


class Signature(models.Model):
    """A patient's agreement to exactly one text and, for a procedure, exactly one locked map."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    case = models.ForeignKey(Case, on_delete=models.PROTECT, related_name="signatures")
    text = models.ForeignKey(ConsentText, on_delete=models.PROTECT, related_name="signatures")
    text_digest = models.CharField(max_length=64)
    map = models.ForeignKey(LockedMap, on_delete=models.PROTECT, null=True, related_name="signatures")
    map_digest = models.CharField(max_length=64, blank=True)
    # Whether the doctor may also erase a copy that is found off the map, without asking the sleeping patient.
    may_extend = models.BooleanField(default=False)
    # How long after signing a procedure may start: what held when it was signed. 0 for a storage consent.
    cooling_off_hours = models.FloatField(default=0, validators=[MinValueValidator(0)])
    # The season that made this time longer, and its name then. null: the time is the clinic's own.
    season = models.ForeignKey(
        Season, on_delete=models.PROTECT, null=True, blank=True, related_name="signatures"
    )
    season_name = models.CharField(max_length=80, blank=True)
    # SHA-256 (hex) of the list that was shown, and of the paper; "" if there was none (consent_papers).
    list_digest = models.CharField(max_length=64, blank=True)
    paper_digest = models.CharField(max_length=64, blank=True)
    witnessed = models.BooleanField(default=False)  # somebody signed as a witness; the paper has the name
    signed_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    signed_at = models.DateTimeField(default=timezone.now)
    withdrawn_at = models.DateTimeField(null=True)
    superseded_at = models.DateTimeField(null=True)

    objects = SignatureQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["case", "map"],
                condition=models.Q(withdrawn_at__isnull=True, superseded_at__isnull=True),
                name="one_consent_in_force",
            ),
            # A storage consent has no map. Two NULLs never conflict: the constraint above does not cover it.
            models.UniqueConstraint(
                fields=["case"],
                condition=models.Q(map__isnull=True, withdrawn_at__isnull=True, superseded_at__isnull=True),
                name="one_storage_consent_in_force",
            ),
        ]
        # For the reports (erasure/reports).
        indexes = [
            models.Index(
                fields=["signed_at"], condition=models.Q(map__isnull=False), name="procedure_consents_by_time"
            ),
            models.Index(
                fields=["withdrawn_at"],
                condition=models.Q(map__isnull=False),
                name="withdrawn_consents_by_time",
            ),
        ]

    @property
    def in_force(self) -> bool:
        return self.withdrawn_at is None and self.superseded_at is None
