"""The keys this house signs and has signed with, and how one is handed over to the next.

A former key vouches for what was signed before the handover and for nothing after it: whoever stole it may
sign, and is not believed. The handover is an entry of the log, signed with both keys, so that whoever knows
the one need not be told of the other.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from django.conf import settings
from django.db import transaction

from clinic.audit.canonical import Telling
from clinic.audit.checkpoints import (
    Note,
    NoteInvalid,
    checkpoint,
    keep_once,
    public_key,
    read_note,
    read_verifier_key,
    signing_key,
    verifier_key,
    verify_note,
)
from clinic.audit.models import Entry
from clinic.audit.record import Act, record
from clinic.durable import sync_directory


@dataclass(frozen=True)
class Former:
    """A key that was in force while the log had at most `size` entries."""

    size: int
    key: Ed25519PublicKey


def _beside(ending: str) -> Path:
    path: Path = settings.LACUNA_SIGNING_KEY_FILE
    return path.with_name(f"{path.name}.{ending}")


def former_keys() -> list[Former]:
    """The keys before the present one, oldest first. Errors: ValueError for a file that is not ours."""
    try:
        lines = _beside("former").read_text().splitlines()
    except FileNotFoundError:
        return []
    parts = [line.split(" ", 1) for line in lines]
    return sorted(
        (Former(int(size), read_verifier_key(key)) for size, key in parts), key=lambda one: one.size
    )


def key_at(index: int | None) -> Ed25519PublicKey:
    """The key that was in force when entry `index` was written; the present one for None."""
    former = [one.key for one in former_keys() if index is not None and index < one.size]
    return former[0] if former else public_key()


def key_of_certificate(digest: str) -> Ed25519PublicKey:
    """The key in force when the log says that the certificate of this digest was issued."""
    issued = Entry.objects.filter(action="certificate.issued", details__digest=digest)
    return key_at(issued.order_by("index").values_list("index", flat=True).first())


def trusted(size: int) -> Iterator[Ed25519PublicKey]:
    """The keys that may vouch for a log of `size` entries."""
    yield public_key()
    yield from (one.key for one in former_keys() if size <= one.size)


def verify_ours(note: str) -> Note:
    """Return what a note says that this house signed, with the key of its time. Errors: NoteInvalid."""
    refused = NoteInvalid("the note is not signed with this key")
    for key in trusted(read_note(note).size):
        try:
            return verify_note(note, key)
        except NoteInvalid as error:
            refused = error
    raise refused


def handover(before: Ed25519PublicKey, now: Ed25519PublicKey) -> bytes:
    """What both keys sign: that the one takes the place of the other in this log."""
    keys = f"{before.public_bytes_raw().hex()}\n{now.public_bytes_raw().hex()}\n"
    return f"lacuna signing key\n{settings.LACUNA_LOG_ORIGIN}\n{keys}".encode()


def rotate(*, by: str) -> str:
    """Hand over to a new key and return it as verifiers write it. May be repeated after a crash.

    For a house that is closed: what another process signs meanwhile may bear a key that is not in force. The
    last word of the old key and the first of the new one are checkpoints. Errors: ValueError, OSError.
    """
    new, old = _next(), signing_key()
    entry = _said(new.public_key())
    if entry is None:
        checkpoint("key-rotation")
        entry = _say(old, new, by)
    _keep_former(entry.index, old.public_key())
    _beside("next").replace(settings.LACUNA_SIGNING_KEY_FILE)
    sync_directory(_beside("next").parent)
    checkpoint("key-rotation")
    return verifier_key()


def _next() -> Ed25519PrivateKey:
    """The key that is to be, durable before anything names it."""
    fresh = Ed25519PrivateKey.generate()
    keep_once(_beside("next"), fresh.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()), 0o600)
    key = load_pem_private_key(_beside("next").read_bytes(), password=None)
    if not isinstance(key, Ed25519PrivateKey):
        raise ValueError("the key that is to be is not an Ed25519 key")
    return key


def _said(new: Ed25519PublicKey) -> Entry | None:
    """The entry of a handover to `new` that was broken off after it."""
    said = Entry.objects.filter(action="audit.key-rotated", details__now=new.public_bytes_raw().hex())
    return said.first()


@transaction.atomic
def _say(old: Ed25519PrivateKey, new: Ed25519PrivateKey, by: str) -> Entry:
    text = handover(old.public_key(), new.public_key())
    details: dict[str, Telling] = {
        "before": old.public_key().public_bytes_raw().hex(),
        "now": new.public_key().public_bytes_raw().hex(),
    }
    for name, key in (("before", old), ("now", new)):
        signature = key.sign(text).hex()  # two words: one of 128 digits is longer than any the log takes
        details |= {f"signed_{name}_1": signature[:64], f"signed_{name}_2": signature[64:]}
    (entry,) = record(Act("audit.key-rotated", "log:key", by, details=details))
    return entry


def _keep_former(size: int, key: Ed25519PublicKey) -> None:
    path, draft = _beside("former"), _beside("former-new")
    lines = path.read_text().splitlines() if path.exists() else []
    lines = list(dict.fromkeys([*lines, f"{size} {verifier_key(key)}"]))
    draft.unlink(missing_ok=True)
    keep_once(draft, "".join(f"{line}\n" for line in lines).encode(), 0o644)
    draft.replace(path)
    sync_directory(path.parent)  # before the new key takes the old one's place
