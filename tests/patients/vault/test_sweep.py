"""The sweep ends what nobody owns, and leaves alone what may only be young."""

from datetime import timedelta
from uuid import uuid4

import pytest
from django.core.files.base import ContentFile
from django.utils import timezone

from patients.vault.configured import key_store
from patients.vault.models import HeldKey, StoredObject
from patients.vault.objects import ORPHAN_AGE, mark_for_destruction, put, read, storage
from patients.vault.sweep import PATIENCE, Sweeper
from tests.factories import make_case

pytestmark = pytest.mark.django_db(transaction=True)

SECOND = timedelta(seconds=1)


def make_object(state: str = StoredObject.State.PENDING) -> StoredObject:
    row = put(b"a letter", case_id=make_case().pk, role=StoredObject.Role.ORIGINAL)
    StoredObject.objects.filter(pk=row.pk).update(state=state)
    return row


def live_keys() -> set[object]:
    return set(key_store().ids())


def test_a_key_without_a_row_is_left_alone_until_two_rounds_far_apart_have_seen_it() -> None:
    key, now = uuid4(), timezone.now()
    key_store().create(key)
    storage().save(key.hex, ContentFile(b"ciphertext"))
    rounds = Sweeper()
    assert rounds.sweep(set(), now) == 0
    assert rounds.sweep(set(), now + PATIENCE - SECOND) == 0
    assert key in live_keys()
    assert storage().exists(key.hex)
    assert rounds.sweep(set(), now + PATIENCE) == 1
    assert key not in live_keys()
    assert not storage().exists(key.hex)
    assert rounds.sweep(set(), now + PATIENCE) == 0


def test_a_key_whose_row_appears_is_seen_anew_when_it_is_without_one_again() -> None:
    key, now = uuid4(), timezone.now()
    key_store().create(key)
    rounds = Sweeper()
    rounds.sweep(set(), now)
    rounds.sweep({key}, now + PATIENCE)
    assert rounds.sweep(set(), now + 2 * PATIENCE) == 0
    assert key in live_keys()
    assert rounds.sweep(set(), now + 3 * PATIENCE) == 1


def test_a_process_that_began_later_counts_from_its_own_first_round() -> None:
    key, now = uuid4(), timezone.now()
    key_store().create(key)
    Sweeper().sweep(set(), now)
    assert Sweeper().sweep(set(), now + 2 * PATIENCE) == 0
    assert key in live_keys()


@pytest.mark.parametrize("owner", ["a row", "another table", "a decision to be made"])
def test_a_key_with_an_owner_stays_however_long(owner: str) -> None:
    key = make_object(StoredObject.State.LIVE).pk if owner == "a row" else uuid4()
    extra = {key} if owner == "another table" else set()
    if owner != "a row":
        key_store().create(key)
    if owner == "a decision to be made":
        HeldKey.objects.create(pk=key)
    rounds, now = Sweeper(), timezone.now()
    assert [rounds.sweep(extra, now + turn * PATIENCE) for turn in range(3)] == [0, 0, 0]
    assert key in live_keys()


def test_a_pending_object_is_ended_when_its_maker_must_be_dead() -> None:
    row = make_object()
    assert Sweeper().sweep(set(), row.made_at + ORPHAN_AGE) == 0
    assert read(row) == b"a letter"
    assert Sweeper().sweep(set(), row.made_at + ORPHAN_AGE + SECOND) == 1
    row.refresh_from_db()
    assert (row.state, row.doomed_by) == (StoredObject.State.DESTROYED, "orphan")
    assert row.pk not in live_keys()


def test_what_is_doomed_is_ended_at_once_and_what_is_live_is_not() -> None:
    doomed, live = make_object(), make_object(StoredObject.State.LIVE)
    mark_for_destruction(StoredObject.objects.filter(pk=doomed.pk), "test")
    assert Sweeper().sweep(set()) == 1
    assert read(live) == b"a letter"
    assert doomed.pk not in live_keys()
