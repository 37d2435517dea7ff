"""Find keys in a directory, by the names and the first bytes of the key store's files."""

from collections.abc import Iterator
from pathlib import Path

from patients.vault.replicas import BLOCK, EPOCH_MARK, HEADER_MARK

NAMES = frozenset({"slots", "slots.new", "epochs", "epochs.new", "root-key", "signing-key", "secret-key"})


def key_material(directory: Path) -> list[str]:
    """Return the paths, relative to `directory`, of files that look like a key or a part of a key store.

    The list is empty if `directory` does not exist.
    """
    return sorted(str(path.relative_to(directory)) for path in _suspects(directory))


def _suspects(directory: Path) -> Iterator[Path]:
    for path in directory.rglob("*"):
        if not path.is_file():
            continue
        if path.name in NAMES or _begins_like_keys(path):
            yield path


def _begins_like_keys(path: Path) -> bool:
    """Return whether a file begins like a slot file, a file of epoch keys or a PEM file.

    A file of epoch keys has its mark at the beginning of one of two blocks.
    """
    with path.open("rb") as file:
        head = file.read(BLOCK + len(EPOCH_MARK))
    return head.startswith((HEADER_MARK, EPOCH_MARK, b"-----BEGIN")) or head[BLOCK:] == EPOCH_MARK
