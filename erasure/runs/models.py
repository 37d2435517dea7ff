"""One execution of a procedure: the run, its steps, what held them, and what was said about it live."""

import uuid
from dataclasses import dataclass

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from clinic.audit.models import Entry
from erasure.procedures.models import Procedure
from patients.keepsakes.models import Keepsake
from patients.memories.models import Memory


class Run(models.Model):
    """The row every pass and every control action locks first: that order is what makes one of them win."""

    class State(models.TextChoices):
        RUNNING = "running", _("erasing")
        PAUSED = "paused", _("paused")
        # Aborted or withdrawn: nothing fades any more, what was doomed before is still to be swept.
        STOPPING = "stopping", _("stopping")
        FINISHED = "finished", _("finished")

    class Outcome(models.TextChoices):
        COMPLETE = "complete", _("complete")
        PARTIAL = "partial", _("partial")
        STOPPED = "stopped", _("stopped")

    class Why(models.TextChoices):
        """Why a run is paused or was stopped."""

        STAFF = "staff", _("by the team")
        PATIENT = "patient", _("by the patient")
        SAFE_WORD = "safe-word", _("safe word")
        ABORT = "abort", _("abort begun")
        WITHDRAWN = "withdrawn", _("consent withdrawn")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    procedure = models.OneToOneField(Procedure, on_delete=models.PROTECT, related_name="run")
    state = models.CharField(max_length=10, choices=State.choices, default=State.RUNNING)
    outcome = models.CharField(max_length=10, choices=Outcome.choices, blank=True)
    why = models.CharField(max_length=12, choices=Why.choices, blank=True)
    held_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+"
    )
    held_at = models.DateTimeField(null=True)
    expected_steps = models.PositiveIntegerField()
    # The fence: a worker holds the run only while this is the number it claimed with.
    epoch = models.PositiveIntegerField(default=0)
    lease_until = models.DateTimeField(null=True)
    lease_holder = models.CharField(max_length=64, blank=True)
    next_due_at = models.DateTimeField(default=timezone.now)
    woken_at = models.DateTimeField(null=True)  # when a worker was last asked to come
    last_seq = models.PositiveIntegerField(default=0)
    started_at = models.DateTimeField(default=timezone.now)
    finished_at = models.DateTimeField(null=True)
    started_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+"
    )
    # Time spent paused, so that elapsed and remaining can be honest.
    paused_seconds = models.FloatField(default=0)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=~Q(state="finished") | (Q(finished_at__isnull=False) & ~Q(outcome="")),
                name="finished_has_outcome",
            )
        ]
        indexes = [models.Index(fields=["state", "next_due_at"], name="run_due")]


class Step(models.Model):
    """One memory in a run."""

    class State(models.TextChoices):
        WAITING = "waiting", _("waiting")
        FADING = "fading", _("fading")
        HELD = "held", _("held")
        DESTROYED = "destroyed", _("destroyed")
        SPARED = "spared", _("spared")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    run = models.ForeignKey(Run, on_delete=models.PROTECT, related_name="steps")
    memory = models.ForeignKey(Memory, on_delete=models.PROTECT, related_name="steps")
    position = models.PositiveIntegerField()  # 0 is erased first: the newest
    state = models.CharField(max_length=10, choices=State.choices, default=State.WAITING)
    level = models.PositiveSmallIntegerField(default=0)  # committed passes
    spared_because = models.CharField(max_length=20, blank=True)
    started_at = models.DateTimeField(null=True)
    done_at = models.DateTimeField(null=True)
    # What went, counted when the step closed: bytes of plaintext and number of objects.
    bytes_destroyed = models.BigIntegerField(default=0)
    objects_destroyed = models.PositiveIntegerField(default=0)
    # The log's line for this step. One-to-one by constraint: a step is never recorded twice.
    entry = models.OneToOneField(Entry, on_delete=models.PROTECT, null=True, related_name="+")

    class Meta:
        ordering = ["position"]
        constraints = [
            models.UniqueConstraint(fields=["run", "memory"], name="memory_once_in_run"),
            models.UniqueConstraint(fields=["run", "position"], name="position_once_in_run"),
            models.CheckConstraint(
                condition=~Q(state="destroyed") | (Q(entry__isnull=False) & Q(done_at__isnull=False)),
                name="destroyed_is_recorded",
            ),
        ]


class Hold(models.Model):
    """A copy of a target found off the map: the step waits for the doctor."""

    class State(models.TextChoices):
        OPEN = "open", _("waiting for the doctor")
        EXTENDED = "extended", _("map extended")
        SPARED = "spared", _("copy spared")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    step = models.ForeignKey(Step, on_delete=models.PROTECT, related_name="holds")
    keepsake = models.ForeignKey(Keepsake, on_delete=models.PROTECT, related_name="+")
    copy = models.ForeignKey(Keepsake, on_delete=models.PROTECT, related_name="+")
    distance = models.PositiveSmallIntegerField()  # differing bits of the 64-bit fingerprints
    state = models.CharField(max_length=10, choices=State.choices, default=State.OPEN)
    found_at = models.DateTimeField(default=timezone.now)
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+"
    )
    decided_at = models.DateTimeField(null=True)
    reason = models.CharField(max_length=20, blank=True)  # a code from resistance.Reason, no free text

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["step", "copy"], name="copy_held_once"),
            models.CheckConstraint(
                condition=Q(state="open") | (Q(decided_at__isnull=False) & ~Q(reason="")),
                name="decision_has_reason",
            ),
        ]


class DoctorCall(models.Model):
    """The doctor is wanted at a session. Open until acknowledged."""

    run = models.ForeignKey(Run, on_delete=models.PROTECT, related_name="calls")
    called_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+"
    )
    called_at = models.DateTimeField(default=timezone.now)
    acknowledged_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+"
    )
    acknowledged_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["run"], condition=Q(acknowledged_at__isnull=True), name="one_open_call_each"
            )
        ]


class Event(models.Model):
    """One thing that happened in a run, in order. Ids and numbers only; pages put the words to it."""

    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="events")
    seq = models.PositiveIntegerField()
    kind = models.CharField(max_length=24)
    at = models.DateTimeField()
    data = models.JSONField(default=dict)

    class Meta:
        ordering = ["seq"]
        constraints = [models.UniqueConstraint(fields=["run", "seq"], name="event_seq_gapless")]


@dataclass(frozen=True)
class Fence:
    """What a worker must still hold for its writes to count."""

    run_id: uuid.UUID
    epoch: int
