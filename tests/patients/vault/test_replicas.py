"""Damaged files, failing disks and mirrors: an operation succeeds only if it is durable in all copies."""

import errno
import os
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from struct import pack
from typing import Any
from uuid import UUID, uuid4

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from patients.vault.keys import KeyGone, KeyStoreDamaged, Rolled
from patients.vault.replicas import (
    BLOCK,
    FREE,
    SLOT,
    Header,
    Replica,
    Slot,
    epoch_key,
    epoch_of,
    epoch_record,
    live_slot,
    padded,
)
from patients.vault.slots import SlotFileKeyStore

ROOT = bytes(range(100, 132))
# Positions in a slot: 0 mark, 8 epoch, 16 id of the key (or of the store), 32 nonce, 44 wrapped key.


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


@pytest.mark.parametrize("place", ["store", "epoch", "slot", "key id"])
def test_a_wrapped_key_opens_at_its_own_place_only(place: str) -> None:
    """A record that is copied to another place does not open, even under the same epoch key."""
    kek, store, key_id = AESGCM(bytes(range(32))), bytes(range(16)), UUID(int=7)
    slot = Slot.parsed(live_slot(kek, store, 3, 5, key_id, bytes(32)))
    assert slot.unwrap(kek, store, 5) == bytes(32)
    moved = {
        "store": (slot, bytes(16), 5),
        "epoch": (replace(slot, epoch=4), store, 5),
        "slot": (slot, store, 6),
        "key id": (replace(slot, key_id=UUID(int=8)), store, 5),
    }
    there, its_store, index = moved[place]
    with pytest.raises(KeyStoreDamaged, match="does not open"):
        there.unwrap(kek, its_store, index)


@pytest.mark.parametrize("place", ["store", "epoch"])
def test_an_epoch_key_opens_at_its_own_place_only(place: str) -> None:
    root, store = AESGCM(ROOT), bytes(range(16))
    record = epoch_record(root, store, 3, bytearray(range(32)))
    nonce = bytes(12)
    assert epoch_key(root, store, 3, record).decrypt(
        nonce, AESGCM(bytes(range(32))).encrypt(nonce, b"a key", b""), b""
    )
    moved = {"store": (bytes(16), 3, record), "epoch": (store, 4, record[:8] + pack(">Q", 4) + record[16:])}
    with pytest.raises(KeyStoreDamaged, match="the root key does not open the epoch key"):
        epoch_key(root, *moved[place])
    with pytest.raises(KeyStoreDamaged, match="the key of epoch 4 is missing"):
        epoch_key(root, store, 4, record)


def test_a_header_of_another_layout_is_refused() -> None:
    fields = pack(">8sQQQ16s", b"lacuna-2", 1, 8, 0, bytes(16))
    with pytest.raises(KeyStoreDamaged, match="header is not valid"):
        Header.parsed(padded(fields + sha256(fields).digest()))


def test_a_slot_is_intact_in_its_own_epoch_only() -> None:
    slot = Slot.parsed(live_slot(AESGCM(bytes(32)), bytes(16), 3, 5, UUID(int=7), bytes(32)))
    assert [slot.intact(epoch) for epoch in (2, 3, 4)] == [False, True, False]


def test_a_file_truncated_while_it_is_open_is_damage(tmp_path: Path) -> None:
    open_store(tmp_path).close()
    replica = Replica(tmp_path / "keys", writable=False)
    replica.open()
    os.truncate(tmp_path / "keys" / "slots", 2 * SLOT)
    assert len(replica.read(1)) == SLOT
    with pytest.raises(KeyStoreDamaged, match="cut off"):
        replica.read(1, 2)
    replica.close()


def test_an_observer_reports_a_mirror_with_another_epoch_key(tmp_path: Path) -> None:
    open_store(tmp_path, tmp_path / "mirror").close()
    SlotFileKeyStore.observer(tmp_path / "keys", [tmp_path / "mirror"]).close()
    path = tmp_path / "mirror" / "epochs"
    content = bytearray(path.read_bytes())
    content[BLOCK + 60] ^= 1
    path.write_bytes(content)
    with pytest.raises(KeyStoreDamaged, match="a mirror differs"):
        SlotFileKeyStore.observer(tmp_path / "keys", [tmp_path / "mirror"])


