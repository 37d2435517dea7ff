"""One execution of a procedure: the run, its steps and holds, its calls, checks, handovers and events."""

import uuid
from dataclasses import dataclass

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from clinic.audit.models import Entry
from erasure.procedures.models import Procedure
from patients.cases.models import Case
from patients.keepsakes.models import Keepsake
from patients.memories.models import Memory
from patients.vault.sealed import SealedModel


class Run(models.Model):
    """One execution of a procedure. Passes and user actions lock this row first, so that one of them wins."""

    class State(models.TextChoices):
        RUNNING = "running", _("erasing")
        PAUSED = "paused", _("paused")
        # Aborted or withdrawn: nothing fades any more, but what is doomed must still be destroyed.
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
        RESTORED = "restored", _("a backup was restored")
        PRESENCE = "presence", _("nobody answered")
        DAMAGED = "damaged", _("a keepsake cannot be read")
        STORAGE = "storage", _("the storage is away")
        FAULT = "fault", _("the machine failed")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    procedure = models.OneToOneField(Procedure, on_delete=models.PROTECT, related_name="run")
    state = models.CharField(max_length=10, choices=State.choices, default=State.RUNNING)
    outcome = models.CharField(max_length=10, choices=Outcome.choices, blank=True)
    why = models.CharField(max_length=12, choices=Why.choices, blank=True)
    # While the run is paused: who paused it, and when.
    held_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+"
    )
    held_at = models.DateTimeField(null=True)
    expected_steps = models.PositiveIntegerField()
    # The fence: a worker may write only while this is still the number it got when it claimed the run.
    epoch = models.PositiveIntegerField(default=0)
    lease_until = models.DateTimeField(null=True)
    lease_holder = models.CharField(max_length=64, blank=True)
    next_due_at = models.DateTimeField(default=timezone.now)
    woken_at = models.DateTimeField(null=True)  # when a worker was last asked to work on it
    last_seq = models.PositiveIntegerField(default=0)
    started_at = models.DateTimeField(default=timezone.now)
    finished_at = models.DateTimeField(null=True)
    started_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+"
    )
    # Seconds of all earlier pauses, so that elapsed and remaining time can leave them out.
    paused_seconds = models.FloatField(default=0)
    # The technician who is responsible for the run now; null if there is none.
    responsible = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+"
    )
    # When a member of the team last showed that they are with the patient, by the database's clock.
    attended_at = models.DateTimeField(default=timezone.now)
    # The policies that this run began with (erasure/runs/configuration.py). Later changes do not concern it.
    presence_minutes = models.FloatField()  # 0: no checks
    presence_grace_seconds = models.FloatField()
    presence_strength = models.FloatField()
    call_again_seconds = models.FloatField()
    call_escalate_seconds = models.FloatField()
    # The doctor who has taken over, if any; then only they may act (run_actions.check_in_charge).
    taken_over_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+"
    )
    taken_over_at = models.DateTimeField(null=True)
    # The safe word that stands. The run can't go on before a doctor has lifted it (control.lift_safe_word).
    safe_word = models.OneToOneField("SafeWord", on_delete=models.PROTECT, null=True, related_name="+")

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(safe_word__isnull=True) | ~Q(state="running"), name="safe_word_stops"
            ),
            models.CheckConstraint(
                condition=~Q(state="finished") | (Q(finished_at__isnull=False) & ~Q(outcome="")),
                name="finished_has_outcome",
            ),
        ]
        indexes = [
            models.Index(fields=["state", "next_due_at"], name="run_due"),
            # For the reports (erasure/reports).
            models.Index(fields=["started_at"], name="runs_by_start"),
            models.Index(fields=["finished_at"], name="runs_by_end"),
        ]

    noun = "run"  # of its audit entries, as in "run.finished" and "run:<id>"

    @property
    def case_id(self) -> uuid.UUID:
        return self.procedure.case_id


@dataclass(frozen=True)
class SafeWordFields:
    """The fields encrypted with the case's key. They are lost when that key is destroyed."""

    words: str = ""  # what the patient said to the doctor who lifted the safe word, as the doctor wrote it


