"""The present and former signing keys of this installation, and the rotation from one to the next.

A former key is accepted for what was signed before its rotation and for nothing later, so a signature made
with a stolen former key is rejected. A rotation is an entry of the log, signed with both keys, so whoever
trusts one key can verify the other.
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
from django.utils import timezone

from clinic.audit.canonical import DetailInput
from clinic.audit.checkpoints import (
    RESTORED,
    Note,
    NoteInvalid,
    checkpoint,
    keep_once,
    keep_outside,
    public_key,
    read_note,
    read_verifier_key,
    signed_text,
    signing_key,
    verifier_key,
    verify_note,
)
from clinic.audit.models import Checkpoint, Entry
from clinic.audit.record import Act, record
from clinic.durable import sync_directory


@dataclass(frozen=True)
class Former:
    """A key that was in use while the log had at most `size` entries."""

    size: int
    key: Ed25519PublicKey


def _path_with_ending(ending: str) -> Path:
    """Return the path of the signing key file with `ending` added."""
    path: Path = settings.LACUNA_SIGNING_KEY_FILE
    return path.with_name(f"{path.name}.{ending}")


def former_keys() -> list[Former]:
    """Return the former keys, oldest first. Errors: ValueError if their file is malformed."""
    try:
        lines = _path_with_ending("former").read_text().splitlines()
    except FileNotFoundError:
        return []
    parts = [line.split(" ", 1) for line in lines]
    return sorted(
        (Former(int(size), read_verifier_key(key)) for size, key in parts), key=lambda one: one.size
    )


def key_at(index: int | None) -> Ed25519PublicKey:
    """Return the key that was in use when entry `index` was written; for None the present key."""
    former = [one.key for one in former_keys() if index is not None and index < one.size]
    return former[0] if former else public_key()


def key_of_certificate(digest: str) -> Ed25519PublicKey:
    """Return the key that was in use when the certificate of this digest was issued, according to the log."""
    issued = Entry.objects.filter(action="certificate.issued", details__digest=digest)
    return key_at(issued.order_by("index").values_list("index", flat=True).first())


def trusted(size: int) -> Iterator[Ed25519PublicKey]:
    """Yield the keys that may have signed a checkpoint over `size` entries."""
    yield public_key()
    yield from (one.key for one in former_keys() if size <= one.size)


def verify_ours(note: str) -> Note:
    """Return a note's content once it is shown to be signed with our key of its time. Errors: NoteInvalid.

    A former key signs no restore note over heads that are longer than the log was when it was replaced: it
    could explain away what a later key signed.
    """
    refused = NoteInvalid("the note is not signed with this key")
    for key in trusted(read_note(note).reach):
        try:
            return verify_note(note, key)
        except NoteInvalid as error:
            refused = error
    raise refused


def signed_by_any(note: str) -> Note | None:
    """Return a note's content if any of our keys signed it, also a former key later than it may; else None.

    Only for a note whose head a restore note gives up: that note vouches for it.
    """
    for key in (public_key(), *(one.key for one in former_keys())):
        try:
            return verify_note(note, key)
        except NoteInvalid:
            continue
    return None


def handover(before: Ed25519PublicKey, now: Ed25519PublicKey) -> bytes:
    """Return the text that both keys sign: that key `now` replaces key `before` in this log."""
    keys = f"{before.public_bytes_raw().hex()}\n{now.public_bytes_raw().hex()}\n"
    return f"lacuna signing key\n{settings.LACUNA_LOG_ORIGIN}\n{keys}".encode()


def rotate(*, by: str) -> str:
    """Replace the signing key by a new one and return the new verifier key. After a crash, call it again.

    by: actor string. Stop the server and all workers first: what another process signs meanwhile might have
    the wrong key. The last signature of the old key and the first of the new key are checkpoints. Errors:
    ValueError, OSError.
    """
    new, old = _new_key(), signing_key()
    entry = _find_rotation_entry(new.public_key())
    if entry is None:
        checkpoint("key-rotation")
        entry = _record_rotation(old, new, by)
    _add_former_key(entry.index, old.public_key())
    _sign_restore_notes(new)
    _path_with_ending("next").replace(settings.LACUNA_SIGNING_KEY_FILE)
    sync_directory(_path_with_ending("next").parent)
    checkpoint("key-rotation")
    return verifier_key()


def _sign_restore_notes(new: Ed25519PrivateKey) -> None:
    """Sign every restore note in the witness directory with the new key too: see `verify_ours`."""
    for path in sorted(settings.LACUNA_WITNESS_DIR.glob("*-restored-*.note")):
        try:
            note = verify_ours(path.read_bytes().decode(errors="replace"))
        except NoteInvalid:  # verify_log reports it; the new key does not sign it
            continue
        text = signed_text(note.body.decode(), new)
        keep_outside(text)
        if not Checkpoint.objects.filter(note=text).exists():
            Checkpoint.objects.create(
                size=note.size, root=note.root, note=text, reason=RESTORED, at=timezone.now()
            )


def _new_key() -> Ed25519PrivateKey:
    """Return the new key. Its file is durable before the log names the key; an existing file is used."""
    fresh = Ed25519PrivateKey.generate()
    keep_once(
        _path_with_ending("next"),
        fresh.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
        0o600,
    )
    key = load_pem_private_key(_path_with_ending("next").read_bytes(), password=None)
    if not isinstance(key, Ed25519PrivateKey):
        raise ValueError("the new signing key is not an Ed25519 key")
    return key


def _find_rotation_entry(new: Ed25519PublicKey) -> Entry | None:
    """Return the entry of a rotation to key `new` that was interrupted after the entry, or None."""
    entries = Entry.objects.filter(action="audit.key-rotated", details__now=new.public_bytes_raw().hex())
    return entries.first()


@transaction.atomic
def _record_rotation(old: Ed25519PrivateKey, new: Ed25519PrivateKey, by: str) -> Entry:
    """Record the rotation in the log, signed with both keys."""
    text = handover(old.public_key(), new.public_key())
    details: dict[str, DetailInput] = {
        "before": old.public_key().public_bytes_raw().hex(),
        "now": new.public_key().public_bytes_raw().hex(),
    }
    for name, key in (("before", old), ("now", new)):
        signature = key.sign(text).hex()  # 128 digits, stored as two details: one takes 80 characters
        details |= {f"signed_{name}_1": signature[:64], f"signed_{name}_2": signature[64:]}
    (entry,) = record(Act("audit.key-rotated", "log:key", by, details=details))
    return entry


def _add_former_key(size: int, key: Ed25519PublicKey) -> None:
    """Add a key to the file of former keys, unless it is there already."""
    path, draft = _path_with_ending("former"), _path_with_ending("former-new")
    lines = path.read_text().splitlines() if path.exists() else []
    lines = list(dict.fromkeys([*lines, f"{size} {verifier_key(key)}"]))
    draft.unlink(missing_ok=True)
    keep_once(draft, "".join(f"{line}\n" for line in lines).encode(), 0o644)
    draft.replace(path)
    sync_directory(path.parent)  # must be durable before the new key replaces the old one
