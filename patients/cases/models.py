"""A case: one patient's wish to forget one subject."""

import itertools
import uuid
from dataclasses import dataclass, field
from typing import Any

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from clinic.accounts.models import Role, User
from patients.cases.references import (
    MOST_RANDOM_DIGITS,
    RANDOM_DIGITS,
    new_reference,
    read_reference,
)
from patients.vault.sealed import SealedModel


@dataclass(frozen=True)
class CaseFields:
    """The fields encrypted with the case's key. They are lost when that key is destroyed."""

    subject_name: str = ""
    subject_relation: str = ""
    answers: dict[str, Any] = field(default_factory=dict)
    # Named periods of time: {"name", "color" (green|red|orange|blue|none), "from", "to" (ISO days)}
    chapters: list[dict[str, str]] = field(default_factory=list)
    notes: list[dict[str, str]] = field(default_factory=list)


TRIES_EACH_LENGTH = 8  # numbers drawn before a longer one is


class CaseQuerySet(models.QuerySet["Case"]):
    def visible_to(self, user: User) -> "CaseQuerySet":
        """Return the cases that `user` may see. A staff role never shows its holder their own case."""
        if user.has_role(Role.DOCTOR, Role.RECEPTIONIST, Role.AUDITOR):
            return self.exclude(patient=user)
        if user.has_role(Role.TECHNICIAN):
            return (
                self.exclude(patient=user)
                .filter(
                    models.Q(stage__in=[Case.Stage.REVIEW, Case.Stage.MAPPED])
                    | models.Q(
                        procedures__booking__resources__user=user,
                        procedures__booking__canceled_at__isnull=True,
                    )
                )
                .distinct()
            )
        return self.filter(patient=user)

    def numbered(self, text: str) -> "CaseQuerySet":
        """Return the case with a file number as a person types it."""
        return self.filter(reference__iexact=read_reference(text) or text.strip())

    def free_reference(self, random_digits: int = RANDOM_DIGITS) -> str:
        """Return a new file number that no case has now, with `random_digits` random digits or more.

        Two are added after each `TRIES_EACH_LENGTH` that were taken, so there is always one.
        """
        year = timezone.localdate().year
        for attempt in itertools.count():
            more = 2 * (attempt // TRIES_EACH_LENGTH)
            reference = new_reference(year, min(random_digits + more, MOST_RANDOM_DIGITS))
            if not self.filter(reference=reference).exists():
                break
        return reference

    def current(self) -> "CaseQuerySet":
        return self.exclude(stage__in=[Case.Stage.CLOSED, Case.Stage.WITHDRAWN])


class Case(SealedModel):
    """One patient's wish to forget one subject. Consent, map and procedure have models of their own."""

    class Stage(models.TextChoices):
        INTAKE = "intake", _("intake")
        BRINGING = "bringing", _("bringing keepsakes")
        REVIEW = "review", _("in review")
        MAPPED = "mapped", _("map locked")
        CONSENTED = "consented", _("consent given")
        BOOKED = "booked", _("night booked")
        RUNNING = "running", _("being erased")
        CLOSED = "closed", _("closed")
        WITHDRAWN = "withdrawn", _("withdrawn")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    # Set by save(): with a default, a migration would have to import the function.
    reference = models.CharField(max_length=24, unique=True)
    patient = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="cases")
    stage = models.CharField(max_length=12, choices=Stage.choices, default=Stage.INTAKE)
    opened_at = models.DateTimeField(default=timezone.now)
    closed_at = models.DateTimeField(null=True)

    sealed_fields = CaseFields
    objects = CaseQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["patient"],
                condition=~models.Q(stage__in=["closed", "withdrawn"]),
                name="one_current_case_each",
            )
        ]

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Save the case; give a new one its reference. Errors: IntegrityError if the reference is taken."""
        if self._state.adding and not self.reference:
            self.reference = Case.objects.free_reference()
        super().save(*args, **kwargs)

    @property
    def map_is_open(self) -> bool:
        """Whether the patient may still add, change and remove keepsakes and memories (map not locked)."""
        return self.stage in {self.Stage.INTAKE, self.Stage.BRINGING, self.Stage.REVIEW}
