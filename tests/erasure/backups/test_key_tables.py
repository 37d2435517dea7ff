"""Keys in PostgreSQL: backups leave their tables out, and a restore needs these tables first."""

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
from tests.erasure.backups.empty_installation import empty_installation
from tests.erasure.backups.test_restore import run_startup_checks
from tests.factories import make_case, make_keepsake, make_memory
from tests.patients.vault.tokens import MODULE, PIN, token
from tests.processes import database_address

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


def address_of(database: str) -> str:
    """The address of another database on the test's server."""
    own = connection.settings_dict["NAME"]
    return f"{database_address().removesuffix(own)}{database}"


def copy_key_tables(from_database: str, directory: Path) -> None:
    """Copy the tables of keys from another database, with the commands of docs/keys.md."""
    file = str(directory / "keys.sql")
    tables = [f"--table={table}" for table in sorted(KEY_TABLES)]
    for command in (
        ["pg_dump", *tables, "--no-owner", f"--file={file}", address_of(from_database)],
        ["psql", "--quiet", f"--file={file}", address_of(connection.settings_dict["NAME"])],
    ):
        subprocess.run(command, check=True, capture_output=True)  # noqa: S603 - our own command


def test_a_backup_leaves_key_tables_out_and_a_restore_uses_them(tmp_path: Path) -> None:
    memory = make_memory(make_case())
    kept, later_gone = make_keepsake(memory), make_keepsake(memory)
    assert kept.picture
    picture = read(kept.picture)
    own = connection.settings_dict["NAME"]
    backup = Path(make_backup(tmp_path / "backup")[0].directory)
    table_of_contents = subprocess.run(  # noqa: S603
        ["pg_restore", "--list", str(backup / "database.dump")],  # noqa: S607
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    assert "patients_storedobject" in table_of_contents
    assert not [table for table in KEY_TABLES if table in table_of_contents]
    remove_keepsake(later_gone, by=later_gone.case.patient)
    configured.reset()
    with empty_installation(tmp_path):
        with pytest.raises(BackupRefused, match="which no backup holds"):
            restore(backup)
        assert connection.introspection.table_names() == []
        copy_key_tables(own, tmp_path)
        restore(backup)
        run_startup_checks()
        found = Keepsake.objects.get(pk=kept.pk)
        assert found.picture
        assert read(found.picture) == picture
        assert Keepsake.objects.get(pk=later_gone.pk).picture is None
        assert keyless() == set()
        configured.reset()


def test_the_server_does_not_start_with_empty_key_tables() -> None:
    make_keepsake(make_memory(make_case()))
    assert list(key_store().ids())
    check_keys()
    WrappedKey.objects.all().delete()
    with pytest.raises(CannotStart, match="The tables of keys are empty"):
        check_keys()


def test_with_keys_in_files_the_backup_contains_empty_key_tables(
    settings: django_settings, tmp_path: Path
) -> None:
    settings.LACUNA_KEYS = "slots"
    configured.reset()
    make_keepsake(make_memory(make_case()))
    backup = Path(make_backup(tmp_path / "backup")[0].directory)
    with empty_installation(tmp_path):
        restore(backup)
        run_startup_checks()
        assert set(connection.introspection.table_names()) >= KEY_TABLES
