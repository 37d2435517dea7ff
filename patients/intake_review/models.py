"""A doctor's review of a patient's intake."""

import uuid
from dataclasses import dataclass, field
from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from patients.cases.models import Case
from patients.vault.sealed import SealedModel


@dataclass(frozen=True)
class ReviewFields:
    """The fields encrypted with the case's key. They are lost when that key is destroyed.

    words: conditions, or why the patient is not cleared; the patient and the team read them. answers: the
    reviewed answers, as `given_answers` returns them (patients/intake/questions.py), to show what changed
    since.
    """

    words: str = ""
    answers: dict[str, Any] = field(default_factory=dict)


class IntakeReview(SealedModel):
    """One review. Never edited: only the newest of a case counts."""

    class Outcome(models.TextChoices):
        CLEARED = "cleared", _("cleared")
        CONDITIONS = "cleared_with_conditions", _("cleared with conditions")
        NOT_CLEARED = "not_cleared", _("not cleared")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    case = models.ForeignKey(Case, on_delete=models.PROTECT, related_name="intake_reviews")
    number = models.PositiveIntegerField()  # counted from 1 in each case
    # Of the answers that were reviewed; see `answers_digest` in reviewing.py.
    digest = models.CharField(max_length=64)
    outcome = models.CharField(max_length=24, choices=Outcome.choices)
    reviewed_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    reviewed_at = models.DateTimeField(default=timezone.now)

    sealed_fields = ReviewFields

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["case", "number"], name="intake_review_number_once"),
            models.CheckConstraint(
                condition=Q(outcome__in=["cleared", "cleared_with_conditions", "not_cleared"]),
                name="intake_review_outcome_known",
            ),
        ]

    @property
    def seal_key_id(self) -> uuid.UUID:
        return self.case_id
