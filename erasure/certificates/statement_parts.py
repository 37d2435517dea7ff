"""The parts that the statements of all certificates share: method, keys, verification, proofs of the log."""

import platform
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from typing import Any
from uuid import UUID

from django.conf import settings

from clinic.audit.canonical import canonical
from clinic.audit.checkpoints import verifier_key
from clinic.audit.models import Checkpoint, Entry
from clinic.audit.proofs import keep_subtrees, tree_of
from erasure.verification.checks import statement
from patients.vault.configured import key_store
from patients.vault.limits import limits
from patients.vault.limits import method as key_destruction

CLAIM = "cryptographic erase of logical objects"


def isoformat(moment: datetime | None) -> str | None:
    """Return a time as statements have it: UTC, to the second; None for None."""
    return moment.astimezone(UTC).isoformat(timespec="seconds") if moment else None


def _version() -> str:
    try:
        return version("lacuna")
    except PackageNotFoundError:  # run from a checkout, where the package is not installed
        return "checkout"


def method_of(technique: str) -> dict[str, Any]:
    """Return how things were destroyed, and with which program. technique: what was done to them."""
    return {
        "technique": technique,
        "cipher": "AES-256-GCM-HKDF streaming, 64 KiB segments, one key per object",
        "key-destruction": key_destruction(key_store().state()),
        "tool": "Lacuna",
        "tool-version": _version(),
        "runs-on": f"Python {platform.python_version()}, cryptography {version('cryptography')}",
    }


def keys() -> dict[str, Any]:
    """Return where keys are kept, and what limits that has."""
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


def log_proofs(work_id: UUID, head: Checkpoint) -> dict[str, Any]:
    """Return the system's own entries on a run or destruction, each with a proof that the log has it.

    head: the checkpoint of the log that the proofs refer to.

    The log also has entries of what people did (a pause, a decision). They contain IP
    addresses and reasons, which a certificate must not pass on, so only their numbers are given.
    Errors: LookupError if the stored log is not the one that was signed.
    """
    keep_subtrees(head.size)
    tree = tree_of(head.size, bytes(head.root))
    places: dict[str, int] = {}
    shown, not_shown = [], []
    for entry in Entry.objects.filter(run=work_id, index__lt=head.size).order_by("index"):
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


def verification_of(work_id: UUID, action: str, head: Checkpoint) -> dict[str, Any]:
    """Return a verification's result and the index of its entry in the log, {} if there is none.

    action: the action of that entry.
    """
    entries = Entry.objects.filter(run=work_id, action=action, index__lt=head.size)
    entry = entries.order_by("index").last()
    if entry is None:
        return {}
    return {**statement(entry.details), "entry": entry.index, "at": isoformat(entry.at), "by": entry.actor}
