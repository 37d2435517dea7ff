"""Data keys in PostgreSQL, wrapped under keys that only a token has."""

import os
import threading
import traceback
from collections.abc import Callable, Iterator
from uuid import UUID, uuid4

import psycopg
import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.db import connection, transaction

from patients.vault.database_keys import STORE_KEY_NAME, DatabaseKeyStore
from patients.vault.keys import Attestation, KeyExists, KeyGone, KeyStoreDamaged, Rolled, Unwanted
from patients.vault.models import CaseKey, WrappedKey
from patients.vault.token import Token
from tests.patients.vault.tokens import new_token, token
from tests.processes import until

__all__ = ["token"]

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.only_on("postgresql"),
]

StoreOpener = Callable[..., DatabaseKeyStore]


@pytest.fixture
def open_store(token: Token) -> Iterator[StoreOpener]:
    """A function that opens stores on the test's database and token; they are closed at the end."""
    stores = []

    def make(with_token: Token | None = token, **more: object) -> DatabaseKeyStore:
        stores.append(DatabaseKeyStore(connection.settings_dict, with_token, **more))
        return stores[-1]

    yield make
    for store in stores:
        store.close()


def make_keys(store: DatabaseKeyStore, case: UUID, count: int = 4) -> dict[UUID, bytes]:
    return {(key_id := uuid4()): store.create(key_id, case) for _ in range(count)}


def case_keys(token: Token) -> dict[UUID, set[bytes]]:
    """The names of the token's keys for each case, without the key that marks the token as the store's."""
    owners = {owner: UUID(owner.split(" ")[2]) for owner in token.owners("lacuna ")}
    found = {case: token.names(owner) for owner, case in owners.items()}
    return {case: names for case, names in found.items() if names != {STORE_KEY_NAME}}


def case_keys_in_rows() -> dict[UUID, set[bytes]]:
    """The names of case keys that the database refers to, as `case_keys` returns them."""
    return {row.pk: {bytes.fromhex(row.name)} for row in CaseKey.objects.exclude(name="")}


def test_every_machine_reads_a_key_as_it_was_created(open_store: StoreOpener, token: Token) -> None:
    store, other, case = open_store(), open_store(), uuid4()
    keys = make_keys(store, case)
    lone = uuid4()
    keys[lone] = store.create(lone)
    assert len(set(keys.values())) == 5
    assert {len(key) for key in keys.values()} == {32}
    assert other.get_many([*keys, uuid4()]) == keys
    assert store.get(lone) == keys[lone]
    assert set(other.ids()) == set(keys)
    assert set(case_keys(token)) == {case, lone}
    assert case_keys(token) == case_keys_in_rows()


def test_no_data_key_is_in_a_row_in_clear(open_store: StoreOpener) -> None:
    store, case = open_store(), uuid4()
    keys = make_keys(store, case)
    with connection.cursor() as cursor:
        cursor.execute("SELECT k::text FROM patients_wrappedkey k")
        rows = "".join(text for (text,) in cursor.fetchall())
    assert not any(key.hex() in rows for key in keys.values())


def test_a_destroyed_key_is_gone_for_every_reader(open_store: StoreOpener) -> None:
    store, other, case = open_store(), open_store(), uuid4()
    keys = make_keys(store, case)
    gone, *left = keys
    assert other.get(gone) == keys[gone]
    assert store.destroy(gone) is True
    assert other.destroy(gone) is False
    assert store.destroy(uuid4()) is False
    for reader in (store, other, open_store()):
        with pytest.raises(KeyGone):
            reader.get(gone)
        assert set(reader.get_many(keys)) == set(reader.ids()) == set(left)
    assert store.attest(gone) == Attestation(gone, "destroyed", None, 1)
    assert store.attest(left[0]) == Attestation(left[0], "live", None, 1)
    assert store.attest(lost := uuid4()) == Attestation(lost, "absent", None, 1)
    row = WrappedKey.objects.get(pk=gone)
    assert (bytes(row.nonce), bytes(row.wrapped)) == (b"", b"")


def test_a_key_id_can_be_used_once_only(open_store: StoreOpener) -> None:
    store, case, key_id = open_store(), uuid4(), uuid4()
    make_keys(store, case, 1)
    store.create(key_id, case)
    with pytest.raises(KeyExists):
        store.create(key_id, case)
    store.destroy(key_id)
    with pytest.raises(KeyGone):
        store.create(key_id, case)
    assert store.roll_epoch() == Rolled(epoch=2, survivors=1, dropped=1)
    assert store.attest(key_id).state == "absent"


