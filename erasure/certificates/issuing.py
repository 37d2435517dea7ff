"""Making the certificate of a finished run: canonical JSON, signed, with the log's proofs inside."""

import base64
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils import timezone

from clinic.audit.canonical import canonical, dump
from clinic.audit.checkpoints import checkpoint, sign, verifier_key
from clinic.audit.models import Checkpoint, Entry
from clinic.audit.proofs import inclusion
from clinic.audit.record import Act, record
from erasure.certificates.models import Certificate
from erasure.runs.events import News, emit
from erasure.runs.models import Hold, Run, Step
from erasure.verification.checks import BEYOND
from patients.vault.configured import key_store

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


def _memories(run: Run) -> list[dict[str, Any]]:
    steps = run.steps.filter(state=Step.State.DESTROYED).select_related("memory")
    return [
        {
            "number": step.memory.number,
            "step": str(step.pk),
            "objects": step.objects_destroyed,
            "bytes": step.bytes_destroyed,
            "passes": step.level,
            "at": _at(step.done_at),
            "entry": step.entry_id,
        }
        for step in steps
    ]


def _remains(run: Run) -> dict[str, Any]:
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
        "custody": state.custody,
        "epoch": state.epoch,
        "mirrors": state.mirrors,
        "warnings": [
            {"place": item.place, "file-system": item.filesystem, "reason": item.reason}
            for item in state.warnings
        ],
    }


def certificate_body(run: Run, at: datetime, head: Checkpoint) -> dict[str, Any]:
    """Return everything the certificate states. The forgotten person's name is nowhere in it."""
    entries = Entry.objects.filter(run=run.pk, index__lt=head.size).order_by("index")
    verified = entries.filter(action="run.verified").last()
    return {
        "type": "lacuna.certificate-of-erasure",
        "version": 1,
        "run": str(run.pk),
        "reference": run.procedure.case.reference,
        "patient": run.procedure.case.patient.name,
        "outcome": run.outcome,
        "claim": CLAIM,
        "method": {
            "technique": "fade by a Markov chain of frames, each under a key of its own, all keys destroyed",
            "cipher": "AES-256-GCM-HKDF streaming, 64 KiB segments, one key per object",
            "key-destruction": "overwritten in place, flushed, read back; then the epoch key rolled",
            "tool": "Lacuna",
            "tool-version": _version(),
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
        "destroyed": _memories(run),
        "remains": _remains(run),
        "verification": verified.details if verified else {},
        "beyond-our-reach": BEYOND,
        "log": {
            "origin": settings.LACUNA_LOG_ORIGIN,
            "verifier-key": verifier_key(),
            "checkpoint": head.note,
            "entries": [
                {"text": canonical(entry).decode(), **inclusion(entry.index, head.size)} for entry in entries
            ],
        },
    }


def issue(run: Run) -> Certificate:
    """Sign and keep the certificate of a finished run; its digest is logged after it. Once per run.

    The proofs are made before the transaction that takes the log's head: slow work holds nobody up.
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
                run=run, body=text, signature=base64.b64encode(sign(text.encode())).decode(), issued_at=now
            )
            emit(run.pk, News("certificate"))
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
    except IntegrityError:  # another process was faster; there is one certificate to a run
        return Certificate.objects.get(run=run)
    return made
