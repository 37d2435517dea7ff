"""The Merkle tree, compared with a literal implementation of RFC 6962 and with published test vectors."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clinic.audit.merkle import (
    EMPTY_ROOT,
    Frontier,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    node_hash,
    ranges_of,
    verify_consistency,
    verify_inclusion,
)

LEAVES = [leaf_hash(str(number).encode()) for number in range(70)]
sizes = st.integers(1, len(LEAVES))


def naive_root(leaves: list[bytes]) -> bytes:
    """The function MTH of RFC 6962, 2.1, implemented literally."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    cut = 1
    while cut * 2 < len(leaves):
        cut *= 2
    return node_hash(naive_root(leaves[:cut]), naive_root(leaves[cut:]))


def naive_path(index: int, leaves: list[bytes]) -> list[bytes]:
    """The function PATH of RFC 6962, 2.1.1."""
    if len(leaves) == 1:
        return []
    cut = 1
    while cut * 2 < len(leaves):
        cut *= 2
    if index < cut:
        return [*naive_path(index, leaves[:cut]), naive_root(leaves[cut:])]
    return [*naive_path(index - cut, leaves[cut:]), naive_root(leaves[:cut])]


def naive_subproof(old: int, leaves: list[bytes], whole: bool) -> list[bytes]:
    """The function SUBPROOF of RFC 6962, 2.1.2."""
    if old == len(leaves):
        return [] if whole else [naive_root(leaves)]
    cut = 1
    while cut * 2 < len(leaves):
        cut *= 2
    if old <= cut:
        return [*naive_subproof(old, leaves[:cut], whole), naive_root(leaves[cut:])]
    return [*naive_subproof(old - cut, leaves[cut:], False), naive_root(leaves[:cut])]


def test_the_roots_of_the_published_test_vectors() -> None:
    # Eight leaves and their roots, with which implementations of certificate transparency are tested.
    data = [
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    ]
    leaves = [leaf_hash(bytes.fromhex(text)) for text in data]
    roots = {
        0: "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        1: "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        2: "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        3: "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        8: "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    }
    assert {size: Frontier().extend(leaves[:size]).root().hex() for size in roots} == roots


@given(size=st.integers(0, len(LEAVES)))
def test_the_frontier_has_the_root_of_the_definition(size: int) -> None:
    frontier = Frontier().extend(LEAVES[:size])
    assert frontier.root() == naive_root(LEAVES[:size])
    assert len(frontier.peaks) == size.bit_count()


@given(size=sizes, data=st.data())
def test_inclusion_proofs_equal_the_definition_and_verify(size: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, size - 1))
    proof = inclusion_proof(index, size, ranges_of(LEAVES))
    assert proof == naive_path(index, LEAVES[:size])
    assert verify_inclusion(LEAVES[index], index, size, proof, naive_root(LEAVES[:size]))


@given(size=sizes, data=st.data())
def test_an_inclusion_proof_proves_nothing_else(size: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, size - 1))
    proof, root = inclusion_proof(index, size, ranges_of(LEAVES)), naive_root(LEAVES[:size])
    other = data.draw(st.integers(0, size).filter(lambda number: number != index))
    assert not verify_inclusion(LEAVES[index], other, size, proof, root)
    assert not verify_inclusion(leaf_hash(b"another"), index, size, proof, root)
    assert not verify_inclusion(LEAVES[index], index, size, [*proof, root], root)
    assert not verify_inclusion(LEAVES[index], index, size, proof, leaf_hash(b"another"))
    for place in range(len(proof)):
        assert not verify_inclusion(LEAVES[index], index, size, proof[:place] + proof[place + 1 :], root)
        changed = [*proof[:place], leaf_hash(b"another"), *proof[place + 1 :]]
        assert not verify_inclusion(LEAVES[index], index, size, changed, root)


@given(new=sizes, data=st.data())
def test_consistency_proofs_equal_the_definition_and_verify(new: int, data: st.DataObject) -> None:
    old = data.draw(st.integers(1, new))
    proof = consistency_proof(old, new, ranges_of(LEAVES))
    assert proof == naive_subproof(old, LEAVES[:new], True)
    assert verify_consistency(old, new, proof, naive_root(LEAVES[:old]), naive_root(LEAVES[:new]))


@given(new=st.integers(2, len(LEAVES)), data=st.data())
def test_a_rewritten_log_has_no_consistency_proof(new: int, data: st.DataObject) -> None:
    old = data.draw(st.integers(1, new - 1))
    changed = data.draw(st.integers(0, old - 1))
    rewritten = [*LEAVES[:changed], leaf_hash(b"another"), *LEAVES[changed + 1 : new]]
    old_root, new_root = naive_root(LEAVES[:old]), naive_root(rewritten)
    assert not verify_consistency(
        old, new, consistency_proof(old, new, ranges_of(rewritten)), old_root, new_root
    )
    assert not verify_consistency(
        old, new, consistency_proof(old, new, ranges_of(LEAVES)), old_root, new_root
    )


