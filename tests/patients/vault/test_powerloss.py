"""Power failures at every moment of every operation: the key store and the vault stay consistent."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from django.core.files.base import ContentFile, File

from patients.vault import replicas
from patients.vault.keys import KeyGone, KeyStoreDamaged
from patients.vault.replicas import BLOCK, SLOT, epoch_of
from patients.vault.rootkey import root_key_from
from patients.vault.slots import SlotFileKeyStore
from patients.vault.storage import VaultStorage
from patients.vault.token import Token, end_sessions
from tests.patients.vault.tokens import token
from tests.powerloss import Change, Disk, crashes, left_by_crashes, recorded, write_state

__all__ = ["token"]

ROOT = bytes(range(100, 132))
Keys = dict[UUID, bytes]


def open_store(place: Path, token: Token | None = None) -> SlotFileKeyStore:
    root = None if token else ROOT
    return SlotFileKeyStore(place / "keys", root, [place / "mirror"], token=token, growth=4)


def make_keys(place: Path, token: Token | None = None) -> tuple[Keys, list[UUID]]:
    """Create a store with five live keys, two destroyed ones, and room for one more."""
    store = open_store(place, token)
    keys = {(key_id := uuid4()): store.create(key_id) for _ in range(7)}
    gone = list(keys)[2:4]
    for key_id in gone:
        store.destroy(key_id)
        del keys[key_id]
    store.close()
    return keys, gone


def epochs_in(directory: Path) -> set[int | None]:
    content = (directory / "epochs").read_bytes()
    return {epoch_of(content[place : place + SLOT]) for place in (0, BLOCK)} - {None}


def assert_sound(
    place: Path, store: SlotFileKeyStore, keys: Keys, gone: list[UUID], undecided: set[UUID]
) -> None:
    """Assert that `keys` can be read and `gone` are gone, that one epoch is live, and that a roll works.

    undecided: ids of keys that may exist or not.
    """
    live = set(store.ids())
    assert set(keys) <= live <= set(keys) | undecided
    assert store.get_many(keys) == keys
    assert {len(key) for key in store.get_many(live).values()} <= {32}
    for key_id in gone:
        with pytest.raises(KeyGone):
            store.get(key_id)
    for name in ("keys", "mirror"):
        assert epochs_in(place / name) == {store.state().epoch}
        assert not (place / name / "slots.new").exists()
    for name in ("slots", "epochs"):
        # An interrupted growth may have added zeros to one copy only. They do not count.
        here, there = ((place / copy / name).read_bytes().rstrip(b"\0") for copy in ("keys", "mirror"))
        assert here == there
    assert store.roll_epoch().survivors == len(live)
    assert store.get_many(keys) == keys


def after_every_crash(
    path: Path,
    monkeypatch: pytest.MonkeyPatch,
    operation: Callable[[SlotFileKeyStore], object],
    check: Callable[[SlotFileKeyStore, bool], None],
) -> int:
    """Call `operation` on the store in path/live, and `check` for each state after a crash.

    check: gets the store and whether `operation` had returned. Returns the number of states.
    """
    store, before = open_store(path / "live"), Disk.of(path / "live")
    with recorded(path / "live", monkeypatch) as log:
        operation(store)
    store.close()
    tried = 0
    for moment, state in crashes(before, log):
        write_state(state, path / "found")
        found = open_store(path / "found")
        check(found, moment == len(log))
        found.close()
        tried += 1
    return tried


def test_a_roll_survives_a_power_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keys, gone = make_keys(tmp_path / "live")

    def check(store: SlotFileKeyStore, done: bool) -> None:
        assert store.state().epoch in ({2} if done else {1, 2})
        assert_sound(tmp_path / "found", store, keys, gone, set())

    assert after_every_crash(tmp_path, monkeypatch, SlotFileKeyStore.roll_epoch, check) > 40


def test_a_destruction_survives_a_power_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keys, gone = make_keys(tmp_path / "live")
    doomed = next(iter(keys))
    left = {key_id: key for key_id, key in keys.items() if key_id != doomed}

    def check(store: SlotFileKeyStore, done: bool) -> None:
        live = store.get_many([doomed])
        assert live in ([{}] if done else [{}, {doomed: keys[doomed]}])
        assert_sound(tmp_path / "found", store, left, gone, {doomed})

    assert after_every_crash(tmp_path, monkeypatch, lambda store: store.destroy(doomed), check) > 6


def test_a_creation_and_the_growth_of_the_file_survive_a_power_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys, gone = make_keys(tmp_path / "live")
    fresh: Keys = {}

    def operation(store: SlotFileKeyStore) -> None:
        for _ in range(2):  # for the second one the file is full
            key_id = uuid4()
            fresh[key_id] = store.create(key_id)

    def check(store: SlotFileKeyStore, done: bool) -> None:
        found = store.get_many(fresh)
        assert found == {key_id: fresh[key_id] for key_id in found}
        assert not done or found == fresh
        assert_sound(tmp_path / "found", store, keys, gone, set(fresh))

    assert after_every_crash(tmp_path, monkeypatch, operation, check) > 20


def test_the_creation_of_a_store_survives_a_power_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with recorded(tmp_path / "live", monkeypatch) as log:
        open_store(tmp_path / "live").close()
    tried = 0
    for _, state in crashes(Disk(), log):
        write_state(state, tmp_path / "found")
        store, key_id = open_store(tmp_path / "found"), uuid4()
        assert_sound(tmp_path / "found", store, {key_id: store.create(key_id)}, [], set())
        store.close()
        tried += 1
    assert tried > 20


def test_the_recovery_of_a_roll_survives_a_power_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A second power failure, while a store recovers from a roll that was interrupted at its renaming."""
    keys, gone = make_keys(tmp_path / "live")
    store, before = open_store(tmp_path / "live"), Disk.of(tmp_path / "live")
    with recorded(tmp_path / "live", monkeypatch) as log:
        store.roll_epoch()
    store.close()
    (renaming, *_) = [index for index, change in enumerate(log) if change.path == "keys/slots"]
    # The power fails after the renaming and one more change.
    states = [state for moment, state in crashes(before, log) if moment == renaming + 2]
    tried = 0
    for broken in states:
        write_state(broken, tmp_path / "again")
        first = Disk.of(tmp_path / "again")
        with recorded(tmp_path / "again", monkeypatch) as recovery:
            open_store(tmp_path / "again").close()
        for _, state in crashes(first, recovery):
            write_state(state, tmp_path / "found")
            found = open_store(tmp_path / "found")
            assert_sound(tmp_path / "found", found, keys, gone, set())
            found.close()
            tried += 1
    assert tried > 20


