"""The Merkle tree of RFC 6962 over leaf hashes, with the proof algorithms of RFC 9162; no database, no clock.

Every hash is 32 bytes of SHA-256. A tree is named by its size; leaf indexes count from 0.
"""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

EMPTY_ROOT = hashlib.sha256(b"").digest()

# `range_root(start, stop)` gives the root of the leaves [start, stop) as a tree of its own. Proofs are made
# of such ranges, so a caller who keeps subtree roots need not read every leaf again.
RangeRoot = Callable[[int, int], bytes]


def leaf_hash(data: bytes) -> bytes:
    """Hash one entry; the prefix keeps a leaf from passing for an inner node (RFC 6962, 2.1)."""
    return hashlib.sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Hash two child roots into their parent."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def split(size: int) -> int:
    """Return the largest power of two below `size` (at least 2): where RFC 6962 cuts a tree in two."""
    return 1 << ((size - 1).bit_length() - 1)


@dataclass(frozen=True)
class Frontier:
    """The roots of a tree's perfect subtrees, left to right: all that appending needs, O(log n) of it.

    `peaks` holds one root per 1 bit of `size`, largest subtree first.
    """

    size: int = 0
    peaks: tuple[bytes, ...] = ()

    def __post_init__(self) -> None:
        if self.size < 0 or len(self.peaks) != self.size.bit_count():
            raise ValueError(f"{len(self.peaks)} subtree roots cannot be a tree of {self.size} leaves")

    def append(self, leaf: bytes) -> "Frontier":
        """Return the frontier with one more leaf hash."""
        peaks, carry, size = list(self.peaks), leaf, self.size
        while size & 1:
            carry, size = node_hash(peaks.pop(), carry), size >> 1
        return Frontier(self.size + 1, (*peaks, carry))

    def extend(self, leaves: Iterable[bytes]) -> "Frontier":
        """Return the frontier after `leaves`, in order."""
        frontier = self
        for leaf in leaves:
            frontier = frontier.append(leaf)
        return frontier

    def root(self) -> bytes:
        """Return the root of the whole tree; of no leaves at all, the hash of nothing."""
        if not self.peaks:
            return EMPTY_ROOT
        root = self.peaks[-1]
        for peak in reversed(self.peaks[:-1]):
            root = node_hash(peak, root)
        return root


def ranges_of(leaves: Sequence[bytes]) -> RangeRoot:
    """Return the `RangeRoot` of leaf hashes held in memory."""
    return lambda start, stop: Frontier().extend(leaves[start:stop]).root()


def inclusion_proof(index: int, size: int, range_root: RangeRoot) -> list[bytes]:
    """Return the siblings that lead from leaf `index` to the root of the tree of `size`, leaf end first.

    Errors: ValueError when the tree has no such leaf.
    """
    if not 0 <= index < size:
        raise ValueError(f"a tree of {size} leaves has no leaf {index}")
    path: list[bytes] = []
    start, stop = 0, size
    while stop - start > 1:
        middle = start + split(stop - start)
        if index < middle:
            path.append(range_root(middle, stop))
            stop = middle
        else:
            path.append(range_root(start, middle))
            start = middle
    return path[::-1]


def verify_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> bool:
    """Say whether `proof` places leaf hash `leaf` at `index` of the tree (size, root) (RFC 9162, 2.1.3.2)."""
    if not 0 <= index < size:
        return False
    node, last, result = index, size - 1, leaf
    for sibling in proof:
        if last == 0:
            return False
        if node & 1 or node == last:
            result = node_hash(sibling, result)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            result = node_hash(result, sibling)
        node, last = node >> 1, last >> 1
    return last == 0 and result == root


def consistency_proof(old: int, new: int, range_root: RangeRoot) -> list[bytes]:
    """Return the nodes that show the tree of `old` leaves to be a prefix of the tree of `new` leaves.

    Errors: ValueError unless 0 < old <= new. For equal sizes the proof is empty.
    """
    if not 0 < old <= new:
        raise ValueError(f"no consistency proof leads from {old} to {new} leaves")
    path: list[bytes] = []
    start, stop, whole = 0, new, True
    while old != stop:
        middle = start + split(stop - start)
        if old <= middle:
            path.append(range_root(middle, stop))
            stop = middle
        else:
            path.append(range_root(start, middle))
            start, whole = middle, False
    # A part of the old tree that isn't all of it must be told; the old root itself is known to who asks.
    return ([] if whole else [range_root(start, stop)]) + path[::-1]


def verify_consistency(old: int, new: int, proof: Sequence[bytes], old_root: bytes, new_root: bytes) -> bool:
    """Say whether `proof` makes the tree (old, old_root) a prefix of (new, new_root) (RFC 9162, 2.1.4.2)."""
    if not 0 < old <= new:
        return False
    if old == new:
        return not proof and old_root == new_root
    nodes = list(proof)
    if old & (old - 1) == 0:  # a perfect tree is a node of the new one, so its root isn't repeated
        nodes.insert(0, old_root)
    if not nodes:
        return False
    node, last = old - 1, new - 1
    while node & 1:
        node, last = node >> 1, last >> 1
    of_old = of_new = nodes[0]
    for sibling in nodes[1:]:
        if last == 0:
            return False
        if node & 1 or node == last:
            of_old, of_new = node_hash(sibling, of_old), node_hash(sibling, of_new)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            of_new = node_hash(of_new, sibling)
        node, last = node >> 1, last >> 1
    return last == 0 and of_old == old_root and of_new == new_root
