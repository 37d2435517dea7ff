"""Data keys in PostgreSQL, under keys that a token alone holds."""

import os
import threading
import traceback
from collections.abc import Callable, Iterator
from uuid import UUID, uuid4

import psycopg
import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.db import connection, transaction

from patients.vault.database_keys import DatabaseKeyStore
from patients.vault.keys import Attestation, KeyExists, KeyGone, KeyStoreDamaged, Rolled, Unwanted
from patients.vault.models import CaseKey, WrappedKey
from patients.vault.token import Token
from tests.house import until
from tests.patients.vault.tokens import new_token, token

__all__ = ["token"]

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.only_on("postgresql"),
]

Open = Callable[..., DatabaseKeyStore]


@pytest.fixture
def opened(token: Token) -> Iterator[Open]:
    """Opens stores on the test's database and token, and closes them at the end."""
    stores = []

    def open_store(with_token: Token | None = token, **more: object) -> DatabaseKeyStore:
        stores.append(DatabaseKeyStore(connection.settings_dict, with_token, **more))
        return stores[-1]

    yield open_store
    for store in stores:
        store.close()


def filled(store: DatabaseKeyStore, case: UUID, count: int = 4) -> dict[UUID, bytes]:
    return {(key_id := uuid4()): store.create(key_id, case) for _ in range(count)}


def case_keys(token: Token) -> dict[UUID, set[bytes]]:
    """What the token holds for each case: the names of its keys."""
    owners = {owner: UUID(owner.split(" ")[2]) for owner in token.owners("lacuna ")}
    found = {case: token.names(owner) for owner, case in owners.items()}
    return {case: names for case, names in found.items() if names != {b"house"}}


def named() -> dict[UUID, set[bytes]]:
    return {row.pk: {bytes.fromhex(row.name)} for row in CaseKey.objects.exclude(name="")}


def test_a_key_comes_back_as_it_was_made_on_every_machine(opened: Open, token: Token) -> None:
    store, other, case = opened(), opened(), uuid4()
    keys = filled(store, case)
    lone = uuid4()
    keys[lone] = store.create(lone)
    assert len(set(keys.values())) == 5
    assert {len(key) for key in keys.values()} == {32}
    assert other.get_many([*keys, uuid4()]) == keys
    assert store.get(lone) == keys[lone]
    assert set(other.ids()) == set(keys)
    assert set(case_keys(token)) == {case, lone}
    assert case_keys(token) == named()


def test_no_data_key_stands_in_a_row(opened: Open) -> None:
    store, case = opened(), uuid4()
    keys = filled(store, case)
    with connection.cursor() as cursor:
        cursor.execute("SELECT k::text FROM patients_wrappedkey k")
        rows = "".join(text for (text,) in cursor.fetchall())
    assert not any(key.hex() in rows for key in keys.values())


def test_a_destroyed_key_is_gone_for_every_reader(opened: Open) -> None:
    store, other, case = opened(), opened(), uuid4()
    keys = filled(store, case)
    gone, *left = keys
    assert other.get(gone) == keys[gone]
    assert store.destroy(gone) is True
    assert other.destroy(gone) is False
    assert store.destroy(uuid4()) is False
    for reader in (store, other, opened()):
        with pytest.raises(KeyGone):
            reader.get(gone)
        assert set(reader.get_many(keys)) == set(reader.ids()) == set(left)
    assert store.attest(gone) == Attestation(gone, "destroyed", None, 1)
    assert store.attest(left[0]) == Attestation(left[0], "live", None, 1)
    assert store.attest(lost := uuid4()) == Attestation(lost, "absent", None, 1)
    row = WrappedKey.objects.get(pk=gone)
    assert (bytes(row.nonce), bytes(row.wrapped)) == (b"", b"")


def test_an_id_is_made_once_and_not_again_after_its_end(opened: Open) -> None:
    store, case, key_id = opened(), uuid4(), uuid4()
    filled(store, case, 1)
    store.create(key_id, case)
    with pytest.raises(KeyExists):
        store.create(key_id, case)
    store.destroy(key_id)
    with pytest.raises(KeyGone):
        store.create(key_id, case)
    assert store.roll_epoch() == Rolled(epoch=2, survivors=1, dropped=1)
    assert store.attest(key_id).state == "absent"


