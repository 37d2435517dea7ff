"""Epoch keys in a token: without them, nothing in the slot file can be opened."""

import os
import shutil
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from patients.vault.epochs import EpochKeys
from patients.vault.keys import KeyGone, KeyStoreDamaged, TokenUnreachable
from patients.vault.replicas import BLOCK, EPOCH_MARK, SLOT, TOKEN_MARK, Slot
from patients.vault.slots import SlotFileKeyStore
from patients.vault.token import Token, end_sessions
from tests.patients.vault.tokens import MODULE, new_token, token

__all__ = ["token"]

ROOT = bytes(range(100, 132))


def open_store(
    path: Path, token: Token | None, root: bytes | None = None, **more: object
) -> SlotFileKeyStore:
    return SlotFileKeyStore(path / "keys", root, [path / "mirror"], token=token, growth=8, **more)


def make_keys(store: SlotFileKeyStore, count: int = 5) -> dict[UUID, bytes]:
    return {(key_id := uuid4()): store.create(key_id) for _ in range(count)}


def in_token(token: Token) -> dict[str, set[bytes]]:
    return {owner: token.names(owner) for owner in token.owners("lacuna ")}


def test_the_store_works_with_a_token_and_no_root_key(tmp_path: Path, token: Token) -> None:
    store = open_store(tmp_path, token)
    keys = make_keys(store, 20)
    gone = list(keys)[:5]
    for key_id in gone:
        assert store.destroy(key_id) is True
        del keys[key_id]
    again = open_store(tmp_path, token)
    assert again.get_many(keys) == keys
    assert again.roll_epoch().survivors == 15
    assert store.get_many([*keys, *gone]) == keys
    with pytest.raises(KeyGone):
        store.get(gone[0])
    state = store.state()
    assert (state.custody, state.root, "SoftHSM" in state.token) == ("token", "", True)


def test_the_epoch_key_is_only_in_the_token(tmp_path: Path, token: Token) -> None:
    store = open_store(tmp_path, token)
    make_keys(store)
    for epoch in range(2, 6):
        store.roll_epoch()
        (names,) = in_token(token).values()
        assert names == {epoch.to_bytes(8, "big")}
        for place in ("keys", "mirror"):
            content = (tmp_path / place / "epochs").read_bytes()
            assert EPOCH_MARK not in content
            assert content[epoch % 2 * BLOCK :].startswith(TOKEN_MARK)


def test_residues_of_an_old_epoch_cannot_be_opened(tmp_path: Path, token: Token) -> None:
    """An attacker with all old files and the present token tries all its keys on all old slots."""
    store = open_store(tmp_path, token)
    keys = make_keys(store)
    doomed = next(iter(keys))
    shutil.copytree(tmp_path / "keys", tmp_path / "kept")
    header = store._header

    def opens() -> bool:
        found = 0
        for owner in token.owners(""):
            for name in token.names(owner):
                content = (tmp_path / "kept" / "slots").read_bytes()
                slot = Slot.parsed(content[SLOT : 2 * SLOT])
                try:
                    found += bytes(slot.unwrap(token.key(owner, name), header.store, 1)) == keys[doomed]
                except KeyStoreDamaged:
                    continue
        return found > 0

    store.destroy(doomed)
    assert opens()  # positive control: before the roll, the old copy can be opened
    store.roll_epoch()
    assert not opens()
    del keys[doomed]
    assert store.get_many(keys) == keys


def test_a_roll_moves_the_epoch_key_into_a_token(tmp_path: Path, token: Token) -> None:
    store = open_store(tmp_path, None, ROOT)
    keys = make_keys(store)
    assert store.state().custody == "wrapped-slot"
    both = open_store(tmp_path, token, ROOT)
    assert both.get_many(keys) == keys
    assert both.state().custody == "wrapped-slot"
    assert in_token(token) == {}
    both.roll_epoch()
    assert both.state().custody == "token"
    for place in ("keys", "mirror"):
        assert EPOCH_MARK not in (tmp_path / place / "epochs").read_bytes()
    assert open_store(tmp_path, token).get_many(keys) == keys  # the root key is not needed any more
    with pytest.raises(KeyStoreDamaged, match="is in a token"):
        open_store(tmp_path, None, ROOT)


def test_a_store_under_a_root_key_cannot_be_opened_without_it(tmp_path: Path, token: Token) -> None:
    make_keys(open_store(tmp_path, None, ROOT))
    with pytest.raises(KeyStoreDamaged, match="there is none"):
        open_store(tmp_path, token)
    open_store(tmp_path, None, ROOT)