def test_e7_an_unwanted_key_is_not_created_nor_its_case_key(open_store: StoreOpener, token: Token) -> None:
    store, key_id = open_store(), uuid4()
    with pytest.raises(Unwanted) as refusal:
        store.create(key_id, uuid4(), wanted=lambda: False)
    assert refusal.value.key_id == key_id
    assert (case_keys(token), WrappedKey.objects.count(), CaseKey.objects.count()) == ({}, 0, 0)
    assert store.create(key_id, uuid4(), wanted=lambda: True)


def test_e7_destroy_waits_for_a_concurrent_create(open_store: StoreOpener) -> None:
    """Otherwise `destroy` could find no key, and `create` could then make it with its outdated answer."""
    store, other, case, key_id, ended = open_store(), open_store(), uuid4(), uuid4(), []
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


def test_a_roll_rewraps_the_keys_of_one_case_and_destroys_its_old_case_key(
    open_store: StoreOpener, token: Token
) -> None:
    store, other, case, beside = open_store(), open_store(), uuid4(), uuid4()
    keys, others = make_keys(store, case), make_keys(store, beside)
    before = case_keys(token)
    assert other.get_many(keys) == keys  # so that the other store caches the handle of the old key
    store.destroy(gone := next(iter(keys)))
    del keys[gone]
    assert store.roll_case(case) == 3
    assert other.get_many([*keys, *others, gone]) == keys | others
    after = case_keys(token)
    assert after == case_keys_in_rows()
    assert before[case].isdisjoint(after[case])
    assert before[beside] == after[beside]


def test_a_case_without_destroyed_keys_is_not_rolled(open_store: StoreOpener, token: Token) -> None:
    store, case = open_store(), uuid4()
    make_keys(store, case)
    before = case_keys(token)
    assert store.roll_case(case) == 0
    assert store.roll_case(uuid4()) == 0
    assert store.roll_epoch() == Rolled(2, 0, 0)
    assert case_keys(token) == before


def test_destroying_the_last_key_of_a_case_destroys_the_case_key(
    open_store: StoreOpener, token: Token
) -> None:
    """As for an appointment request, which has no case: its case key is destroyed without a roll."""
    store, lone = open_store(), uuid4()
    store.create(lone)
    assert lone in case_keys(token)
    store.destroy(lone)
    assert case_keys(token) == {}
    with pytest.raises(KeyGone):
        store.create(lone)
    assert CaseKey.objects.count() == 1
    store.roll_epoch()
    assert (CaseKey.objects.count(), WrappedKey.objects.count()) == (0, 0)


def test_roll_epoch_rolls_every_case_with_destroyed_keys(open_store: StoreOpener, token: Token) -> None:
    store, cases = open_store(), [uuid4() for _ in range(3)]
    keys = [make_keys(store, case) for case in cases]
    before = case_keys(token)
    for one in keys[:2]:
        store.destroy(next(iter(one)))
    assert store.roll_epoch() == Rolled(epoch=2, survivors=6, dropped=2)
    after = case_keys(token)
    assert after == case_keys_in_rows()
    assert [before[case] == after[case] for case in cases] == [False, False, True]
    assert store.state().epoch == 2


def test_a_key_destroyed_during_a_roll_is_known_until_the_next_roll(open_store: StoreOpener) -> None:
    """Until the roll, residues of the key can be opened, so it must not count as absent or be made again."""
    other, case, beside = open_store(), uuid4(), uuid4()
    keys, others = make_keys(other, case, 2), make_keys(other, beside, 2)
    other.destroy(next(iter(keys)))
    late = next(iter(others))

    def at(point: str) -> None:
        if point == "roll.old-key-destroyed" and other.attest(late).state == "live":
            other.destroy(late)

    store = open_store(at=at)
    assert store.roll_epoch() == Rolled(epoch=2, survivors=1, dropped=1)
    assert store.attest(late) == Attestation(late, "destroyed", None, 2)
    with pytest.raises(KeyGone):
        store.create(late, beside)
    assert store.roll_epoch() == Rolled(epoch=3, survivors=1, dropped=1)
    assert store.attest(late) == Attestation(late, "absent", None, 3)