def marks_in(changes: list[Change]) -> int:
    return sum(change.kind == "mark" for change in changes)


def test_a_roll_with_a_token_survives_a_power_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, token: Token
) -> None:
    """The token's changes are durable at once; the disk may be behind.

    Each change of the token is a mark in the log, and a copy of the token is kept after it.
    """
    keys, gone = make_keys(tmp_path / "live", token)
    tokens, kept = tmp_path / "token" / "tokens", tmp_path / "kept"
    shutil.copytree(tokens, kept / "0")
    store, before = open_store(tmp_path / "live", token), Disk.of(tmp_path / "live")
    with recorded(tmp_path / "live", monkeypatch) as log, monkeypatch.context() as patched:

        def noting(real: Callable[..., object]) -> Callable[..., object]:
            def call(*args: object) -> object:
                result = real(*args)
                log.append(Change("mark"))
                shutil.copytree(tokens, kept / str(marks_in(log)))
                return result

            return call

        patched.setattr(token, "make", noting(token.make))
        patched.setattr(token, "destroy", noting(token.destroy))
        store.roll_epoch()
    store.close()
    assert len(list(kept.iterdir())) == 3
    tried = 0
    for moment, state in crashes(before, log):
        shutil.rmtree(tokens)
        shutil.copytree(kept / str(marks_in(log[:moment])), tokens)
        end_sessions()
        write_state(state, tmp_path / "found")
        found = open_store(tmp_path / "found", token)
        (names,) = (token.names(owner) for owner in token.owners("lacuna epochs"))
        assert names == {found.state().epoch.to_bytes(8, "big")}
        assert_sound(tmp_path / "found", found, keys, gone, set())
        found.close()
        tried += 1
    assert tried > 40


def test_the_first_key_of_a_new_store_survives_a_power_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: Keys = {}

    def operation() -> None:
        store, key_id = open_store(tmp_path / "live"), uuid4()
        given[key_id] = store.create(key_id)
        store.close()

    (tmp_path / "live").mkdir()
    for _done, files in left_by_crashes(tmp_path / "live", monkeypatch, operation, only_done=True):
        write_state(frozenset(files.items()), tmp_path / "found")
        store = open_store(tmp_path / "found")
        assert store.get_many(given) == given
        store.close()