class SafeWord(SealedModel):
    """A safe word said in a run. It stands until a doctor lifts it, or for good if the run is stopped."""

    run = models.ForeignKey(Run, on_delete=models.PROTECT, related_name="safe_words")
    case = models.ForeignKey(Case, on_delete=models.PROTECT, related_name="+")  # its key seals the words
    # Who pressed the control: the patient, or a member of staff who heard it.
    said_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+"
    )
    said_at = models.DateTimeField(default=timezone.now)
    lifted_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+"
    )
    lifted_at = models.DateTimeField(null=True)

    sealed_fields = SafeWordFields

    class Meta:
        ordering = ["said_at", "pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["run"], condition=Q(lifted_at__isnull=True), name="one_safe_word_stands"
            ),
            models.CheckConstraint(
                condition=Q(lifted_at__isnull=True, lifted_by__isnull=True)
                | Q(lifted_at__isnull=False, lifted_by__isnull=False),
                name="lifted_by_somebody",
            ),
        ]

    @property
    def seal_key_id(self) -> uuid.UUID:
        return self.case_id


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
    # What was destroyed, counted when the step was closed: bytes of plaintext and number of objects.
    bytes_destroyed = models.BigIntegerField(default=0)
    objects_destroyed = models.PositiveIntegerField(default=0)
    # The audit entry for this step. One-to-one, so that a step is never recorded twice.
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


class HoldQuerySet(models.QuerySet["Hold"]):
    def waiting(self) -> "HoldQuerySet":
        """Return the holds that wait for the doctor. Once the run ends or is stopped, none does."""
        return self.filter(state=Hold.State.OPEN, step__run__state__in=[Run.State.RUNNING, Run.State.PAUSED])


class Hold(models.Model):
    """A copy of a target found off the map: the step waits until the doctor decides."""

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

    objects = HoldQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["step", "copy"], name="copy_held_once"),
            models.CheckConstraint(
                condition=Q(state="open") | (Q(decided_at__isnull=False) & ~Q(reason="")),
                name="decision_has_reason",
            ),
        ]


class Trouble(models.Model):
    """What keeps a run from going on, and what no person caused: a damaged keepsake, a storage that is away.

    A damaged keepsake has a row of its own. Of the other kinds a run has one open row at most.
    """

    class Kind(models.TextChoices):
        DAMAGED = "damaged", _("a keepsake cannot be read")
        STORAGE = "storage", _("the storage is away")
        FAULT = "fault", _("the machine failed")
        STALLED = "stalled", _("nothing moves")

    class State(models.TextChoices):
        OPEN = "open", _("it lasts")
        OVER = "over", _("it is over")
        # Decisions about a damaged keepsake.
        DESTROY = "destroy", _("to be destroyed as it is")
        SPARED = "spared", _("left as it is")

    run = models.ForeignKey(Run, on_delete=models.PROTECT, related_name="troubles")
    kind = models.CharField(max_length=10, choices=Kind.choices)
    # Only of a damaged keepsake. The keepsake is null if a copy off the map could not be looked for.
    step = models.ForeignKey(Step, on_delete=models.PROTECT, null=True, related_name="troubles")
    keepsake = models.ForeignKey(Keepsake, on_delete=models.PROTECT, null=True, related_name="+")
    # A code of passes.Cause for a damaged keepsake; else the class of the exception.
    cause = models.CharField(max_length=60, blank=True)
    state = models.CharField(max_length=10, choices=State.choices, default=State.OPEN)
    found_at = models.DateTimeField()  # by the database's clock, as `ended_at`
    ended_at = models.DateTimeField(null=True)
    ended_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+"
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["run", "kind"],
                condition=Q(state="open") & ~Q(kind="damaged"),
                name="one_open_trouble_of_a_kind",
            ),
            models.UniqueConstraint(
                fields=["step", "keepsake"], condition=Q(state="open"), name="damage_found_once"
            ),
            models.CheckConstraint(
                condition=Q(kind="damaged", step__isnull=False)
                | (~Q(kind="damaged") & Q(step__isnull=True, keepsake__isnull=True)),
                name="damage_is_of_a_step",
            ),
            models.CheckConstraint(
                condition=Q(state="open", ended_at__isnull=True)
                | (~Q(state="open") & Q(ended_at__isnull=False)),
                name="trouble_has_its_end",
            ),
        ]


