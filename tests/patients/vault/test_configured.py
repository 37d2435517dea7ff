"""The store that the settings name, once in each process."""

import os
from pathlib import Path
from uuid import uuid4

import pytest

from patients.vault.configured import key_store, reset
from patients.vault.keys import KeyStoreDamaged
from patients.vault.slots import SlotFileKeyStore


def test_it_is_made_on_first_use_and_opened_once(tmp_path: Path) -> None:
    store, key_id = key_store(), uuid4()
    key = store.create(key_id)
    assert key_store() is store
    assert (tmp_path / "root-key").stat().st_mode & 0o777 == 0o600
    reset()
    assert key_store() is not store
    assert key_store().get(key_id) == key


def test_settings_name_root_key_and_mirrors(tmp_path: Path, settings: object) -> None:
    settings.LACUNA_ROOT_KEY = "ab" * 32
    settings.LACUNA_KEY_MIRRORS = [str(tmp_path / "mirror")]
    key_id = uuid4()
    key = key_store().create(key_id)
    assert not (tmp_path / "root-key").exists()
    assert key_store().state().mirrors == 1
    assert SlotFileKeyStore(tmp_path / "mirror", b"\xab" * 32).get(key_id) == key


def test_a_lost_root_key_is_not_replaced(tmp_path: Path) -> None:
    key_store().create(uuid4())
    reset()
    (tmp_path / "root-key").unlink()
    with pytest.raises(KeyStoreDamaged, match="no root key file"):
        key_store()
    assert not (tmp_path / "root-key").exists()


def test_a_child_has_a_store_of_its_own() -> None:
    store, key_id = key_store(), uuid4()
    key = store.create(key_id)
    pid = os.fork()
    if pid == 0:
        os._exit(0 if key_store() is not store and key_store().get(key_id) == key else 1)
    assert os.waitpid(pid, 0)[1] == 0
    assert key_store() is store
