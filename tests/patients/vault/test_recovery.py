"""The process dies at each named point of a deed; whoever opens the store next finds it whole."""

import fcntl
import os
import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from patients.vault.keys import KeyGone, KeyStoreDamaged
from patients.vault.replicas import BLOCK, SLOT, epoch_of
from patients.vault.slots import SlotFileKeyStore

ROOT = bytes(range(100, 132))
ROLL = ["roll.key-written", "roll.slots-written", "roll.renamed", "roll.renamed:2", "roll.old-key-destroyed"]


def opened(path: Path, at: Callable[[str], None] = lambda point: None) -> SlotFileKeyStore:
    return SlotFileKeyStore(path / "keys", ROOT, [path / "mirror"], growth=4, at=at)


def dying_at(label: str) -> Callable[[str], None]:
    name, _, count = label.partition(":")
    left = [int(count or 1)]

    def at(point: str) -> None:
        left[0] -= point == name
        if left[0] == 0:
            os._exit(77)

    return at


def killed(path: Path, label: str, deed: Callable[[SlotFileKeyStore], object]) -> None:
    """Do `deed` in a child that dies at `label`, without any cleaning up; assert that it got there."""
    pid = os.fork()
    if pid == 0:
        deed(opened(path, dying_at(label)))
        os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 77


def filled(path: Path) -> tuple[SlotFileKeyStore, dict[UUID, bytes], list[UUID]]:
    """A store with five live keys and two destroyed ones."""
    store = opened(path)
    keys = {(key_id := uuid4()): store.create(key_id) for _ in range(7)}
    gone = list(keys)[2:4]
    for key_id in gone:
        store.destroy(key_id)
        del keys[key_id]
    return store, keys, gone


def epochs_in(directory: Path) -> set[int | None]:
    content = (directory / "epochs").read_bytes()
    return {epoch_of(content[place : place + SLOT]) for place in (0, BLOCK)} - {None}


def assert_whole(path: Path, store: SlotFileKeyStore, keys: dict[UUID, bytes], gone: list[UUID]) -> None:
    """Exactly `keys` are live, only the present epoch's key is left, and the mirror is the same."""
    assert set(store.ids()) == set(keys)
    assert store.get_many(keys) == keys
    for key_id in gone:
        with pytest.raises(KeyGone):
            store.get(key_id)
    epoch = store.state().epoch
    for name in ("keys", "mirror"):
        assert epochs_in(path / name) == {epoch}
        assert not (path / name / "slots.new").exists()
    for name in ("slots", "epochs"):
        assert (path / "keys" / name).read_bytes() == (path / "mirror" / name).read_bytes()


@pytest.mark.processes
@pytest.mark.parametrize("label", ROLL)
def test_a_roll_that_dies_is_either_done_or_not_begun(tmp_path: Path, label: str) -> None:
    _, keys, gone = filled(tmp_path)
    killed(tmp_path, label, SlotFileKeyStore.roll_epoch)
    store = opened(tmp_path)
    assert_whole(tmp_path, store, keys, gone)
    assert store.state().epoch == (1 if label in ROLL[:2] else 2)
    assert store.roll_epoch().survivors == 5
    assert_whole(tmp_path, opened(tmp_path), keys, gone)


@pytest.mark.processes
@pytest.mark.parametrize("label", ROLL)
def test_a_process_that_was_open_all_along_goes_on_after_anothers_roll_died(
    tmp_path: Path, label: str
) -> None:
    bystander, keys, gone = filled(tmp_path)
    killed(tmp_path, label, SlotFileKeyStore.roll_epoch)
    assert bystander.get_many(keys) == keys
    fresh = uuid4()
    keys[fresh] = bystander.create(fresh)
    bystander.destroy(gone_now := next(iter(keys)))
    del keys[gone_now]
    bystander.roll_epoch()
    assert_whole(tmp_path, bystander, keys, [*gone, gone_now])
    assert_whole(tmp_path, opened(tmp_path), keys, [*gone, gone_now])


@pytest.mark.processes
@pytest.mark.parametrize("label", ROLL)
def test_residue_of_a_broken_roll_opens_with_nothing(tmp_path: Path, label: str) -> None:
    """All files as they lay at the moment of death are kept, and tried under the store that recovered."""
    _, keys, _ = filled(tmp_path)
    killed(tmp_path, label, SlotFileKeyStore.roll_epoch)
    shutil.copytree(tmp_path / "keys", tmp_path / "kept")
    store = opened(tmp_path)
    store.destroy(gone := next(iter(keys)))
    store.roll_epoch()
    for name in ("slots", "slots.new"):
        if (tmp_path / "kept" / name).exists():
            attacker = tmp_path / f"attacker-{name}"
            shutil.copytree(tmp_path / "keys", attacker / "keys")
            shutil.copy(tmp_path / "kept" / name, attacker / "keys" / "slots")
            with pytest.raises(KeyStoreDamaged):
                SlotFileKeyStore(attacker / "keys", ROOT).get(gone)


