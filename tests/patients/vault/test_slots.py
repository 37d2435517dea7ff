"""The key store in a slot file, used by one process: its operations, its files, and what it refuses."""

import fcntl
import logging
import os
import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from patients.vault.keys import Attestation, KeyExists, KeyGone, KeyStoreDamaged, Rolled, Unwanted
from patients.vault.replicas import BLOCK, SLOT, Header, Slot, epoch_of
from patients.vault.slots import SlotFileKeyStore

ROOT = bytes(range(100, 132))


def open_store(
    path: Path, *mirrors: Path, growth: int = 8, at: Callable[[str], None] = lambda point: None
) -> SlotFileKeyStore:
    return SlotFileKeyStore(path / "keys", ROOT, mirrors, growth=growth, at=at)


def slots_of(path: Path) -> bytes:
    return (path / "keys" / "slots").read_bytes()


def epochs_in(directory: Path) -> set[int]:
    content = (directory / "epochs").read_bytes()
    found = {epoch_of(content[place : place + SLOT]) for place in (0, BLOCK)}
    return {epoch for epoch in found if epoch is not None}


def test_a_key_is_read_as_it_was_created(tmp_path: Path) -> None:
    store, key_id = open_store(tmp_path), uuid4()
    key = store.create(key_id)
    assert len(key) == 32
    assert store.get(key_id) == key
    assert open_store(tmp_path).get(key_id) == key
    assert list(store.ids()) == [key_id]


def test_e7_an_unwanted_key_is_not_created(tmp_path: Path) -> None:
    store, key_id = open_store(tmp_path), uuid4()
    before = slots_of(tmp_path)
    with pytest.raises(Unwanted) as refusal:
        store.create(key_id, wanted=lambda: False)
    assert refusal.value.key_id == key_id
    assert slots_of(tmp_path) == before
    assert store.create(key_id, wanted=lambda: True)


