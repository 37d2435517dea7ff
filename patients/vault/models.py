"""The vault's tables: StoredObject has one row for every object that has or had a key of its own."""

import uuid

from django.db import models
from django.db.models import Q
from django.utils import timezone


class StoredObjectQuerySet(models.QuerySet["StoredObject"]):
    def live(self) -> "StoredObjectQuerySet":
        return self.filter(state=StoredObject.State.LIVE)

    def doomed(self) -> "StoredObjectQuerySet":
        """Return the objects that are marked for destruction."""
        return self.filter(state=StoredObject.State.DOOMED)

    def remaining(self) -> "StoredObjectQuerySet":
        """Return the objects whose key may still exist."""
        return self.exclude(state=StoredObject.State.DESTROYED)


class StoredObject(models.Model):
    """An encrypted file and its key, or, with role `seal`, only the key of another row's sealed fields.

    The row's id is also the key's id in the key store. The row stays when key and file are destroyed, because
    certificates count it.
    """

    class Role(models.TextChoices):
        ORIGINAL = "original"
        SCREEN = "screen"
        THUMB = "thumb"
        FRAME = "frame"
        SEAL = "seal"

    class State(models.TextChoices):
        # Created by a pass that has not committed yet, or by an upload that is not finished.
        PENDING = "pending"
        LIVE = "live"
        # Its destruction is committed. Any process that finds the row retries until the key is gone.
        DOOMED = "doomed"
        DESTROYED = "destroyed"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    case = models.ForeignKey("patients.Case", on_delete=models.PROTECT, related_name="stored")
    memory = models.ForeignKey("patients.Memory", on_delete=models.PROTECT, null=True, related_name="stored")
    keepsake = models.ForeignKey(
        "patients.Keepsake", on_delete=models.PROTECT, null=True, related_name="stored"
    )
    role = models.CharField(max_length=10, choices=Role.choices)
    state = models.CharField(max_length=10, choices=State.choices, default=State.LIVE)
    # File name in STORAGES["vault"]: random, reveals nothing. Empty for a seal and once the file is deleted.
    blob = models.CharField(max_length=120, blank=True)
    media_type = models.CharField(max_length=40, blank=True)
    size = models.BigIntegerField(default=0)  # plaintext bytes
    width = models.PositiveIntegerField(default=0)  # pixels; 0 if it is not a picture
    height = models.PositiveIntegerField(default=0)
    level = models.PositiveSmallIntegerField(default=0)  # fade level; 0: not faded
    # Upper bound, in bits, of what a person could see in it: the honest measure of what is left.
    capacity = models.BigIntegerField(default=0)
    made_at = models.DateTimeField(default=timezone.now)
    doomed_at = models.DateTimeField(null=True)
    doomed_by = models.CharField(max_length=60, blank=True)  # "step:<uuid>", "removal", "orphan", ...
    destroyed_at = models.DateTimeField(null=True)

    objects = StoredObjectQuerySet.as_manager()

    class Meta:
        indexes = [
            models.Index(fields=["state", "doomed_at"], name="object_doomed"),
            models.Index(fields=["keepsake", "role"], name="object_of_keepsake"),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(state="destroyed", destroyed_at__isnull=False)
                | (~Q(state="destroyed") & Q(destroyed_at__isnull=True)),
                name="destroyed_has_its_time",
            ),
            models.CheckConstraint(
                condition=Q(state__in=["pending", "live"]) | Q(doomed_at__isnull=False),
                name="doom_has_its_time",
            ),
        ]


class HeldKey(models.Model):
    """A live key that had no row when a restored database was opened. It is kept until somebody decides.

    The restored database is older than the key. If it is the wrong backup, this key opens something that was
    uploaded after that backup.
    """

    id = models.UUIDField(primary_key=True, editable=False)  # the id of the key
    since = models.DateTimeField(default=timezone.now)


class KeyHouse(models.Model):
    """The key store in this database, in a single row. Not used with a slot file.

    `name` identifies the store in the token; `epoch` goes up by one with each roll. This table and the next
    two are the key store for several machines (database_keys.py). Backups leave them out.
    """

    name = models.UUIDField(default=uuid.uuid4, unique=True)
    epoch = models.PositiveBigIntegerField(default=1)


class CaseKey(models.Model):
    """A key that exists only in a token. It wraps the data keys of a case, or of one thing without a case."""

    id = models.UUIDField(primary_key=True, editable=False)
    # The key's name in the token, a new one with each roll. Empty if there is no key.
    name = models.CharField(max_length=32, blank=True)
    rolls = models.PositiveBigIntegerField(default=0)
    # A data key wrapped under it was destroyed. Residues of that can be opened until the next roll.
    dirty = models.BooleanField(default=False)


class WrappedKey(models.Model):
    """A data key, wrapped under its case's key. Of a destroyed one the id stays until the epoch ends."""

    id = models.UUIDField(primary_key=True, editable=False)
    case_key = models.ForeignKey(CaseKey, on_delete=models.PROTECT, related_name="wrapped")
    live = models.BooleanField(default=True)
    nonce = models.BinaryField(max_length=12)
    wrapped = models.BinaryField(max_length=48)
