"""Issuing certificates: signed canonical JSON with proofs of the log's entries."""

import base64
import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Count, Max, Sum
from django.utils import timezone

from clinic.audit.canonical import dump
from clinic.audit.checkpoints import checkpoint, sign
from clinic.audit.models import Checkpoint, Entry
from clinic.audit.record import Act, record
from clinic.outgoing.queue import queue
from clinic.outgoing.recipients import to_patient
from erasure.certificates.destruction_body import destruction_body
from erasure.certificates.models import Certificate
from erasure.certificates.statement_parts import (
    CLAIM,
    isoformat,
    keys,
    log_proofs,
    method_of,
    verification_of,
)
from erasure.destructions.models import Destruction
from erasure.runs.custody_items import custody_items
from erasure.runs.events import NewEvent, emit
from erasure.runs.models import Hold, Run, Step, Trouble
from erasure.verification.checks import BEYOND
from patients.keepsakes.models import Keepsake
from patients.vault.models import StoredObject


def _team(run: Run) -> list[dict[str, str]]:
    people = run.procedure.booking.resources.filter(user__isnull=False).select_related("user")
    return [{"role": str(item.kind), "name": item.user.name} for item in people if item.user]


def _destroyed(run: Run) -> list[dict[str, Any]]:
    """Return what was destroyed, memory by memory."""
    steps = list(run.steps.filter(state=Step.State.DESTROYED).select_related("memory"))
    kinds, passes, unfaded = _kinds(steps), _passes(steps), _unfaded(steps)
    return [
        {
            "number": step.memory.number,
            "step": str(step.pk),
            "kinds": dict(kinds[step.memory_id]),
            "objects": step.objects_destroyed,
            "bytes": step.bytes_destroyed,
            "passes": step.level,
            "by-pass": passes[f"step:{step.pk}"],
            "at": isoformat(step.done_at),
            "entry": step.entry_id,
            **({"unfaded": unfaded[step.pk]} if unfaded[step.pk] else {}),
        }
        for step in steps
    ]


def _kinds(steps: Iterable[Step]) -> dict[Any, Counter[str]]:
    """Return for each memory how many keepsakes of each kind it had."""
    found: dict[Any, Counter[str]] = defaultdict(Counter)
    gone = Keepsake.objects.filter(memory__in=[step.memory_id for step in steps], gone_at__isnull=False)
    for memory, kind in gone.values_list("memory", "kind"):
        found[memory][str(kind)] += 1
    return found


def _unfaded(steps: Iterable[Step]) -> dict[Any, list[dict[str, str]]]:
    """Return the keepsakes of each step that could not be read and were destroyed without fading."""
    found: dict[Any, list[dict[str, str]]] = defaultdict(list)
    decided = Trouble.objects.filter(
        step__in=[step.pk for step in steps], state=Trouble.State.DESTROY, keepsake__isnull=False
    )
    for step, kind, cause in decided.order_by("pk").values_list("step_id", "keepsake__kind", "cause"):
        found[step].append({"kind": kind, "because": cause})
    return found


def _passes(steps: Iterable[Step]) -> dict[str, list[dict[str, int]]]:
    """Return what each step destroyed, level by level.

    Level 0 is the upload itself and the pictures made from it.
    """
    found: dict[str, list[dict[str, int]]] = defaultdict(list)
    gone = StoredObject.objects.filter(doomed_by__in=[f"step:{step.pk}" for step in steps])
    rows = gone.exclude(role=StoredObject.Role.SEAL).order_by("doomed_by", "level")
    counted = rows.values("doomed_by", "level").annotate(
        n=Count("pk"), size=Sum("size"), bits=Max("capacity")
    )
    for row in counted:
        found[row["doomed_by"]].append(
            {"level": row["level"], "objects": row["n"], "bytes": row["size"], "bits-at-most": row["bits"]}
        )
    return found


def _remains(run: Run) -> dict[str, Any]:
    """Return what was not destroyed: memories spared, copies found, and memories protected before the run."""
    spared = run.steps.filter(state=Step.State.SPARED).select_related("memory")
    holds = Hold.objects.filter(step__run=run).select_related("step__memory")
    return {
        "spared": [
            {"number": step.memory.number, "because": step.spared_because, "passes": step.level}
            for step in spared
        ],
        "copies": [
            {"number": hold.step.memory.number, "decision": str(hold.state), "reason": hold.reason}
            for hold in holds
        ],
        "protected-beforehand": run.procedure.case.memories.filter(zone="map", fate="protected")
        .exclude(steps__run=run)
        .count(),
    }


