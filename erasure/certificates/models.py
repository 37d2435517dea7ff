"""The signed statement of what a run destroyed."""

import json
import re
import uuid
from functools import cached_property
from typing import Any

from django.db import models

from erasure.runs.models import Run

NUMBER_DIGITS = 24  # hex: 96 bits


def digits_of(text: str) -> str:
    """Return the digits of a certificate's number, or "" if the text is none.

    text: as somebody typed it; it may contain spaces, and more digits of the digest.
    """
    digits = "".join(text.split()).lower()
    return digits if re.fullmatch(rf"[0-9a-f]{{{NUMBER_DIGITS},64}}", digits) else ""


class CertificateQuerySet(models.QuerySet["Certificate"]):
    def numbered(self, text: str) -> "Certificate | None":
        """Return the certificate with this number, or None.

        text: a certificate's number or more digits of its digest; it may contain spaces.
        """
        digits = digits_of(text)
        return self.filter(digest__startswith=digits).first() if digits else None


class Certificate(models.Model):
    """Canonical JSON with a detached Ed25519 signature. The page and the PDF are renderings of it."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    run = models.OneToOneField(Run, on_delete=models.PROTECT, related_name="certificate")
    body = models.TextField()
    signature = models.CharField(max_length=200)  # base64
    issued_at = models.DateTimeField()
    # SHA-256 (hex) of the body in UTF-8. Its first digits are the certificate's number, under which anyone
    # can look it up. Numbers cannot be guessed or counted, and reveal nothing about the patient.
    digest = models.CharField(max_length=64, unique=True)

    objects = CertificateQuerySet.as_manager()

    @property
    def number(self) -> str:
        """The first digits of the digest, as printed on the certificate and used in its short URL."""
        return self.digest[:NUMBER_DIGITS]

    @cached_property
    def statement(self) -> dict[str, Any]:
        """The body, parsed."""
        data: dict[str, Any] = json.loads(self.body)
        return data
