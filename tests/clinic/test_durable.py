"""Directories that last: that they are synced is tested where they are used (test_powerloss.py)."""

import stat
from pathlib import Path

import pytest

from clinic.durable import make_directory


def test_a_directory_and_those_above_it_are_for_their_owner_alone(tmp_path: Path) -> None:
    make_directory(tmp_path / "a" / "b")
    make_directory(tmp_path / "a" / "b")
    modes = [stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "a", tmp_path / "a" / "b")]
    assert modes == [0o700, 0o700]


def test_a_file_in_its_place_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("where a directory should be")
    for path in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(NotADirectoryError):
            make_directory(path)
