"""Reconcile a restored database with the key store: what has no key is erased, whatever its row says.

A backup contains neither the destructions nor the withdrawals of consent that came after it. So before the
server starts, every row whose key is gone is marked as erased again, unfinished runs are stopped or finished,
and the patients' consents to booked procedures are voided, so that they must be asked again.
"""

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

from django.contrib.sessions.models import Session
from django.db import transaction
from django.db.models import Q
from django.db.models.functions import Now
from django.utils import timezone
from django_tasks_db.models import DBTaskResult

from clinic.audit.checkpoints import checkpoint
from clinic.audit.proofs import head_size
from clinic.audit.record import Act, record
from clinic.audit.restored import declare_restored, newest_outside
from clinic.calendar import bookings
from clinic.outgoing.queue import queue
from clinic.outgoing.recipients import to_patient
from erasure.backups.create import catalogue
from erasure.backups.manifest import BackupRefused, read
from erasure.backups.models import Backup
from erasure.backups.restoring import RestoreMark, mark_path, read_mark
from erasure.destructions.models import Destruction, DestructionItem
from erasure.operations.supervisor_loop import keys_used_elsewhere
from erasure.procedures.models import Procedure
from erasure.renewal.processes import record_ends_elsewhere
from erasure.runs.events import NewEvent, emit
from erasure.runs.finishing import close_gone_steps, finish
from erasure.runs.models import Run, Step
from erasure.runs.passes import PASS_COUNT
from patients.appointments.booking import end_appointments_after_restore
from patients.cases.models import Case
from patients.consent.models import ConsentText, Signature
from patients.drafts.models import Draft
from patients.drafts.writing import end_drafts
from patients.keepsakes.models import Keepsake, Upload
from patients.keepsakes.staging import Busy, discard, staging_path
from patients.memories.models import Memory
from patients.messages.waiting import end_wait
from patients.requests.models import AppointmentRequest
from patients.vault.configured import key_store
from patients.vault.models import StoredObject
from patients.vault.objects import destroy, mark_for_destruction
from patients.vault.unknown_keys import hold_keys

ACTOR = "system:startup"


@dataclass
class Reconciliation:
    """How many rows of each kind were changed; these are the audit details."""

    counts: Counter[str] = field(default_factory=Counter)


def reconcile_with_keys() -> Reconciliation | None:
    """Mark everything without a key as erased, and end what a restore left unfinished.

    Return None if there was nothing to do. Keys without a row are held, until somebody confirms that it was
    the right backup. It may be repeated, and is safe while the site is in use, because a live object always
    has its key. Errors: KeyStoreDamaged, OSError, django.db.Error.
    """
    mark, gone, result = read_mark(), keyless(), Reconciliation()
    if mark is None and not gone:
        # A short log without a mark: somebody restored a database without the command and nothing was erased
        # since, or the end of the log was cut off, which verify_log reports.
        if _log_is_short():
            with transaction.atomic():
                _hold_unknown_keys(result)
        return result if result.counts["held"] else None
    declare_restored(ACTOR)  # This must be written first.
    with transaction.atomic():
        runs = _mark_erased(gone, result)
        runs |= _stop_runs(result)
        _void_consents(result)
        _stop_destructions(result)
        _delete_sessions_and_tasks()
        if mark is not None:
            _record_restore(mark)
        _hold_unknown_keys(result)
        record(Act("keys.obeyed", "keys:store", ACTOR, details=dict(result.counts)))
    destroy(StoredObject.objects.all())  # all that is marked, also by an earlier start that was interrupted
    for run_id in runs:
        close_gone_steps(run_id)
        finish(run_id)
    _discard_uploads()
    # So that what was declared leaves now, and not with the next daily checkpoint.
    checkpoint("after-restore")
    mark_path().unlink(missing_ok=True)
    return result


def keyless() -> set[UUID]:
    """Return objects, requests and drafts whose row is live and whose key is gone. No crash leaves any."""
    rows = set(StoredObject.objects.live().values_list("pk", flat=True))
    requests = AppointmentRequest.objects.exclude(sealed=b"").values_list("pk", flat=True)
    drafts = set(Draft.objects.live().values_list("pk", flat=True))
    # Rows are listed before keys, so a row created meanwhile is not mistaken for one without a key. An object
    # destroyed meanwhile may be listed, but is not changed: its row is no longer live.
    return (rows | set(requests) | drafts) - set(key_store().ids())


