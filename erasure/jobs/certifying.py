"""Take a finished run, or a finished destruction, to its signed certificate: destroy, roll, verify, issue."""

import logging
from collections.abc import Mapping
from datetime import timedelta
from uuid import UUID

from django.db import transaction

from clinic.audit.canonical import Detail
from clinic.audit.models import Entry, EntryQuerySet
from clinic.audit.record import Act, record
from clinic.failpoints import hit
from erasure.certificates.issuing import issue
from erasure.destructions.models import Destruction, DestructionItem
from erasure.renewal import renewals
from erasure.runs.events import NewEvent, emit
from erasure.runs.lease import HOLDER, lease_end, unleased
from erasure.runs.models import Event, Run
from erasure.runs.run_actions import after
from erasure.verification.process import NotVerified, verify_in_subprocess
from patients.vault.configured import key_store
from patients.vault.models import StoredObject
from patients.vault.objects import destroy

log = logging.getLogger("lacuna.worker")

# After a failed verifier the next one is started this much later; the wait doubles with each failure.
FIRST_WAIT = timedelta(seconds=1)
LONGEST_WAIT = timedelta(minutes=5)


def certify(run_id: UUID) -> bool:
    """Issue the certificate of a finished run. Returns False if it has one already or something is not ready.

    Destroy what is still doomed, roll the key epoch, wait until the processes that may have seen the run are
    replaced, run the verifier, issue the certificate with its checkpoint. Each part first checks whether it
    was done before, so after a crash the function can be called
    again. Several processes may call it at once: a lease, as for a running run, lets one of them work.
    """
    run = Run.objects.select_related("procedure").get(pk=run_id)
    if run.state != Run.State.FINISHED or hasattr(run, "certificate") or not _verifier_due(run):
        return False
    return _certify_leased(run)


def certify_destruction(destruction_id: UUID) -> bool:
    """Issue the certificate of a finished destruction, as `certify`. It has none if nothing was destroyed."""
    destruction = Destruction.objects.get(pk=destruction_id)
    destroyed = destruction.items.filter(state=DestructionItem.State.DESTROYED)
    if destruction.state != Destruction.State.FINISHED or hasattr(destruction, "certificate"):
        return False
    return destroyed.exists() and _certify_leased(destruction)


def _certify_leased(work: Run | Destruction) -> bool:
    """Certify under a lease. Returns False if another process has it, or something is not ready."""
    if _recorded(work, "certificate.issued"):
        return False  # it was removed from the database: a second one would hide that
    rows = type(work)._default_manager
    mine = rows.filter(unleased(), pk=work.pk).update(lease_until=lease_end(), lease_holder=HOLDER)
    if not mine:
        return False
    try:
        return _certify(work)
    finally:
        rows.filter(pk=work.pk, lease_holder=HOLDER).update(lease_until=None, lease_holder="")


def _certify(work: Run | Destruction) -> bool:
    objects = StoredObject.objects.filter(case_id=work.case_id)
    destroy(objects)
    if objects.doomed().exists():
        return False
    if not _recorded(work, "keys.rolled"):
        rolled = key_store().roll_epoch()
        _record_once(work, "keys.rolled", {"epoch": rolled.epoch, "survivors": rolled.survivors})
    hit("rolled")
    renewal = renewals.begin(work)
    if not _recorded(work, f"{work.noun}.verified"):
        if renewals.must_wait(renewal):
            return False
        hit("renewed")
        if not _verify(work):
            return False
    hit("verified")
    issue(work)
    return True


def _verify(work: Run | Destruction) -> bool:
    """Run the verifier in its own process and record its result. Returns False if it gave none.

    A verifier that crashed, was killed or hung is recorded as failed. The work is then not verified, and it
    is not certified before another verifier has given a result.
    """
    failed = _failed_attempts(work).count()
    try:
        findings = verify_in_subprocess(work.pk)
    except NotVerified as failure:
        log.error("%s %s: %s", work.noun, work.pk, failure)
        with transaction.atomic():
            _lock(work)
            if _failed_attempts(work).count() == failed:  # else another process has recorded it meanwhile
                if isinstance(work, Destruction):
                    due = after(_wait_after(failed + 1).total_seconds())
                    Destruction.objects.filter(pk=work.pk).update(next_due_at=due)
                _emit_and_record(work, f"{work.noun}.unverified", {"why": failure.why, "attempt": failed + 1})
        return False
    _record_once(work, f"{work.noun}.verified", findings.figures())
    return True


def _failed_attempts(work: Run | Destruction) -> EntryQuerySet:
    """The audit entries of verifiers that gave no result."""
    return Entry.objects.filter(run=work.pk, action=f"{work.noun}.unverified")


def _wait_after(failed: int) -> timedelta:
    """Return how long to wait after the verifier has failed for the `failed`th time."""
    return min(FIRST_WAIT * 2 ** min(failed - 1, 20), LONGEST_WAIT)


def _verifier_due(run: Run) -> bool:
    """Whether to go on now: the verifier is done, never failed, or its wait after a failure is over.

    The wait is counted by the database's clock, because the last verifier may have run on another machine.
    """
    failed = _failed_attempts(run).count()
    if _recorded(run, "run.verified") or not failed:
        return True
    wait = _wait_after(failed)
    last = Event.objects.filter(run=run, kind="run-unverified").order_by("-seq")[:1]
    return Event.objects.filter(pk__in=last.values("pk"), at__lte=after(-wait.total_seconds())).exists()


def _recorded(work: Run | Destruction, action: str) -> bool:
    return Entry.objects.filter(run=work.pk, action=action).exists()


def _lock(work: Run | Destruction) -> None:
    type(work)._default_manager.select_for_update().get(pk=work.pk)


@transaction.atomic
def _record_once(work: Run | Destruction, action: str, details: Mapping[str, Detail]) -> None:
    """Emit and record `action`, unless another process has recorded it already."""
    _lock(work)
    if not _recorded(work, action):
        _emit_and_record(work, action, details)


def _emit_and_record(work: Run | Destruction, action: str, details: Mapping[str, Detail]) -> None:
    """Write an audit entry, and for a run emit its event. Must be the last call in the transaction."""
    if isinstance(work, Run):
        emit(work.pk, NewEvent(action.replace(".", "-"), dict(details)))
    record(
        Act(
            action,
            f"{work.noun}:{work.pk}",
            actor="system:worker",
            case=work.case_id,
            run=work.pk,
            details=details,
        )
    )