def test_another_token_counts_as_damage_and_changes_nothing(
    tmp_path: Path, token: Token, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = make_keys(open_store(tmp_path, token))
    here = str(tmp_path / "token" / "softhsm2.conf")
    other = new_token(tmp_path / "other", monkeypatch)
    with pytest.raises(KeyStoreDamaged, match="does not hold the key of epoch 1"):
        open_store(tmp_path, other)
    assert in_token(other) == {}
    monkeypatch.setenv("SOFTHSM2_CONF", here)
    end_sessions()
    assert open_store(tmp_path, token).get_many(keys) == keys


def test_an_unreachable_token_is_a_temporary_error(tmp_path: Path, token: Token) -> None:
    store = open_store(tmp_path, token)
    keys = make_keys(store)
    (tmp_path / "token" / "tokens").rename(tmp_path / "token" / "away")
    away = error_of_new_process(tmp_path)
    assert away == "TokenUnreachable"
    (tmp_path / "token" / "away").rename(tmp_path / "token" / "tokens")
    assert open_store(tmp_path, token).get_many(keys) == keys


def error_of_new_process(path: Path) -> str:
    """The name of the error with which a new process fails while the token is unreachable."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            open_store(path, Token(MODULE, "lacuna", "271828"))
        except TokenUnreachable as error:
            os.write(writing, type(error).__name__.encode())
        os._exit(0)
    os.waitpid(pid, 0)
    os.close(writing)
    error_name = os.read(reading, 100).decode()
    os.close(reading)
    return error_name


@pytest.mark.parametrize("altered", ["the store", "the epoch", "all of it"])
def test_a_token_record_of_another_place_is_damage_and_not_a_temporary_error(
    tmp_path: Path, token: Token, altered: str
) -> None:
    store = open_store(tmp_path, token)
    store.create(uuid4())
    epoch = store.state().epoch
    store.close()
    path = tmp_path / "keys" / "epochs"
    content, start = bytearray(path.read_bytes()), epoch % 2 * BLOCK
    if altered == "the store":
        content[start + 31] ^= 1  # the last byte of the store's id
    elif altered == "the epoch":
        content[start + 15] ^= 2  # the last byte of the epoch
    else:
        content[start : start + SLOT] = bytes(8) + os.urandom(SLOT - 8)
    path.write_bytes(content)
    with pytest.raises(KeyStoreDamaged, match=f"the key of epoch {epoch} is missing"):
        open_store(tmp_path, token)


def test_an_observer_cannot_make_an_epoch_key(tmp_path: Path) -> None:
    keys = EpochKeys([], None, None, None, lambda point: None)
    assert not keys.usable
    with pytest.raises(PermissionError, match="is an observer"):
        keys.make(bytes(16), 2)


def test_two_stores_in_one_token_do_not_affect_each_other(tmp_path: Path, token: Token) -> None:
    first, second = open_store(tmp_path / "a", token), open_store(tmp_path / "b", token)
    keys, others = make_keys(first), make_keys(second)
    for _ in range(3):
        first.roll_epoch()
    assert first.get_many(keys) == keys
    assert second.get_many(others) == others
    assert open_store(tmp_path / "b", token).state().epoch == 1


def test_an_observer_needs_no_token(tmp_path: Path, token: Token) -> None:
    store = open_store(tmp_path, token)
    keys = make_keys(store)
    store.roll_epoch()
    observer = SlotFileKeyStore.observer(tmp_path / "keys", [tmp_path / "mirror"])
    assert set(observer.ids()) == set(keys)
    assert observer.state().custody == "token"
    with pytest.raises(PermissionError):
        observer.get(next(iter(keys)))


def test_forked_processes_open_their_own_sessions(tmp_path: Path, token: Token) -> None:
    store = open_store(tmp_path, token)
    keys = make_keys(store)
    children = []
    for _ in range(3):
        pid = os.fork()
        if pid == 0:
            mine = {(key_id := uuid4()): store.create(key_id) for _ in range(5)}
            os._exit(0 if store.get_many([*mine, *keys]) == mine | keys else 1)
        children.append(pid)
    assert [os.waitpid(pid, 0)[1] for pid in children] == [0, 0, 0]
    assert len(list(store.ids())) == 20
    assert store.roll_epoch().survivors == 20
    assert store.get_many(keys) == keys