@pytest.mark.parametrize("differs", ["gone here", "gone there", "altered here", "a mirror more"])
def test_all_copies_are_equal_after_a_store_was_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, differs: str
) -> None:
    place = tmp_path / "live"
    keys, _gone = make_keys(place)
    before = {name: (place / name / "slots").read_bytes() for name in ("keys", "mirror")}
    if differs.startswith("gone"):
        store = open_store(place)
        store.destroy(next(iter(keys)))
        store.close()
        stale = "mirror" if differs == "gone here" else "keys"
        (place / stale / "slots").write_bytes(before[stale])
    elif differs == "altered here":
        content = bytearray(before["keys"])
        content[SLOT + 40] ^= 1
        (place / "keys" / "slots").write_bytes(content)

    def operation() -> None:
        mirrors = [place / "mirror"] if differs != "a mirror more" else [place / "mirror", place / "second"]
        SlotFileKeyStore(place / "keys", ROOT, mirrors, growth=4).close()

    for _done, files in left_by_crashes(place, monkeypatch, operation, only_done=True):
        copies = {name.split("/")[0] for name in files}
        for name in ("slots", "epochs"):
            assert len({files[f"{copy}/{name}"] for copy in copies}) == 1
        assert copies == {"keys", "mirror"} | ({"second"} if differs == "a mirror more" else set())


def test_a_root_key_is_complete_or_absent_and_present_once_it_was_returned(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, given = tmp_path / "keys of the house" / "root-key", []
    for done, files in left_by_crashes(
        tmp_path, monkeypatch, lambda: given.append(root_key_from(path, create=True))
    ):
        found = files.get("keys of the house/root-key")
        assert found == path.read_bytes() or (found is None and not done)
    assert given == [bytearray.fromhex(path.read_text())]


def test_saved_ciphertext_survives_and_deleted_ciphertext_stays_deleted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    vault, blob, data = VaultStorage(tmp_path / "vault"), uuid4().hex, b"ciphertext" * 100
    path = str(Path(vault.path(blob)).relative_to(tmp_path))
    for done, files in left_by_crashes(tmp_path, monkeypatch, lambda: vault.save(blob, ContentFile(data))):
        assert not done or files == {path: data}
    for done, files in left_by_crashes(tmp_path, monkeypatch, lambda: vault.delete(blob)):
        assert files == {} or (files == {path: data} and not done)


def test_ciphertext_survives_in_a_directory_that_another_process_created(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    vault, blob = VaultStorage(tmp_path), uuid4().hex
    path = Path(vault.path(blob))

    def operation() -> None:
        path.parent.mkdir(parents=True)  # not synced
        vault.save(blob, ContentFile(b"ciphertext"))

    for done, files in left_by_crashes(tmp_path, monkeypatch, operation):
        assert not done or files == {str(path.relative_to(tmp_path)): b"ciphertext"}


def test_a_saved_staged_file_survives_a_power_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Staged(File):
        def temporary_file_path(self) -> str:
            return str(staged)

    vault, blob, data = VaultStorage(tmp_path / "vault"), uuid4().hex, b"ciphertext" * 100
    path, staged = str(Path(vault.path(blob)).relative_to(tmp_path)), tmp_path / "staging" / "one"
    staged.parent.mkdir()

    def operation() -> None:
        staged.write_bytes(data)  # not synced
        with staged.open("rb") as file:
            vault.save(blob, Staged(file))

    for done, files in left_by_crashes(tmp_path, monkeypatch, operation):
        assert not done or files[path] == data


def test_the_simulation_finds_a_missing_sync(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the sync of the slot file, a completed roll is found undone or damaged."""
    keys, gone = make_keys(tmp_path / "live")

    def unsynced(path: Path, content: bytes) -> None:
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        os.pwrite(fd, content, 0)
        os.close(fd)

    monkeypatch.setattr(replicas, "_write_new", unsynced)

    def check(store: SlotFileKeyStore, done: bool) -> None:
        assert_sound(tmp_path / "found", store, keys, gone, set())

    with pytest.raises((AssertionError, KeyStoreDamaged)):
        after_every_crash(tmp_path, monkeypatch, SlotFileKeyStore.roll_epoch, check)
