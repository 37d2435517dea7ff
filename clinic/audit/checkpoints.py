"""The signing key of this installation, and signed checkpoints of the log.

A checkpoint is a C2SP signed note (c2sp.org/signed-note, c2sp.org/tlog-checkpoint): origin, size and root,
each on a line, and an Ed25519 signature. Whoever has a copy can detect that the log was cut or rewritten
later.

A restore note is a checkpoint over the log that a restore brought back, with extension lines: the word
RESTORED or AFTERWARDS with the time of signing, then a line "lost <size> <root>" for each checkpoint over
entries that the restore gave up. Only such a note explains a checkpoint that does not match the log.
"""

import base64
import binascii
import hashlib
import os
import re
import secrets
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.utils import Buffer
from django.conf import settings
from django.db import transaction
from django.utils import timezone

from clinic import durable
from clinic.audit.models import Checkpoint, TreeHead
from clinic.durable import make_directory, sync_directory

ED25519 = b"\x01"  # the algorithm's number in C2SP key ids
SIGNATURE = re.compile(r"— (?P<name>[^\s+]+) (?P<blob>[A-Za-z0-9+/]+={0,2})")


RESTORED = "restored"  # signed by `manage.py restore`
AFTERWARDS = "restored-afterwards"  # signed later, because somebody said that there had been a restore
RESTORED_LINE = re.compile(rf"(?P<kind>{RESTORED}|{AFTERWARDS}) (?P<at>\d{{4}}-\d\d-\d\dT\d\d:\d\d:\d\dZ)")
LOST_LINE = re.compile(r"lost (?P<size>0|[1-9][0-9]{0,18}) (?P<root>[A-Za-z0-9+/]{43}=)")
SIZE = re.compile(r"0|[1-9][0-9]{0,18}")

Head = tuple[int, bytes]  # number of entries of a log, and its root


class NoteInvalid(ValueError):
    """A note is malformed, or the key did not sign it. The message says which."""


@dataclass(frozen=True)
class Note:
    """The content of a signed note. signatures: (key name, key id, signature) of each, not verified.

    Only in a restore note: restored is RESTORED or AFTERWARDS, at the time of signing as ISO 8601 text, and
    lost the heads over entries that the restore gave up.
    """

    origin: str
    size: int
    root: bytes
    body: bytes
    signatures: tuple[tuple[str, bytes, bytes], ...]
    restored: str = ""
    at: str = ""
    lost: tuple[Head, ...] = ()

    @property
    def head(self) -> Head:
        return self.size, self.root

    @property
    def reach(self) -> int:
        """The largest size that the note says anything about."""
        return max([self.size, *(size for size, _root in self.lost)])


def signing_key() -> Ed25519PrivateKey:
    """Return the key in LACUNA_SIGNING_KEY_FILE. The first call creates it, readable only by its owner.

    Errors: ValueError if the file has no Ed25519 key.
    """
    path: Path = settings.LACUNA_SIGNING_KEY_FILE
    try:
        pem = path.read_bytes()
    except FileNotFoundError:
        fresh = Ed25519PrivateKey.generate()
        keep_once(path, fresh.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()), 0o600)
        pem = path.read_bytes()  # read again: if two processes create it at once, only one key is kept
    key = load_pem_private_key(pem, password=None)
    if not isinstance(key, Ed25519PrivateKey):
        raise ValueError("the signing key is not an Ed25519 key")
    return key


def public_key() -> Ed25519PublicKey:
    """Return the public half of the signing key."""
    return signing_key().public_key()


def sign(data: Buffer) -> bytes:
    """Return the Ed25519 signature of `data` with our key, 64 bytes."""
    return signing_key().sign(data)


def key_id(name: str, key: Ed25519PublicKey) -> bytes:
    """Return the four bytes that identify a key in C2SP notes."""
    return hashlib.sha256(name.encode() + b"\n" + ED25519 + key.public_bytes_raw()).digest()[:4]


def verifier_key(key: Ed25519PublicKey | None = None) -> str:
    """Return a public key (by default ours) as a C2SP verifier key: name+id+base64."""
    key, name = key or public_key(), settings.LACUNA_LOG_ORIGIN
    return f"{name}+{key_id(name, key).hex()}+{base64.b64encode(ED25519 + key.public_bytes_raw()).decode()}"


def read_verifier_key(text: str) -> Ed25519PublicKey:
    """Return the public key of a C2SP verifier key. Errors: ValueError if it is malformed."""
    name, _, rest = text.strip().partition("+")
    stated, _, blob = rest.partition("+")
    raw = base64.b64decode(blob, validate=True)
    if len(raw) != 33 or raw[:1] != ED25519:
        raise ValueError("this is no Ed25519 verifier key")
    key = Ed25519PublicKey.from_public_bytes(raw[1:])
    if key_id(name, key).hex() != stated:
        raise ValueError("the verifier key's id does not match the key")
    return key


def write_note(size: int, root: bytes, extension: Sequence[str] = ()) -> str:
    """Return a note over `size` entries with `root` (32 bytes), signed with our key.

    extension: further lines, without line ends.
    """
    lines = [settings.LACUNA_LOG_ORIGIN, str(size), base64.b64encode(root).decode(), *extension]
    return signed_text("".join(f"{line}\n" for line in lines), signing_key())


