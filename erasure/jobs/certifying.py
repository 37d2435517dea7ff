"""Take a finished run to its signed certificate: destroy, roll the keys, verify, issue."""

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
    if _recorded(run, "certificate.issued"):
        return False  # it was removed from the database: a second one would hide that
    mine = Run.objects.filter(unleased(), pk=run_id).update(lease_until=lease_end(), lease_holder=HOLDER)
    if not mine:
        return False
    try:
        return _certify(run)
    finally:
        Run.objects.filter(pk=run_id, lease_holder=HOLDER).update(lease_until=None, lease_holder="")


def _certify(run: Run) -> bool:
    objects = StoredObject.objects.filter(case_id=run.procedure.case_id)
    destroy(objects)
    if objects.doomed().exists():
        return False
    if not _recorded(run, "keys.rolled"):
        rolled = key_store().roll_epoch()
        _record_once(run, "keys.rolled", {"epoch": rolled.epoch, "survivors": rolled.survivors})
    hit("rolled")
    renewal = renewals.begin(run)
    if not _recorded(run, "run.verified"):
        if renewals.waits(renewal):
            return False
        hit("renewed")
        if not _verify(run):
            return False
    hit("verified")
    issue(run)
    return True


def _verify(run: Run) -> bool:
    """Run the verifier in its own process and record its result. Returns False if it gave none.

    A verifier that crashed, was killed or hung is recorded as failed. The run is then not verified, and it is
    not certified before another verifier has given a result.
    """
    failed = _failed_attempts(run).count()
    try:
        findings = verify_in_subprocess(run.pk)
    except NotVerified as failure:
        log.error("run %s: %s", run.pk, failure)
        with transaction.atomic():
            Run.objects.select_for_update().get(pk=run.pk)
            if _failed_attempts(run).count() == failed:  # else another process has recorded it meanwhile
                _emit_and_record(run, "run.unverified", {"why": failure.why, "attempt": failed + 1})
        return False
    _record_once(run, "run.verified", findings.figures())
    return True


def _failed_attempts(run: Run) -> EntryQuerySet:
    """The audit entries of verifiers that gave no result."""
    return Entry.objects.filter(run=run.pk, action="run.unverified")


def _verifier_due(run: Run) -> bool:
    """Whether to go on now: the verifier is done, never failed, or its wait after a failure is over.

    The wait is counted by the database's clock, because the last verifier may have run on another machine.
    """
    failed = _failed_attempts(run).count()
    if _recorded(run, "run.verified") or not failed:
        return True
    wait = min(FIRST_WAIT * 2 ** min(failed - 1, 20), LONGEST_WAIT)
    last = Event.objects.filter(run=run, kind="run-unverified").order_by("-seq")[:1]
    return Event.objects.filter(pk__in=last.values("pk"), at__lte=after(-wait.total_seconds())).exists()


def _recorded(run: Run, action: str) -> bool:
    return Entry.objects.filter(run=run.pk, action=action).exists()


@transaction.atomic
def _record_once(run: Run, action: str, details: Mapping[str, Detail]) -> None:
    """Emit and record `action`, unless another process has recorded it already."""
    Run.objects.select_for_update().get(pk=run.pk)
    if not _recorded(run, action):
        _emit_and_record(run, action, details)


def _emit_and_record(run: Run, action: str, details: Mapping[str, Detail]) -> None:
    """Emit an event and write its audit entry. Must be the last call in the transaction."""
    emit(run.pk, NewEvent(action.replace(".", "-"), dict(details)))
    record(
        Act(
            action,
            f"run:{run.pk}",
            actor="system:worker",
            case=run.procedure.case_id,
            run=run.pk,
            details=details,
        )
    )