def test_e7_an_unwanted_key_is_not_made_nor_the_key_of_its_case(opened: Open, token: Token) -> None:
    store, key_id = opened(), uuid4()
    with pytest.raises(Unwanted) as refusal:
        store.create(key_id, uuid4(), wanted=lambda: False)
    assert refusal.value.key_id == key_id
    assert (case_keys(token), WrappedKey.objects.count(), CaseKey.objects.count()) == ({}, 0, 0)
    assert store.create(key_id, uuid4(), wanted=lambda: True)


def test_e7_who_destroys_a_key_waits_for_its_maker(opened: Open) -> None:
    """Else one could find no key, and the other make it afterwards with the answer from before."""
    store, other, case, key_id, ended = opened(), opened(), uuid4(), uuid4(), []
    store.create(uuid4(), case)
    destroyer = threading.Thread(target=lambda: ended.append(other.destroy(key_id)))

    def waits() -> bool:
        with connection.cursor() as cursor:
            cursor.execute("SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted)")
            return bool(cursor.fetchone()[0])

    def wanted() -> bool:
        destroyer.start()
        until(lambda: waits() or not destroyer.is_alive(), "the other waits, or has seen no key")
        return True

    store.create(key_id, case, wanted=wanted)
    destroyer.join()
    assert ended == [True]
    assert store.attest(key_id).state == "destroyed"


def test_a_roll_wraps_the_survivors_of_one_case_anew_and_ends_its_old_key(opened: Open, token: Token) -> None:
    store, other, case, beside = opened(), opened(), uuid4(), uuid4()
    keys, others = filled(store, case), filled(store, beside)
    before = case_keys(token)
    assert other.get_many(keys) == keys  # the other machine remembers the handle of the key that ends
    store.destroy(gone := next(iter(keys)))
    del keys[gone]
    assert store.roll_case(case) == 3
    assert other.get_many([*keys, *others, gone]) == keys | others
    after = case_keys(token)
    assert after == named()
    assert before[case].isdisjoint(after[case])
    assert before[beside] == after[beside]


def test_a_case_that_lost_nothing_is_not_rolled(opened: Open, token: Token) -> None:
    store, case = opened(), uuid4()
    filled(store, case)
    before = case_keys(token)
    assert store.roll_case(case) == 0
    assert store.roll_case(uuid4()) == 0
    assert store.roll_epoch() == Rolled(2, 0, 0)
    assert case_keys(token) == before


def test_the_last_key_of_a_case_takes_the_cases_key_with_it(opened: Open, token: Token) -> None:
    """A request for an appointment has no case and no step: its end does not wait for one."""
    store, lone = opened(), uuid4()
    store.create(lone)
    assert lone in case_keys(token)
    store.destroy(lone)
    assert case_keys(token) == {}
    with pytest.raises(KeyGone):
        store.create(lone)
    assert CaseKey.objects.count() == 1
    store.roll_epoch()
    assert (CaseKey.objects.count(), WrappedKey.objects.count()) == (0, 0)


def test_an_epochs_end_rolls_every_case_that_lost_a_key(opened: Open, token: Token) -> None:
    store, cases = opened(), [uuid4() for _ in range(3)]
    keys = [filled(store, case) for case in cases]
    before = case_keys(token)
    for one in keys[:2]:
        store.destroy(next(iter(one)))
    assert store.roll_epoch() == Rolled(epoch=2, survivors=6, dropped=2)
    after = case_keys(token)
    assert after == named()
    assert [before[case] == after[case] for case in cases] == [False, False, True]
    assert store.state().epoch == 2


def test_a_key_that_was_destroyed_while_an_epoch_ended_is_known_until_the_next_end(opened: Open) -> None:
    """Until its case is rolled, residues of it open, so nobody may call it absent or make it again."""
    other, case, beside = opened(), uuid4(), uuid4()
    keys, others = filled(other, case, 2), filled(other, beside, 2)
    other.destroy(next(iter(keys)))
    late = next(iter(others))

    def at(point: str) -> None:
        if point == "roll.old-key-destroyed" and other.attest(late).state == "live":
            other.destroy(late)

    store = opened(at=at)
    assert store.roll_epoch() == Rolled(epoch=2, survivors=1, dropped=1)
    assert store.attest(late) == Attestation(late, "destroyed", None, 2)
    with pytest.raises(KeyGone):
        store.create(late, beside)
    assert store.roll_epoch() == Rolled(epoch=3, survivors=1, dropped=1)
    assert store.attest(late) == Attestation(late, "absent", None, 3)


