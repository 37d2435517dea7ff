"""Checking a certificate against itself: its signature, and the log's proofs it carries."""

import base64
import json
from dataclasses import dataclass, field
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from clinic.audit.checkpoints import NoteInvalid, verify_note
from clinic.audit.merkle import leaf_hash, verify_inclusion


@dataclass
class Checked:
    """What was checked and what did not hold; `problems` are plain sentences."""

    entries: int = 0
    problems: list[str] = field(default_factory=list)

    @property
    def holds(self) -> bool:
        return not self.problems


def check(body: bytes, signature: str, public_key: Ed25519PublicKey) -> Checked:
    """Check `body` (the exact bytes) with its base64 signature under the house's public key.

    The key must come from elsewhere than the certificate: one that vouches for itself proves nothing.
    """
    checked = Checked()
    try:
        public_key.verify(base64.b64decode(signature, validate=True), body)
    except (InvalidSignature, ValueError):
        checked.problems.append("The signature does not belong to this text and this key.")
        return checked
    statement: dict[str, Any] = json.loads(body)
    log = statement["log"]
    try:
        note = verify_note(log["checkpoint"], public_key)
    except NoteInvalid as error:
        checked.problems.append(f"The checkpoint does not hold: {error}.")
        return checked
    unproved = {memory["entry"]: memory["step"] for memory in statement["destroyed"]}
    for proof in log["entries"]:
        said = json.loads(proof["text"])
        if not _is_in_the_log(proof, note.size, note.root):
            checked.problems.append(f"Entry {proof['index']} is not proved to be in the log.")
            continue
        checked.entries += 1
        if said["action"] == "memory.destroyed" and said["subject"] == f"step:{unproved.get(proof['index'])}":
            del unproved[proof["index"]]
    if unproved:
        checked.problems.append(f"{len(unproved)} destroyed memories have no entry of the log with them.")
    return checked


def _is_in_the_log(proof: dict[str, Any], size: int, root: bytes) -> bool:
    leaf = leaf_hash(proof["text"].encode())
    path = [bytes.fromhex(node) for node in proof["proof"]]
    return verify_inclusion(leaf, proof["index"], size, path, root)


def read_and_check(file: bytes, public_key: Ed25519PublicKey) -> Checked:
    """Check a downloaded certificate file. Errors: ValueError where it is none."""
    try:
        outer = json.loads(file)
        return check(outer["statement"].encode(), outer["signature"], public_key)
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError("it lacks its statement or its signature") from error
