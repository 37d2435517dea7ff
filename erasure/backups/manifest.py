"""What a backup says of itself: every file with its size and SHA-256, signed by the house."""

import base64
import binascii
import hashlib
import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from django.conf import settings

from clinic import durable
from clinic.audit.canonical import dump
from clinic.audit.checkpoints import public_key, sign
from clinic.audit.keyring import former_keys
from erasure.backups.key_material import key_material

MANIFEST, SIGNATURE, OBJECTS = "manifest.json", "manifest.sig", "objects"
CHUNK = 1024 * 1024


class BackupRefused(Exception):
    """The backup cannot be made, believed or brought back; the message says why in plain words."""


@dataclass(frozen=True)
class Item:
    """One file of a backup."""

    name: str
    size: int
    sha256: str


@dataclass(frozen=True)
class Manifest:
    """A backup's contents. `missing`: objects that lived in the database and whose file was gone."""

    engine: str
    made_at: str
    log_size: int
    database: Item
    objects: list[Item]
    missing: list[str] = field(default_factory=list)

    def text(self) -> bytes:
        """The bytes that are kept, signed and counted as the manifest's digest."""
        return dump({"type": "lacuna.backup", "version": 1, **asdict(self)})

    @property
    def digest(self) -> str:
        """SHA-256 (hex) of the manifest."""
        return hashlib.sha256(self.text()).hexdigest()

    @property
    def size(self) -> int:
        """Bytes of everything."""
        return self.database.size + sum(item.size for item in self.objects)

    @property
    def made(self) -> datetime:
        return datetime.fromisoformat(self.made_at)


def path_of(directory: Path, name: str) -> Path:
    """Where an object of a backup lies."""
    return directory / OBJECTS / name[:2] / name


def pieces(path: Path) -> Iterator[bytes]:
    """A file in pieces, from the disk and not from what the system remembers of it. Errors: OSError."""
    with path.open("rb") as file:
        durable.forget_cached(file.fileno(), 0, 0)
        while piece := file.read(CHUNK):
            yield piece


def item_of(path: Path) -> Item:
    """Read a file and say what it is. Errors: OSError."""
    return _item(path.name, pieces(path))


def _item(name: str, content: Iterable[bytes]) -> Item:
    digest, size = hashlib.sha256(), 0
    for piece in content:
        digest.update(piece)
        size += len(piece)
    return Item(name, size, digest.hexdigest())


def write_durably(path: Path, content: Iterable[bytes]) -> Item:
    """Write a new file, durable on return; what was written is returned. Errors: OSError."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)

    def through() -> Iterator[bytes]:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            for piece in content:
                file.write(piece)
                yield piece
            file.flush()
            durable.fsync(file.fileno())

    return _item(path.name, through())


def write(directory: Path, manifest: Manifest) -> None:
    """Lay manifest and signature beside what they speak of. Errors: OSError."""
    write_durably(directory / MANIFEST, [manifest.text()])
    write_durably(directory / SIGNATURE, [base64.b64encode(sign(manifest.text()))])


def read(directory: Path) -> Manifest:
    """Return the manifest of a backup that this house signed; its files are not looked at yet.

    Errors: BackupRefused.
    """
    if not Path(settings.LACUNA_SIGNING_KEY_FILE).exists():  # asking for it would make a new one
        raise BackupRefused(
            "The house's signing key is not here, so no backup can be believed. Bring it back."
        )
    try:
        text = (directory / MANIFEST).read_bytes()
        signature = base64.b64decode((directory / SIGNATURE).read_bytes(), validate=True)
    except FileNotFoundError as error:
        raise BackupRefused(
            f"{directory} is no whole backup: {Path(error.filename).name} is missing."
        ) from error
    except binascii.Error as error:
        raise BackupRefused("The backup's signature is not one.") from error
    if not any(_signed(key, signature, text) for key in (public_key(), *_former(text))):
        raise BackupRefused("The backup's manifest is not as this house signed it.")
    said: dict[str, Any] = json.loads(text)
    if (said.pop("type"), said.pop("version")) != ("lacuna.backup", 1):
        raise BackupRefused("The backup is of a kind that this version does not know.")
    said["database"] = Item(**said["database"])
    said["objects"] = [Item(**item) for item in said["objects"]]
    return Manifest(**said)


def _signed(key: Ed25519PublicKey, signature: bytes, text: bytes) -> bool:
    try:
        key.verify(signature, text)
    except InvalidSignature:
        return False
    return True


def _former(text: bytes) -> Iterator[Ed25519PublicKey]:
    """Former keys that may vouch for a backup of so long a log; nothing of the text is believed yet."""
    try:
        size = int(json.loads(text)["log_size"])
    except (ValueError, TypeError, KeyError):
        return
    yield from (former.key for former in former_keys() if size <= former.size)


def check_files(directory: Path, manifest: Manifest) -> None:
    """Read every file again. Errors: BackupRefused for one that is missing, other or too many; OSError."""
    wanted = {path_of(directory, item.name): item for item in manifest.objects}
    wanted[directory / manifest.database.name] = manifest.database
    for path, item in wanted.items():
        if not path.is_file():
            raise BackupRefused(f"The backup lacks {path.relative_to(directory)}.")
        if item_of(path) != item:
            raise BackupRefused(f"{path.relative_to(directory)} is not what was backed up.")
    own = {directory / MANIFEST, directory / SIGNATURE}
    others = {path for path in directory.rglob("*") if path.is_file()} - set(wanted) - own
    if others:
        raise BackupRefused(f"{min(others).relative_to(directory)} does not belong to the backup.")
    if keys := key_material(directory):
        raise BackupRefused(f"The backup holds what looks like a key: {keys[0]}. No backup may.")


def check(directory: Path) -> Manifest:
    """Return the manifest of a backup that is whole, unchanged, ours and without a key.

    Errors: BackupRefused, OSError.
    """
    manifest = read(directory)
    check_files(directory, manifest)
    return manifest