def test_an_observer_reports_an_interrupted_roll(tmp_path: Path) -> None:
    open_store(tmp_path).close()
    path = tmp_path / "keys" / "epochs"
    content = bytearray(path.read_bytes())
    record = bytearray(content[BLOCK : BLOCK + SLOT])
    record[15] = 2  # the key of the next epoch, under which no slot is wrapped yet
    content[:SLOT] = record
    path.write_bytes(content)
    with pytest.raises(KeyStoreDamaged, match="a roll was interrupted"):
        SlotFileKeyStore.observer(tmp_path / "keys")


@pytest.mark.parametrize("operation", ["get", "destroy", "attest"])
@pytest.mark.parametrize("byte", [0, 15, 31], ids=["mark", "epoch", "key id"])
def test_a_slot_that_changes_under_an_open_store_is_damage(tmp_path: Path, byte: int, operation: str) -> None:
    store, key_id = open_store(tmp_path), uuid4()
    store.create(key_id)
    with (tmp_path / "keys" / "slots").open("r+b") as file:
        file.seek(SLOT + byte)
        old = file.read(1)
        file.seek(SLOT + byte)
        file.write(bytes([old[0] ^ 1]))
    with pytest.raises(KeyStoreDamaged, match="slot 1 does not hold key"):
        getattr(store, operation)(key_id)


def test_a_key_whose_slot_has_an_altered_id_is_damaged_and_not_absent(tmp_path: Path) -> None:
    store, key_id = open_store(tmp_path), uuid4()
    store.create(key_id)
    store.close()
    content = bytearray(slots_of(tmp_path))
    content[SLOT + 31] ^= 1
    (tmp_path / "keys" / "slots").write_bytes(content)
    for again in (open_store(tmp_path), SlotFileKeyStore.observer(tmp_path / "keys")):
        with pytest.raises(KeyStoreDamaged, match="slot 1 was altered"):
            again.attest(key_id)
        again.close()


@pytest.mark.parametrize("keep", [0, 5, SLOT - 1, SLOT, SLOT + 1, 3 * SLOT, 9 * SLOT - 1])
def test_a_truncated_slot_file_counts_as_damage_and_not_as_erasure(tmp_path: Path, keep: int) -> None:
    store, ids = open_store(tmp_path), [uuid4() for _ in range(5)]
    for key_id in ids:
        store.create(key_id)
    os.truncate(tmp_path / "keys" / "slots", keep)
    for operation in (store.get, store.destroy, store.create, store.attest):
        with pytest.raises(KeyStoreDamaged):
            operation(ids[-1])
    with pytest.raises(KeyStoreDamaged):
        store.roll_epoch()
    with pytest.raises(KeyStoreDamaged):
        open_store(tmp_path)


def test_a_file_truncated_far_behind_the_last_key_is_damage_too(tmp_path: Path) -> None:
    store, key_id = open_store(tmp_path, growth=200), uuid4()
    store.create(key_id)
    os.truncate(tmp_path / "keys" / "slots", 100 * SLOT)
    with pytest.raises(KeyStoreDamaged, match="cut off"):
        store.get(key_id)
    with pytest.raises(KeyStoreDamaged, match="cut off"):
        open_store(tmp_path)


@pytest.mark.parametrize("name", ["slots", "epochs"])
def test_a_missing_file_is_damage_and_is_not_created(tmp_path: Path, name: str) -> None:
    open_store(tmp_path).create(uuid4())
    (tmp_path / "keys" / name).unlink()
    with pytest.raises(KeyStoreDamaged, match="missing"):
        open_store(tmp_path)
    assert not (tmp_path / "keys" / name).exists()


def test_a_truncated_epoch_file_is_damage(tmp_path: Path) -> None:
    open_store(tmp_path).create(uuid4())
    os.truncate(tmp_path / "keys" / "epochs", BLOCK)
    with pytest.raises(KeyStoreDamaged, match="cut off"):
        open_store(tmp_path)


def test_an_altered_header_is_damage(tmp_path: Path) -> None:
    open_store(tmp_path)
    for place in range(80):  # the fields of the header and their digest
        content = bytearray(slots_of(tmp_path))
        content[place] ^= 1
        (tmp_path / "keys" / "slots").write_bytes(content)
        with pytest.raises(KeyStoreDamaged):
            open_store(tmp_path)
        content[place] ^= 1
        (tmp_path / "keys" / "slots").write_bytes(content)
    open_store(tmp_path)