@pytest.mark.processes
def test_two_rolls_that_die_in_a_row_leave_nothing_behind(tmp_path: Path) -> None:
    _, keys, gone = filled(tmp_path)
    for label in (*ROLL, *reversed(ROLL)):
        killed(tmp_path, label, SlotFileKeyStore.roll_epoch)
    assert_whole(tmp_path, opened(tmp_path), keys, gone)


@pytest.mark.processes
def test_a_reader_that_recovers_waits_until_it_is_alone(tmp_path: Path) -> None:
    bystander, keys, gone = filled(tmp_path)
    killed(tmp_path, "roll.renamed", SlotFileKeyStore.roll_epoch)
    fd = os.open(tmp_path / "keys" / "lock", os.O_RDWR)
    fcntl.flock(fd, fcntl.LOCK_SH)
    found: list[dict[UUID, bytes]] = []
    reader = threading.Thread(target=lambda: found.append(bystander.get_many(keys)))
    reader.start()
    reader.join(0.3)
    assert found == []
    assert epochs_in(tmp_path / "keys") == {1, 2}
    fcntl.flock(fd, fcntl.LOCK_UN)
    os.close(fd)
    reader.join(20)
    assert found == [keys]
    assert_whole(tmp_path, bystander, keys, gone)


@pytest.mark.processes
def test_an_observer_says_that_a_roll_was_broken_off(tmp_path: Path) -> None:
    filled(tmp_path)
    killed(tmp_path, "roll.slots-written", SlotFileKeyStore.roll_epoch)
    with pytest.raises(KeyStoreDamaged, match="interrupted"):
        SlotFileKeyStore.observer(tmp_path / "keys")
    assert epochs_in(tmp_path / "keys") == {1, 2}  # it only looked
    opened(tmp_path)
    SlotFileKeyStore.observer(tmp_path / "keys", [tmp_path / "mirror"])


@pytest.mark.processes
@pytest.mark.parametrize("label", ["create.written", "create.written:2", "create.durable"])
def test_a_creation_that_dies_spoils_nothing(tmp_path: Path, label: str) -> None:
    _, keys, gone = filled(tmp_path)
    late = uuid4()
    killed(tmp_path, label, lambda store: store.create(late))
    store = opened(tmp_path)
    assert store.destroy(late) is True  # the sweep's part: a key that no row names
    assert_whole(tmp_path, store, keys, [*gone, late])
    fresh = uuid4()
    keys[fresh] = store.create(fresh)
    assert_whole(tmp_path, opened(tmp_path), keys, gone)


@pytest.mark.processes
@pytest.mark.parametrize("label", ["destroy.written", "destroy.written:2", "destroy.durable"])
def test_a_destruction_that_dies_can_be_done_again(tmp_path: Path, label: str) -> None:
    bystander, keys, gone = filled(tmp_path)
    key_id = next(iter(keys))
    killed(tmp_path, label, lambda store: store.destroy(key_id))
    del keys[key_id]
    bystander.destroy(key_id)
    assert_whole(tmp_path, bystander, keys, [*gone, key_id])
    assert_whole(tmp_path, opened(tmp_path), keys, [*gone, key_id])


@pytest.mark.processes
@pytest.mark.parametrize("label", ["grow.laid-out", "grow.named", "grow.named:2"])
def test_growth_that_dies_loses_nothing(tmp_path: Path, label: str) -> None:
    _, keys, gone = filled(tmp_path)
    store = opened(tmp_path)
    while len(list(store.ids())) + len(gone) < 8:
        key_id = uuid4()
        keys[key_id] = store.create(key_id)
    killed(tmp_path, label, lambda store: store.create(uuid4()))
    fresh = uuid4()
    keys[fresh] = store.create(fresh)
    assert_whole(tmp_path, opened(tmp_path), keys, gone)


@pytest.mark.processes
def test_a_store_whose_beginning_died_begins_again(tmp_path: Path) -> None:
    killed(tmp_path, "begin.slots-written", lambda store: None)
    store = opened(tmp_path)
    key_id = uuid4()
    assert_whole(tmp_path, store, {key_id: store.create(key_id)}, [])
