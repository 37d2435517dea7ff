"""An empty installation for restores: another database and vault, but the same keys and witnesses."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.conf import settings
from django.db import connection, connections


def _close_connections() -> None:
    connections.close_all()
    if connection.vendor == "postgresql":
        connection.close_pool()  # the pool would keep connecting to the old database


@contextmanager
def empty_database(directory: Path) -> Iterator[str]:
    """Connect Django to a new, empty database inside the `with` block. Yields the database's name."""
    database_settings, own_name = connection.settings_dict, connection.settings_dict["NAME"]
    other = f"lacuna_restored_{os.urandom(4).hex()}"
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute(f"CREATE DATABASE {other} TEMPLATE template0")
    else:
        other = str(directory / f"{other}.sqlite3")
    _close_connections()
    database_settings["NAME"] = other
    try:
        yield other
    finally:
        _close_connections()
        database_settings["NAME"] = own_name
        if connection.vendor == "postgresql":
            with connection.cursor() as cursor:
                cursor.execute(f"DROP DATABASE {other}")


@contextmanager
def empty_installation(directory: Path) -> Iterator[Path]:
    """Use an empty database and vault inside the `with` block. Keys, signing key and witnesses stay the same.

    Yields the new data directory.
    """
    own = settings.LACUNA_DATA_DIR, settings.LACUNA_VAULT_DIR
    new = directory / f"installation-{os.urandom(2).hex()}"
    new.mkdir()
    with empty_database(directory):
        settings.LACUNA_DATA_DIR, settings.LACUNA_VAULT_DIR = new, new / "vault"
        # Assigning STORAGES makes Django create the vault's storage again.
        settings.STORAGES = {**settings.STORAGES}
        try:
            yield new
        finally:
            settings.LACUNA_DATA_DIR, settings.LACUNA_VAULT_DIR = own
            settings.STORAGES = {**settings.STORAGES}