def test_a_case_key_that_was_made_while_an_epoch_ended_is_named_until_it_is_destroyed(
    opened: Open, token: Token
) -> None:
    """Its maker may have died before it came to use it. A key that no row names would stay in the token."""

    class Died(Exception):
        pass

    def die(point: str) -> None:
        if point == "begin.committed":
            raise Died

    def at(point: str) -> None:
        if point == "roll.old-key-destroyed" and store.state().epoch == 1:
            with pytest.raises(Died):
                opened(at=die).create(uuid4(), beside)

    store, case, beside = opened(at=at), uuid4(), uuid4()
    store.destroy(next(iter(filled(store, case, 2))))
    assert store.roll_epoch() == Rolled(epoch=2, survivors=1, dropped=1)
    assert set(case_keys(token)) == {case, beside}
    assert case_keys(token) == named()
    assert store.roll_epoch() == Rolled(epoch=3, survivors=0, dropped=0)
    assert set(case_keys(token)) == {case}
    assert set(CaseKey.objects.values_list("pk", flat=True)) == {case}


def test_what_it_promised_holds_whatever_becomes_of_the_callers_transaction(opened: Open) -> None:
    store, case = opened(), uuid4()
    keys = filled(store, case, 2)
    made = uuid4()
    with transaction.atomic():
        WrappedKey.objects.count()
        store.create(made, case)
        store.destroy(next(iter(keys)))
        transaction.set_rollback(True)
    assert store.attest(made).state == "live"
    assert store.attest(next(iter(keys))).state == "destroyed"


def test_a_commit_waits_for_the_disk_whatever_the_database_was_told(opened: Open) -> None:
    with connection.cursor() as cursor:
        name = connection.settings_dict["NAME"]
        cursor.execute(f'ALTER DATABASE "{name}" SET synchronous_commit TO off')
    try:
        store = opened()
        with store._transaction() as db:
            assert db.execute("SHOW synchronous_commit").fetchone() == ("on",)
    finally:
        with connection.cursor() as cursor:
            cursor.execute(f'ALTER DATABASE "{name}" RESET synchronous_commit')


