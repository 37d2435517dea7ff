"""Proofs about the stored log: that an entry is in it, that an older log is a beginning of it."""

from collections.abc import Iterator
from typing import TypedDict

from clinic.audit import merkle
from clinic.audit.models import Entry, TreeHead

BATCH = 2000


class Inclusion(TypedDict):
    """An inclusion proof as a certificate embeds it; hashes in hex, the proof from the leaf's end."""

    index: int
    size: int
    leaf: str
    root: str
    proof: list[str]


class Consistency(TypedDict):
    """A consistency proof between two sizes; hashes in hex."""

    old_size: int
    new_size: int
    old_root: str
    new_root: str
    proof: list[str]


def leaves(start: int, stop: int) -> Iterator[bytes]:
    """Yield the stored leaves [start, stop) in order, in short reads: an open one would grow SQLite's WAL.

    Errors: LookupError where one is missing.
    """
    while start < stop:
        until = min(stop, start + BATCH)
        rows = Entry.objects.filter(index__gte=start, index__lt=until).order_by("index")
        batch = [bytes(leaf) for leaf in rows.values_list("leaf", flat=True)]
        if len(batch) != until - start:
            raise LookupError(f"the log lacks entries between {start} and {until}")
        yield from batch
        start = until


def range_root(start: int, stop: int) -> bytes:
    """Return the root of the stored leaves [start, stop) as a tree of its own."""
    return merkle.Frontier().extend(leaves(start, stop)).root()


def inclusion(index: int, size: int | None = None) -> Inclusion:
    """Prove that entry `index` is in the log of `size` entries (by default the present one).

    Reads every leaf below `size` twice, so call it outside transactions.
    Errors: ValueError where that log has no such entry; LookupError where the log has gaps.
    """
    size = head_size() if size is None else size
    proof = merkle.inclusion_proof(index, size, range_root)
    (leaf,) = leaves(index, index + 1)
    return Inclusion(
        index=index,
        size=size,
        leaf=leaf.hex(),
        root=range_root(0, size).hex(),
        proof=[node.hex() for node in proof],
    )


def consistency(old: int, new: int | None = None) -> Consistency:
    """Prove that the log of `old` entries is a beginning of the log of `new` (by default the present one).

    Errors: ValueError unless 0 < old <= new; LookupError where the log has gaps or isn't so long.
    """
    new = head_size() if new is None else new
    proof = merkle.consistency_proof(old, new, range_root)
    return Consistency(
        old_size=old,
        new_size=new,
        old_root=range_root(0, old).hex(),
        new_root=range_root(0, new).hex(),
        proof=[node.hex() for node in proof],
    )


def head_size() -> int:
    """Return how many entries the log has."""
    return TreeHead.objects.values_list("size", flat=True).first() or 0
