"""What the vault holds: one row for every object that has, or had, a key of its own."""

import uuid

from django.db import models
from django.db.models import Q
from django.utils import timezone


class StoredObjectQuerySet(models.QuerySet["StoredObject"]):
    def live(self) -> "StoredObjectQuerySet":
        return self.filter(state=StoredObject.State.LIVE)

    def doomed(self) -> "StoredObjectQuerySet":
        return self.filter(state=StoredObject.State.DOOMED)

    def remaining(self) -> "StoredObjectQuerySet":
        """Objects whose key may still exist."""
        return self.exclude(state=StoredObject.State.DESTROYED)


class StoredObject(models.Model):
    """One ciphertext and its key, or (role `seal`) a key alone, under which a row's sealed part lies.

    The row's id is the key's id in the key store. The row outlives what it names: a certificate counts it.
    """

    class Role(models.TextChoices):
        ORIGINAL = "original"
        SCREEN = "screen"
        THUMB = "thumb"
        FRAME = "frame"
        SEAL = "seal"

    class State(models.TextChoices):
        # Made by a pass that has not committed yet, or by an upload that has not ended.
        PENDING = "pending"
        LIVE = "live"
        # Its end is committed: whoever finds it destroys the key, again and again until it is gone.
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
    # Name in STORAGES["vault"]; random, says nothing. Empty for a seal, and once the file is unlinked.
    blob = models.CharField(max_length=120, blank=True)
    media_type = models.CharField(max_length=40, blank=True)
    size = models.BigIntegerField(default=0)  # plaintext bytes
    width = models.PositiveIntegerField(default=0)  # pixels; 0 for what is no picture
    height = models.PositiveIntegerField(default=0)
    level = models.PositiveSmallIntegerField(default=0)
    # At most this many bits of what a person could see are in it: the honest measure of what is left.
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
    """A live key that no row accounted for when a restored database was opened: kept until somebody decides.

    The restored database is older than the key. It may be the wrong one, and then this key opens what was
    brought since.
    """

    id = models.UUIDField(primary_key=True, editable=False)  # the key's
    since = models.DateTimeField(default=timezone.now)


class KeyHouse(models.Model):
    """One row: which house the keys in a token belong to, and how often it has rolled. Not used with slots.

    This table and the next two are the key store of several machines (database_keys.py). No backup takes it.
    """

    name = models.UUIDField(default=uuid.uuid4, unique=True)
    epoch = models.PositiveBigIntegerField(default=1)


class CaseKey(models.Model):
    """A key that lives in a token alone; it wraps the data keys of a case, or of one thing without a case."""

    id = models.UUIDField(primary_key=True, editable=False)
    # The key's name in the token, made anew with each roll; empty when there is none.
    name = models.CharField(max_length=32, blank=True)
    rolls = models.PositiveBigIntegerField(default=0)
    # Something wrapped under the present key was destroyed: residues of it still open, until the next roll.
    dirty = models.BooleanField(default=False)


class WrappedKey(models.Model):
    """A data key under its case's key. A destroyed one stays as an id alone until the epoch's end."""

    id = models.UUIDField(primary_key=True, editable=False)
    case_key = models.ForeignKey(CaseKey, on_delete=models.PROTECT, related_name="wrapped")
    live = models.BooleanField(default=True)
    nonce = models.BinaryField(max_length=12)
    wrapped = models.BinaryField(max_length=48)
