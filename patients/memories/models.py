"""Memories of a case, the links between them, and the locked map."""

import uuid
from dataclasses import dataclass, field

from django.conf import settings
from django.core.validators import MaxValueValidator
from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from patients.cases.models import Case
from patients.vault.sealed import SealedModel


@dataclass(frozen=True)
class MemoryFields:
    """The fields encrypted with the memory's own key. They are lost when that key is destroyed."""

    title: str = ""
    when: str = ""  # in the patient's words: "about 2003", "winter"
    day: str = ""  # ISO date to sort by; for a rough date, the middle of its period
    place: str = ""
    people: list[str] = field(default_factory=list)
    story: str = ""
    reaction: str = ""


class MemoryQuerySet(models.QuerySet["Memory"]):
    def targets(self) -> "MemoryQuerySet":
        return self.filter(zone=Memory.Zone.MAP, fate=Memory.Fate.TARGET)


class Memory(SealedModel):
    """One remembered moment. Its words are encrypted with a key of its own (its StoredObject `seal`)."""

    class Zone(models.TextChoices):
        MAP = "map", _("on the map")
        CHILDHOOD = "childhood", _("childhood, not on the map")

    class Fate(models.TextChoices):
        TARGET = "target", _("to be erased")
        PROTECTED = "protected", _("kept on purpose")
        ERASED = "erased", _("erased")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    case = models.ForeignKey(Case, on_delete=models.PROTECT, related_name="memories")
    zone = models.CharField(max_length=10, choices=Zone.choices, default=Zone.MAP)
    fate = models.CharField(max_length=10, choices=Fate.choices, default=Fate.TARGET)
    intensity = models.PositiveSmallIntegerField(null=True, validators=[MaxValueValidator(10)])
    # Set when the map is locked: 1 is the oldest memory on the map. None for childhood memories.
    number = models.PositiveIntegerField(null=True)
    chapter = models.PositiveSmallIntegerField(null=True)  # index in CaseFields.chapters
    # Set when the map is locked: center, width and height, in 0..1 of the map's size; tilt in radians.
    x = models.FloatField(null=True)
    y = models.FloatField(null=True)
    w = models.FloatField(null=True)
    h = models.FloatField(null=True)
    tilt = models.FloatField(default=0)
    made_at = models.DateTimeField(default=timezone.now)

    sealed_fields = MemoryFields
    objects = MemoryQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["case", "number"], name="memory_number_once"),
            models.CheckConstraint(
                condition=Q(intensity__isnull=True) | Q(intensity__lte=10), name="intensity_to_10"
            ),
        ]


class MemoryLink(models.Model):
    """Two memories that remind of each other. Stored once: `a` is the one with the smaller id."""

    a = models.ForeignKey(Memory, on_delete=models.CASCADE, related_name="links_from")
    b = models.ForeignKey(Memory, on_delete=models.CASCADE, related_name="links_to")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["a", "b"], name="memories_linked_once"),
            models.CheckConstraint(condition=Q(a__lt=F("b")), name="link_smaller_id_first"),
        ]


class LockedMap(models.Model):
    """A locked map. `body` has only random ids, order and fates, so it may be kept after the erasure."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    case = models.ForeignKey(Case, on_delete=models.PROTECT, related_name="maps")
    version = models.PositiveIntegerField()
    digest = models.CharField(max_length=64)  # SHA-256 hex of `body`
    body = models.JSONField()  # see map_body in patients/memories/map_content.py
    locked_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    locked_at = models.DateTimeField(default=timezone.now)
    unlocked_at = models.DateTimeField(null=True)
    # Whether signing, booking and starting need a doctor's review of the intake. False only for maps that
    # were locked before there were reviews (migration 0011).
    needs_review = models.BooleanField(default=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["case", "version"], name="map_version_once"),
            models.UniqueConstraint(
                fields=["case"], condition=models.Q(unlocked_at__isnull=True), name="one_locked_map_each"
            ),
        ]
