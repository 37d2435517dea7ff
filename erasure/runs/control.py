"""User actions on a run that is under way. Each locks the run row first, as every pass does.

So an action and the next pass cannot both win: either the pass committed first, and its frame is shown, or
it never happens and the frame stays the same byte for byte. Repeating an action changes nothing.
"""

from collections.abc import Mapping
from types import MappingProxyType
from uuid import UUID

from django.db import transaction
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from clinic.accounts.models import Role, User
from clinic.audit.canonical import Detail
from clinic.calendar.bookings import release
from erasure.runs import calls
from erasure.runs.models import DoctorCall, PresenceCheck, Run, SafeWord, SafeWordFields, Step, Trouble
from erasure.runs.passes import PASS_COUNT
from erasure.runs.run_actions import (
    UNCHANGED,
    ActionResult,
    NotNow,
    check_in_charge,
    check_not_stopping,
    counts_as_attending,
    lock,
    record_run_event,
)
from patients.memories.models import Memory

__all__ = [
    "NotNow",
    "abort",
    "call_doctor",
    "lift_safe_word",
    "pause",
    "protect",
    "resume",
    "safe_word",
    "stop_unconsented",
]

# What the team does, then what the patient wants: a higher reason replaces the one for which a run is paused
# already, and no other does. So the patient's word is not lost under a later pause of the team. A run that is
# paused for the storage may go on without a person, so every other reason replaces that one.
RANK: dict[str, int] = {Run.Why.STORAGE: -1, Run.Why.ABORT: 1, Run.Why.PATIENT: 2, Run.Why.SAFE_WORD: 3}
NO_DETAILS: Mapping[str, Detail] = MappingProxyType({})
MAX_WORDS_LENGTH = 2000  # characters of what the patient said
SAFE_WORD_STANDS = gettext_lazy(
    "The safe word was said. Only a doctor lets the night go on, who has spoken with the patient."
)


def fade_position(run: Run) -> dict[str, Detail]:
    """Return number, committed passes and total passes of the fading memory; {} if none is fading."""
    step = (
        Step.objects.filter(run=run, state=Step.State.FADING, level__lt=PASS_COUNT)
        .select_related("memory")
        .order_by("position")
        .first()
    )
    return {"n": step.memory.number or 0, "level": step.level, "levels": PASS_COUNT} if step else {}


@transaction.atomic
def pause(
    run_id: UUID,
    *,
    by: User | None,
    why: str = Run.Why.STAFF,
    details: Mapping[str, Detail] = NO_DETAILS,
) -> ActionResult:
    """Pause the run before its next pass. Also allowed while a doctor has taken over.

    details: more for the event and the entry, such as by which page.
    Errors: NotNow if the run is finished or being stopped; to begin an abort also if a doctor other than `by`
    has taken over.
    """
    run = lock(run_id)
    check_not_stopping(run)
    if why == Run.Why.ABORT:  # the first of two steps that end the session
        check_in_charge(run, by)
    if run.state == Run.State.PAUSED:
        if RANK.get(why, 0) <= RANK.get(run.why, 0):
            return UNCHANGED
        paused_by, paused_at = run.held_by, run.held_at
    else:
        paused_by, paused_at = by, None
    run.state, run.why, run.held_by = Run.State.PAUSED, why, paused_by or by
    if why == Run.Why.SAFE_WORD and run.safe_word is None:
        run.safe_word = SafeWord.objects.create(run=run, case_id=run.procedure.case_id, said_by=by)
    run.save(update_fields=["state", "why", "held_by", "safe_word"])
    if paused_at is None:
        Run.objects.filter(pk=run.pk).update(held_at=Now())
    return record_run_event(run, "paused", by, {"why": str(why), **fade_position(run), **details})


