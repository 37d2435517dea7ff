"""The signed statement of what a run, or a destruction outside a night, destroyed."""

import json
import re
import uuid
from functools import cached_property
from typing import Any

from django.db import models

from erasure.destructions.models import Destruction
from erasure.runs.models import Run
from patients.cases.models import Case

NUMBER_DIGITS = 24  # hex: 96 bits


def digits_of(text: str) -> str:
    """Return the digits of a certificate's number, or "" if the text is none.

    text: as somebody typed it; it may contain spaces, and more digits of the digest.
    """
    digits = "".join(text.split()).lower()
    return digits if re.fullmatch(rf"[0-9a-f]{{{NUMBER_DIGITS},64}}", digits) else ""


class CertificateQuerySet(models.QuerySet["Certificate"]):
    def of_work(self, work_id: uuid.UUID) -> "Certificate | None":
        """Return the certificate of the run or destruction with this id, or None."""
        return self.filter(models.Q(run=work_id) | models.Q(destruction=work_id)).first()

    def numbered(self, text: str) -> "Certificate | None":
        """Return the certificate with this number, or None.

        text: a certificate's number or more digits of its digest; it may contain spaces.
        """
        digits = digits_of(text)
        return self.filter(digest__startswith=digits).first() if digits else None


class Certificate(models.Model):
    """Canonical JSON with a detached Ed25519 signature. The page and the PDF are renderings of it."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    # Exactly one of the two. The addresses of both have the same form, with the id of either.
    run = models.OneToOneField(Run, on_delete=models.PROTECT, null=True, related_name="certificate")
    destruction = models.OneToOneField(
        Destruction, on_delete=models.PROTECT, null=True, related_name="certificate"
    )
    body = models.TextField()
    signature = models.CharField(max_length=200)  # base64
    issued_at = models.DateTimeField()
    # SHA-256 (hex) of the body in UTF-8. Its first digits are the certificate's number, under which anyone
    # can look it up. Numbers cannot be guessed or counted, and reveal nothing about the patient.
    digest = models.CharField(max_length=64, unique=True)

    objects = CertificateQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(run__isnull=True) ^ models.Q(destruction__isnull=True),
                name="certificate_of_one",
            )
        ]

    @property
    def work(self) -> Run | Destruction:
        """What it certifies."""
        work = self.run or self.destruction
        if work is None:
            raise ValueError("a certificate is of a run or of a destruction")
        return work

    @property
    def work_id(self) -> uuid.UUID:
        """The id of the run or destruction, which is also the `run` of its audit entries."""
        return self.run_id or self.destruction_id or uuid.UUID(int=0)

    @property
    def case(self) -> Case:
        work = self.work
        return work.procedure.case if isinstance(work, Run) else work.case

    @property
    def number(self) -> str:
        """The first digits of the digest, as printed on the certificate and used in its short URL."""
        return self.digest[:NUMBER_DIGITS]

    @cached_property
    def statement(self) -> dict[str, Any]:
        """The body, parsed."""
        data: dict[str, Any] = json.loads(self.body)
        return data
