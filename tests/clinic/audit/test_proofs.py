"""Proofs from stored subtree roots equal those from the leaves, and take a few queries for any log."""

from collections.abc import Sequence

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from clinic.audit import merkle, proofs
from clinic.audit.canonical import leaf_of
from clinic.audit.models import Entry, Subtree, TreeHead
from clinic.audit.proofs import Tree, keep_subtrees, tree_of
from clinic.audit.verify import verify_log
from tests.clinic.audit.factories import an_act
from tests.clinic.audit.plugin import unguarded

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("guarded")]


def make_long_log(size: int) -> list[bytes]:
    """Write `size` entries at once; return their leaves."""
    acts = [an_act(number) for number in range(size)]
    entries = [act.entry(index, timezone.now()) for index, act in enumerate(acts)]
    Entry.objects.bulk_create(entries)
    leaves = [leaf_of(entry) for entry in entries]
    frontier = merkle.Frontier().extend(leaves)
    TreeHead.objects.create(size=size, frontier=[peak.hex() for peak in frontier.peaks])
    return leaves


def root(leaves: Sequence[bytes]) -> bytes:
    return merkle.Frontier().extend(leaves).root()


@hypothesis_settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_every_proof_equals_the_one_from_all_leaves(
    data: st.DataObject, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(proofs, "BLOCK", 4)
    with unguarded(connection):
        Entry.objects.all().delete()
    TreeHead.objects.all().delete()
    Subtree.objects.all().delete()
    leaves = make_long_log(data.draw(st.integers(1, 40), label="size"))
    keep_subtrees(data.draw(st.integers(0, len(leaves)), label="kept"))
    size = data.draw(st.integers(1, len(leaves)), label="of")
    index = data.draw(st.integers(0, size - 1), label="index")
    old = data.draw(st.integers(1, size), label="old")
    tree, ranges = tree_of(size, root(leaves[:size])), merkle.ranges_of(leaves)
    assert tree.inclusion(index, size) == merkle.inclusion_proof(index, size, ranges)
    assert tree.consistency(old, size) == merkle.consistency_proof(old, size, ranges)


def test_a_proof_does_not_read_the_whole_log() -> None:
    size = 5 * proofs.BLOCK + 7
    leaves = make_long_log(size)
    assert keep_subtrees(size) == 5
    assert keep_subtrees(size) == 0
    with CaptureQueriesContext(connection) as queries:
        tree = tree_of(size, root(leaves))
        for index in range(300, 340):
            tree.inclusion(index, size)
    # The stored roots, the incomplete block at the end, the block of these entries.
    assert len(queries) == 3


def test_a_wrong_stored_root_is_reported_and_not_used_for_proofs() -> None:
    size = 2 * proofs.BLOCK
    leaves = make_long_log(size)
    keep_subtrees(size)
    assert verify_log().problems == []
    Subtree.objects.filter(block=1).update(root=bytes(32))
    assert verify_log().problems == ["The kept root of block 1 is not that of its entries."]
    assert Tree().root(0, size) != root(leaves)
    path = tree_of(size, root(leaves)).inclusion(3, size)
    assert merkle.verify_inclusion(leaves[3], 3, size, path, root(leaves))


def test_there_is_no_proof_for_missing_or_other_entries() -> None:
    leaves = make_long_log(5)
    with pytest.raises(LookupError, match="lacks entries between 5 and 6"):
        tree_of(6, root(leaves))
    with pytest.raises(LookupError, match="not those that were signed"):
        tree_of(5, bytes(32))


def test_no_root_is_stored_for_missing_entries() -> None:
    make_long_log(proofs.BLOCK - 1)
    with pytest.raises(LookupError, match="lacks entries between 0 and 256"):
        keep_subtrees(proofs.BLOCK)
    assert not Subtree.objects.exists()
