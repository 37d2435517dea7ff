"""The map as it was locked: what exactly will be erased, in which order."""

import uuid

from django.conf import settings
from django.db import models
from django.utils import timezone

from patients.cases.models import Case


class LockedMap(models.Model):
    """A frozen map. Its digest covers opaque ids, order and fates only, so it may outlive the erasure."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    case = models.ForeignKey(Case, on_delete=models.PROTECT, related_name="maps")
    version = models.PositiveIntegerField()
    digest = models.CharField(max_length=64)  # SHA-256 hex of `body`
    body = models.JSONField()  # canonical content: see patients/maps/locking.py
    locked_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    locked_at = models.DateTimeField(default=timezone.now)
    unlocked_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["case", "version"], name="map_version_once"),
            models.UniqueConstraint(
                fields=["case"], condition=models.Q(unlocked_at__isnull=True), name="one_locked_map_each"
            ),
        ]