def _log_is_short() -> bool:
    """Return whether the log is shorter than the newest checkpoint outside the database says."""
    newest = newest_outside()
    return newest is not None and newest.size > head_size()


def _hold_unknown_keys(result: Reconciliation) -> None:
    """Hold the keys that have no row, instead of destroying them: it may be the wrong backup."""
    if count := hold_keys(keys_used_elsewhere()):
        result.counts["held"] += count
        record(Act("keys.held", "keys:store", ACTOR, details={"keys": count}))


def _mark_erased(gone: set[UUID], result: Reconciliation) -> set[UUID]:
    """Mark rows without a key as erased; return the ids of runs whose steps this completes.

    Call it inside a transaction.
    """
    now = timezone.now()
    objects = StoredObject.objects.filter(pk__in=gone, state="live")
    ended = [Step.State.DESTROYED, Step.State.SPARED]
    steps = Step.objects.filter(memory__in=gone).exclude(state__in=ended)
    steps = steps.exclude(run__state=Run.State.FINISHED)
    for step in steps:
        # Each object is counted for the step that probably destroyed it.
        of_step = Q(memory=step.memory_id) | Q(keepsake__memory=step.memory_id)
        result.counts["objects"] += mark_for_destruction(objects.filter(of_step), f"step:{step.pk}")
    result.counts["objects"] += mark_for_destruction(objects, "restored")
    _doom_lost_items(gone, result)
    has_lost_key = Q(picture__in=gone) | Q(thumb__in=gone) | Q(pk__in=gone)
    result.counts["keepsakes"] += Keepsake.objects.filter(has_lost_key, gone_at__isnull=True).update(
        picture=None, thumb=None, gone_at=now
    )
    erased = Memory.objects.filter(pk__in=gone).exclude(fate=Memory.Fate.ERASED)
    result.counts["memories"] += erased.update(fate=Memory.Fate.ERASED)
    closed = list(Case.objects.current().filter(pk__in=gone))
    ids = [case.pk for case in closed]
    result.counts["cases"] += Case.objects.filter(pk__in=ids).update(stage=Case.Stage.CLOSED, closed_at=now)
    for case in closed:
        end_appointments_after_restore(case)
        end_wait(case.pk)
    requests = AppointmentRequest.objects.filter(pk__in=gone)
    result.counts["requests"] += requests.exclude(sealed=b"").update(sealed=b"")
    # A draft ends with its own key, and with that of the thing it is about.
    drafts = Draft.objects.live().filter(Q(pk__in=gone) | Q(about__in=gone))
    result.counts["drafts"] += end_drafts(drafts)
    erased_steps = list(steps)
    Step.objects.filter(pk__in=[step.pk for step in erased_steps]).update(
        state=Step.State.FADING, level=PASS_COUNT
    )
    return {step.run_id for step in erased_steps}


def _doom_lost_items(gone: set[UUID], result: Reconciliation) -> None:
    """Mark items of unfinished destructions as destroyed whose key is gone; what is left of each goes too.

    Call it before the objects are marked in another way: they are counted for the item.
    """
    unfinished = DestructionItem.objects.filter(
        state__in=[DestructionItem.State.WAITING, DestructionItem.State.DOOMED]
    ).select_related("destruction")
    for item in unfinished:
        thing = item.memory_id or item.keepsake_id or item.destruction.case_id
        if thing not in gone:
            continue
        of_item = Q(pk=thing)
        if item.memory_id:
            of_item |= Q(memory=item.memory_id) | Q(keepsake__memory=item.memory_id)
        elif item.keepsake_id:
            of_item |= Q(keepsake=item.keepsake_id)
        objects = StoredObject.objects.filter(of_item)
        result.counts["objects"] += mark_for_destruction(objects, item.mark)
        DestructionItem.objects.filter(pk=item.pk).update(state=DestructionItem.State.DOOMED)