def _policies(run: Run) -> dict[str, Any]:
    return {
        "demonstration": settings.LACUNA_DEMO,
        "cooling-off-hours": int(run.procedure.consent.cooling_off_hours),
        "presence-check-minutes": int(run.presence_minutes),
        "milliseconds-per-memory": int(run.procedure.pace_seconds * 1000),
    }


def certificate_body(run: Run, at: datetime, head: Checkpoint) -> dict[str, Any]:
    """Return the statement on a run. It must not contain the subject's name.

    at: the time of issue. head: the checkpoint that the proofs refer to.
    """
    return {
        "type": "lacuna.certificate-of-erasure",
        "version": 2,
        "run": str(run.pk),
        "reference": run.procedure.case.reference,
        "patient": run.procedure.case.patient.name,
        "outcome": run.outcome,
        "stopped-because": run.why if run.outcome == Run.Outcome.STOPPED else None,
        "claim": CLAIM,
        "fields-after": "NIST SP 800-88, sample certificate",
        "method": method_of(
            "fade by a Markov chain of frames, each under a key of its own, all keys destroyed"
        ),
        "keys": keys(),
        "place": run.procedure.place,
        "team": _team(run),
        "started": isoformat(run.started_at),
        "finished": isoformat(run.finished_at),
        "issued": isoformat(at),
        "map": run.procedure.map.digest,
        "consent": {
            "text": run.procedure.consent.text_digest,
            "signed": isoformat(run.procedure.consent.signed_at),
            "withdrawn": isoformat(run.procedure.consent.withdrawn_at),
        },
        "policies": _policies(run),
        "destroyed": _destroyed(run),
        "remains": _remains(run),
        # Physical objects. People witness their destruction, no key proves it. Open items are listed as open.
        "things": custody_items(run),
        "verification": verification_of(run.pk, "run.verified", head),
        "beyond-our-reach": BEYOND,
        "log": log_proofs(run.pk, head),
    }


def _body(work: Run | Destruction, at: datetime, head: Checkpoint) -> dict[str, Any]:
    if isinstance(work, Destruction):
        return destruction_body(Destruction.objects.select_related("case__patient").get(pk=work.pk), at, head)
    rows = Run.objects.select_related("procedure__case__patient", "procedure__map", "procedure__consent")
    return certificate_body(rows.get(pk=work.pk), at, head)


def issue(work: Run | Destruction) -> Certificate:
    """Sign and store the certificate of a finished run or destruction, record its digest, and return it.

    Each has one certificate: further calls return it. The proofs are made before the transaction that locks
    the end of the log, so that slow work blocks no one.
    """
    existing = Certificate.objects.of_work(work.pk)
    if existing:
        return existing
    head = checkpoint("certificate")
    now = timezone.now()
    body = _body(work, now, head)
    text = dump(body).decode()
    try:
        with transaction.atomic():
            made = Certificate.objects.create(
                **{work.noun: work},
                body=text,
                digest=hashlib.sha256(text.encode()).hexdigest(),
                signature=base64.b64encode(sign(text.encode())).decode(),
                issued_at=now,
            )
            if isinstance(work, Run):
                emit(work.pk, NewEvent("certificate"))
            case = made.case
            patient = to_patient(case.patient)
            queue("certificate-ready", f"{work.noun}:{work.pk}", to=[patient], version=1, case=case.pk)
            record(
                Act(
                    "certificate.issued",
                    f"certificate:{made.pk}",
                    actor="system:worker",
                    case=case.pk,
                    run=work.pk,
                    details={"digest": made.digest, "outcome": body["outcome"], "checkpoint": head.size},
                )
            )
    except IntegrityError:  # another process was faster
        return Certificate.objects.get(**{work.noun: work.pk})
    # The certificate's own entry is newer than its checkpoint: sign another one that covers this entry too.
    checkpoint("certificate-issued")
    return made


def sign_unsigned() -> Checkpoint | None:
    """Sign a checkpoint over the newest certificate's entry if there is none; return it, or None.

    It is missing after a crash in `issue`. The supervisor calls this regularly; until then the public page
    says that the certificate waits for its checkpoint.
    """
    newest = Entry.objects.filter(action="certificate.issued").order_by("index").last()
    if newest is None or Checkpoint.objects.filter(size__gt=newest.index).exists():
        return None
    return checkpoint("certificate-issued")
