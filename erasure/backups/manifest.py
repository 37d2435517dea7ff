"""The manifest of a backup: every file with its size and SHA-256, signed with the clinic's signing key."""

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
    """The backup cannot be made, trusted or restored; the message tells the operator why."""


@dataclass(frozen=True)
class Item:
    """One file of a backup."""

    name: str
    size: int
    sha256: str


@dataclass(frozen=True)
class Manifest:
    """The contents of a backup. missing: objects whose row was live and whose file did not exist."""

    engine: str
    made_at: str
    log_size: int
    database: Item
    objects: list[Item]
    missing: list[str] = field(default_factory=list)

    def text(self) -> bytes:
        """Return the bytes of the manifest file, which are signed and hashed."""
        return dump({"type": "lacuna.backup", "version": 1, **asdict(self)})

    @property
    def digest(self) -> str:
        """SHA-256 (hex) of the manifest."""
        return hashlib.sha256(self.text()).hexdigest()

    @property
    def size(self) -> int:
        """Size of database and objects, in bytes."""
        return self.database.size + sum(item.size for item in self.objects)

    @property
    def made(self) -> datetime:
        return datetime.fromisoformat(self.made_at)


def path_of(directory: Path, name: str) -> Path:
    """Return the path of an object in a backup."""
    return directory / OBJECTS / name[:2] / name


def read_chunks(path: Path) -> Iterator[bytes]:
    """Yield a file in chunks, read from the disk and not from the system's cache. Errors: OSError."""
    with path.open("rb") as file:
        durable.forget_cached(file.fileno(), 0, 0)
        while chunk := file.read(CHUNK):
            yield chunk


def item_of(path: Path) -> Item:
    """Read a file and return its name, size and digest. Errors: OSError."""
    return _item(path.name, read_chunks(path))


def _item(name: str, content: Iterable[bytes]) -> Item:
    digest, size = hashlib.sha256(), 0
    for chunk in content:
        digest.update(chunk)
        size += len(chunk)
    return Item(name, size, digest.hexdigest())


def write_durably(path: Path, content: Iterable[bytes]) -> Item:
    """Write a new file, durable on return; return its name, size and digest. Errors: OSError."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)

    def written() -> Iterator[bytes]:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            for chunk in content:
                file.write(chunk)
                yield chunk
            file.flush()
            durable.fsync(file.fileno())

    return _item(path.name, written())


def write(directory: Path, manifest: Manifest) -> None:
    """Write manifest and signature into the backup's directory. Errors: OSError."""
    write_durably(directory / MANIFEST, [manifest.text()])
    write_durably(directory / SIGNATURE, [base64.b64encode(sign(manifest.text()))])


def read(directory: Path) -> Manifest:
    """Return the manifest of a backup after checking its signature. The other files are not checked here.

    Errors: BackupRefused.
    """
    if not Path(settings.LACUNA_SIGNING_KEY_FILE).exists():  # public_key() would create a new one
        raise BackupRefused(
            "The clinic's signing key is not here, so no backup can be trusted. Put it back first."
        )
    try:
        text = (directory / MANIFEST).read_bytes()
        signature = base64.b64decode((directory / SIGNATURE).read_bytes(), validate=True)
    except FileNotFoundError as error:
        raise BackupRefused(
            f"{directory} is not a complete backup: {Path(error.filename).name} is missing."
        ) from error
    except binascii.Error as error:
        raise BackupRefused("The backup's signature is not valid base64.") from error
    if not any(_is_signed_by(key, signature, text) for key in (public_key(), *_former_keys_for(text))):
        raise BackupRefused("The backup's manifest is not as this clinic signed it.")
    fields: dict[str, Any] = json.loads(text)
    if (fields.pop("type"), fields.pop("version")) != ("lacuna.backup", 1):
        raise BackupRefused("The backup has a format that this version does not know.")
    fields["database"] = Item(**fields["database"])
    fields["objects"] = [Item(**item) for item in fields["objects"]]
    return Manifest(**fields)


def _is_signed_by(key: Ed25519PublicKey, signature: bytes, text: bytes) -> bool:
    try:
        key.verify(signature, text)
    except InvalidSignature:
        return False
    return True


def _former_keys_for(text: bytes) -> Iterator[Ed25519PublicKey]:
    """Yield the former signing keys that were not yet replaced when the log had the manifest's `log_size`.

    text: the manifest, not verified yet, so anything in it may be wrong.
    """
    try:
        size = int(json.loads(text)["log_size"])
    except (ValueError, TypeError, KeyError):
        return
    yield from (former.key for former in former_keys() if size <= former.size)


def check_files(directory: Path, manifest: Manifest) -> None:
    """Read every file and compare it with the manifest.

    Errors: BackupRefused if a file is missing, changed or not in the manifest, or looks like a key; OSError.
    """
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
        raise BackupRefused(f"The backup holds what looks like a key: {keys[0]}. No backup may hold one.")


def check(directory: Path) -> Manifest:
    """Return the manifest of a backup after checking it: complete, unchanged, signed by us, without keys.

    Errors: BackupRefused, OSError.
    """
    manifest = read(directory)
    check_files(directory, manifest)
    return manifest
