"""The catalogue of backups, and the results of drills."""

import uuid
from datetime import timedelta

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

BACKUP_STALE = timedelta(days=7)  # the set-up page asks for a backup if the last one is older
DRILL_STALE = timedelta(days=31)  # pages warn if the last drill is older


class Backup(models.Model):
    """One backup that was made and verified: database and ciphertext in a directory, and never a key.

    After a restore the catalogue has no rows of later backups. The restored backup is added again.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    directory = models.CharField(max_length=500)
    made_at = models.DateTimeField()
    digest = models.CharField(max_length=64)  # SHA-256 (hex) of the manifest
    log_size = models.BigIntegerField()  # audit entries in the backup
    objects_count = models.PositiveIntegerField()
    size = models.BigIntegerField()  # bytes, of database and ciphertext
    restored_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-made_at"]
        constraints = [models.UniqueConstraint(fields=["digest"], name="backup_catalogued_once")]


class Drill(models.Model):
    """One attempt to open everything in a backup with the keys of that day."""

    class Result(models.TextChoices):
        HOLDS = "holds", _("nothing erased opens")
        BROKEN = "broken", _("it does not hold")
        # Nothing in the backup is still kept, so nothing shows that opening would have worked.
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
