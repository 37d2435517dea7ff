"""The sweep destroys keys and objects without an owner, except those that may be too young to have one."""

from datetime import timedelta
from uuid import uuid4

import pytest
from django.core.files.base import ContentFile
from django.utils import timezone

from patients.vault.configured import key_store
from patients.vault.models import HeldKey, StoredObject
from patients.vault.objects import ORPHAN_AGE, mark_for_destruction, put, read, storage
from patients.vault.sweep import GRACE_PERIOD, Sweeper
from tests.factories import make_case

pytestmark = pytest.mark.django_db(transaction=True)

SECOND = timedelta(seconds=1)


def make_object(state: str = StoredObject.State.PENDING) -> StoredObject:
    row = put(b"a letter", case_id=make_case().pk, role=StoredObject.Role.ORIGINAL)
    StoredObject.objects.filter(pk=row.pk).update(state=state)
    return row


def live_keys() -> set[object]:
    return set(key_store().ids())


def test_a_key_without_a_row_is_destroyed_only_after_the_grace_period() -> None:
    key, now = uuid4(), timezone.now()
    key_store().create(key)
    storage().save(key.hex, ContentFile(b"ciphertext"))
    sweeper = Sweeper()
    assert sweeper.sweep(set(), now) == 0
    assert sweeper.sweep(set(), now + GRACE_PERIOD - SECOND) == 0
    assert key in live_keys()
    assert storage().exists(key.hex)
    assert sweeper.sweep(set(), now + GRACE_PERIOD) == 1
    assert key not in live_keys()
    assert not storage().exists(key.hex)
    assert sweeper.sweep(set(), now + GRACE_PERIOD) == 0


def test_the_grace_period_begins_again_if_a_row_appeared_meanwhile() -> None:
    key, now = uuid4(), timezone.now()
    key_store().create(key)
    sweeper = Sweeper()
    sweeper.sweep(set(), now)
    sweeper.sweep({key}, now + GRACE_PERIOD)
    assert sweeper.sweep(set(), now + 2 * GRACE_PERIOD) == 0
    assert key in live_keys()
    assert sweeper.sweep(set(), now + 3 * GRACE_PERIOD) == 1


def test_each_process_counts_the_grace_period_from_its_first_sweep() -> None:
    key, now = uuid4(), timezone.now()
    key_store().create(key)
    Sweeper().sweep(set(), now)
    assert Sweeper().sweep(set(), now + 2 * GRACE_PERIOD) == 0
    assert key in live_keys()


@pytest.mark.parametrize("owner", ["a row", "another table", "a decision to be made"])
def test_a_key_with_an_owner_is_never_destroyed(owner: str) -> None:
    key = make_object(StoredObject.State.LIVE).pk if owner == "a row" else uuid4()
    extra = {key} if owner == "another table" else set()
    if owner != "a row":
        key_store().create(key)
    if owner == "a decision to be made":
        HeldKey.objects.create(pk=key)
    sweeper, now = Sweeper(), timezone.now()
    assert [sweeper.sweep(extra, now + turn * GRACE_PERIOD) for turn in range(3)] == [0, 0, 0]
    assert key in live_keys()


def test_an_old_pending_object_is_destroyed() -> None:
    row = make_object()
    assert Sweeper().sweep(set(), row.made_at + ORPHAN_AGE) == 0
    assert read(row) == b"a letter"
    assert Sweeper().sweep(set(), row.made_at + ORPHAN_AGE + SECOND) == 1
    row.refresh_from_db()
    assert (row.state, row.doomed_by) == (StoredObject.State.DESTROYED, "orphan")
    assert row.pk not in live_keys()


def test_marked_objects_are_destroyed_at_once_and_live_ones_are_not() -> None:
    doomed, live = make_object(), make_object(StoredObject.State.LIVE)
    mark_for_destruction(StoredObject.objects.filter(pk=doomed.pk), "test")
    assert Sweeper().sweep(set()) == 1
    assert read(live) == b"a letter"
    assert doomed.pk not in live_keys()
