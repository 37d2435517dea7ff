"""Keys in PostgreSQL: no backup takes their tables, and none is brought back without them."""

import subprocess
from pathlib import Path

import pytest
from django.conf import settings as django_settings
from django.db import connection

from erasure.backups.create import make_backup
from erasure.backups.database import KEY_TABLES
from erasure.backups.manifest import BackupRefused
from erasure.backups.restoring import restore
from erasure.operations.reconcile import keyless
from erasure.operations.startup import CannotStart, check_keys
from patients.keepsakes.models import Keepsake
from patients.keepsakes.removal import remove_keepsake
from patients.vault import configured
from patients.vault.configured import key_store
from patients.vault.models import WrappedKey
from patients.vault.objects import read
from patients.vault.token import Token
from tests.erasure.backups.elsewhere import empty_house
from tests.erasure.backups.test_restore import open_house
from tests.factories import make_case, make_keepsake, make_memory
from tests.house import database_address
from tests.patients.vault.tokens import MODULE, PIN, token

__all__ = ["token"]

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.only_on("postgresql"),
]


@pytest.fixture(autouse=True)
def keys_in_the_database(settings: django_settings, token: Token) -> None:
    settings.LACUNA_KEYS = "database"
    settings.LACUNA_TOKEN_MODULE = str(MODULE)
    settings.LACUNA_TOKEN_LABEL, settings.LACUNA_TOKEN_PIN = "lacuna", PIN
    configured.reset()


def address(name: str) -> str:
    """Where another database of the test's server is."""
    own = connection.settings_dict["NAME"]
    return f"{database_address().removesuffix(own)}{name}"


def bring_keys(from_database: str, directory: Path) -> None:
    """As docs/keys.md says."""
    file = str(directory / "keys.sql")
    tables = [f"--table={table}" for table in sorted(KEY_TABLES)]
    for command in (
        ["pg_dump", *tables, "--no-owner", f"--file={file}", address(from_database)],
        ["psql", "--quiet", f"--file={file}", address(connection.settings_dict["NAME"])],
    ):
        subprocess.run(command, check=True, capture_output=True)  # noqa: S603 - our own words


def test_they_are_left_out_and_the_kept_opens_again_with_them(tmp_path: Path) -> None:
    memory = make_memory(make_case())
    kept, later_gone = make_keepsake(memory), make_keepsake(memory)
    assert kept.picture
    picture = read(kept.picture)
    own = connection.settings_dict["NAME"]
    backup = Path(make_backup(tmp_path / "backup")[0].directory)
    listed = subprocess.run(  # noqa: S603
        ["pg_restore", "--list", str(backup / "database.dump")],  # noqa: S607
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    assert "patients_storedobject" in listed
    assert not [table for table in KEY_TABLES if table in listed]
    remove_keepsake(later_gone, by=later_gone.case.patient)
    configured.reset()
    with empty_house(tmp_path):
        with pytest.raises(BackupRefused, match="which no backup holds"):
            restore(backup)
        assert connection.introspection.table_names() == []
        bring_keys(own, tmp_path)
        restore(backup)
        open_house()
        found = Keepsake.objects.get(pk=kept.pk)
        assert found.picture
        assert read(found.picture) == picture
        assert Keepsake.objects.get(pk=later_gone.pk).picture is None
        assert keyless() == set()
        configured.reset()


def test_a_house_does_not_open_on_empty_tables_of_keys() -> None:
    make_keepsake(make_memory(make_case()))
    assert list(key_store().ids())
    check_keys()
    WrappedKey.objects.all().delete()
    with pytest.raises(CannotStart, match="The tables of keys are empty"):
        check_keys()


def test_keys_elsewhere_leave_empty_tables_in_the_backup(settings: django_settings, tmp_path: Path) -> None:
    settings.LACUNA_KEYS = "slots"
    configured.reset()
    make_keepsake(make_memory(make_case()))
    backup = Path(make_backup(tmp_path / "backup")[0].directory)
    with empty_house(tmp_path):
        restore(backup)
        open_house()
        assert set(connection.introspection.table_names()) >= KEY_TABLES
