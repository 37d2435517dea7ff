"""The paper of a consent: exactly what was signed, as a PDF."""

import uuid
from collections.abc import Iterable
from uuid import UUID

from django.db import models
from django.utils import timezone

from patients.consent.models import Signature
from patients.vault.joint_keys import joint_key
from patients.vault.sealed import seal, unseal

PURPOSE = "consent paper"


class ConsentPaperQuerySet(models.QuerySet["ConsentPaper"]):
    def key_ids(self) -> set[UUID]:
        """Return the ids of all keys of which the keys of these papers are made."""
        return {UUID(key_id) for ids in self.values_list("keys", flat=True) for key_id in ids}


class ConsentPaper(models.Model):
    """The paper of one signature, encrypted under a key that is made of the keys of all that it names.

    As soon as one of them is destroyed, nobody can open it any more (docs/decisions/0024-consent-papers.md).
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    signature = models.OneToOneField(Signature, on_delete=models.PROTECT, related_name="paper")
    keys = models.JSONField()  # ids of the keys that are needed to open it, as text
    sealed = models.BinaryField(editable=False)
    made_at = models.DateTimeField(default=timezone.now)

    objects = ConsentPaperQuerySet.as_manager()

    def write(self, pdf: bytes, key_ids: Iterable[UUID]) -> None:
        """Encrypt the PDF; the caller saves the row. Errors: KeyGone."""
        ids = sorted(set(key_ids))
        self.keys = [str(key_id) for key_id in ids]
        self.sealed = seal(joint_key(ids, PURPOSE), self._associated_data(), pdf)

    def read(self) -> bytes:
        """Return the PDF. Errors: KeyGone if one of its keys is destroyed; Tampered for a changed row."""
        key = joint_key([UUID(key_id) for key_id in self.keys], PURPOSE)
        return unseal(key, self._associated_data(), self.sealed)

    def _associated_data(self) -> bytes:
        return f"{self._meta.label_lower}:{self.pk}:{self.signature_id}".encode()
