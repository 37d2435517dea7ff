"""The operator's command `manage.py keys`."""

from io import StringIO
from pathlib import Path
from uuid import uuid4

import pytest
from django.core.management import CommandError, call_command

from clinic.audit.models import Entry
from patients.vault import key_operations
from patients.vault.configured import key_store, reset
from patients.vault.limits import IN_TOKEN, ROOT_IN_FILE, TOKEN_IS_A_PROGRAM
from patients.vault.models import CaseKey, WrappedKey
from patients.vault.token import Token
from tests.patients.vault.tokens import MODULE, PIN, token

__all__ = ["token"]

pytestmark = pytest.mark.django_db(transaction=True)


def output_of_keys(*arguments: str) -> str:
    out = StringIO()
    call_command("keys", *arguments, stdout=out, no_color=True)
    return out.getvalue()


def test_a_roll_by_the_command_is_recorded() -> None:
    keys = {(key_id := uuid4()): key_store().create(key_id) for _ in range(3)}
    key_store().destroy(gone := next(iter(keys)))
    del keys[gone]
    assert output_of_keys("roll") == "Epoch 2 began: 2 keys wrapped anew, 1 destroyed ones left behind.\n"
    assert key_store().get_many(keys) == keys
    entry = Entry.objects.get(action="keys.rolled-by-hand")
    assert (entry.actor, entry.subject) == ("system:operator", "keys:store")
    assert entry.details == {"epoch": 2, "survivors": 2, "dropped": 1, "custody": "wrapped-slot"}


def test_status_shows_the_state_and_its_limits() -> None:
    key_store().create(uuid4())
    key_store().create(gone := uuid4())
    key_store().destroy(gone)
    text = output_of_keys("status")
    assert "Data keys: 1, in a slot file, mirrors: 0; epoch 1\n" in text
    assert "Destroyed since the last roll: 1\n" in text
    assert "Keys above them: under a root key (file)\n" in text
    assert f"- {ROOT_IN_FILE}\n" in text
    assert Entry.objects.count() == 0


def test_a_roll_moves_the_keys_into_a_token(settings: object, token: Token, tmp_path: Path) -> None:
    keys = {(key_id := uuid4()): key_store().create(key_id) for _ in range(3)}
    (tmp_path / "pin").write_text(f"{PIN}\n")
    settings.LACUNA_TOKEN_MODULE, settings.LACUNA_TOKEN_PIN_FILE = str(MODULE), str(tmp_path / "pin")
    reset()
    assert "under a root key (file)" in output_of_keys("status")
    output_of_keys("roll")
    (tmp_path / "root-key").unlink()
    reset()
    text = output_of_keys("status")
    assert "Keys above them: inside the token (SoftHSM project SoftHSM v2)\n" in text
    assert f"- {IN_TOKEN}\n" in text
    assert f"- {TOKEN_IS_A_PROGRAM}\n" in text
    assert ROOT_IN_FILE not in text
    assert key_store().get_many(keys) == keys
    assert not (tmp_path / "root-key").exists()


def test_a_roll_replaces_the_root_key(settings: object, tmp_path: Path) -> None:
    keys = {(key_id := uuid4()): key_store().create(key_id) for _ in range(3)}
    (tmp_path / "new-key").write_text("cd" * 32)
    settings.LACUNA_ROOT_KEY_FILE = tmp_path / "new-key"
    reset()
    with pytest.raises(CommandError, match="the root key does not open the epoch key"):
        output_of_keys("status")
    settings.LACUNA_ROOT_KEY_FILE_BEFORE = str(tmp_path / "root-key")
    reset()
    assert key_store().get_many(keys) == keys
    output_of_keys("roll")
    settings.LACUNA_ROOT_KEY_FILE_BEFORE = ""
    (tmp_path / "root-key").unlink()
    reset()
    assert key_store().get_many(keys) == keys


def test_an_unusable_store_is_explained(tmp_path: Path) -> None:
    key_store().create(uuid4())
    reset()
    (tmp_path / "root-key").unlink()
    with pytest.raises(CommandError, match=r"^The key store cannot be used: there is no root key file$"):
        output_of_keys("status")


def test_strike_does_nothing_for_a_slot_file() -> None:
    key_store().create(uuid4())
    assert key_operations.strike(by="system:operator") == 0
    assert len(list(key_store().ids())) == 1


@pytest.mark.only_on("postgresql")
def test_strike_deletes_keys_that_a_restored_database_brought_back(settings: object, token: Token) -> None:
    settings.LACUNA_KEYS = "database"
    settings.LACUNA_TOKEN_MODULE, settings.LACUNA_TOKEN_PIN = str(MODULE), PIN
    case, beside = uuid4(), uuid4()
    keys = {(key_id := uuid4()): key_store().create(key_id, case) for _ in range(3)}
    key_store().create(other := uuid4(), beside)
    old_keys = list(WrappedKey.objects.filter(case_key=case))
    old_case_key = CaseKey.objects.get(pk=case)
    key_store().destroy(next(iter(keys)))
    key_store().roll_case(case)
    reset()
    for row in [old_case_key, *old_keys]:
        row.save()
    assert output_of_keys("strike") == "Struck: 3 keys that nothing opens any more.\n"
    assert set(key_store().ids()) == {other}
    assert Entry.objects.get(action="keys.struck").details == {"keys": 3}
    key = key_store().create(fresh := uuid4(), case)
    assert key_store().get(fresh) == key
