"""Corrupted bytes: a key is either read correctly or reported as damaged, never as gone or as another key."""

import os
from contextlib import suppress
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from patients.vault.keys import KeyGone, KeyStoreDamaged
from patients.vault.replicas import BLOCK, SLOT
from patients.vault.slots import SlotFileKeyStore

ROOT = bytes(range(100, 132))
Keys = dict[UUID, bytes]
# A record has 92 bytes: mark 8, epoch 8, id of the key or store 16, nonce 12, wrapped key 48. A checksum and
# padding fill its slot.
RECORD = 92


def open_store(directory: Path, *mirrors: Path) -> SlotFileKeyStore:
    return SlotFileKeyStore(directory / "keys", ROOT, mirrors, growth=4)


def make_keys(directory: Path, *mirrors: Path) -> tuple[Keys, UUID]:
    """Create three live keys in slots 1, 3 and 4, and a destroyed one in slot 2."""
    store = open_store(directory, *mirrors)
    keys = {(key_id := uuid4()): store.create(key_id) for _ in range(4)}
    gone = list(keys)[1]
    store.destroy(gone)
    del keys[gone]
    store.close()
    return keys, gone


def read_key(directory: Path, key_id: UUID, *mirrors: Path) -> bytes | str:
    """Open the store anew and read a key: the key, "gone" or "damaged"."""
    try:
        store = open_store(directory, *mirrors)
        try:
            return store.get(key_id)
        finally:
            store.close()
    except KeyGone:
        return "gone"
    except KeyStoreDamaged:
        return "damaged"


def flip(path: Path, place: int) -> None:
    content = bytearray(path.read_bytes())
    content[place] ^= 0x41
    path.write_bytes(content)


def open_files(directory: Path) -> list[str]:
    """Names of the files under `directory` that this process has open."""
    names = []
    for descriptor in Path("/proc/self/fd").iterdir():
        with suppress(OSError):  # the descriptor of this listing
            names.append(str(descriptor.readlink()))
    return [name for name in names if name.startswith(str(directory))]


def test_a_store_that_cannot_be_opened_leaves_no_file_open(tmp_path: Path) -> None:
    make_keys(tmp_path)
    store = open_store(tmp_path)
    assert {Path(name).name for name in open_files(tmp_path)} == {"epochs", "lock", "slots"}
    store.close()
    flip(tmp_path / "keys" / "slots", 3)
    with pytest.raises(KeyStoreDamaged):
        open_store(tmp_path)
    assert open_files(tmp_path) == []


def test_a_changed_byte_in_the_record_of_a_live_slot_is_damage(tmp_path: Path) -> None:
    keys, gone = make_keys(tmp_path)
    first, third, fourth = keys
    slots = tmp_path / "keys" / "slots"
    for place in range(SLOT):
        flip(slots, SLOT + place)
        assert read_key(tmp_path, first) == ("damaged" if place < RECORD else keys[first])
        assert [read_key(tmp_path, key_id) for key_id in (third, fourth)] == [keys[third], keys[fourth]]
        assert read_key(tmp_path, gone) == "gone"
        flip(slots, SLOT + place)
    assert read_key(tmp_path, first) == keys[first]


def test_no_changed_byte_of_a_destroyed_slot_restores_its_key(tmp_path: Path) -> None:
    keys, gone = make_keys(tmp_path)
    for place in range(SLOT):
        flip(tmp_path / "keys" / "slots", 2 * SLOT + place)
        assert read_key(tmp_path, gone) in ("gone", "damaged")
        flip(tmp_path / "keys" / "slots", 2 * SLOT + place)
    assert {key_id: read_key(tmp_path, key_id) for key_id in keys} == keys


def test_a_changed_byte_in_the_record_of_the_epoch_key_is_damage(tmp_path: Path) -> None:
    keys, _ = make_keys(tmp_path)
    key_id = next(iter(keys))
    for place in range(SLOT):
        flip(tmp_path / "keys" / "epochs", BLOCK + place)
        # The id of the store, bytes 16 to 31, is not needed to open the key.
        needed = place < RECORD and not 16 <= place < 32
        assert read_key(tmp_path, key_id) == ("damaged" if needed else keys[key_id])
        flip(tmp_path / "keys" / "epochs", BLOCK + place)
    assert {key_id: read_key(tmp_path, key_id) for key_id in keys} == keys


@pytest.mark.parametrize("size", [0, 1, SLOT - 1, SLOT, BLOCK - 1, BLOCK, BLOCK + SLOT - 1])
def test_a_truncated_file_of_epoch_keys_is_damage(tmp_path: Path, size: int) -> None:
    keys, _ = make_keys(tmp_path)
    os.truncate(tmp_path / "keys" / "epochs", size)
    assert {read_key(tmp_path, key_id) for key_id in keys} == {"damaged"}


@pytest.mark.parametrize("size", [0, 7, SLOT - 1, SLOT, SLOT + 1, 3 * SLOT, 5 * SLOT - 1])
@pytest.mark.parametrize("name", ["slots", "epochs"])
def test_a_truncated_mirror_is_damage_or_is_repaired_from_the_first_copy(
    tmp_path: Path, name: str, size: int
) -> None:
    keys, _ = make_keys(tmp_path, tmp_path / "mirror")
    os.truncate(tmp_path / "mirror" / name, size)
    result = {key_id: read_key(tmp_path, key_id, tmp_path / "mirror") for key_id in keys}
    assert result in (keys, dict.fromkeys(keys, "damaged"))
    assert {key_id: read_key(tmp_path, key_id) for key_id in keys} == keys


def test_an_altered_slot_is_repaired_from_a_mirror(tmp_path: Path) -> None:
    keys, gone = make_keys(tmp_path, tmp_path / "mirror")
    first = next(iter(keys))
    for place in range(SLOT):
        flip(tmp_path / "keys" / "slots", SLOT + place)
        assert read_key(tmp_path, first, tmp_path / "mirror") == keys[first]
        assert (tmp_path / "keys" / "slots").read_bytes() == (tmp_path / "mirror" / "slots").read_bytes()
    assert read_key(tmp_path, gone, tmp_path / "mirror") == "gone"


def test_a_key_destroyed_in_one_copy_is_destroyed_in_all(tmp_path: Path) -> None:
    keys, _ = make_keys(tmp_path, tmp_path / "mirror")
    first = next(iter(keys))
    before = (tmp_path / "keys" / "slots").read_bytes()
    store = open_store(tmp_path, tmp_path / "mirror")
    store.destroy(first)
    store.close()
    (tmp_path / "keys" / "slots").write_bytes(before)  # as if the first copy had lost the write
    assert read_key(tmp_path, first, tmp_path / "mirror") == "gone"
    assert read_key(tmp_path, first) == "gone"
