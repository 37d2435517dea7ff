"""Issuing the certificate of a finished run: signed canonical JSON with proofs of the log's entries."""

import base64
import hashlib
import platform
from collections import Counter, defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Count, Max, Sum
from django.utils import timezone

from clinic.audit.canonical import canonical, dump
from clinic.audit.checkpoints import checkpoint, sign, verifier_key
from clinic.audit.models import Checkpoint, Entry
from clinic.audit.proofs import keep_subtrees, tree_of
from clinic.audit.record import Act, record
from erasure.certificates.models import Certificate
from erasure.runs.custody_items import custody_items
from erasure.runs.events import NewEvent, emit
from erasure.runs.models import Hold, Run, Step, Trouble
from erasure.verification.checks import BEYOND, statement
from patients.keepsakes.models import Keepsake
from patients.vault.configured import key_store
from patients.vault.limits import limits, method
from patients.vault.models import StoredObject

CLAIM = "cryptographic erase of logical objects"


def _at(moment: datetime | None) -> str | None:
    return moment.astimezone(UTC).isoformat(timespec="seconds") if moment else None


def _version() -> str:
    try:
        return version("lacuna")
    except PackageNotFoundError:  # run from a checkout, where the package is not installed
        return "checkout"


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
            "at": _at(step.done_at),
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
        "cooling-off-hours": int(settings.LACUNA_COOLING_OFF_HOURS),
        "presence-check-minutes": int(settings.LACUNA_PRESENCE_CHECK_MINUTES),
        "milliseconds-per-memory": int(run.procedure.pace_seconds * 1000),
    }


def _keys() -> dict[str, Any]:
    state = key_store().state()
    return {
        "kept-in": state.kind,
        "custody": state.custody,
        "token": state.token,
        "limits": limits(state),
        "epoch": state.epoch,
        "mirrors": state.mirrors,
        "warnings": [
            {"place": item.place, "file-system": item.filesystem, "reason": item.reason}
            for item in state.warnings
        ],
    }


def _log(run: Run, head: Checkpoint) -> dict[str, Any]:
    """Return the system's own entries on the run, each with a proof that it is in the log signed as `head`.

    The log also has entries of what people did in the session (a pause, a decision). They contain IP
    addresses and reasons, which a certificate must not pass on, so only their numbers are given.
    Errors: LookupError if the stored log is not the one that was signed.
    """
    keep_subtrees(head.size)
    tree = tree_of(head.size, bytes(head.root))
    places: dict[str, int] = {}
    shown, not_shown = [], []
    for entry in Entry.objects.filter(run=run.pk, index__lt=head.size).order_by("index"):
        if not entry.actor.startswith("system:") or entry.reason or entry.address:
            not_shown.append(entry.index)
            continue
        path = [places.setdefault(node.hex(), len(places)) for node in tree.inclusion(entry.index, head.size)]
        shown.append({"index": entry.index, "text": canonical(entry).decode(), "proof": path})
    return {
        "origin": settings.LACUNA_LOG_ORIGIN,
        "verifier-key": verifier_key(),
        "checkpoint": head.note,
        "hashes": list(places),  # each proof names its hashes by their place in here
        "entries": shown,
        "entries-not-shown": not_shown,
    }


def _verification(run: Run, head: Checkpoint) -> dict[str, Any]:
    """Return the verification's result and the index of its entry in the log, {} if there is none."""
    entries = Entry.objects.filter(run=run.pk, action="run.verified", index__lt=head.size)
    entry = entries.order_by("index").last()
    if entry is None:
        return {}
    return {**statement(entry.details), "entry": entry.index, "at": _at(entry.at), "by": entry.actor}


def certificate_body(run: Run, at: datetime, head: Checkpoint) -> dict[str, Any]:
    """Return the certificate's statement. It must not contain the subject's name.

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
        "method": {
            "technique": "fade by a Markov chain of frames, each under a key of its own, all keys destroyed",
            "cipher": "AES-256-GCM-HKDF streaming, 64 KiB segments, one key per object",
            "key-destruction": method(key_store().state()),
            "tool": "Lacuna",
            "tool-version": _version(),
            "runs-on": f"Python {platform.python_version()}, cryptography {version('cryptography')}",
        },
        "keys": _keys(),
        "place": run.procedure.place,
        "team": _team(run),
        "started": _at(run.started_at),
        "finished": _at(run.finished_at),
        "issued": _at(at),
        "map": run.procedure.map.digest,
        "consent": {
            "text": run.procedure.consent.text_digest,
            "signed": _at(run.procedure.consent.signed_at),
            "withdrawn": _at(run.procedure.consent.withdrawn_at),
        },
        "policies": _policies(run),
        "destroyed": _destroyed(run),
        "remains": _remains(run),
        # Physical objects. People witness their destruction, no key proves it. Open items are listed as open.
        "things": custody_items(run),
        "verification": _verification(run, head),
        "beyond-our-reach": BEYOND,
        "log": _log(run, head),
    }


def issue(run: Run) -> Certificate:
    """Sign and store the certificate of a finished run, record its digest in the log, and return it.

    A run has one certificate: further calls return it. The proofs are made before the transaction that locks
    the end of the log, so that slow work blocks no one.
    """
    existing = Certificate.objects.filter(run=run).first()
    if existing:
        return existing
    head = checkpoint("certificate")
    now = timezone.now()
    run = Run.objects.select_related("procedure__case__patient", "procedure__map", "procedure__consent").get(
        pk=run.pk
    )
    text = dump(certificate_body(run, now, head)).decode()
    try:
        with transaction.atomic():
            made = Certificate.objects.create(
                run=run,
                body=text,
                digest=hashlib.sha256(text.encode()).hexdigest(),
                signature=base64.b64encode(sign(text.encode())).decode(),
                issued_at=now,
            )
            emit(run.pk, NewEvent("certificate"))
            record(
                Act(
                    "certificate.issued",
                    f"certificate:{made.pk}",
                    actor="system:worker",
                    case=run.procedure.case_id,
                    run=run.pk,
                    details={"digest": made.digest, "outcome": run.outcome, "checkpoint": head.size},
                )
            )
    except IntegrityError:  # another process was faster: a run has one certificate
        return Certificate.objects.get(run=run)
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
