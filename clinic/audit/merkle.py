"""The Merkle tree of RFC 6962 over leaf hashes, with the proof algorithms of RFC 9162. Uses no database.

Every hash is a SHA-256 digest of 32 bytes. A tree is identified by its size; leaf indexes count from 0.
"""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

EMPTY_ROOT = hashlib.sha256(b"").digest()

# `range_root(start, stop)` returns the root of the leaves [start, stop) as a separate tree. Proofs consist of
# such roots, so a caller that stores the roots of subtrees need not read every leaf again.
RangeRoot = Callable[[int, int], bytes]


def leaf_hash(data: bytes) -> bytes:
    """Return the hash of one entry. The prefix 0 tells a leaf from an inner node (RFC 6962, 2.1)."""
    return hashlib.sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash of an inner node from its two children."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def split(size: int) -> int:
    """Return the size of the left subtree: the largest power of two below `size` (RFC 6962, 2.1)."""
    return 1 << ((size - 1).bit_length() - 1)


@dataclass(frozen=True)
class Frontier:
    """The roots of a tree's perfect subtrees, left to right: O(log n) hashes, enough to append leaves.

    peaks: one root for each 1 bit of `size`, largest subtree first.
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
        """Return the frontier with `leaves` (hashes) appended in order."""
        frontier = self
        for leaf in leaves:
            frontier = frontier.append(leaf)
        return frontier

    def root(self) -> bytes:
        """Return the root of the tree; for an empty tree, the hash of no bytes (RFC 6962, 2.1)."""
        if not self.peaks:
            return EMPTY_ROOT
        root = self.peaks[-1]
        for peak in reversed(self.peaks[:-1]):
            root = node_hash(peak, root)
        return root


def ranges_of(leaves: Sequence[bytes]) -> RangeRoot:
    """Return a `RangeRoot` over a list of leaf hashes."""
    return lambda start, stop: Frontier().extend(leaves[start:stop]).root()


def inclusion_proof(index: int, size: int, range_root: RangeRoot) -> list[bytes]:
    """Return the sibling hashes on the path from leaf `index` up to the root of the tree of `size` leaves.

    The leaf's own sibling comes first. Errors: ValueError if the tree has no such leaf.
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
    """Return whether `proof` shows that `leaf` is leaf `index` of tree (size, root) (RFC 9162, 2.1.3.2)."""
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
    """Return the nodes that prove that the tree of `old` leaves is a prefix of the tree of `new` leaves.

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
    # If the node reached is the whole old tree, it is left out: the verifier knows the old root.
    return ([] if whole else [range_root(start, stop)]) + path[::-1]


def verify_consistency(old: int, new: int, proof: Sequence[bytes], old_root: bytes, new_root: bytes) -> bool:
    """Return whether `proof` shows (old, old_root) to be a prefix of (new, new_root) (RFC 9162, 2.1.4.2)."""
    if not 0 < old <= new:
        return False
    if old == new:
        return not proof and old_root == new_root
    nodes = list(proof)
    if old & (old - 1) == 0:  # a perfect old tree is itself a node of the new tree; the proof leaves it out
        nodes.insert(0, old_root)
    if not nodes:
        return False
    node, last = old - 1, new - 1
    while node & 1:
        node, last = node >> 1, last >> 1
    old_result = new_result = nodes[0]
    for sibling in nodes[1:]:
        if last == 0:
            return False
        if node & 1 or node == last:
            old_result, new_result = node_hash(sibling, old_result), node_hash(sibling, new_result)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            new_result = node_hash(new_result, sibling)
        node, last = node >> 1, last >> 1
    return last == 0 and old_result == old_root and new_result == new_root
