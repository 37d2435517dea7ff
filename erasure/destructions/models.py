"""Destructions outside a night: an order, and its items, which are destroyed one by one."""

import uuid

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from clinic.audit.models import Entry
from patients.cases.models import Case
from patients.keepsakes.models import Keepsake
from patients.memories.models import Memory


class Destruction(models.Model):
    """An order to destroy things of a case. Its id is also the `run` of its audit entries.

    The patient can stop it: items that still wait are spared. Its times are by the database's clock.
    """

    class State(models.TextChoices):
        WAITING = "waiting", _("waiting")
        DESTROYING = "destroying", _("being destroyed")
        FINISHED = "finished", _("finished")

    class Outcome(models.TextChoices):
        COMPLETE = "complete", _("complete")
        STOPPED = "stopped", _("stopped")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    case = models.ForeignKey(Case, on_delete=models.PROTECT, related_name="destructions")
    # The patient. null: the clinic ordered it, because the time was over for which it keeps things.
    asked_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+"
    )
    asked_at = models.DateTimeField(default=timezone.now)
    begins_at = models.DateTimeField(default=timezone.now)
    state = models.CharField(max_length=10, choices=State.choices, default=State.WAITING)
    outcome = models.CharField(max_length=10, choices=Outcome.choices, blank=True)
    # Whether everything was chosen, also the words of the case: the subject, answers, notes, reviews.
    whole_case = models.BooleanField(default=False)
    finished_at = models.DateTimeField(null=True)
    # When the supervisor works on it next: first at `begins_at`, later also to verify and certify it.
    next_due_at = models.DateTimeField(default=timezone.now)
    lease_until = models.DateTimeField(null=True)
    lease_holder = models.CharField(max_length=60, blank=True)

    class Meta:
        ordering = ["asked_at", "pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["case"], condition=~Q(state="finished"), name="one_destruction_at_a_time"
            ),
            models.CheckConstraint(
                condition=Q(state="finished", finished_at__isnull=False) & ~Q(outcome="")
                | ~Q(state="finished") & Q(finished_at__isnull=True, outcome=""),
                name="destruction_ends_with_outcome",
            ),
        ]
        indexes = [
            models.Index(
                fields=["next_due_at"], condition=~Q(state="finished"), name="destructions_unfinished"
            )
        ]

    noun = "destruction"  # of its audit entries, as in "destruction.finished" and "destruction:<id>"


class DestructionItem(models.Model):
    """One thing that a destruction destroys. Items are destroyed in the order of `position`."""

    class Kind(models.TextChoices):
        MEMORY = "memory", _("memory")  # its words, and all keepsakes in it
        KEEPSAKE = "keepsake", _("keepsake")
        CASE = "case", _("the words of the file")

    class State(models.TextChoices):
        WAITING = "waiting", _("waiting")
        DOOMED = "doomed", _("being destroyed")
        DESTROYED = "destroyed", _("destroyed")
        SPARED = "spared", _("stays")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    destruction = models.ForeignKey(Destruction, on_delete=models.PROTECT, related_name="items")
    position = models.PositiveIntegerField()
    kind = models.CharField(max_length=10, choices=Kind.choices)
    memory = models.ForeignKey(Memory, on_delete=models.PROTECT, null=True, related_name="+")
    keepsake = models.ForeignKey(Keepsake, on_delete=models.PROTECT, null=True, related_name="+")
    state = models.CharField(max_length=10, choices=State.choices, default=State.WAITING)
    # Files in the vault, without the keys of sealed fields. Counted when the destruction was recorded.
    objects_destroyed = models.PositiveIntegerField(default=0)
    bytes_destroyed = models.BigIntegerField(default=0)  # of plaintext
    # One-to-one, so that an item is never recorded twice.
    entry = models.OneToOneField(Entry, on_delete=models.PROTECT, null=True, related_name="+")
    done_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["position"]
        constraints = [
            models.UniqueConstraint(fields=["destruction", "position"], name="position_once_in_destruction"),
            models.CheckConstraint(
                condition=Q(kind="memory", memory__isnull=False, keepsake__isnull=True)
                | Q(kind="keepsake", memory__isnull=True, keepsake__isnull=False)
                | Q(kind="case", memory__isnull=True, keepsake__isnull=True),
                name="destruction_item_is_one_thing",
            ),
            models.CheckConstraint(
                condition=~Q(state="destroyed") | Q(entry__isnull=False, done_at__isnull=False),
                name="destroyed_item_is_recorded",
            ),
        ]

    @property
    def mark(self) -> str:
        """The name of the item in `StoredObject.doomed_by`, and as the subject of its audit entry."""
        return f"item:{self.pk}"