def test_another_token_is_damage_and_not_erasure(
    opened: Open, tmp_path: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled(opened(), uuid4())
    other = new_token(tmp_path / "other", monkeypatch)
    with pytest.raises(KeyStoreDamaged, match="not the one that holds"):
        opened(other)
    assert other.owners("") == set()


def test_a_key_that_the_token_lost_is_damage_and_not_erasure(opened: Open, token: Token) -> None:
    store, case = opened(), uuid4()
    keys = filled(store, case, 2)
    (name,) = case_keys(token)[case]
    token.destroy(store._token_owner(case), name)
    for reader in (store, opened()):
        with pytest.raises(KeyStoreDamaged, match="does not hold the key that key"):
            reader.get(next(iter(keys)))
        assert set(reader.unopenable()) == set(keys)
    store.destroy(next(iter(keys)))
    with pytest.raises(KeyStoreDamaged):
        store.roll_case(case)


def test_what_was_destroyed_is_not_lost(opened: Open, token: Token) -> None:
    store, case, over = opened(), uuid4(), uuid4()
    keys = filled(store, case, 2)
    store.destroy(gone := next(iter(keys)))
    store.destroy(next(iter(filled(store, over, 1))))
    assert store.unopenable() == []
    (name,) = case_keys(token)[case]
    token.destroy(store._token_owner(case), name)
    assert store.unopenable() == [key_id for key_id in keys if key_id != gone]


def test_a_row_that_was_altered_or_swapped_opens_with_nothing(opened: Open) -> None:
    store, case = opened(), uuid4()
    first, second = filled(store, case, 2)
    swapped = WrappedKey.objects.get(pk=second)
    WrappedKey.objects.filter(pk=first).update(nonce=swapped.nonce, wrapped=swapped.wrapped)
    with pytest.raises(KeyStoreDamaged, match=str(first)):
        store.get(first)
    assert store.get(second)
    store.destroy(uuid4())
    third = filled(store, case, 1)
    store.destroy(next(iter(third)))
    with pytest.raises(KeyStoreDamaged, match=str(first)):
        store.roll_case(case)
    assert store.destroy(first) is True
    assert store.roll_case(case) == 1


@pytest.mark.parametrize("place", ["house", "case", "name", "key id"])
def test_a_wrapped_key_opens_in_its_own_place_alone(opened: Open, place: str) -> None:
    """Where a row of one place is written into another, under the same key of the token."""
    store, case, key_id, name = opened(), uuid4(), uuid4(), "ab" * 16
    store.create(key_id, case)  # which reads the name of the house
    kek, nonce, dek = AESGCM(bytes(range(32))), bytes(12), bytes(range(32))
    wrapped = kek.encrypt(nonce, dek, store._associated_data(case, name, key_id))
    store._handles[name] = store._handles["cd" * 16] = kek
    assert store._unwrap(key_id, case, name, nonce, wrapped) == dek
    moved = {
        "house": (key_id, case, name),
        "case": (key_id, uuid4(), name),
        "name": (key_id, case, "cd" * 16),
        "key id": (uuid4(), case, name),
    }
    if place == "house":
        store._store_id = uuid4()
    with pytest.raises(KeyStoreDamaged, match="does not open"):
        store._unwrap(*moved[place], nonce, wrapped)


def test_one_who_looks_needs_no_token_and_changes_nothing(opened: Open) -> None:
    with pytest.raises(KeyStoreDamaged, match="no key store"):
        opened(None)
    store, case = opened(), uuid4()
    keys = filled(store, case)
    store.destroy(gone := next(iter(keys)))
    observer = opened(None)
    assert observer.attest(gone).state == "destroyed"
    assert set(observer.ids()) == set(keys) - {gone}
    state = observer.state()
    assert (state.live, state.destroyed, state.kind, state.custody) == (3, 1, "database", "token")
    for deed in (observer.get, observer.create, observer.destroy, observer.roll_case):
        with pytest.raises(PermissionError):
            deed(gone)
    with pytest.raises(PermissionError):
        observer.roll_epoch()


def test_a_database_that_is_away_is_an_error_that_passes(opened: Open) -> None:
    store, case = opened(), uuid4()
    keys = filled(store, case)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND application_name = 'lacuna-keys'"
        )
    assert store.get_many(keys) == keys  # the pool looks before it lends
    nowhere = {**connection.settings_dict, "PORT": "1"}
    with pytest.raises(OSError, match="key database cannot be used"):
        DatabaseKeyStore(nowhere, None)


@pytest.mark.processes
def test_machines_that_create_read_destroy_and_roll_at_once_lose_and_confuse_nothing(
    opened: Open, token: Token
) -> None:
    """Processes and threads beside each other, as machines would be; every key is as its maker said."""
    case, cases = uuid4(), 4
    opened()
    ear, mouth = os.pipe()
    children = []
    for _ in range(cases):
        pid = os.fork()
        if pid == 0:
            try:
                os.write(mouth, b"+" if busy(token, case) else b"-")
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(0)
        children.append(pid)
    assert [os.waitpid(pid, 0)[1] for pid in children] == [0] * cases
    assert os.read(ear, 100) == b"+" * cases
    os.close(ear)
    os.close(mouth)
    store = opened()
    assert len(list(store.ids())) == cases * 2 * 4
    assert case_keys(token) == named()


def busy(token: Token, case: UUID) -> bool:
    """Two threads that make eight keys each, destroy four of them and roll between; was all as it should?"""
    store, wrong = DatabaseKeyStore(connection.settings_dict, token), []

    def work() -> None:
        try:
            keys = filled(store, case, 8)
            for gone in list(keys)[:4]:
                store.destroy(gone)
                del keys[gone]
                store.roll_case(case)
                if store.get_many([*keys, gone]) != keys:
                    wrong.append(gone)
        except BaseException:
            wrong.append(traceback.format_exc())

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for line in wrong:
        print(line)  # noqa: T201 - shown where the test fails
    return not wrong


def test_psycopg_errors_do_not_escape(opened: Open) -> None:
    store = opened()
    with pytest.raises(OSError, match="UndefinedTable"), store._transaction() as db:
        db.execute("SELECT * FROM there_is_no_such_table")
    with store._transaction() as db, pytest.raises(psycopg.Error):
        db.execute("SELECT * FROM there_is_no_such_table")
