"""A process is killed before or after each of its calls to the database or the token.

After that the next process can use the key store.
"""

import os
from collections.abc import Callable, Iterator
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from django.db import connection

from patients.vault.database_keys import STORE_KEY_NAME, DatabaseKeyStore
from patients.vault.keys import KeyGone
from patients.vault.models import CaseKey
from patients.vault.token import Token
from tests.patients.vault.tokens import token

__all__ = ["token"]

pytestmark = [
    pytest.mark.processes,
    pytest.mark.django_db(transaction=True),
    pytest.mark.only_on("postgresql"),
]
KILLED = 77  # the exit code of a child process that was killed at a place
Operation = Callable[[DatabaseKeyStore], object]


def open_store(token: Token) -> DatabaseKeyStore:
    return DatabaseKeyStore(connection.settings_dict, token)


def is_killed_at(token: Token, place: int, operation: Operation) -> bool:
    """Call `operation` in a child process that is killed at this place. Returns whether it was killed.

    place: 0 is before the first call, 1 after it, 2 before the second one, and so on.
    """
    pid = os.fork()
    if pid == 0:
        try:
            store, left = open_store(token), [place]

            def dying(real: Callable[..., Any]) -> Callable[..., Any]:
                def call(*args: Any, **more: Any) -> Any:
                    count_down()
                    result = real(*args, **more)
                    count_down()
                    return result

                return call

            def count_down() -> None:
                left[0] -= 1
                if left[0] < 0:
                    os._exit(KILLED)

            for owner, name in [
                (psycopg.Connection, "execute"),
                (psycopg.Connection, "commit"),
                (psycopg.Cursor, "executemany"),
                (Token, "make"),
                (Token, "destroy"),
            ]:
                setattr(owner, name, dying(getattr(owner, name)))
            operation(store)
            os._exit(0)
        finally:
            os._exit(1)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    assert code in {0, KILLED}
    return code == KILLED


def places(token: Token, make_operation: Callable[[], Operation]) -> Iterator[int]:
    """Kill a new operation at each place in turn; yield the place after each death."""
    place = 0
    while is_killed_at(token, place, make_operation()):
        yield place
        place += 1


def case_keys(token: Token) -> dict[UUID, set[bytes]]:
    found = {UUID(owner.split(" ")[2]): token.names(owner) for owner in token.owners("lacuna ")}
    return {case: names for case, names in found.items() if names != {STORE_KEY_NAME}}


def assert_sound(token: Token, keys: dict[UUID, bytes], gone: set[UUID], undecided: set[UUID]) -> None:
    """Assert that `keys` can be read, `gone` are gone, and the token has only keys that rows refer to.

    undecided: ids of keys that may exist or not.
    """
    store = open_store(token)
    live = set(store.ids())
    assert set(keys) <= live <= set(keys) | undecided
    assert store.get_many(keys) == keys
    assert {len(key) for key in store.get_many(live).values()} <= {32}
    for key_id in gone:
        with pytest.raises(KeyGone):
            store.get(key_id)
    assert case_keys(token) == {row.pk: {bytes.fromhex(row.name)} for row in CaseKey.objects.exclude(name="")}
    store.close()


def make_keys(token: Token, case: UUID, count: int) -> dict[UUID, bytes]:
    store = open_store(token)
    keys = {(key_id := uuid4()): store.create(key_id, case) for _ in range(count)}
    store.close()
    return keys


def destroy_key(token: Token, key_id: UUID) -> None:
    store = open_store(token)
    assert store.destroy(key_id)
    store.close()


def test_a_killed_roll_is_either_complete_or_not_begun(token: Token) -> None:
    case = uuid4()
    keys = make_keys(token, case, 4)
    gone: set[UUID] = set()

    def make_operation() -> Operation:
        # Each roll needs a key that was destroyed since the last one.
        extra = make_keys(token, case, 1)
        (key_id,) = extra
        destroy_key(token, key_id)
        gone.add(key_id)
        return lambda store: store.roll_case(case)

    deaths = 0
    for _ in places(token, make_operation):
        assert_sound(token, keys, gone, set())
        deaths += 1
    assert deaths >= 16
    assert_sound(token, keys, gone, set())
    store = open_store(token)
    assert store.roll_epoch().dropped == len(gone)
    assert store.get_many(keys) == keys
    store.close()


def test_a_killed_destruction_is_complete_or_can_be_repeated(token: Token) -> None:
    case = uuid4()
    keys = make_keys(token, case, 3)
    doomed: list[UUID] = []

    def make_operation() -> Operation:
        doomed.extend(make_keys(token, case, 1))
        return lambda store: store.destroy(doomed[-1])

    for _ in places(token, make_operation):
        assert_sound(token, keys, set(doomed[:-1]), {doomed[-1]})
        store = open_store(token)
        store.destroy(doomed[-1])
        store.close()
    assert len(doomed) > 8
    assert_sound(token, keys, set(doomed), set())


def test_a_killed_destruction_of_the_last_key_of_a_case_can_be_repeated(token: Token) -> None:
    """The case key in the token is destroyed too, at once or when the store is opened next."""
    doomed: list[UUID] = []

    def make_operation() -> Operation:
        doomed.append(uuid4())
        store = open_store(token)
        store.create(doomed[-1])
        store.close()
        return lambda store: store.destroy(doomed[-1])

    for _ in places(token, make_operation):
        assert_sound(token, {}, set(doomed[:-1]), {doomed[-1]})
        store = open_store(token)
        store.destroy(doomed[-1])
        assert case_keys(token) == {}
        store.close()
    assert len(doomed) > 14


def test_a_killed_creation_changes_no_other_key_and_can_be_undone(token: Token) -> None:
    keys = make_keys(token, uuid4(), 2)
    made: list[UUID] = []

    def make_operation() -> Operation:
        made.append(uuid4())
        return lambda store: store.create(made[-1], made[-1])

    for _ in places(token, make_operation):
        assert_sound(token, keys, set(), set(made))
    assert len(made) > 10
    store = open_store(token)
    for key_id in made:
        store.destroy(key_id)
    store.roll_epoch()
    assert set(store.ids()) == set(keys)
    store.close()
    assert_sound(token, keys, set(made), set())


def test_a_killed_roll_of_the_epoch_loses_no_key_and_restores_none(token: Token) -> None:
    cases = [uuid4(), uuid4()]
    keys = make_keys(token, cases[0], 2) | make_keys(token, cases[1], 2)
    gone: set[UUID] = set()

    def make_operation() -> Operation:
        for case in cases:
            (key_id,) = make_keys(token, case, 1)
            destroy_key(token, key_id)
            gone.add(key_id)
        return DatabaseKeyStore.roll_epoch

    deaths = 0
    for _ in places(token, make_operation):
        assert_sound(token, keys, gone, set())
        deaths += 1
    assert deaths > 30