@transaction.atomic
def resume(run_id: UUID, *, by: User, patient_agrees: bool = False) -> ActionResult:
    """Resume a paused run.

    patient_agrees: `by` says that the patient, who paused, agrees. Errors: NotNow if the run is stopping or
    finished, a safe word stands, the patient paused and `patient_agrees` is false, nobody is responsible for
    the run, nobody of the team is there since a missed check, or a doctor other than `by` has taken over.
    """
    run = lock(run_id)
    check_in_charge(run, by)
    if run.state == Run.State.RUNNING:
        return UNCHANGED
    if run.state != Run.State.PAUSED:
        raise NotNow(_("This session is not paused."))
    if run.safe_word is not None:
        raise NotNow(str(SAFE_WORD_STANDS))
    if run.why == Run.Why.PATIENT and not patient_agrees:
        raise NotNow(_("The patient paused. Ask them first, and say that they agree."))
    if missed_since_attended(run) and not counts_as_attending(run, by):
        raise NotNow(
            _("Nobody of the team has answered. A technician resumes, or the doctor who has taken over.")
        )
    _go_on(run)
    return record_run_event(run, "resumed", by)


def missed_since_attended(run: Run) -> bool:
    """Return whether a presence check was missed, and nobody of the team has shown themselves since."""
    return PresenceCheck.objects.filter(run=run, missed_at__gte=run.attended_at).exists()


def _go_on(run: Run) -> None:
    """Let a paused run go on. Errors: NotNow if nobody is responsible for it."""
    if run.responsible_id is None and run.taken_over_by_id is None:
        raise NotNow(
            _("Nobody answers for this night. Hand it to a technician, or take over, and then resume.")
        )
    go_on(run)
    Run.objects.filter(pk=run.pk).update(attended_at=Now())


def go_on(run: Run) -> None:
    """Set a paused run running; its next pass is due now.

    The caller holds the run lock and emits the event.
    """
    now = Run.objects.annotate(now=Now()).values_list("now", flat=True).get(pk=run.pk)
    run.paused_seconds += max(0.0, (now - (run.held_at or now)).total_seconds())
    run.state, run.why, run.held_by, run.held_at = Run.State.RUNNING, "", None, None
    run.save(update_fields=["state", "why", "held_by", "held_at", "paused_seconds", "safe_word"])
    Run.objects.filter(pk=run.pk).update(next_due_at=Now())


@transaction.atomic
def lift_safe_word(run_id: UUID, *, by: User, words: str) -> ActionResult:
    """Let the run go on after a safe word: the doctor `by` has spoken with the patient, who wants it.

    words: what the patient said. They are sealed under the case's key; the event and the log hold ids only.
    Errors: ValueError if `words` is empty or longer than `MAX_WORDS_LENGTH`; NotNow if `by` is not a doctor
    or is the patient, a doctor other than `by` has taken over, nobody is responsible for the run, it is
    stopping or finished, or it is paused for another reason.
    """
    run = lock(run_id)
    if not by.has_role(Role.DOCTOR) or by.pk == run.procedure.case.patient_id:
        raise NotNow(str(SAFE_WORD_STANDS))
    check_in_charge(run, by)
    check_not_stopping(run)
    if run.safe_word is None:
        if run.state == Run.State.RUNNING:
            return UNCHANGED
        raise NotNow(_("No safe word stands. The session is paused for another reason."))
    words = words.strip()
    if not words or len(words) > MAX_WORDS_LENGTH:
        raise ValueError(_("Write what the patient said. It is sealed in the patient's file."))
    lifted, run.safe_word = run.safe_word, None
    lifted.write(SafeWordFields(words))
    lifted.lifted_by, lifted.lifted_at = by, timezone.now()
    lifted.save(update_fields=["sealed", "lifted_by", "lifted_at"])
    _go_on(run)
    calls.acknowledge_calls(run, by=by, why=DoctorCall.Why.values)
    return record_run_event(run, "resumed", by, {"safe_word": str(lifted.pk)}, action="run.safe-word-lifted")


