"""Bytes that change by themselves: a key is as it was, or its store is damaged; never gone, nor another's."""

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


def opened(place: Path, *mirrors: Path) -> SlotFileKeyStore:
    return SlotFileKeyStore(place / "keys", ROOT, mirrors, growth=4)


def filled(place: Path, *mirrors: Path) -> tuple[Keys, UUID]:
    """Three live keys in slots 1, 3 and 4, and a destroyed one in slot 2."""
    store = opened(place, *mirrors)
    keys = {(key_id := uuid4()): store.create(key_id) for _ in range(4)}
    gone = list(keys)[1]
    store.destroy(gone)
    del keys[gone]
    store.close()
    return keys, gone


def found(place: Path, key_id: UUID, *mirrors: Path) -> bytes | str:
    """What a reader is told who opens the store afresh."""
    try:
        store = opened(place, *mirrors)
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


def held_open(place: Path) -> list[str]:
    """This process's open files under `place`."""
    names = []
    for descriptor in Path("/proc/self/fd").iterdir():
        with suppress(OSError):  # the one that listed them
            names.append(str(descriptor.readlink()))
    return [name for name in names if name.startswith(str(place))]


def test_a_store_that_does_not_open_keeps_no_file_open(tmp_path: Path) -> None:
    filled(tmp_path)
    store = opened(tmp_path)
    assert {Path(name).name for name in held_open(tmp_path)} == {"epochs", "lock", "slots"}
    store.close()
    flip(tmp_path / "keys" / "slots", 3)
    with pytest.raises(KeyStoreDamaged):
        opened(tmp_path)
    assert held_open(tmp_path) == []


def test_each_byte_of_a_live_slot(tmp_path: Path) -> None:
    keys, gone = filled(tmp_path)
    first, third, fourth = keys
    slots = tmp_path / "keys" / "slots"
    for place in range(SLOT):
        flip(slots, SLOT + place)
        told = found(tmp_path, first)
        assert told == "damaged" if place < 92 else told == keys[first]
        assert [found(tmp_path, key_id) for key_id in (third, fourth)] == [keys[third], keys[fourth]]
        assert found(tmp_path, gone) == "gone"
        flip(slots, SLOT + place)
    assert found(tmp_path, first) == keys[first]


def test_each_byte_of_a_destroyed_slot_brings_nothing_back(tmp_path: Path) -> None:
    keys, gone = filled(tmp_path)
    for place in range(SLOT):
        flip(tmp_path / "keys" / "slots", 2 * SLOT + place)
        assert found(tmp_path, gone) in ("gone", "damaged")
        flip(tmp_path / "keys" / "slots", 2 * SLOT + place)
    assert {key_id: found(tmp_path, key_id) for key_id in keys} == keys


def test_each_byte_of_the_epoch_key(tmp_path: Path) -> None:
    keys, _ = filled(tmp_path)
    key_id = next(iter(keys))
    for place in range(SLOT):
        flip(tmp_path / "keys" / "epochs", BLOCK + place)
        told = found(tmp_path, key_id)
        # The store's name in it says nothing that the key's binding does not.
        assert told == "damaged" if not 16 <= place < 32 and place < 92 else told == keys[key_id]
        flip(tmp_path / "keys" / "epochs", BLOCK + place)
    assert {key_id: found(tmp_path, key_id) for key_id in keys} == keys


@pytest.mark.parametrize("size", [0, 1, SLOT - 1, SLOT, BLOCK - 1, BLOCK, BLOCK + SLOT - 1])
def test_each_length_class_of_the_epoch_keys(tmp_path: Path, size: int) -> None:
    keys, _ = filled(tmp_path)
    os.truncate(tmp_path / "keys" / "epochs", size)
    assert {found(tmp_path, key_id) for key_id in keys} == {"damaged"}


@pytest.mark.parametrize("size", [0, 7, SLOT - 1, SLOT, SLOT + 1, 3 * SLOT, 5 * SLOT - 1])
@pytest.mark.parametrize("name", ["slots", "epochs"])
def test_a_mirror_that_was_cut_is_made_whole_from_the_first_copy(
    tmp_path: Path, name: str, size: int
) -> None:
    keys, _ = filled(tmp_path, tmp_path / "mirror")
    os.truncate(tmp_path / "mirror" / name, size)
    told = {key_id: found(tmp_path, key_id, tmp_path / "mirror") for key_id in keys}
    assert told in (keys, dict.fromkeys(keys, "damaged"))
    assert {key_id: found(tmp_path, key_id) for key_id in keys} == keys


def test_a_slot_that_was_altered_is_healed_from_a_mirror_and_not_copied_over_it(tmp_path: Path) -> None:
    keys, gone = filled(tmp_path, tmp_path / "mirror")
    first = next(iter(keys))
    for place in range(SLOT):
        flip(tmp_path / "keys" / "slots", SLOT + place)
        assert found(tmp_path, first, tmp_path / "mirror") == keys[first]
        assert (tmp_path / "keys" / "slots").read_bytes() == (tmp_path / "mirror" / "slots").read_bytes()
    assert found(tmp_path, gone, tmp_path / "mirror") == "gone"


def test_what_one_copy_says_is_gone_is_gone_in_all(tmp_path: Path) -> None:
    keys, _ = filled(tmp_path, tmp_path / "mirror")
    first = next(iter(keys))
    before = (tmp_path / "keys" / "slots").read_bytes()
    store = opened(tmp_path, tmp_path / "mirror")
    store.destroy(first)
    store.close()
    (tmp_path / "keys" / "slots").write_bytes(before)  # the first copy lost its write, the mirror kept it
    assert found(tmp_path, first, tmp_path / "mirror") == "gone"
    assert found(tmp_path, first) == "gone"
