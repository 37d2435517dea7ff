"""Proofs from the stored log: that an entry is in it, and that it begins with all of an older log."""

from collections.abc import Iterator, Sequence
from typing import TypedDict

from clinic.audit import merkle
from clinic.audit.models import Entry, Subtree, TreeHead

BATCH = 2000
# Entries in one block, a power of two. A proof reads the entries of two blocks and the stored roots of the
# others.
BLOCK = 256


class Inclusion(TypedDict):
    """An inclusion proof as a certificate contains it. Hashes are hex; the proof begins at the leaf."""

    index: int
    size: int
    leaf: str
    root: str
    proof: list[str]


class Consistency(TypedDict):
    """A consistency proof between two sizes of the log. Hashes are hex."""

    old_size: int
    new_size: int
    old_root: str
    new_root: str
    proof: list[str]


def leaves(start: int, stop: int) -> Iterator[bytes]:
    """Yield the stored leaf hashes [start, stop) in order.

    Reads in short queries: SQLite's WAL would grow as long as one query is open. Errors: LookupError if a
    leaf is missing.
    """
    while start < stop:
        until = min(stop, start + BATCH)
        rows = Entry.objects.filter(index__gte=start, index__lt=until).order_by("index")
        batch = [bytes(leaf) for leaf in rows.values_list("leaf", flat=True)]
        if len(batch) != until - start:
            raise LookupError(f"the log lacks entries between {start} and {until}")
        yield from batch
        start = until


class Tree:
    """The stored log as a Merkle tree, for any number of proofs.

    Reads each block of entries at most once. Of a block that no proof needs in detail it reads only the
    stored root. Use it outside transactions. Errors of every method: LookupError if the log has gaps or is
    too short.
    """

    def __init__(self, *, kept: bool = True) -> None:
        """kept: whether to use the stored roots of blocks. If False, all needed entries are read."""
        self._blocks: dict[int, list[bytes]] = {}
        self._known: dict[tuple[int, int], bytes] = {}
        self._kept: dict[int, bytes] | None = None if kept else {}

    def root(self, start: int, stop: int) -> bytes:
        """Return the root of the entries [start, stop) as a separate tree (a `merkle.RangeRoot`)."""
        if stop - start <= 0:
            return merkle.EMPTY_ROOT
        known = self._known.get((start, stop))
        if known is None:
            known = self._known[start, stop] = self._compute(start, stop)
        return known

    def inclusion(self, index: int, size: int) -> list[bytes]:
        """Return the inclusion proof of entry `index` in the log of `size` entries.

        Errors: ValueError if that log has no such entry.
        """
        return merkle.inclusion_proof(index, size, self.root)

    def consistency(self, old: int, new: int) -> list[bytes]:
        """Return the proof that the log of `new` entries begins with that of `old`. Errors: ValueError."""
        return merkle.consistency_proof(old, new, self.root)

    def _compute(self, start: int, stop: int) -> bytes:
        first, inside = divmod(start, BLOCK)
        if stop <= (first + 1) * BLOCK:
            if (inside, stop - start) == (0, BLOCK) and (kept := self._kept_root(first)) is not None:
                return kept
            leaves_of = self._block(first, stop)
            if stop - start == 1:
                return leaves_of[inside]
        middle = start + merkle.split(stop - start)
        return merkle.node_hash(self.root(start, middle), self.root(middle, stop))

    def _kept_root(self, block: int) -> bytes | None:
        if self._kept is None:
            self._kept = {row.block: bytes(row.root) for row in Subtree.objects.all()}
        return self._kept.get(block)

    def _block(self, block: int, least: int) -> list[bytes]:
        """Return the leaf hashes of a block up to the log's end.

        Errors: LookupError if one below `least` is missing.
        """
        start = block * BLOCK
        found = self._blocks.get(block, [])
        if start + len(found) < least:
            rows = Entry.objects.filter(index__gte=start, index__lt=start + BLOCK).order_by("index")
            pairs = list(rows.values_list("index", "leaf"))
            found = [bytes(leaf) for place, (index, leaf) in enumerate(pairs) if index == start + place]
            self._blocks[block] = found
        if start + len(found) < least:
            raise LookupError(f"the log lacks entries between {start + len(found)} and {least}")
        return found


def tree_of(size: int, root: bytes) -> Tree:
    """Return the stored log as a tree, after checking that its first `size` entries have `root`.

    If the stored roots of blocks give another root, they are not used. Errors: LookupError if the stored
    entries do not have `root`.
    """
    for tree in (Tree(), Tree(kept=False)):
        if tree.root(0, size) == root:
            return tree
    raise LookupError(f"the first {size} entries are not those that were signed")


def keep_subtrees(size: int) -> int:
    """Store the root of every full block below `size` that has none yet. Return how many were added.

    Several processes may call it at the same time. Errors: LookupError if the log has gaps.
    """
    last = Subtree.objects.order_by("block").last()
    first = last.block + 1 if last else 0
    added = 0
    for block in range(first, size // BLOCK):
        root = merkle.Frontier().extend(leaves(block * BLOCK, (block + 1) * BLOCK)).root()
        Subtree.objects.bulk_create([Subtree(block=block, root=root)], ignore_conflicts=True)
        added += 1
    return added


def range_root(start: int, stop: int) -> bytes:
    """Return the root of the stored leaf hashes [start, stop), reading all of them."""
    return merkle.Frontier().extend(leaves(start, stop)).root()


def inclusion(index: int, size: int | None = None) -> Inclusion:
    """Return a proof that entry `index` is in the log of `size` entries (by default the present size).

    Errors: ValueError if that log has no such entry; LookupError if the log has gaps.
    """
    size, tree = head_size() if size is None else size, Tree()
    proof = tree.inclusion(index, size)
    return Inclusion(
        index=index,
        size=size,
        leaf=tree.root(index, index + 1).hex(),
        root=tree.root(0, size).hex(),
        proof=hex_digests(proof),
    )


def consistency(old: int, new: int | None = None) -> Consistency:
    """Return a proof that the log of `new` entries (by default the present size) begins with that of `old`.

    Errors: ValueError unless 0 < old <= new; LookupError if the log has gaps or is too short.
    """
    new, tree = head_size() if new is None else new, Tree()
    proof = tree.consistency(old, new)
    return Consistency(
        old_size=old,
        new_size=new,
        old_root=tree.root(0, old).hex(),
        new_root=tree.root(0, new).hex(),
        proof=hex_digests(proof),
    )


def hex_digests(nodes: Sequence[bytes]) -> list[str]:
    """Return hashes as hex."""
    return [node.hex() for node in nodes]


def head_size() -> int:
    """Return how many entries the log has, according to the tree head."""
    return TreeHead.objects.values_list("size", flat=True).first() or 0