def test_e7_destroy_waits_for_a_concurrent_create(tmp_path: Path) -> None:
    """Otherwise `destroy` could find no key, and `create` could then make it with its outdated answer."""
    store, other, key_id, ended = open_store(tmp_path), open_store(tmp_path), uuid4(), []
    destroyer = threading.Thread(target=lambda: ended.append(other.destroy(key_id)))

    def wanted() -> bool:
        lock = os.open(tmp_path / "keys" / "lock", os.O_RDWR)
        with pytest.raises(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        os.close(lock)
        destroyer.start()
        return True

    store.create(key_id, wanted=wanted)
    destroyer.join()
    assert ended == [True]
    assert list(store.ids()) == []


def test_keys_are_random(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    assert len({store.create(uuid4()) for _ in range(20)}) == 20


def test_a_destroyed_key_is_gone_for_every_reader(tmp_path: Path) -> None:
    store, other, key_id = open_store(tmp_path), open_store(tmp_path), uuid4()
    store.create(key_id)
    assert other.get(key_id)
    assert store.destroy(key_id) is True
    for reader in (store, other, open_store(tmp_path)):
        with pytest.raises(KeyGone) as caught:
            reader.get(key_id)
        assert caught.value.key_id == key_id
        assert reader.get_many([key_id]) == {}
        assert list(reader.ids()) == []
    assert other.destroy(key_id) is False


def test_an_unknown_key_is_gone_too(tmp_path: Path) -> None:
    store, key_id = open_store(tmp_path), uuid4()
    with pytest.raises(KeyGone):
        store.get(key_id)
    assert store.destroy(key_id) is False
    assert store.attest(key_id) == Attestation(key_id, "absent", None, 1)


def test_a_key_id_can_be_used_once_only(tmp_path: Path) -> None:
    store, key_id = open_store(tmp_path), uuid4()
    key = store.create(key_id)
    with pytest.raises(KeyExists):
        open_store(tmp_path).create(key_id)
    assert store.get(key_id) == key
    store.destroy(key_id)
    with pytest.raises(KeyGone):
        store.create(key_id)


def test_get_many_leaves_out_destroyed_and_unknown_keys(tmp_path: Path) -> None:
    store, ids = open_store(tmp_path), [uuid4() for _ in range(4)]
    keys = {key_id: store.create(key_id) for key_id in ids[:3]}
    store.destroy(ids[0])
    assert store.get_many(ids) == {key_id: keys[key_id] for key_id in ids[1:3]}


def test_destroy_overwrites_the_slot_in_place_and_nothing_else(tmp_path: Path) -> None:
    store, ids = open_store(tmp_path), [uuid4() for _ in range(3)]
    for key_id in ids:
        store.create(key_id)
    before, inode = slots_of(tmp_path), (tmp_path / "keys" / "slots").stat().st_ino
    store.destroy(ids[1])
    after = slots_of(tmp_path)
    assert (tmp_path / "keys" / "slots").stat().st_ino == inode
    assert after[: 2 * SLOT] + after[3 * SLOT :] == before[: 2 * SLOT] + before[3 * SLOT :]
    old, new = before[2 * SLOT : 3 * SLOT], after[2 * SLOT : 3 * SLOT]
    # Bytes 8 to 31, epoch and id, stay. Nothing is left of bytes 32 to 91, the nonce and the wrapped key.
    assert new[8:32] == old[8:32]
    assert not any(old[place : place + 4] in new for place in range(32, 92 - 4))


def test_a_slot_is_never_used_again_within_an_epoch(tmp_path: Path) -> None:
    store, first, second = open_store(tmp_path), uuid4(), uuid4()
    store.create(first)
    store.destroy(first)
    store.create(second)
    assert store.attest(first) == Attestation(first, "destroyed", 1, 1)
    assert store.attest(second) == Attestation(second, "live", 2, 1)
    assert store.destroy(first) is False
    assert len(store.get(second)) == 32


def test_the_file_grows_and_other_stores_notice_it(tmp_path: Path) -> None:
    store, other = open_store(tmp_path, growth=4), open_store(tmp_path, growth=4)
    keys = {}
    for number in range(15):
        key_id = uuid4()
        keys[key_id] = (store if number % 3 else other).create(key_id)
    assert store.get_many(keys) == other.get_many(keys) == keys
    assert Header.parsed(slots_of(tmp_path)[:SLOT]).capacity == 16
    assert len(slots_of(tmp_path)) == 17 * SLOT


def test_a_roll_keeps_live_keys_and_drops_destroyed_ones(tmp_path: Path) -> None:
    store, other = open_store(tmp_path), open_store(tmp_path)
    keys = {(key_id := uuid4()): store.create(key_id) for _ in range(11)}
    gone = list(keys)[::3]
    for key_id in gone:
        store.destroy(key_id)
        del keys[key_id]
    assert store.roll_epoch() == Rolled(epoch=2, survivors=7, dropped=4)
    for reader in (store, other, open_store(tmp_path)):
        assert reader.get_many(keys) == keys
        assert set(reader.ids()) == set(keys)
        assert reader.attest(gone[0]) == Attestation(gone[0], "absent", None, 2)
    assert epochs_in(tmp_path / "keys") == {2}
    late = uuid4()
    assert other.create(late) == store.get(late)
    assert other.roll_epoch() == Rolled(epoch=3, survivors=8, dropped=0)
    assert store.get(late)


def test_no_record_of_the_old_epoch_key_is_left_in_its_place(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    before = (tmp_path / "keys" / "epochs").read_bytes()
    wrapped = before[BLOCK + 32 : BLOCK + 92]
    assert epochs_in(tmp_path / "keys") == {1}
    store.roll_epoch()
    after = (tmp_path / "keys" / "epochs").read_bytes()
    assert not any(wrapped[place : place + 4] in after for place in range(len(wrapped) - 4))


def test_old_versions_of_the_slot_file_cannot_be_opened_after_a_roll(tmp_path: Path) -> None:
    """Every version of the slot file is kept, as in a journal, and tried with the live epoch key."""
    store = open_store(tmp_path)
    kept: list[bytes] = []
    ids = [uuid4() for _ in range(6)]
    keys: dict[UUID, bytes] = {}
    for key_id in ids:
        keys[key_id] = store.create(key_id)
        kept.append(slots_of(tmp_path))
    for key_id in ids[:3]:
        store.destroy(key_id)
        kept.append(slots_of(tmp_path))
    # Positive control: before the roll, keys in old versions can be opened.
    assert openable_keys(kept, store) == set(ids)
    store.roll_epoch()
    assert openable_keys(kept, store) == set()
    assert openable_keys([slots_of(tmp_path)], store) == set(ids[3:])
    for version in kept:
        restored = tmp_path / "restored" / str(len(version)) / uuid4().hex
        shutil.copytree(tmp_path / "keys", restored / "keys")
        (restored / "keys" / "slots").write_bytes(version)
        with pytest.raises(KeyStoreDamaged, match="the key of epoch 1 is missing"):
            open_store(restored)


def openable_keys(versions: list[bytes], store: SlotFileKeyStore) -> set[UUID]:
    """The ids of keys in these versions of the file that can be opened with the live epoch key."""
    kek, found = store._epoch_key(), set()
    for version in versions:
        name = Header.parsed(version[:SLOT]).store
        for start in range(SLOT, len(version), SLOT):
            slot = Slot.parsed(version[start : start + SLOT])
            try:
                slot.unwrap(kek, name, start // SLOT)
            except KeyStoreDamaged:
                continue
            found.add(slot.key_id)
    return found


def test_a_moved_slot_cannot_be_opened(tmp_path: Path) -> None:
    store, first, second = open_store(tmp_path), uuid4(), uuid4()
    store.create(first)
    store.create(second)
    content = bytearray(slots_of(tmp_path))
    content[SLOT : 2 * SLOT], content[2 * SLOT : 3 * SLOT] = (
        content[2 * SLOT : 3 * SLOT],
        content[SLOT : 2 * SLOT],
    )
    (tmp_path / "keys" / "slots").write_bytes(content)
    with pytest.raises(KeyStoreDamaged):
        store.get(first)
    with pytest.raises(KeyStoreDamaged):
        open_store(tmp_path).get(first)


def test_destroy_checks_the_id_in_the_slot(tmp_path: Path) -> None:
    store, mine, stranger = open_store(tmp_path), uuid4(), uuid4()
    store.create(mine)
    store.create(stranger)
    store._index[mine] = store._index[stranger]
    with pytest.raises(KeyStoreDamaged):
        store.destroy(mine)
    assert store.get(stranger)
    assert store.destroy(mine) is True


def test_only_the_owner_can_read_the_files(tmp_path: Path) -> None:
    store = open_store(tmp_path, tmp_path / "mirror")
    store.create(uuid4())
    store.roll_epoch()
    for directory in (tmp_path / "keys", tmp_path / "mirror"):
        assert directory.stat().st_mode & 0o777 == 0o700
        for path in directory.iterdir():
            assert path.stat().st_mode & 0o777 == 0o600
    assert sorted(path.name for path in (tmp_path / "keys").iterdir()) == ["epochs", "lock", "slots"]
    assert sorted(path.name for path in (tmp_path / "mirror").iterdir()) == ["epochs", "slots"]


def test_no_key_is_on_disk_in_clear_or_in_a_repr_or_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    store, key_id = open_store(tmp_path), uuid4()
    key = store.create(key_id)
    store.roll_epoch()
    for path in (tmp_path / "keys").iterdir():
        assert key not in path.read_bytes()
        assert ROOT not in path.read_bytes()
    shown = f"{store!r} {vars(store)!r} {store.state()!r} {store.attest(key_id)!r} {caplog.text}"
    for secret in (key, ROOT):
        assert repr(secret)[2:-1] not in shown
        assert secret.hex() not in shown
    assert "wrapped" not in repr(Slot.parsed(slots_of(tmp_path)[SLOT : 2 * SLOT]))


def test_an_observer_needs_no_root_key_and_cannot_change_anything(tmp_path: Path) -> None:
    store, live, gone = open_store(tmp_path), uuid4(), uuid4()
    store.create(live)
    store.create(gone)
    store.destroy(gone)
    before = {path.name: path.read_bytes() for path in (tmp_path / "keys").iterdir()}
    observer = SlotFileKeyStore.observer(tmp_path / "keys")
    assert observer.attest(live) == Attestation(live, "live", 1, 1)
    assert observer.attest(gone) == Attestation(gone, "destroyed", 2, 1)
    assert list(observer.ids()) == [live]
    assert (observer.state().live, observer.state().destroyed) == (1, 1)
    for operation in (observer.get, observer.create, observer.destroy):
        with pytest.raises(PermissionError):
            operation(live)
    with pytest.raises(PermissionError):
        observer.roll_epoch()
    assert {path.name: path.read_bytes() for path in (tmp_path / "keys").iterdir()} == before
    store.roll_epoch()
    assert observer.attest(live) == Attestation(live, "live", 1, 2)
    with pytest.raises(KeyStoreDamaged, match="no key store"):
        SlotFileKeyStore.observer(tmp_path / "nowhere")
    assert not (tmp_path / "nowhere").exists()


def test_state_counts_keys_and_mirrors(tmp_path: Path) -> None:
    store, ids = open_store(tmp_path, tmp_path / "mirror"), [uuid4() for _ in range(4)]
    for key_id in ids:
        store.create(key_id)
    store.destroy(ids[0])
    state = store.state()
    assert (state.epoch, state.live, state.destroyed, state.mirrors) == (1, 3, 1, 1)
    assert state.custody == "wrapped-slot"
