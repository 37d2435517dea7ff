"""root_key_from: reads the root key from the environment or a file, or creates the file."""

import os
from pathlib import Path

import pytest

from patients.vault.keys import KeyStoreDamaged
from patients.vault.rootkey import root_key_from


def test_the_file_is_created_once_if_asked_and_read_afterwards(tmp_path: Path) -> None:
    path = tmp_path / "new" / "root-key"
    key = root_key_from(path, create=True)
    assert len(key) == 32
    assert path.stat().st_mode & 0o777 == 0o600
    assert root_key_from(path) == root_key_from(path, create=True) == key
    assert [file.name for file in path.parent.iterdir()] == ["root-key"]
    assert root_key_from(tmp_path / "other", create=True) != key


def test_a_missing_file_is_an_error_unless_create_is_set(tmp_path: Path) -> None:
    with pytest.raises(KeyStoreDamaged, match="no root key file"):
        root_key_from(tmp_path / "root-key")
    assert list(tmp_path.iterdir()) == []


def test_the_key_of_the_environment_takes_precedence(tmp_path: Path) -> None:
    assert root_key_from(tmp_path / "root-key", "ab" * 32, create=True) == bytearray(b"\xab" * 32)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("text", ["", "ab", "zz" * 32, "ab" * 33, "ä" * 64])
def test_an_invalid_key_is_refused_and_not_in_the_message(tmp_path: Path, text: str) -> None:
    (tmp_path / "root-key").write_text(text)
    with pytest.raises(KeyStoreDamaged) as caught:
        root_key_from(tmp_path / "root-key", create=True)
    assert not text or text not in str(caught.value)
    assert (tmp_path / "root-key").read_text() == text


def test_concurrent_creators_all_get_the_same_key(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    children = []
    for _ in range(6):
        pid = os.fork()
        if pid == 0:
            os.write(writing, bytes(root_key_from(tmp_path / "root-key", create=True)))
            os._exit(0)
        children.append(pid)
    for pid in children:
        assert os.waitpid(pid, 0)[1] == 0
    keys = {os.read(reading, 32) for _ in children}
    assert keys == {bytes(root_key_from(tmp_path / "root-key"))}
    os.close(reading)
    os.close(writing)
