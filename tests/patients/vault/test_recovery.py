"""A process is killed at each named point of an operation; whoever opens the store next finds it complete."""

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
KILLED = 77  # the exit code of a process that died at its point
ROLL = ["roll.key-written", "roll.slots-written", "roll.renamed", "roll.renamed:2", "roll.old-key-destroyed"]


def open_store(path: Path, at: Callable[[str], None] = lambda point: None) -> SlotFileKeyStore:
    return SlotFileKeyStore(path / "keys", ROOT, [path / "mirror"], growth=4, at=at)


def dying_at(label: str) -> Callable[[str], None]:
    """A function for the store's `at` that ends the process at a point.

    label: the point's name, or `name:2` for its second time.
    """
    name, _, count = label.partition(":")
    left = [int(count or 1)]

    def at(point: str) -> None:
        if point == name:
            left[0] -= 1
        if left[0] == 0:
            os._exit(KILLED)

    return at


def run_killed(path: Path, label: str, operation: Callable[[SlotFileKeyStore], object]) -> None:
    """Call `operation` in a child process that dies at `label` without cleaning up; assert that it did."""
    pid = os.fork()
    if pid == 0:
        operation(open_store(path, dying_at(label)))
        os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == KILLED


def make_keys(path: Path) -> tuple[SlotFileKeyStore, dict[UUID, bytes], list[UUID]]:
    """Create a store with five live keys and two destroyed ones."""
    store = open_store(path)
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
    """Assert that exactly `keys` are live, only the present epoch's key exists, and the mirror is equal."""
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
def test_a_killed_roll_is_either_complete_or_not_begun(tmp_path: Path, label: str) -> None:
    _, keys, gone = make_keys(tmp_path)
    run_killed(tmp_path, label, SlotFileKeyStore.roll_epoch)
    store = open_store(tmp_path)
    assert_whole(tmp_path, store, keys, gone)
    assert store.state().epoch == (1 if label in ROLL[:2] else 2)
    assert store.roll_epoch().survivors == 5
    assert_whole(tmp_path, open_store(tmp_path), keys, gone)


@pytest.mark.processes
@pytest.mark.parametrize("label", ROLL)
def test_an_open_store_works_after_a_roll_of_another_process_was_killed(tmp_path: Path, label: str) -> None:
    bystander, keys, gone = make_keys(tmp_path)
    run_killed(tmp_path, label, SlotFileKeyStore.roll_epoch)
    assert bystander.get_many(keys) == keys
    fresh = uuid4()
    keys[fresh] = bystander.create(fresh)
    bystander.destroy(gone_now := next(iter(keys)))
    del keys[gone_now]
    bystander.roll_epoch()
    assert_whole(tmp_path, bystander, keys, [*gone, gone_now])
    assert_whole(tmp_path, open_store(tmp_path), keys, [*gone, gone_now])


@pytest.mark.processes
@pytest.mark.parametrize("label", ROLL)
def test_residues_of_a_killed_roll_cannot_be_opened(tmp_path: Path, label: str) -> None:
    """The files at the moment of death are kept, and tried with the keys of the recovered store."""
    _, keys, _ = make_keys(tmp_path)
    run_killed(tmp_path, label, SlotFileKeyStore.roll_epoch)
    shutil.copytree(tmp_path / "keys", tmp_path / "kept")
    store = open_store(tmp_path)
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
def test_consecutive_killed_rolls_leave_nothing_behind(tmp_path: Path) -> None:
    _, keys, gone = make_keys(tmp_path)
    for label in (*ROLL, *reversed(ROLL)):
        run_killed(tmp_path, label, SlotFileKeyStore.roll_epoch)
    assert_whole(tmp_path, open_store(tmp_path), keys, gone)


@pytest.mark.processes
def test_a_recovering_reader_waits_for_the_exclusive_lock(tmp_path: Path) -> None:
    bystander, keys, gone = make_keys(tmp_path)
    run_killed(tmp_path, "roll.renamed", SlotFileKeyStore.roll_epoch)
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
def test_an_observer_reports_an_interrupted_roll(tmp_path: Path) -> None:
    make_keys(tmp_path)
    run_killed(tmp_path, "roll.slots-written", SlotFileKeyStore.roll_epoch)
    with pytest.raises(KeyStoreDamaged, match="interrupted"):
        SlotFileKeyStore.observer(tmp_path / "keys")
    assert epochs_in(tmp_path / "keys") == {1, 2}  # the observer changed nothing
    open_store(tmp_path)
    SlotFileKeyStore.observer(tmp_path / "keys", [tmp_path / "mirror"])


@pytest.mark.processes
@pytest.mark.parametrize("label", ["create.written", "create.written:2", "create.durable"])
def test_a_killed_creation_changes_no_other_key_and_can_be_undone(tmp_path: Path, label: str) -> None:
    _, keys, gone = make_keys(tmp_path)
    late = uuid4()
    run_killed(tmp_path, label, lambda store: store.create(late))
    store = open_store(tmp_path)
    assert store.destroy(late) is True  # as the sweep does with a key that has no row
    assert_whole(tmp_path, store, keys, [*gone, late])
    fresh = uuid4()
    keys[fresh] = store.create(fresh)
    assert_whole(tmp_path, open_store(tmp_path), keys, gone)


@pytest.mark.processes
@pytest.mark.parametrize("label", ["destroy.written", "destroy.written:2", "destroy.durable"])
def test_a_killed_destruction_can_be_repeated(tmp_path: Path, label: str) -> None:
    bystander, keys, gone = make_keys(tmp_path)
    key_id = next(iter(keys))
    run_killed(tmp_path, label, lambda store: store.destroy(key_id))
    del keys[key_id]
    bystander.destroy(key_id)
    assert_whole(tmp_path, bystander, keys, [*gone, key_id])
    assert_whole(tmp_path, open_store(tmp_path), keys, [*gone, key_id])


@pytest.mark.processes
@pytest.mark.parametrize("label", ["grow.laid-out", "grow.named", "grow.named:2"])
def test_a_killed_growth_loses_nothing(tmp_path: Path, label: str) -> None:
    _, keys, gone = make_keys(tmp_path)
    store = open_store(tmp_path)
    while len(list(store.ids())) + len(gone) < 8:
        key_id = uuid4()
        keys[key_id] = store.create(key_id)
    run_killed(tmp_path, label, lambda store: store.create(uuid4()))
    fresh = uuid4()
    keys[fresh] = store.create(fresh)
    assert_whole(tmp_path, open_store(tmp_path), keys, gone)


@pytest.mark.processes
def test_a_store_whose_creation_was_killed_can_be_created_again(tmp_path: Path) -> None:
    run_killed(tmp_path, "begin.slots-written", lambda store: None)
    store = open_store(tmp_path)
    key_id = uuid4()
    assert_whole(tmp_path, store, {key_id: store.create(key_id)}, [])