def test_a_case_key_created_during_a_roll_has_a_row_until_it_is_destroyed(
    open_store: StoreOpener, token: Token
) -> None:
    """Its creator may have died before using it. Without a row, the key would stay in the token for ever."""

    class Died(Exception):
        pass

    def die(point: str) -> None:
        if point == "begin.committed":
            raise Died

    def at(point: str) -> None:
        if point == "roll.old-key-destroyed" and store.state().epoch == 1:
            with pytest.raises(Died):
                open_store(at=die).create(uuid4(), beside)

    store, case, beside = open_store(at=at), uuid4(), uuid4()
    store.destroy(next(iter(make_keys(store, case, 2))))
    assert store.roll_epoch() == Rolled(epoch=2, survivors=1, dropped=1)
    assert set(case_keys(token)) == {case, beside}
    assert case_keys(token) == case_keys_in_rows()
    assert store.roll_epoch() == Rolled(epoch=3, survivors=0, dropped=0)
    assert set(case_keys(token)) == {case}
    assert set(CaseKey.objects.values_list("pk", flat=True)) == {case}


def test_changes_survive_a_rollback_of_the_callers_transaction(open_store: StoreOpener) -> None:
    store, case = open_store(), uuid4()
    keys = make_keys(store, case, 2)
    made = uuid4()
    with transaction.atomic():
        WrappedKey.objects.count()
        store.create(made, case)
        store.destroy(next(iter(keys)))
        transaction.set_rollback(True)
    assert store.attest(made).state == "live"
    assert store.attest(next(iter(keys))).state == "destroyed"


def test_commits_are_synchronous_even_if_the_database_is_set_otherwise(open_store: StoreOpener) -> None:
    with connection.cursor() as cursor:
        name = connection.settings_dict["NAME"]
        cursor.execute(f'ALTER DATABASE "{name}" SET synchronous_commit TO off')
    try:
        store = open_store()
        with store._transaction() as db:
            assert db.execute("SHOW synchronous_commit").fetchone() == ("on",)
    finally:
        with connection.cursor() as cursor:
            cursor.execute(f'ALTER DATABASE "{name}" RESET synchronous_commit')