def signed_text(body: str, key: Ed25519PrivateKey) -> str:
    """Return the text of a note: `body`, which ends with a line end, signed with `key`."""
    origin = settings.LACUNA_LOG_ORIGIN
    blob = key_id(origin, key.public_key()) + key.sign(body.encode())
    return f"{body}\n— {origin} {base64.b64encode(blob).decode()}\n"


def write_restore_note(after: Head, lost: Sequence[Head], kind: str) -> str:
    """Return a signed restore note. after: the head of the restored log. kind: RESTORED or AFTERWARDS."""
    said = [f"{kind} {timezone.now():%Y-%m-%dT%H:%M:%SZ}"]
    said += [f"lost {size} {base64.b64encode(root).decode()}" for size, root in lost]
    return write_note(*after, said)


def read_note(note: str) -> Note:
    """Parse a note without verifying its signatures. Errors: NoteInvalid if it is malformed."""
    body, _gap, signed = note.rpartition("\n\n")
    lines = body.split("\n")
    if len(lines) < 3 or not signed.endswith("\n") or re.search(r"[\x00-\x09\x0b-\x1f\x7f]", note):
        raise NoteInvalid("this is no signed note")
    if not SIZE.fullmatch(lines[1]):
        raise NoteInvalid("the note's second line is no size")
    signatures = []
    try:
        root = base64.b64decode(lines[2], validate=True)
        for line in signed[:-1].split("\n"):
            match = SIGNATURE.fullmatch(line)
            if match is None:
                raise NoteInvalid("a signature line of the note is malformed")
            blob = base64.b64decode(match["blob"], validate=True)
            signatures.append((match["name"], blob[:4], blob[4:]))
    except binascii.Error as error:
        raise NoteInvalid("the note is not base64 where it should be") from error
    if len(root) != 32:
        raise NoteInvalid("the note's third line is no root")
    restored, at, lost = _read_restored(lines[3:])
    return Note(lines[0], int(lines[1]), root, f"{body}\n".encode(), tuple(signatures), restored, at, lost)


def _read_restored(extension: Sequence[str]) -> tuple[str, str, tuple[Head, ...]]:
    """Return what a restore note's extension lines say: kind, time, lost heads. Empty for other notes.

    Errors: NoteInvalid if they begin like those of a restore note and are not exactly that.
    """
    if not extension or not extension[0].startswith(RESTORED):
        return "", "", ()  # C2SP: what a log writes there otherwise is opaque to its readers
    first = RESTORED_LINE.fullmatch(extension[0])
    lost = [LOST_LINE.fullmatch(line) for line in extension[1:]]
    if first is None or not lost or None in lost:
        raise NoteInvalid("what the note says about a restore is malformed")
    heads = tuple((int(one["size"]), base64.b64decode(one["root"])) for one in lost if one)
    return first["kind"], first["at"], heads


def verify_note(note: str, key: Ed25519PublicKey) -> Note:
    """Return the content of a note after checking that `key` signed it for this log's origin.

    Signatures of other keys are ignored, as C2SP requires. Errors: NoteInvalid.
    """
    parsed, origin = read_note(note), settings.LACUNA_LOG_ORIGIN
    if parsed.origin != origin:
        raise NoteInvalid("the note speaks of another log")
    ours = [
        blob for name, number, blob in parsed.signatures if (name, number) == (origin, key_id(origin, key))
    ]
    if not ours:
        raise NoteInvalid("the note is not signed with this key")
    try:
        for blob in ours:
            key.verify(blob, parsed.body)
    except InvalidSignature as error:
        raise NoteInvalid("the note's signature is not of this text") from error
    return parsed


def checkpoint(reason: str) -> Checkpoint:
    """Sign the log in its present state. Return the new row and write its note to LACUNA_WITNESS_DIR.

    reason: a word, such as "run-finished". The file is durable when this returns. It is written before the
    row, so if a row has no file, somebody removed the file. Errors: RuntimeError inside a transaction,
    because entries that are signed could still be rolled back.
    """
    with transaction.atomic(durable=True):
        head = TreeHead.objects.filter(pk=1).first() or TreeHead()
        root = head.as_frontier().root()
        note = write_note(head.size, root)
        keep_outside(note)
        return Checkpoint.objects.create(
            size=head.size, root=root, note=note, reason=reason, at=timezone.now()
        )


def keep_outside(note: str) -> None:
    """Write a note's file to LACUNA_WITNESS_DIR, durably. Errors: OSError, NoteInvalid."""
    keep_once(settings.LACUNA_WITNESS_DIR / witness_name(read_note(note)), note.encode(), 0o644)


def witness_name(note: Note) -> str:
    """Return the file name of a note: its size, and parts of root and signature to tell notes apart."""
    said = f"-restored-{hashlib.sha256(note.body).hexdigest()[:8]}" if note.restored else ""
    return f"{note.size:012d}-{note.root.hex()[:8]}-{note.signatures[0][1].hex()}{said}.note"


def keep_once(path: Path, content: bytes, mode: int) -> None:
    """Write a file durably, unless it exists already.

    Readers never see an incomplete file. mode: permissions of the new file.
    """
    make_directory(path.parent)
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
            file.write(content)
            file.flush()
            durable.fsync(file.fileno())
        with suppress(FileExistsError):
            os.link(draft, path)
    finally:
        draft.unlink(missing_ok=True)
    sync_directory(path.parent)  # also if the file existed: its writer may not have synced the directory yet