def _stop_destructions(result: Reconciliation) -> None:
    """Stop every destruction that is not finished: the patient may have stopped it after the backup.

    Its page says so, and the patient can order it again.
    """
    unfinished = Destruction.objects.exclude(state=Destruction.State.FINISHED)
    for destruction in unfinished.select_related("case__patient"):
        waiting = destruction.items.filter(state=DestructionItem.State.WAITING)
        spared = waiting.update(state=DestructionItem.State.SPARED)
        Destruction.objects.filter(pk=destruction.pk).update(
            state=Destruction.State.DESTROYING, lease_until=None, lease_holder="", next_due_at=Now()
        )
        result.counts["destructions"] += 1
        if spared:
            queue(
                "destruction-stopped",
                f"destruction:{destruction.pk}",
                to=[to_patient(destruction.case.patient)],
                version=1,
                case=destruction.case_id,
            )


def _stop_runs(result: Reconciliation) -> set[UUID]:
    """Stop every unfinished run that has memories left; return the ids of all unfinished runs.

    Nobody knows what was decided after the backup, so nothing more may be faded.
    """
    unfinished = Run.objects.select_for_update().exclude(state=Run.State.FINISHED)
    for run in unfinished:
        left = Step.objects.filter(run=run, level__lt=PASS_COUNT).exclude(
            state__in=[Step.State.DESTROYED, Step.State.SPARED]
        )
        fields = {"epoch": run.epoch + 1, "lease_until": None, "lease_holder": ""}
        if left.exists() and run.state != Run.State.STOPPING:
            emit(run.pk, NewEvent("restored"))
            fields |= {"state": Run.State.STOPPING, "why": Run.Why.RESTORED}
        elif run.state == Run.State.PAUSED and not left.exists():
            # Nothing is left that a safe word could keep.
            fields |= {"state": Run.State.RUNNING, "why": "", "safe_word": None}
        Run.objects.filter(pk=run.pk).update(**fields)
        result.counts["runs"] += 1
    return set(unfinished.values_list("pk", flat=True))


def _void_consents(result: Reconciliation) -> None:
    """Cancel booked procedures and void the consents to procedures that have not taken place.

    A withdrawal after the backup is lost with the end of the log, and nothing may be faded without consent.
    """
    for procedure in Procedure.objects.filter(state=Procedure.State.BOOKED).select_related("booking"):
        bookings.cancel(procedure.booking)
        Procedure.objects.filter(pk=procedure.pk).update(state=Procedure.State.CANCELED)
        result.counts["nights"] += 1
    signed = Signature.objects.in_force().filter(text__kind=ConsentText.Kind.PROCEDURE)
    # A stopped or finished run keeps its consent, because it fades nothing any more.
    signed = signed.exclude(procedures__run__isnull=False, procedures__state=Procedure.State.DONE)
    result.counts["consents"] += signed.update(superseded_at=timezone.now())
    waiting = Case.objects.filter(stage__in=[Case.Stage.CONSENTED, Case.Stage.BOOKED])
    waiting.update(stage=Case.Stage.MAPPED)


def _delete_sessions_and_tasks() -> None:
    """Delete what the backup brought back of its own time: sessions (some had ended), tasks, processes."""
    Session.objects.all().delete()
    DBTaskResult.objects.all().delete()
    record_ends_elsewhere()


def _record_restore(mark: RestoreMark) -> None:
    """Add the restored backup to the catalogue, and the restore to the audit log."""
    directory = Path(mark.directory)
    try:
        backup = catalogue(directory, read(directory))
        Backup.objects.filter(pk=backup.pk).update(restored_at=timezone.now())
    except (BackupRefused, OSError):  # the backup cannot be read any more; record the restore all the same
        pass
    record(Act("backup.restored", f"backup:{mark.digest[:16]}", ACTOR, details={"digest": mark.digest}))


def _discard_uploads() -> None:
    """Discard unfinished uploads without a staged file: a backup does not contain staged files."""
    for upload in Upload.objects.filter(keepsake__isnull=True):
        if not staging_path(upload.pk).exists():
            try:
                discard(upload)
            except Busy:
                continue
