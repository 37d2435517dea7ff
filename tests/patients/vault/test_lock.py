"""Several threads and processes use one key store at the same time."""

import fcntl
import os
import random
import signal
import threading
import traceback
from collections.abc import Callable
from multiprocessing.connection import wait
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from patients.vault.replicas import BLOCK, SLOT, epoch_of
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


def test_readers_share_and_a_writer_waits_for_them(tmp_path: Path) -> None:
    store, key_id = open_store(tmp_path), uuid4()
    store.create(key_id)
    fd = os.open(tmp_path / "keys" / "lock", os.O_RDWR)
    fcntl.flock(fd, fcntl.LOCK_SH)
    assert len(store.get(key_id)) == 32
    done = threading.Event()
    writer = threading.Thread(target=lambda: (store.destroy(key_id), done.set()))
    writer.start()
    assert not done.wait(0.2)
    fcntl.flock(fd, fcntl.LOCK_UN)
    assert done.wait(10)
    writer.join()
    os.close(fd)


def test_writers_exclude_each_other_in_one_store_and_in_two(tmp_path: Path) -> None:
    """While one writer is in the middle of its work, no other may write through the same or another store."""
    inside, leave, entered = threading.Event(), threading.Event(), []

    def wait_inside(point: str) -> None:
        if point == "create.written" and threading.current_thread().name == "first":
            inside.set()
            leave.wait(10)

    one, two = open_store(tmp_path, at=wait_inside), open_store(tmp_path)
    first = threading.Thread(target=one.create, args=[uuid4()], name="first")
    first.start()
    assert inside.wait(10)
    others = [
        threading.Thread(target=lambda store=store: entered.append(store.create(uuid4())))
        for store in (one, two, one, two)
    ]
    for thread in others:
        thread.start()
    others[0].join(0.2)
    assert entered == []
    leave.set()
    for thread in (first, *others):
        thread.join(10)
    assert len(entered) == 4
    assert len(list(one.ids())) == 5


def test_threads_of_one_store_lose_and_confuse_no_keys(tmp_path: Path) -> None:
    store, errors, keys = open_store(tmp_path, growth=4), [], {}

    def work(number: int) -> None:
        chance = random.Random(number)  # noqa: S311
        mine: dict[UUID, bytes] = {}
        try:
            for _ in range(25):
                key_id = uuid4()
                mine[key_id] = store.create(key_id)
                if chance.random() < 0.4:
                    gone = chance.choice(list(mine))
                    assert store.destroy(gone) is True
                    del mine[gone]
                if chance.random() < 0.1:
                    store.roll_epoch()
                assert store.get_many(mine) == mine
            keys.update(mine)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=[number]) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert errors == []
    assert open_store(tmp_path).get_many(store.ids()) == keys


# --- Processes -------------------------------------------------------------------------------------------


def in_children(count: int, work: Callable[[int], None]) -> list[int]:
    """Fork `count` children that run work(number); return their exit codes, 0 for one that ended well."""
    children = []
    for number in range(count):
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                work(number)
                code = 0
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(code)
        children.append(pid)
    return [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in children]


def test_a_store_opened_before_a_fork_works_in_parent_and_children(tmp_path: Path) -> None:
    store, key_id = open_store(tmp_path), uuid4()
    key = store.create(key_id)

    def work(number: int) -> None:
        assert store.get(key_id) == key
        store.create(UUID(int=number))
        if number == 0:
            store.roll_epoch()

    assert in_children(3, work) == [0, 0, 0]
    assert set(store.ids()) == {key_id, *(UUID(int=number) for number in range(3))}
    assert store.get(key_id) == key


def test_a_child_forked_while_a_thread_has_the_lock_waits_for_it(tmp_path: Path) -> None:
    inside, leave = threading.Event(), threading.Event()

    def wait_inside(point: str) -> None:
        if point == "create.written" and threading.current_thread().name == "holder":
            inside.set()
            leave.wait(20)

    store = open_store(tmp_path, at=wait_inside)
    holder = threading.Thread(target=store.create, args=[uuid4()], name="holder")
    holder.start()
    assert inside.wait(10)
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.write(writing, b"tries")
        store.create(UUID(int=1))
        os.write(writing, b"enters")
        signal.pause()
    try:
        assert os.read(reading, 16) == b"tries"
        assert wait([reading], 0.3) == []
        leave.set()
        holder.join(20)
        assert wait([reading], 20) == [reading]
        assert os.read(reading, 16) == b"enters"
    finally:
        leave.set()
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    assert len(list(store.ids())) == 2
    os.close(reading)
    os.close(writing)


@pytest.mark.processes
def test_processes_create_read_and_destroy_while_others_roll(tmp_path: Path) -> None:
    """Each process records which keys should exist; at the end the store must have exactly these."""
    ids = [[UUID(int=number * 1000 + place) for place in range(60)] for number in range(4)]

    def promise_file(number: int) -> Path:
        return tmp_path / f"promised-{number}"

    def work(number: int) -> None:
        store, chance = open_store(tmp_path, tmp_path / "mirror", growth=16), random.Random(number)  # noqa: S311
        mine: dict[UUID, bytes] = {}
        for key_id in ids[number]:
            mine[key_id] = store.create(key_id)
            if chance.random() < 0.5:
                gone = chance.choice(list(mine))
                assert store.destroy(gone) is True
                assert store.attest(gone).state == "destroyed" or store.attest(gone).state == "absent"
                assert store.get_many([gone]) == {}
                del mine[gone]
            if chance.random() < 0.08:
                store.roll_epoch()
            assert store.get_many(mine) == mine
        promise_file(number).write_text("\n".join(f"{key_id} {key.hex()}" for key_id, key in mine.items()))

    open_store(tmp_path, tmp_path / "mirror", growth=16)
    assert in_children(4, work) == [0] * 4
    lines = [line.split() for number in range(4) for line in promise_file(number).read_text().splitlines()]
    expected = {UUID(key_id): bytes.fromhex(key) for key_id, key in lines}
    store = open_store(tmp_path, tmp_path / "mirror", growth=16)
    assert set(store.ids()) == set(expected)
    assert store.get_many(expected) == expected
    assert (tmp_path / "keys" / "slots").read_bytes() == (tmp_path / "mirror" / "slots").read_bytes()


@pytest.mark.processes
def test_a_reader_in_another_process_sees_each_destruction_at_once(tmp_path: Path) -> None:
    """After each destruction, the other process, whose index is older, must find the key gone."""
    store, ids = open_store(tmp_path), [uuid4() for _ in range(40)]
    for key_id in ids:
        store.create(key_id)
    question_reading, question_writing = os.pipe()
    answer_reading, answer_writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        reader = open_store(tmp_path)
        assert len(list(reader.ids())) == len(ids)
        while index := os.read(question_reading, 1):
            os.write(answer_writing, b"1" if reader.get_many([ids[index[0]]]) else b"0")
        os._exit(0)
    os.close(question_reading)
    for index, key_id in enumerate(ids):
        os.write(question_writing, bytes([index]))
        assert os.read(answer_reading, 1) == b"1"
        store.destroy(key_id)
        if index % 7 == 3:
            store.roll_epoch()
        os.write(question_writing, bytes([index]))
        assert os.read(answer_reading, 1) == b"0"
    assert set(store.ids()) == set()
    os.close(question_writing)
    os.close(answer_reading)
    os.close(answer_writing)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
