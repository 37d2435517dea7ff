"""After a restore the key store is the authority: what has no key is erased, whatever a row says.

A restored database knows nothing of what was destroyed after it was made, and nothing of a consent that was
taken back since. So before anyone is served every row whose key is gone is marked erased again, runs that
were under way are stopped or ended, and what the patients signed for a night is asked for anew.
"""

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

from django.contrib.sessions.models import Session
from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from django_tasks_db.models import DBTaskResult

from clinic.audit.proofs import head_size
from clinic.audit.record import Act, record
from clinic.audit.restored import declare_restored, newest_outside
from clinic.calendar import bookings
from erasure.backups.create import catalogue
from erasure.backups.manifest import BackupRefused, read
from erasure.backups.models import Backup
from erasure.backups.restoring import RestoreMark, mark_path, read_mark
from erasure.operations.supervisor_loop import other_owners
from erasure.procedures.models import Procedure
from erasure.runs.events import NewEvent, emit
from erasure.runs.finishing import close_gone_steps, finish
from erasure.runs.models import Run, Step
from erasure.runs.passes import GONE
from patients.cases.models import Case
from patients.consent.models import ConsentText, Signature
from patients.keepsakes.models import Keepsake, Upload
from patients.keepsakes.staging import Busy, discard, staging_path
from patients.memories.models import Memory
from patients.requests.models import AppointmentRequest
from patients.vault.configured import key_store
from patients.vault.models import StoredObject
from patients.vault.objects import destroy, doom
from patients.vault.unknown_keys import hold

ACTOR = "system:startup"


@dataclass
class Reconciled:
    """What was marked erased again, and what was stopped: numbers by kind, as the log takes them."""

    counts: Counter[str] = field(default_factory=Counter)


def reconcile_with_keys() -> Reconciled | None:
    """Mark erased what has no key, settle what a restore left under way; None where there is nothing to do.

    Keys that no row accounts for are held, until somebody says that it was the right backup. May be
    repeated, and is safe beside a working house: an object that lives has its key, always.
    Errors: KeyStoreDamaged, OSError, django.db.Error.
    """
    mark, gone, obeyed = read_mark(), keyless(), Reconciled()
    if mark is None and not gone:
        # Put back by hand, and nothing was erased since; or the log's end was cut, which verify_log says.
        if _log_is_short():
            with transaction.atomic():
                _hold(obeyed)
        return obeyed if obeyed.counts["held"] else None
    # Before anything else is written. The command brought back a log as the house had signed it.
    declare_restored(ACTOR, whole=mark is not None)
    with transaction.atomic():
        runs = _erase_again(gone, obeyed)
        runs |= _stop_runs(gone, obeyed)
        _ask_anew(obeyed)
        _forget_visits()
        if mark is not None:
            _enter(mark)
        _hold(obeyed)
        record(Act("keys.obeyed", "keys:store", ACTOR, details=dict(obeyed.counts)))
    destroy(StoredObject.objects.all())  # all that is doomed, an earlier and broken-off opening's too
    for run_id in runs:
        close_gone_steps(run_id)
        finish(run_id)
    _end_uploads()
    mark_path().unlink(missing_ok=True)
    return obeyed


def keyless() -> set[UUID]:
    """Objects and requests that live by their row and have no key: no crash leaves such a thing."""
    rows = set(StoredObject.objects.live().values_list("pk", flat=True))
    requests = AppointmentRequest.objects.exclude(sealed=b"").values_list("pk", flat=True)
    # The rows first: what is made later has its key and is not looked at, what is destroyed is caught below.
    return (rows | set(requests)) - set(key_store().ids())


def _log_is_short() -> bool:
    """Whether the log is shorter than one that was signed."""
    newest = newest_outside()
    return newest is not None and newest.size > head_size()


def _hold(obeyed: Reconciled) -> None:
    """Hold the keys that the restored rows do not know: it may be the wrong backup."""
    if count := hold(other_owners()):
        obeyed.counts["held"] += count
        record(Act("keys.held", "keys:store", ACTOR, details={"keys": count}))


