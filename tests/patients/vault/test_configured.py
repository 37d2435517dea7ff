"""key_store: opens the key store that the settings choose, once in each process."""

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from uuid import uuid4

import pytest
from django.core.exceptions import ImproperlyConfigured

from patients.vault import configured
from patients.vault.configured import key_observer, key_store, reset
from patients.vault.keys import KeyStoreDamaged
from patients.vault.slots import SlotFileKeyStore
from patients.vault.token import Token
from tests.patients.vault.tokens import MODULE, PIN, token
from tests.processes import environment

__all__ = ["token"]


def test_the_store_is_created_at_the_first_use_and_opened_once(tmp_path: Path) -> None:
    store, key_id = key_store(), uuid4()
    key = store.create(key_id)
    assert key_store() is store
    assert (tmp_path / "root-key").stat().st_mode & 0o777 == 0o600
    reset()
    assert key_store() is not store
    assert key_store().get(key_id) == key


def test_settings_give_the_root_key_and_the_mirrors(tmp_path: Path, settings: object) -> None:
    settings.LACUNA_ROOT_KEY = "ab" * 32
    settings.LACUNA_KEY_MIRRORS = [str(tmp_path / "mirror")]
    key_id = uuid4()
    key = key_store().create(key_id)
    assert not (tmp_path / "root-key").exists()
    assert key_store().state().mirrors == 1
    assert SlotFileKeyStore(tmp_path / "mirror", b"\xab" * 32).get(key_id) == key


def test_a_missing_root_key_is_an_error_and_is_not_replaced(tmp_path: Path) -> None:
    key_store().create(uuid4())
    reset()
    (tmp_path / "root-key").unlink()
    with pytest.raises(KeyStoreDamaged, match="no root key file"):
        key_store()
    assert not (tmp_path / "root-key").exists()


def test_a_forked_process_opens_its_own_store() -> None:
    store, key_id = key_store(), uuid4()
    key = store.create(key_id)
    pid = os.fork()
    if pid == 0:
        os._exit(0 if key_store() is not store and key_store().get(key_id) == key else 1)
    assert os.waitpid(pid, 0)[1] == 0
    assert key_store() is store


def token_settings(settings: object, path: Path) -> None:
    (path / "pin").write_text(f"{PIN}\n")
    settings.LACUNA_TOKEN_MODULE, settings.LACUNA_TOKEN_LABEL = str(MODULE), "lacuna"
    settings.LACUNA_TOKEN_PIN, settings.LACUNA_TOKEN_PIN_FILE = "", str(path / "pin")


def test_with_a_token_no_root_key_is_created(tmp_path: Path, settings: object, token: Token) -> None:
    token_settings(settings, tmp_path)
    key_id = uuid4()
    key = key_store().create(key_id)
    reset()
    assert key_store().get(key_id) == key
    assert key_store().state().custody == "token"
    assert not (tmp_path / "root-key").exists()
    assert key_observer().attest(key_id).state == "live"


def test_a_token_without_a_pin_is_refused(tmp_path: Path, settings: object, token: Token) -> None:
    token_settings(settings, tmp_path)
    settings.LACUNA_TOKEN_PIN_FILE = str(tmp_path / "nowhere")
    with pytest.raises(ImproperlyConfigured, match="LACUNA_TOKEN_PIN_FILE cannot be read"):
        key_store()
    settings.LACUNA_TOKEN_PIN_FILE = ""
    with pytest.raises(ImproperlyConfigured, match="neither LACUNA_TOKEN_PIN nor"):
        key_store()


def test_a_slot_file_is_refused_with_several_machines(tmp_path: Path, settings: object) -> None:
    settings.LACUNA_SEVERAL_MACHINES = True
    for opening in (key_store, key_observer):
        with pytest.raises(ImproperlyConfigured, match="Several machines serve this installation"):
            opening()
    assert not (tmp_path / "keys").exists()
    settings.LACUNA_SEVERAL_MACHINES = False
    key_store()


@pytest.mark.parametrize(
    ("redis", "setting", "several"),
    [
        ("", "", False),
        ("redis://localhost:6379/0", "", False),
        ("redis://127.0.0.1:6379/0", "", False),
        ("unix:///run/redis.sock", "", False),
        ("redis://cache.clinic:6379/0", "", True),
        ("redis://cache.clinic:6379/0", "0", False),
        ("", "1", True),
    ],
)
def test_redis_on_another_host_implies_several_machines(redis: str, setting: str, several: bool) -> None:
    command = "from django.conf import settings; print(settings.LACUNA_SEVERAL_MACHINES)"
    env = environment(LACUNA_REDIS=redis) | ({"LACUNA_SEVERAL_MACHINES": setting} if setting else {})
    done = subprocess.run(  # noqa: S603 - our own command line
        [sys.executable, "-c", command], env=env, capture_output=True, text=True, check=True
    )
    assert done.stdout == f"{several}\n"


def test_keys_in_the_database_need_postgresql_a_token_and_no_mirrors(
    tmp_path: Path, settings: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.LACUNA_KEYS = "elsewhere"
    with pytest.raises(ImproperlyConfigured, match="neither slots nor database"):
        key_store()
    settings.LACUNA_KEYS = "database"
    with monkeypatch.context() as patched:
        patched.setattr(configured, "connection", SimpleNamespace(vendor="sqlite"))
        with pytest.raises(ImproperlyConfigured, match="needs PostgreSQL"):
            key_store()
        patched.setattr(configured, "connection", SimpleNamespace(vendor="postgresql"))
        with pytest.raises(ImproperlyConfigured, match="needs a PKCS#11 token"):
            key_store()
        settings.LACUNA_TOKEN_MODULE = "/somewhere.so"
        settings.LACUNA_KEY_MIRRORS = [tmp_path / "mirror"]
        with pytest.raises(ImproperlyConfigured, match="copies of a slot file"):
            key_store()
