"""The catalogue of backups, and the drills that were held with them."""

import uuid

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _


class Backup(models.Model):
    """One backup that was made and verified: database and ciphertext in a directory, and never a key.

    A row restored from an older backup knows of no later ones; the one it came from is entered again.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    directory = models.CharField(max_length=500)
    made_at = models.DateTimeField()
    digest = models.CharField(max_length=64)  # SHA-256 (hex) of the manifest
    log_size = models.BigIntegerField()  # entries of the log that are in it
    objects_count = models.PositiveIntegerField()
    size = models.BigIntegerField()  # bytes, of database and ciphertext
    restored_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-made_at"]
        constraints = [models.UniqueConstraint(fields=["digest"], name="backup_catalogued_once")]


class Drill(models.Model):
    """One attempt to open what a backup holds, with the keys of the day."""

    class Result(models.TextChoices):
        HOLDS = "holds", _("nothing erased opens")
        BROKEN = "broken", _("it does not hold")
        # Nothing in the backup is kept any more, so nothing showed that opening would have worked.
        UNCONTROLLED = "uncontrolled", _("nothing opens, and nothing was left to compare")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    backup = models.ForeignKey(Backup, on_delete=models.CASCADE, related_name="drills")
    held_at = models.DateTimeField(default=timezone.now)
    result = models.CharField(max_length=14, choices=Result.choices)
    kept_opened = models.PositiveIntegerField()
    kept_closed = models.PositiveIntegerField()
    erased_opened = models.PositiveIntegerField()
    erased_closed = models.PositiveIntegerField()

    class Meta:
        ordering = ["-held_at"]
        constraints = [
            models.CheckConstraint(
                condition=~Q(result="holds") | Q(erased_opened=0, kept_closed=0, kept_opened__gt=0),
                name="drill_holds_only_so",
            )
        ]
