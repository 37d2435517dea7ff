"""An empty house beside the test's own: another database and another vault, the same keys and witnesses."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.conf import settings
from django.db import connection, connections


def _closed() -> None:
    connections.close_all()
    if connection.vendor == "postgresql":
        connection.close_pool()  # it would go on connecting to the database it was made for


@contextmanager
def empty_database(directory: Path) -> Iterator[str]:
    """Let Django's connection be to an empty database for a while; yields its name."""
    chosen, own = connection.settings_dict, connection.settings_dict["NAME"]
    other = f"lacuna_restored_{os.urandom(4).hex()}"
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute(f"CREATE DATABASE {other} TEMPLATE template0")
    else:
        other = str(directory / f"{other}.sqlite3")
    _closed()
    chosen["NAME"] = other
    try:
        yield other
    finally:
        _closed()
        chosen["NAME"] = own
        if connection.vendor == "postgresql":
            with connection.cursor() as cursor:
                cursor.execute(f"DROP DATABASE {other}")


@contextmanager
def empty_house(directory: Path) -> Iterator[Path]:
    """An empty database and an empty vault for a while, the keys, the signing key and the witnesses kept."""
    own = settings.LACUNA_DATA_DIR, settings.LACUNA_VAULT_DIR
    new = directory / f"house-{os.urandom(2).hex()}"
    new.mkdir()
    with empty_database(directory):
        settings.LACUNA_DATA_DIR, settings.LACUNA_VAULT_DIR = new, new / "vault"
        settings.STORAGES = {**settings.STORAGES}  # has the vault's storage made anew
        try:
            yield new
        finally:
            settings.LACUNA_DATA_DIR, settings.LACUNA_VAULT_DIR = own
            settings.STORAGES = {**settings.STORAGES}
