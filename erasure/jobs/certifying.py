"""What follows the end of a run, until its certificate is signed."""

import logging
from collections.abc import Mapping
from datetime import timedelta
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from clinic.audit.canonical import Detail
from clinic.audit.models import Entry, EntryQuerySet
from clinic.audit.record import Act, record
from clinic.failpoints import hit
from erasure.certificates.issuing import issue
from erasure.runs.events import NewEvent, emit
from erasure.runs.lease import HOLDER, lease_end, unleased
from erasure.runs.models import Run
from erasure.verification.process import NotVerified, verify_apart
from patients.vault.configured import key_store
from patients.vault.models import StoredObject
from patients.vault.objects import destroy

log = logging.getLogger("lacuna.worker")

# After a verifier that came to no end the next is started this much later, doubled each time.
FIRST_WAIT = timedelta(seconds=1)
LONGEST_WAIT = timedelta(minutes=5)


def certify(run_id: UUID) -> bool:
    """Carry a finished run to its certificate; False if something is not ready. May be repeated and raced.

    Destroy what is still doomed, roll the key epoch, have it verified, issue the certificate with its
    checkpoint. Each part looks first whether it has been done, so a crash anywhere only costs repeating it.
    One process at a time does it, by a lease like that of a running run.
    """
    run = Run.objects.select_related("procedure").get(pk=run_id)
    if run.state != Run.State.FINISHED or hasattr(run, "certificate") or not _verifier_due(run):
        return False
    mine = Run.objects.filter(unleased(), pk=run_id).update(lease_until=lease_end(), lease_holder=HOLDER)
    if not mine:
        return False
    try:
        return _certify(run)
    finally:
        Run.objects.filter(pk=run_id, lease_holder=HOLDER).update(lease_until=None, lease_holder="")


def _certify(run: Run) -> bool:
    of_run = StoredObject.objects.filter(case_id=run.procedure.case_id)
    destroy(of_run)
    if of_run.doomed().exists():
        return False
    if not _recorded(run, "keys.rolled"):
        rolled = key_store().roll_epoch()
        _say(run, "keys.rolled", {"epoch": rolled.epoch, "survivors": rolled.survivors})
    hit("rolled")
    if not _recorded(run, "run.verified") and not _verified(run):
        return False
    hit("verified")
    issue(run)
    return True


def _verified(run: Run) -> bool:
    """Have the run verified by a process of its own and record what it says; False if it said nothing.

    A verifier that crashed, was killed or hung is recorded as such: the run is not verified, and is not
    certified before another has come to an end.
    """
    failed = _attempts(run).count()
    try:
        found = verify_apart(run.pk)
    except NotVerified as failure:
        log.error("run %s: %s", run.pk, failure)
        with transaction.atomic():
            Run.objects.select_for_update().get(pk=run.pk)
            if _attempts(run).count() == failed:  # else another process has said it meanwhile
                _tell(run, "run.unverified", {"why": failure.why, "attempt": failed + 1})
        return False
    _say(run, "run.verified", found.figures())
    return True


def _attempts(run: Run) -> EntryQuerySet:
    """The log's lines of verifiers that came to no end."""
    return Entry.objects.filter(run=run.pk, action="run.unverified")


def _verifier_due(run: Run) -> bool:
    """Whether a failed verifier is to be followed by the next already."""
    if _recorded(run, "run.verified") or (last := _attempts(run).order_by("index").last()) is None:
        return True
    wait = FIRST_WAIT * 2 ** min(_attempts(run).count() - 1, 20)
    return timezone.now() - last.at >= min(wait, LONGEST_WAIT)


def _recorded(run: Run, action: str) -> bool:
    return Entry.objects.filter(run=run.pk, action=action).exists()


@transaction.atomic
def _say(run: Run, action: str, details: Mapping[str, Detail]) -> None:
    Run.objects.select_for_update().get(pk=run.pk)
    if not _recorded(run, action):
        _tell(run, action, details)


def _tell(run: Run, action: str, details: Mapping[str, Detail]) -> None:
    """Event and log entry of one part of the end; the last thing in its transaction."""
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
