"""The root key: the only secret not meant to be destroyed. It wraps the epoch key and nothing else."""

import os
import secrets
from pathlib import Path

from clinic import durable
from clinic.durable import make_directory, sync_directory
from patients.vault.keys import KeyStoreDamaged

ROOT_KEY = 32


def root_key_from(path: Path, hexadecimal: str = "", *, create: bool = False) -> bytearray:
    """Return the 32-byte root key from `hexadecimal` (64 digits) if given, else from the file at `path`.

    With `create`, a missing file is created with a random key. Only its owner can read it, and it is durable
    before this returns. Errors: KeyStoreDamaged if the file is missing and `create` is off, or if the content
    is not a key.
    """
    if hexadecimal:
        return _parse_key(hexadecimal, "the root key in the environment")
    try:
        return _parse_key(path.read_text("ascii"), "the root key file")
    except FileNotFoundError:
        if not create:
            raise KeyStoreDamaged("there is no root key file") from None
    except UnicodeDecodeError:
        raise KeyStoreDamaged("the root key file holds no key") from None
    make_directory(path.parent)
    # Write a draft and link it: another process sees a complete key or none, and the first writer wins.
    draft = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(os.urandom(ROOT_KEY).hex() + "\n")
        file.flush()
        durable.fsync(file.fileno())
    try:
        os.link(draft, path)
    except FileExistsError:
        pass
    finally:
        draft.unlink()
    sync_directory(path.parent)
    return _parse_key(path.read_text("ascii"), "the root key file")


def _parse_key(text: str, name: str) -> bytearray:
    try:
        key = bytearray.fromhex(text.strip())
    except ValueError:
        key = bytearray()
    if len(key) != ROOT_KEY:
        raise KeyStoreDamaged(f"{name} is not {ROOT_KEY * 2} hexadecimal digits")
    return key