def _erase_again(gone: set[UUID], obeyed: Reconciled) -> set[UUID]:
    """Mark rows erased; returns the runs whose steps were found done. Inside the caller's transaction."""
    now = timezone.now()
    mine = StoredObject.objects.filter(pk__in=gone, state="live")
    ended = [Step.State.DESTROYED, Step.State.SPARED]
    steps = Step.objects.filter(memory__in=gone).exclude(state__in=ended)
    steps = steps.exclude(run__state=Run.State.FINISHED)
    for step in steps:
        # Counted by the step that destroyed them, as far as anyone can still tell.
        theirs = Q(memory=step.memory_id) | Q(keepsake__memory=step.memory_id)
        obeyed.counts["objects"] += doom(mine.filter(theirs), f"step:{step.pk}")
    obeyed.counts["objects"] += doom(mine, "restored")
    without = Q(picture__in=gone) | Q(thumb__in=gone) | Q(pk__in=gone)
    obeyed.counts["keepsakes"] += Keepsake.objects.filter(without, gone_at__isnull=True).update(
        picture=None, thumb=None, gone_at=now
    )
    erased = Memory.objects.filter(pk__in=gone).exclude(fate=Memory.Fate.ERASED)
    obeyed.counts["memories"] += erased.update(fate=Memory.Fate.ERASED)
    over = [Case.Stage.CLOSED, Case.Stage.WITHDRAWN]
    closed = Case.objects.filter(pk__in=gone).exclude(stage__in=over)
    obeyed.counts["cases"] += closed.update(stage=Case.Stage.CLOSED, closed_at=now)
    requests = AppointmentRequest.objects.filter(pk__in=gone)
    obeyed.counts["requests"] += requests.exclude(sealed=b"").update(sealed=b"")
    done = list(steps)
    Step.objects.filter(pk__in=[step.pk for step in done]).update(state=Step.State.FADING, level=GONE)
    return {step.run_id for step in done}


def _stop_runs(gone: set[UUID], obeyed: Reconciled) -> set[UUID]:
    """Stop every run that still has something to fade: nobody knows what was said since. Returns all open."""
    under_way = Run.objects.select_for_update().exclude(state=Run.State.FINISHED)
    for run in under_way:
        left = Step.objects.filter(run=run, level__lt=GONE).exclude(
            state__in=[Step.State.DESTROYED, Step.State.SPARED]
        )
        fields = {"epoch": run.epoch + 1, "lease_until": None, "lease_holder": ""}
        if left.exists() and run.state != Run.State.STOPPING:
            emit(run.pk, NewEvent("restored"))
            fields |= {"state": Run.State.STOPPING, "why": Run.Why.RESTORED}
        elif run.state == Run.State.PAUSED and not left.exists():
            fields |= {"state": Run.State.RUNNING, "why": ""}
        Run.objects.filter(pk=run.pk).update(**fields)
        obeyed.counts["runs"] += 1
    return set(under_way.values_list("pk", flat=True))


def _ask_anew(obeyed: Reconciled) -> None:
    """Void what was signed for nights that have not been, and give those nights back.

    A withdrawal after the backup is lost with the log's end, and nothing may fade that was not agreed to.
    """
    for procedure in Procedure.objects.filter(state=Procedure.State.BOOKED).select_related("booking"):
        bookings.cancel(procedure.booking)
        Procedure.objects.filter(pk=procedure.pk).update(state=Procedure.State.CANCELED)
        obeyed.counts["nights"] += 1
    signed = Signature.objects.in_force().filter(text__kind=ConsentText.Kind.PROCEDURE)
    # A run that is stopped or over keeps the consent it had; it fades nothing any more.
    signed = signed.exclude(procedures__run__isnull=False, procedures__state=Procedure.State.DONE)
    obeyed.counts["consents"] += signed.update(superseded_at=timezone.now())
    waiting = Case.objects.filter(stage__in=[Case.Stage.CONSENTED, Case.Stage.BOOKED])
    waiting.update(stage=Case.Stage.MAPPED)


def _forget_visits() -> None:
    """End every session, of which some were ended before, and drop tasks that were queued then."""
    Session.objects.all().delete()
    DBTaskResult.objects.all().delete()


def _enter(mark: RestoreMark) -> None:
    """Catalogue the backup that was brought back, and say so in the log."""
    directory = Path(mark.directory)
    try:
        backup = catalogue(directory, read(directory))
        Backup.objects.filter(pk=backup.pk).update(restored_at=timezone.now())
    except (
        BackupRefused,
        OSError,
    ):  # it is not within reach any more; that it was restored is true all the same
        pass
    record(Act("backup.restored", f"backup:{mark.digest[:16]}", ACTOR, details={"digest": mark.digest}))


def _end_uploads() -> None:
    """End uploads on their way of which nothing is here: no backup holds half a file."""
    for upload in Upload.objects.filter(keepsake__isnull=True):
        if not staging_path(upload.pk).exists():
            try:
                discard(upload)
            except Busy:
                continue