@given(new=st.integers(2, len(LEAVES)), data=st.data())
def test_a_consistency_proof_proves_nothing_else(new: int, data: st.DataObject) -> None:
    old = data.draw(st.integers(1, new - 1))
    proof = consistency_proof(old, new, ranges_of(LEAVES))
    old_root, new_root = naive_root(LEAVES[:old]), naive_root(LEAVES[:new])
    assert not verify_consistency(old, new, [*proof, new_root], old_root, new_root)
    assert not verify_consistency(old, new, proof[:-1], old_root, new_root)
    assert not verify_consistency(new, old, proof, new_root, old_root)
    assert not verify_consistency(old, old, [], old_root, new_root)


A, B, C, D = LEAVES[:4]
AB, CD = node_hash(A, B), node_hash(C, D)
ROOT_3, ROOT_4 = node_hash(AB, C), node_hash(AB, CD)
OTHER = leaf_hash(b"another")

# Invalid arguments of `verify_inclusion`: leaf, index, size, proof, root. RFC 9162, 2.1.3.2 refuses each of
# them, though the hashes of most lead to the root. tests/erasure/certificates/test_verifier_refusals.py
# tests the published verifier with them too.
FALSE_INCLUSIONS = {
    "an index below the first": (B, -1, 2, [A], AB),
    "the only leaf, counted from the end": (A, -1, 1, [], A),
    "the index after the last": (A, 1, 1, [], A),
    "an index far outside": (B, 3, 2, [A], AB),
    "a leaf of the empty tree": (EMPTY_ROOT, 0, 0, [], EMPTY_ROOT),
    "a size below zero": (A, -2, -1, [], A),
    "no proof, the root for a leaf": (AB, 0, 2, [], AB),
    "a proof too short, an inner node for a leaf": (AB, 0, 4, [CD], ROOT_4),
    "a proof too long by the root of a longer log": (B, 0, 1, [A], AB),
    "a proof too long above the whole tree": (B, 1, 2, [A, OTHER], node_hash(OTHER, AB)),
    "a size too small": (C, 2, 3, [D, AB], ROOT_4),
    "a size too large": (C, 2, 4, [AB], ROOT_3),
}

# The same for `verify_consistency`: old size, new size, proof, old root, new root (RFC 9162, 2.1.4.2).
FALSE_CONSISTENCIES = {
    "an old size below zero": (-1, 2, [A, B], A, AB),
    "an old size of zero": (0, 2, [], EMPTY_ROOT, AB),
    "both sizes zero": (0, 0, [], EMPTY_ROOT, EMPTY_ROOT),
    "a log that became shorter under the same root": (2, 1, [], AB, AB),
    "a log that became shorter": (4, 3, [C, D, AB], ROOT_4, ROOT_3),
    "a proof where the sizes are equal": (2, 2, [A], AB, AB),
    "other roots where the sizes are equal": (2, 2, [], AB, CD),
    "a log that grew under the same root": (1, 2, [], A, A),
    "no proof from a log that is no node": (3, 4, [], ROOT_3, ROOT_4),
    "a proof too short for the new size": (3, 8, [C, D, AB], ROOT_3, ROOT_4),
    "a proof too long above both trees": (
        3,
        4,
        [C, D, AB, OTHER],
        node_hash(OTHER, ROOT_3),
        node_hash(OTHER, ROOT_4),
    ),
    "another old root": (3, 4, [C, D, AB], OTHER, ROOT_4),
    "another new root": (3, 4, [C, D, AB], ROOT_3, OTHER),
}


@pytest.mark.parametrize("case", FALSE_INCLUSIONS.values(), ids=FALSE_INCLUSIONS)
def test_a_false_inclusion_proof_is_refused(case: tuple[bytes, int, int, list[bytes], bytes]) -> None:
    assert verify_inclusion(C, 2, 4, [D, AB], ROOT_4)
    assert not verify_inclusion(*case)


@pytest.mark.parametrize("case", FALSE_CONSISTENCIES.values(), ids=FALSE_CONSISTENCIES)
def test_a_false_consistency_proof_is_refused(
    case: tuple[int, int, list[bytes], bytes, bytes],
) -> None:
    assert verify_consistency(3, 4, [C, D, AB], ROOT_3, ROOT_4)
    assert not verify_consistency(*case)


def test_impossible_sizes_and_indexes_are_refused() -> None:
    with pytest.raises(ValueError, match="has no leaf 3"):
        inclusion_proof(3, 3, ranges_of(LEAVES))
    with pytest.raises(ValueError, match="has no leaf -1"):
        inclusion_proof(-1, 3, ranges_of(LEAVES))
    with pytest.raises(ValueError, match="no consistency proof"):
        consistency_proof(4, 3, ranges_of(LEAVES))
    with pytest.raises(ValueError, match="no consistency proof"):
        consistency_proof(0, 3, ranges_of(LEAVES))
    with pytest.raises(ValueError, match="cannot be a tree"):
        Frontier(3, (LEAVES[0],))
    with pytest.raises(ValueError, match="cannot be a tree"):
        Frontier(-1, (LEAVES[0],))
    assert Frontier().root() == EMPTY_ROOT


def test_appending_takes_a_logarithmic_number_of_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    frontier = Frontier().extend(LEAVES[:63])
    calls: list[int] = []
    monkeypatch.setattr(
        "clinic.audit.merkle.node_hash", lambda left, right: calls.append(1) or node_hash(left, right)
    )
    frontier.append(LEAVES[63])
    assert len(calls) == 6