def test_another_root_key_opens_nothing_and_changes_nothing(tmp_path: Path) -> None:
    store, key_id = open_store(tmp_path), uuid4()
    key = store.create(key_id)
    with pytest.raises(KeyStoreDamaged, match="root key"):
        SlotFileKeyStore(tmp_path / "keys", bytes(32))
    assert open_store(tmp_path).get(key_id) == key


def test_a_damaged_key_prevents_a_roll_until_it_is_destroyed(tmp_path: Path) -> None:
    store, damaged, intact = open_store(tmp_path), uuid4(), uuid4()
    store.create(damaged)
    key = store.create(intact)
    content = bytearray(slots_of(tmp_path))
    content[SLOT + 60] ^= 1
    (tmp_path / "keys" / "slots").write_bytes(content)
    with pytest.raises(KeyStoreDamaged, match=str(damaged)):
        store.get(damaged)
    with pytest.raises(KeyStoreDamaged, match=str(damaged)):
        store.roll_epoch()
    assert store.get(intact) == key
    assert store.destroy(damaged) is True
    assert store.roll_epoch().survivors == 1
    assert store.get(intact) == key


def test_a_half_written_slot_is_skipped(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    store.create(uuid4())
    with (tmp_path / "keys" / "slots").open("r+b") as file:
        file.seek(2 * SLOT + 40)
        file.write(b"torn")
    key_id = uuid4()
    store.create(key_id)
    assert open_store(tmp_path).attest(key_id).slot == 3
    assert store.roll_epoch() == Rolled(epoch=2, survivors=2, dropped=1)


def test_a_key_after_a_slot_left_free_by_a_failed_write_is_found(tmp_path: Path) -> None:
    store, other = open_store(tmp_path), open_store(tmp_path)
    store.create(uuid4())
    lost, after = uuid4(), uuid4()
    store.create(lost)
    store.create(after)
    with (tmp_path / "keys" / "slots").open("r+b") as file:
        file.seek(2 * SLOT)
        file.write(FREE)
    assert len(other.get(after)) == 32
    with pytest.raises(KeyGone):
        other.get(lost)


def make_call_fail(monkeypatch: pytest.MonkeyPatch, name: str, code: int) -> None:
    def fail(*args: object) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, name, fail)


def test_a_destruction_whose_sync_failed_is_an_error_and_can_be_repeated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, key_id = open_store(tmp_path), uuid4()
    store.create(key_id)
    with monkeypatch.context() as broken:
        make_call_fail(broken, "fdatasync", errno.EIO)
        with pytest.raises(OSError, match="Input/output"):
            store.destroy(key_id)
    first = slots_of(tmp_path)
    synced: list[str] = []
    monkeypatch.setattr(os, "fdatasync", record_call("fdatasync", os.fdatasync, synced))
    # The key is destroyed in the page cache, but perhaps not on the disk: destroy syncs once more.
    assert store.destroy(key_id) is False
    assert synced == ["fdatasync"]
    assert slots_of(tmp_path) != first


def test_a_destruction_that_was_not_written_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, key_id = open_store(tmp_path), uuid4()
    key = store.create(key_id)
    with monkeypatch.context() as lying:
        lying.setattr(os, "pwrite", lambda fd, data, start: len(data))  # reports success, writes nothing
        with pytest.raises(OSError, match="read back"):
            store.destroy(key_id)
    assert store.get(key_id) == key


def record_call(name: str, real: Callable[..., Any], calls: list[str]) -> Callable[..., Any]:
    def call(*args: Any) -> Any:
        calls.append(name)
        return real(*args)

    return call


def test_a_destruction_is_synced_and_read_back_before_it_returns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, key_id, calls = open_store(tmp_path), uuid4(), []
    store.create(key_id)
    for name in ("pwrite", "fdatasync", "posix_fadvise", "pread"):
        monkeypatch.setattr(os, name, record_call(name, getattr(os, name), calls))
    store.destroy(key_id)
    assert calls[calls.index("pwrite") :] == ["pwrite", "fdatasync", "posix_fadvise", "pread"]


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO])
def test_a_full_or_failing_disk_refuses_a_key_and_recovers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    store, first, second = open_store(tmp_path), uuid4(), uuid4()
    key = store.create(first)
    for name in ("pwrite", "fdatasync"):
        with monkeypatch.context() as broken:
            make_call_fail(broken, name, code)
            with pytest.raises(OSError, match=os.strerror(code)):
                store.create(uuid4())
            if name == "fdatasync":
                with pytest.raises(OSError, match=os.strerror(code)):
                    store.roll_epoch()
    assert store.get(first) == key
    assert len(store.create(second)) == 32
    store.roll_epoch()
    assert store.get(first) == key


