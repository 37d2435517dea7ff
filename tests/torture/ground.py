"""A house of its own for each order of events: database, vault, keys, signing key and witnesses."""

import os
import shutil
from pathlib import Path

import psycopg
from django.conf import settings
from django.db import connection, connections

from patients.vault import configured


class Ground:
    """What the houses of one test stand on. `directory` is where their files are laid.

    Each house begins with a copy of the test's own database, which holds the tables and no row.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._chosen = connection.settings_dict
        self._own = self._chosen["NAME"]
        self._blank = directory / "blank.sqlite3"
        self._houses = 0
        if connection.vendor == "sqlite":
            with connection.cursor() as cursor:
                cursor.execute("VACUUM INTO %s", [str(self._blank)])

    def open(self) -> Path:
        """Build a new house and go there; return where its files are."""
        self._houses += 1
        place = self.directory / f"house-{self._houses}"
        place.mkdir()
        settings.LACUNA_DATA_DIR = place
        for name in ("KEYS_DIR", "ROOT_KEY_FILE", "SIGNING_KEY_FILE", "WITNESS_DIR"):
            setattr(settings, f"LACUNA_{name}", place / name.lower())
        self.another_vault(place)
        configured.reset()
        self._move(like=self._own)
        return place

    def another_vault(self, place: Path) -> None:
        """Let ciphertext lie on another and empty disk from now on."""
        settings.LACUNA_VAULT_DIR = place / f"vault-{os.urandom(2).hex()}"
        settings.STORAGES = {**settings.STORAGES}  # has the vault's storage made anew

    def empty_database(self) -> None:
        """Go on with a database in which there is no table; the one before is gone."""
        self._move(like="template0")

    def close(self) -> None:
        """Go back to where the test began."""
        self._leave()
        self._chosen["NAME"] = self._own

    def _leave(self) -> None:
        connections.close_all()
        if connection.vendor == "postgresql":
            connection.close_pool()
        name = self._chosen["NAME"]
        if name == self._own:
            return
        if connection.vendor == "postgresql":
            self._ask(f"DROP DATABASE {name}")
            return
        for suffix in ("", "-wal", "-shm"):
            Path(f"{name}{suffix}").unlink(missing_ok=True)

    def _move(self, like: str) -> None:
        self._leave()
        name = f"lacuna_torture_{os.urandom(6).hex()}"
        if connection.vendor == "postgresql":
            self._ask(f"CREATE DATABASE {name} TEMPLATE {like}")
        else:
            name = str(self.directory / f"{name}.sqlite3")
            if like == self._own:
                shutil.copyfile(self._blank, name)
        self._chosen["NAME"] = name

    def _ask(self, statement: str) -> None:
        with psycopg.connect(
            dbname="postgres",
            host=self._chosen["HOST"] or None,
            port=self._chosen["PORT"] or None,
            user=self._chosen["USER"] or None,
            password=self._chosen["PASSWORD"] or None,
            autocommit=True,
        ) as server:
            server.execute(statement)  # type: ignore[arg-type] # names are our own