@transaction.atomic
def protect(run_id: UUID, memory_id: UUID, *, by: User) -> ActionResult:
    """Protect a memory: what is left of it now stays.

    Errors: NotNow if nothing is left, or a doctor other than `by` has taken over. The patient may always
    protect, even then.
    """
    run = lock(run_id)
    check_not_stopping(run)
    if by.pk != run.procedure.case.patient_id:
        check_in_charge(run, by)
    step = (
        Step.objects.select_for_update(of=("self",))
        .select_related("memory")
        .get(run=run, memory_id=memory_id)
    )
    if step.state == Step.State.SPARED:
        return UNCHANGED
    if step.level == PASS_COUNT or step.state == Step.State.DESTROYED:
        raise NotNow(_("It is too late for this one: nothing of it is left."))
    spare(step, "protected", by=by)
    return record_run_event(
        run,
        "protected",
        by,
        {"n": step.memory.number or 0, "level": step.level, "memory": str(memory_id)},
        action="memory.protected",
    )


def spare(step: Step, because: str, *, by: User | None) -> None:
    """Spare the memory of `step`, with what is damaged in it. The caller holds the run lock."""
    Memory.objects.filter(pk=step.memory_id).update(fate=Memory.Fate.PROTECTED)
    step.state, step.spared_because, step.done_at = Step.State.SPARED, because, timezone.now()
    step.save(update_fields=["state", "spared_because", "done_at"])
    Trouble.objects.filter(step=step, state=Trouble.State.OPEN).update(
        state=Trouble.State.SPARED, ended_at=Now(), ended_by=by
    )


@transaction.atomic
def call_doctor(run_id: UUID, *, by: User | None, details: Mapping[str, Detail] = NO_DETAILS) -> ActionResult:
    """Call the doctor. A run has one open call at a time: calling again while it is open changes nothing.

    details: as in `pause`.
    """
    return calls.open_call(lock(run_id), by=by, why=DoctorCall.Why.ASKED, details=details)


@transaction.atomic
def safe_word(run_id: UUID, *, by: User | None, details: Mapping[str, Detail] = NO_DETAILS) -> ActionResult:
    """Pause the run and call the doctor, because the patient or their companion said the safe word.

    It stands until a doctor lifts it (`lift_safe_word`). details: as in `pause`. Errors: NotNow if the run is
    finished or stopping.
    """
    paused = pause(run_id, by=by, why=Run.Why.SAFE_WORD, details=details)
    called = calls.open_call(lock(run_id), by=by, why=DoctorCall.Why.SAFE_WORD, details=details)
    return called if called.changed else paused


@transaction.atomic
def abort(run_id: UUID, *, by: User | None, reason: str) -> ActionResult:
    """Stop the run for good. Damaged memories stay, encrypted, until the patient decides about them.

    reason: a code of AbortReason (erasure/session/forms.py); the log takes no free text. If a safe word
    stands, that is why the run ends. Errors: NotNow if the run is finished, or a doctor other than `by` has
    taken over.
    """
    run = lock(run_id)
    check_in_charge(run, by)
    if run.state == Run.State.STOPPING:
        return UNCHANGED
    _stop(run, Run.Why.SAFE_WORD if run.safe_word is not None else Run.Why.ABORT)
    return record_run_event(run, "aborting", by, {"reason": reason}, action="run.aborted")


def _stop(run: Run, why: str) -> None:
    run.state, run.why, run.lease_until, run.lease_holder = Run.State.STOPPING, why, None, ""
    run.epoch += 1
    run.save(update_fields=["state", "why", "lease_until", "lease_holder", "epoch"])
    release(run.procedure.booking_id)


@transaction.atomic
def stop_unconsented(run_id: UUID, *, by: User | None = None) -> None:
    """Stop a run before its next pass, because consent was withdrawn. Ignores finished and stopping runs."""
    run = lock(run_id, allow_finished=True)
    if run.state not in {Run.State.RUNNING, Run.State.PAUSED}:
        return
    _stop(run, Run.Why.WITHDRAWN)
    record_run_event(run, "withdrawn", by, system="worker")
