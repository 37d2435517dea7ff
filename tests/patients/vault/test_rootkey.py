"""Where the root key comes from."""

import os
from pathlib import Path

import pytest

from patients.vault.keys import KeyStoreDamaged
from patients.vault.rootkey import root_key_from


def test_it_is_made_once_where_told_to_and_read_ever_after(tmp_path: Path) -> None:
    path = tmp_path / "new" / "root-key"
    key = root_key_from(path, create=True)
    assert len(key) == 32
    assert path.stat().st_mode & 0o777 == 0o600
    assert root_key_from(path) == root_key_from(path, create=True) == key
    assert [file.name for file in path.parent.iterdir()] == ["root-key"]
    assert root_key_from(tmp_path / "other", create=True) != key


def test_a_missing_file_is_an_error_unless_told_to_make_it(tmp_path: Path) -> None:
    with pytest.raises(KeyStoreDamaged, match="no root key file"):
        root_key_from(tmp_path / "root-key")
    assert list(tmp_path.iterdir()) == []


def test_the_environments_key_goes_before_the_file(tmp_path: Path) -> None:
    assert root_key_from(tmp_path / "root-key", "ab" * 32, create=True) == bytearray(b"\xab" * 32)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("text", ["", "ab", "zz" * 32, "ab" * 33, "ä" * 64])
def test_what_is_no_key_is_refused_and_not_repeated(tmp_path: Path, text: str) -> None:
    (tmp_path / "root-key").write_text(text)
    with pytest.raises(KeyStoreDamaged) as caught:
        root_key_from(tmp_path / "root-key", create=True)
    assert not text or text not in str(caught.value)
    assert (tmp_path / "root-key").read_text() == text


def test_of_many_who_make_it_at_once_all_get_the_first(tmp_path: Path) -> None:
    ready, told = os.pipe()
    children = []
    for _ in range(6):
        pid = os.fork()
        if pid == 0:
            os.write(told, bytes(root_key_from(tmp_path / "root-key", create=True)))
            os._exit(0)
        children.append(pid)
    for pid in children:
        assert os.waitpid(pid, 0)[1] == 0
    keys = {os.read(ready, 32) for _ in children}
    assert keys == {bytes(root_key_from(tmp_path / "root-key"))}
    os.close(ready)
    os.close(told)
