"""Is there a key in a directory? Told by the names and the first bytes that the key store's files have."""

from collections.abc import Iterator
from pathlib import Path

from patients.vault.replicas import BLOCK, EPOCH_MARK, HEADER_MARK

NAMES = frozenset({"slots", "slots.new", "epochs", "epochs.new", "root-key", "signing-key", "secret-key"})


def key_material(directory: Path) -> list[str]:
    """Paths below `directory`, as text, of files that are a key store's or a key; empty where it is none."""
    return sorted(str(path.relative_to(directory)) for path in _suspects(directory))


def _suspects(directory: Path) -> Iterator[Path]:
    for path in directory.rglob("*"):
        if not path.is_file():
            continue
        if path.name in NAMES or _begins_as_one(path):
            yield path


def _begins_as_one(path: Path) -> bool:
    """A slot file begins with its mark; a file of epoch keys has one in either of two blocks."""
    with path.open("rb") as file:
        head = file.read(BLOCK + len(EPOCH_MARK))
    return head.startswith((HEADER_MARK, EPOCH_MARK, b"-----BEGIN")) or head[BLOCK:] == EPOCH_MARK
