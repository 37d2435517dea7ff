"""Notes of the staff on a case."""

import uuid
from dataclasses import dataclass

from django.conf import settings
from django.db import models
from django.utils import timezone

from patients.cases.models import Case
from patients.vault.sealed import SealedModel


@dataclass(frozen=True)
class NoteFields:
    """The fields encrypted with the case's key. They are lost when that key is destroyed.

    reason: why the note was struck out.
    """

    words: str = ""
    reason: str = ""


class CaseNote(SealedModel):
    """One note. Its words are never edited: whoever wrote it may strike it out, and it stays legible."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    case = models.ForeignKey(Case, on_delete=models.PROTECT, db_index=False, related_name="staff_notes")
    written_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    written_at = models.DateTimeField(default=timezone.now)
    struck_at = models.DateTimeField(null=True)

    sealed_fields = NoteFields

    class Meta:
        indexes = [models.Index(fields=["case", "written_at"], name="note_of_case")]

    @property
    def seal_key_id(self) -> uuid.UUID:
        return self.case_id
