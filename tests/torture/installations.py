"""A new installation for each sequence of events: database, vault, keys, signing key and witnesses."""

import os
import shutil
from pathlib import Path

import psycopg
from django.conf import settings
from django.db import connection, connections

from patients.vault import configured


class Installations:
    """Makes the installations of one test, one after another, with their files in `directory`.

    Each begins with a copy of the test's own database, which has the tables and no rows.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._database_settings = connection.settings_dict
        self._own_name = self._database_settings["NAME"]
        self._blank = directory / "blank.sqlite3"
        self._count = 0
        if connection.vendor == "sqlite":
            with connection.cursor() as cursor:
                cursor.execute("VACUUM INTO %s", [str(self._blank)])

    def open(self) -> Path:
        """Make a new installation and point the settings to it. Returns the directory of its files."""
        self._count += 1
        place = self.directory / f"installation-{self._count}"
        place.mkdir()
        settings.LACUNA_DATA_DIR = place
        for name in ("KEYS_DIR", "ROOT_KEY_FILE", "SIGNING_KEY_FILE", "WITNESS_DIR"):
            setattr(settings, f"LACUNA_{name}", place / name.lower())
        self.use_new_vault(place)
        configured.reset()
        self._new_database(like=self._own_name)
        return place

    def use_new_vault(self, place: Path) -> None:
        """Store ciphertext in a new, empty directory from now on."""
        settings.LACUNA_VAULT_DIR = place / f"vault-{os.urandom(2).hex()}"
        # Assigning STORAGES makes Django create the vault's storage again.
        settings.STORAGES = {**settings.STORAGES}

    def use_empty_database(self) -> None:
        """Replace the database by one without tables."""
        self._new_database(like="template0")

    def close(self) -> None:
        """Go back to the database that the test began with."""
        self._drop_database()
        self._database_settings["NAME"] = self._own_name

    def _drop_database(self) -> None:
        connections.close_all()
        if connection.vendor == "postgresql":
            connection.close_pool()
        name = self._database_settings["NAME"]
        if name == self._own_name:
            return
        if connection.vendor == "postgresql":
            self._execute(f"DROP DATABASE {name}")
            return
        for suffix in ("", "-wal", "-shm"):
            Path(f"{name}{suffix}").unlink(missing_ok=True)

    def _new_database(self, like: str) -> None:
        self._drop_database()
        name = f"lacuna_torture_{os.urandom(6).hex()}"
        if connection.vendor == "postgresql":
            self._execute(f"CREATE DATABASE {name} TEMPLATE {like}")
        else:
            name = str(self.directory / f"{name}.sqlite3")
            if like == self._own_name:
                shutil.copyfile(self._blank, name)
        self._database_settings["NAME"] = name

    def _execute(self, statement: str) -> None:
        with psycopg.connect(
            dbname="postgres",
            host=self._database_settings["HOST"] or None,
            port=self._database_settings["PORT"] or None,
            user=self._database_settings["USER"] or None,
            password=self._database_settings["PASSWORD"] or None,
            autocommit=True,
        ) as server:
            server.execute(statement)  # type: ignore[arg-type] # names are our own