class DoctorCall(models.Model):
    """A call for the doctor. It is open until acknowledged; until then people are notified again and again.

    All times are compared with the database's clock, so that a supervisor's wrong clock cannot delay a call.
    """

    class Why(models.TextChoices):
        ASKED = "asked", _("somebody asked for the doctor")
        SAFE_WORD = "safe-word", _("safe word")
        HOLD = "hold", _("a copy off the map")
        PRESENCE = "presence", _("nobody answered")
        DAMAGED = "damaged", _("a keepsake cannot be read")
        STORAGE = "storage", _("the storage is away")
        FAULT = "fault", _("the machine failed")
        STALLED = "stalled", _("nothing moves")

    run = models.ForeignKey(Run, on_delete=models.PROTECT, related_name="calls")
    why = models.CharField(max_length=10, choices=Why.choices, default=Why.ASKED)
    called_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+"
    )
    called_at = models.DateTimeField(default=timezone.now)
    remind_at = models.DateTimeField(default=timezone.now)  # when the next reminder is due
    escalate_at = models.DateTimeField(default=timezone.now)  # when everybody else is notified too
    escalated_at = models.DateTimeField(null=True)
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
        indexes = [
            models.Index(
                fields=["remind_at"], condition=Q(acknowledged_at__isnull=True), name="open_call_due"
            )
        ]


class CallNotice(models.Model):
    """One person who is told that a doctor is wanted. The mail waits in the queue (clinic/outgoing)."""

    class Kind(models.TextChoices):
        FIRST = "first", _("called")
        AGAIN = "again", _("told again")
        ESCALATED = "escalated", _("called because nobody answered")

    call = models.ForeignKey(DoctorCall, on_delete=models.CASCADE, related_name="notices")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    kind = models.CharField(max_length=10, choices=Kind.choices)
    at = models.DateTimeField(default=timezone.now)
    sent_at = models.DateTimeField(null=True)  # when its mail was sent (erasure/runs/mails.py)
    # When this person said that they know of the call. Only a doctor's answer ends it.
    seen_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["at", "pk"]


class PresenceCheck(models.Model):
    """One question to the team whether somebody is with the patient. It is answered or missed, never both."""

    run = models.ForeignKey(Run, on_delete=models.PROTECT, related_name="presence_checks")
    # The step of the strong memory that caused the check; null if the timer did.
    step = models.OneToOneField(Step, on_delete=models.PROTECT, null=True, related_name="presence_check")
    asked_at = models.DateTimeField(default=timezone.now)
    due_at = models.DateTimeField()
    answered_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+"
    )
    answered_at = models.DateTimeField(null=True)
    missed_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["run"],
                condition=Q(answered_at__isnull=True, missed_at__isnull=True),
                name="one_open_question_each",
            ),
            models.CheckConstraint(
                condition=Q(answered_at__isnull=True) | Q(missed_at__isnull=True),
                name="answered_or_missed",
            ),
        ]


class Handover(models.Model):
    """One technician's offer to another to become responsible for the run."""

    class State(models.TextChoices):
        OFFERED = "offered", _("offered")
        ACCEPTED = "accepted", _("accepted")
        DECLINED = "declined", _("declined")
        WITHDRAWN = "withdrawn", _("taken back")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    run = models.ForeignKey(Run, on_delete=models.PROTECT, related_name="handovers")
    offered_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    offered_to = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    offered_at = models.DateTimeField(default=timezone.now)
    state = models.CharField(max_length=10, choices=State.choices, default=State.OFFERED)
    ended_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["run"], condition=Q(state="offered"), name="one_offer_at_a_time")
        ]


class Attendance(models.Model):
    """A person with the session page open. Without a recent `seen_at` they have left (open_pages.py)."""

    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="attendances")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    seen_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["run", "user"], name="attends_once")]


class Remainder(models.Model):
    """What the patient decided about a memory that a run left partly erased."""

    class State(models.TextChoices):
        GIVEN_BACK = "given-back", _("given back")
        KEPT = "kept", _("kept here as it is")
        DESTROYED = "destroyed", _("destroyed")

    step = models.OneToOneField(Step, on_delete=models.PROTECT, related_name="remainder")
    state = models.CharField(max_length=10, choices=State.choices)
    given_at = models.DateTimeField(null=True)
    decided_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    decided_at = models.DateTimeField(default=timezone.now)


class Event(models.Model):
    """One thing that happened in a run. `data` holds only ids and numbers; sentences are made when shown."""

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
    """A worker's claim on a run. Its writes are accepted only while the run still has this epoch."""

    run_id: uuid.UUID
    epoch: int