def test_another_token_counts_as_damage_and_not_as_erasure(
    open_store: StoreOpener, tmp_path: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_keys(open_store(), uuid4())
    other = new_token(tmp_path / "other", monkeypatch)
    with pytest.raises(KeyStoreDamaged, match="not the one that holds"):
        open_store(other)
    assert other.owners("") == set()


def test_a_key_missing_in_the_token_counts_as_damage_and_not_as_erasure(
    open_store: StoreOpener, token: Token
) -> None:
    store, case = open_store(), uuid4()
    keys = make_keys(store, case, 2)
    (name,) = case_keys(token)[case]
    token.destroy(store._token_owner(case), name)
    for reader in (store, open_store()):
        with pytest.raises(KeyStoreDamaged, match="does not hold the key that key"):
            reader.get(next(iter(keys)))
        assert set(reader.unopenable()) == set(keys)
    store.destroy(next(iter(keys)))
    with pytest.raises(KeyStoreDamaged):
        store.roll_case(case)


def test_unopenable_does_not_list_destroyed_keys(open_store: StoreOpener, token: Token) -> None:
    store, case, over = open_store(), uuid4(), uuid4()
    keys = make_keys(store, case, 2)
    store.destroy(gone := next(iter(keys)))
    store.destroy(next(iter(make_keys(store, over, 1))))
    assert store.unopenable() == []
    (name,) = case_keys(token)[case]
    token.destroy(store._token_owner(case), name)
    assert store.unopenable() == [key_id for key_id in keys if key_id != gone]


def test_an_altered_or_swapped_row_cannot_be_opened(open_store: StoreOpener) -> None:
    store, case = open_store(), uuid4()
    first, second = make_keys(store, case, 2)
    swapped = WrappedKey.objects.get(pk=second)
    WrappedKey.objects.filter(pk=first).update(nonce=swapped.nonce, wrapped=swapped.wrapped)
    with pytest.raises(KeyStoreDamaged, match=str(first)):
        store.get(first)
    assert store.get(second)
    store.destroy(uuid4())
    third = make_keys(store, case, 1)
    store.destroy(next(iter(third)))
    with pytest.raises(KeyStoreDamaged, match=str(first)):
        store.roll_case(case)
    assert store.destroy(first) is True
    assert store.roll_case(case) == 1


@pytest.mark.parametrize("place", ["store", "case", "name", "key id"])
def test_a_wrapped_key_opens_at_its_own_place_only(open_store: StoreOpener, place: str) -> None:
    """A wrapped key that is copied to another place does not open, even under the same key of the token."""
    store, case, key_id, name = open_store(), uuid4(), uuid4(), "ab" * 16
    store.create(key_id, case)  # loads the id of the store
    kek, nonce, dek = AESGCM(bytes(range(32))), bytes(12), bytes(range(32))
    wrapped = kek.encrypt(nonce, dek, store._associated_data(case, name, key_id))
    store._handles[name] = store._handles["cd" * 16] = kek
    assert store._unwrap(key_id, case, name, nonce, wrapped) == dek
    moved = {
        "store": (key_id, case, name),
        "case": (key_id, uuid4(), name),
        "name": (key_id, case, "cd" * 16),
        "key id": (uuid4(), case, name),
    }
    if place == "store":
        store._store_id = uuid4()
    with pytest.raises(KeyStoreDamaged, match="does not open"):
        store._unwrap(*moved[place], nonce, wrapped)


def test_an_observer_needs_no_token_and_cannot_change_anything(open_store: StoreOpener) -> None:
    with pytest.raises(KeyStoreDamaged, match="no key store"):
        open_store(None)
    store, case = open_store(), uuid4()
    keys = make_keys(store, case)
    store.destroy(gone := next(iter(keys)))
    observer = open_store(None)
    assert observer.attest(gone).state == "destroyed"
    assert set(observer.ids()) == set(keys) - {gone}
    state = observer.state()
    assert (state.live, state.destroyed, state.kind, state.custody) == (3, 1, "database", "token")
    for operation in (observer.get, observer.create, observer.destroy, observer.roll_case):
        with pytest.raises(PermissionError):
            operation(gone)
    with pytest.raises(PermissionError):
        observer.roll_epoch()


def test_an_unreachable_database_is_a_temporary_error(open_store: StoreOpener) -> None:
    store, case = open_store(), uuid4()
    keys = make_keys(store, case)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND application_name = 'lacuna-keys'"
        )
    assert store.get_many(keys) == keys  # the pool checks a connection before it gives it out
    nowhere = {**connection.settings_dict, "PORT": "1"}
    with pytest.raises(OSError, match="key database cannot be used"):
        DatabaseKeyStore(nowhere, None)


@pytest.mark.processes
def test_concurrent_machines_lose_and_confuse_no_keys(open_store: StoreOpener, token: Token) -> None:
    """Several processes and threads work at once, as several machines would. Every key stays the same."""
    case, processes = uuid4(), 4
    open_store()
    reading, writing = os.pipe()
    children = []
    for _ in range(processes):
        pid = os.fork()
        if pid == 0:
            try:
                os.write(writing, b"+" if work_on_keys(token, case) else b"-")
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(0)
        children.append(pid)
    assert [os.waitpid(pid, 0)[1] for pid in children] == [0] * processes
    assert os.read(reading, 100) == b"+" * processes
    os.close(reading)
    os.close(writing)
    store = open_store()
    # In each process two threads keep four keys each.
    assert len(list(store.ids())) == processes * 2 * 4
    assert case_keys(token) == case_keys_in_rows()


def work_on_keys(token: Token, case: UUID) -> bool:
    """Two threads create eight keys each, destroy four and roll in between. Returns whether all was right."""
    store, wrong = DatabaseKeyStore(connection.settings_dict, token), []

    def work() -> None:
        try:
            keys = make_keys(store, case, 8)
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
        print(line)  # noqa: T201 - pytest shows it if the test fails
    return not wrong


def test_database_errors_are_raised_as_oserror(open_store: StoreOpener) -> None:
    store = open_store()
    with pytest.raises(OSError, match="UndefinedTable"), store._transaction() as db:
        db.execute("SELECT * FROM there_is_no_such_table")
    with store._transaction() as db, pytest.raises(psycopg.Error):
        db.execute("SELECT * FROM there_is_no_such_table")
