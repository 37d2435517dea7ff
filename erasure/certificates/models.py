"""The signed statement of what a run destroyed."""

import hashlib
import json
import uuid
from functools import cached_property
from typing import Any

from django.db import models

from erasure.runs.models import Run


class Certificate(models.Model):
    """Canonical JSON with a detached Ed25519 signature; the page and any print are renderings of it."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    run = models.OneToOneField(Run, on_delete=models.PROTECT, related_name="certificate")
    body = models.TextField()
    signature = models.CharField(max_length=200)  # base64
    issued_at = models.DateTimeField()

    @property
    def digest(self) -> str:
        """SHA-256 (hex) of the body in UTF-8."""
        return hashlib.sha256(self.body.encode()).hexdigest()

    @cached_property
    def statement(self) -> dict[str, Any]:
        """The body as data."""
        data: dict[str, Any] = json.loads(self.body)
        return data
