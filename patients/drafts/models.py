"""Drafts: what a person has typed into a form and not saved yet."""

import hmac
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone

from patients.cases.models import Case
from patients.vault.configured import key_store
from patients.vault.keys import KeyGone
from patients.vault.sealed import SealedModel

REVISION = "draft"  # the name of the form field in which a page sends the revision that it knows


@dataclass(frozen=True)
class DraftFields:
    """The encrypted fields. values: what the form would post, a list of values for the name of each field."""

    values: dict[str, list[str]] = field(default_factory=dict)


class DraftQuerySet(models.QuerySet["Draft"]):
    def live(self) -> "DraftQuerySet":
        return self.filter(ended_at__isnull=True)

    def ended(self) -> "DraftQuerySet":
        """Return the drafts that have ended and whose key may still exist."""
        return self.filter(ended_at__isnull=False)


class Draft(SealedModel):
    """One person's unsaved text in one form.

    It is sealed under two keys: one of its own, whose id is the row's, and that of the thing that the form is
    about (a memory, a keepsake, a case or a request). When either key is destroyed, nobody can read it. When
    the draft ends, its own key is destroyed first and the row is deleted then: no key is left without a row.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    person = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="drafts")
    case = models.ForeignKey(Case, on_delete=models.PROTECT, null=True, related_name="drafts")
    form = models.CharField(max_length=60)  # which form, such as "memory:<id>"; see forms.py
    about = models.UUIDField()  # the id of the thing that the form is about, which is also that of its key
    # A new one with each change. A page sends the revision that it knows, so it overwrites nothing newer.
    revision = models.UUIDField(default=uuid.uuid4)
    saved_at = models.DateTimeField(default=timezone.now)
    ended_at = models.DateTimeField(null=True)

    sealed_fields = DraftFields
    objects = DraftQuerySet.as_manager()

    class Meta:
        indexes = [models.Index(fields=["about"], name="drafts_about")]
        constraints = [
            models.UniqueConstraint(
                fields=["person", "form"], condition=Q(ended_at__isnull=True), name="one_draft_of_each_form"
            ),
            models.CheckConstraint(
                condition=Q(ended_at__isnull=True) | Q(sealed=b""), name="ended_draft_holds_nothing"
            ),
        ]

    def read(self) -> DraftFields:
        """Return the fields. Errors: KeyGone if either key is destroyed; Tampered."""
        return self.read_with(key_store().get_many({self.pk, self.about}))

    def read_with(self, keys: Mapping[uuid.UUID, bytes]) -> DraftFields:
        """As `read`, with keys from the key store by their ids."""
        fields: DraftFields = self._unseal(self._key_from(keys)) if self.sealed else DraftFields()
        return fields

    def write(self, fields: Any) -> None:
        """Seal `fields` into the column. The caller saves the row. Errors: KeyGone."""
        self._seal(self._key_from(key_store().get_many({self.pk, self.about})), fields)

    def _key_from(self, keys: Mapping[uuid.UUID, bytes]) -> bytes:
        """Return the key made of the draft's own key and of that of the thing. Errors: KeyGone."""
        for wanted in (self.pk, self.about):
            if wanted not in keys:
                raise KeyGone(wanted)
        return hmac.digest(keys[self.pk], b"lacuna draft" + keys[self.about], "sha256")
