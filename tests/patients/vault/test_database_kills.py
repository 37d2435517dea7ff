"""The process dies before or after each thing a deed says to the database or the token; whoever comes next
goes on."""

import os
from collections.abc import Callable, Iterator
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from django.db import connection

from patients.vault.database_keys import DatabaseKeyStore
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
Deed = Callable[[DatabaseKeyStore], object]


def opened(token: Token) -> DatabaseKeyStore:
    return DatabaseKeyStore(connection.settings_dict, token)


def dies_at(token: Token, place: int, deed: Deed) -> bool:
    """Do `deed` in a child that dies at the given place, the calls' befores and afters counted; did it?"""
    pid = os.fork()
    if pid == 0:
        try:
            store, left = opened(token), [place]

            def dying(real: Callable[..., Any]) -> Callable[..., Any]:
                def call(*args: Any, **more: Any) -> Any:
                    pass_by()
                    result = real(*args, **more)
                    pass_by()
                    return result

                return call

            def pass_by() -> None:
                left[0] -= 1
                if left[0] < 0:
                    os._exit(77)

            for owner, name in [
                (psycopg.Connection, "execute"),
                (psycopg.Connection, "commit"),
                (psycopg.Cursor, "executemany"),
                (Token, "make"),
                (Token, "destroy"),
            ]:
                setattr(owner, name, dying(getattr(owner, name)))
            deed(store)
            os._exit(0)
        finally:
            os._exit(1)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    assert code in {0, 77}
    return code == 77


def places(token: Token, deed: Callable[[], Deed]) -> Iterator[int]:
    """Kill a fresh `deed` at every place in turn; yields after each death."""
    place = 0
    while dies_at(token, place, deed()):
        yield place
        place += 1


def case_keys(token: Token) -> dict[UUID, set[bytes]]:
    found = {UUID(owner.split(" ")[2]): token.names(owner) for owner in token.owners("lacuna ")}
    return {case: names for case, names in found.items() if names != {b"house"}}


def assert_sound(token: Token, keys: dict[UUID, bytes], gone: set[UUID], open_to: set[UUID]) -> None:
    """Who opens the store finds `keys` as they were, `gone` gone, and in the token what rows name alone."""
    store = opened(token)
    live = set(store.ids())
    assert set(keys) <= live <= set(keys) | open_to
    assert store.get_many(keys) == keys
    assert {len(key) for key in store.get_many(live).values()} <= {32}
    for key_id in gone:
        with pytest.raises(KeyGone):
            store.get(key_id)
    assert case_keys(token) == {row.pk: {bytes.fromhex(row.name)} for row in CaseKey.objects.exclude(name="")}
    store.close()


def filled(token: Token, case: UUID, count: int) -> dict[UUID, bytes]:
    store = opened(token)
    keys = {(key_id := uuid4()): store.create(key_id, case) for _ in range(count)}
    store.close()
    return keys


def destroyed(token: Token, key_id: UUID) -> None:
    store = opened(token)
    assert store.destroy(key_id)
    store.close()


def test_a_roll_is_either_done_or_not_begun(token: Token) -> None:
    case = uuid4()
    keys = filled(token, case, 4)
    gone: set[UUID] = set()

    def deed() -> Deed:
        # Each roll needs a key that was destroyed since the last one.
        extra = filled(token, case, 1)
        (key_id,) = extra
        destroyed(token, key_id)
        gone.add(key_id)
        return lambda store: store.roll_case(case)

    deaths = 0
    for _ in places(token, deed):
        assert_sound(token, keys, gone, set())
        deaths += 1
    assert deaths >= 16
    assert_sound(token, keys, gone, set())
    store = opened(token)
    assert store.roll_epoch().dropped == len(gone)
    assert store.get_many(keys) == keys
    store.close()


def test_a_destruction_is_done_or_can_be_done_again(token: Token) -> None:
    case = uuid4()
    keys = filled(token, case, 3)
    doomed: list[UUID] = []

    def deed() -> Deed:
        doomed.extend(filled(token, case, 1))
        return lambda store: store.destroy(doomed[-1])

    for _ in places(token, deed):
        assert_sound(token, keys, set(doomed[:-1]), {doomed[-1]})
        store = opened(token)
        store.destroy(doomed[-1])
        store.close()
    assert len(doomed) > 8
    assert_sound(token, keys, set(doomed), set())


def test_the_end_of_a_cases_last_key(token: Token) -> None:
    """A lone key's end takes the token's key with it, or leaves that to whoever opens the store next."""
    doomed: list[UUID] = []

    def deed() -> Deed:
        doomed.append(uuid4())
        filled_one = opened(token)
        filled_one.create(doomed[-1])
        filled_one.close()
        return lambda store: store.destroy(doomed[-1])

    for _ in places(token, deed):
        assert_sound(token, {}, set(doomed[:-1]), {doomed[-1]})
        store = opened(token)
        store.destroy(doomed[-1])
        assert case_keys(token) == {}
        store.close()
    assert len(doomed) > 14


def test_a_creation_spoils_nothing(token: Token) -> None:
    keys = filled(token, uuid4(), 2)
    made: list[UUID] = []

    def deed() -> Deed:
        made.append(uuid4())
        return lambda store: store.create(made[-1], made[-1])

    for _ in places(token, deed):
        assert_sound(token, keys, set(), set(made))
    assert len(made) > 10
    store = opened(token)
    for key_id in made:
        store.destroy(key_id)
    store.roll_epoch()
    assert set(store.ids()) == set(keys)
    store.close()
    assert_sound(token, keys, set(made), set())


def test_an_epochs_end(token: Token) -> None:
    cases = [uuid4(), uuid4()]
    keys = filled(token, cases[0], 2) | filled(token, cases[1], 2)
    gone: set[UUID] = set()

    def deed() -> Deed:
        for case in cases:
            (key_id,) = filled(token, case, 1)
            destroyed(token, key_id)
            gone.add(key_id)
        return DatabaseKeyStore.roll_epoch

    deaths = 0
    for _ in places(token, deed):
        assert_sound(token, keys, gone, set())
        deaths += 1
    assert deaths > 30