def copies_are_equal(path: Path) -> bool:
    return all(
        (path / "keys" / name).read_bytes() == (path / "mirror" / name).read_bytes()
        for name in ("slots", "epochs")
    )


def test_a_mirror_has_the_same_bytes_after_every_operation(tmp_path: Path) -> None:
    store, ids = open_store(tmp_path, tmp_path / "mirror", growth=3), [uuid4() for _ in range(8)]
    for key_id in ids:
        store.create(key_id)
        assert copies_are_equal(tmp_path)
    for key_id in ids[:4]:
        store.destroy(key_id)
        assert copies_are_equal(tmp_path)
    store.roll_epoch()
    assert copies_are_equal(tmp_path)
    assert epochs_in(tmp_path / "mirror") == {2}
    alone = SlotFileKeyStore(tmp_path / "mirror", ROOT)
    assert set(alone.ids()) == set(ids[4:])


def test_a_destruction_that_fails_in_a_mirror_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, key_id = open_store(tmp_path, tmp_path / "mirror"), uuid4()
    store.create(key_id)
    mirror, real = (tmp_path / "mirror" / "slots").stat().st_ino, os.fdatasync

    def fail_on_mirror(fd: int) -> None:
        if os.fstat(fd).st_ino == mirror:
            raise OSError(errno.EIO, "mirror")
        real(fd)

    with monkeypatch.context() as broken:
        broken.setattr(os, "fdatasync", fail_on_mirror)
        with pytest.raises(OSError, match="mirror"):
            store.destroy(key_id)
    store.destroy(key_id)
    assert copies_are_equal(tmp_path)
    assert store.attest(key_id).state == "destroyed"


def test_attest_reads_every_copy(tmp_path: Path) -> None:
    store, key_id = open_store(tmp_path, tmp_path / "mirror"), uuid4()
    store.create(key_id)
    record = (tmp_path / "mirror" / "slots").read_bytes()[SLOT : 2 * SLOT]
    store.destroy(key_id)
    with (tmp_path / "mirror" / "slots").open("r+b") as file:
        file.seek(SLOT)
        file.write(record)
    assert store.attest(key_id).state == "live"
    with pytest.raises(KeyStoreDamaged, match="mirror differs"):
        SlotFileKeyStore.observer(tmp_path / "keys", [tmp_path / "mirror"])
    assert store.destroy(key_id) is True
    assert copies_are_equal(tmp_path)
    assert store.attest(key_id).state == "destroyed"


def test_an_outdated_mirror_is_updated_in_place(tmp_path: Path) -> None:
    store, live, gone = open_store(tmp_path, tmp_path / "mirror"), uuid4(), uuid4()
    store.create(gone)
    lagging = (tmp_path / "mirror" / "slots").read_bytes()
    store.create(live)
    store.destroy(gone)
    inode = (tmp_path / "mirror" / "slots").stat().st_ino
    with (tmp_path / "mirror" / "slots").open("r+b") as file:
        file.write(lagging)
    open_store(tmp_path, tmp_path / "mirror")
    assert copies_are_equal(tmp_path)
    assert (tmp_path / "mirror" / "slots").stat().st_ino == inode


def test_a_missing_mirror_is_an_error_and_is_not_created_again(tmp_path: Path) -> None:
    open_store(tmp_path, tmp_path / "mirror").create(uuid4())
    (tmp_path / "mirror").rename(tmp_path / "unmounted")
    with pytest.raises(KeyStoreDamaged, match="mirror 1 does not hold its copy"):
        open_store(tmp_path, tmp_path / "mirror")
    assert not (tmp_path / "mirror").exists()
    open_store(tmp_path)  # without a mirror in the settings
    open_store(tmp_path, tmp_path / "mirror")
    assert copies_are_equal(tmp_path)


def test_a_mirror_of_another_store_is_refused_and_not_changed(tmp_path: Path) -> None:
    other = SlotFileKeyStore(tmp_path / "mirror", ROOT)
    key_id = uuid4()
    key = other.create(key_id)
    with pytest.raises(KeyStoreDamaged, match="another store"):
        open_store(tmp_path, tmp_path / "mirror")
    assert other.get(key_id) == key
