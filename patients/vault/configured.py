"""The key store that the settings name."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import connection

from clinic.failpoints import hit
from patients.vault.keys import KeyStore
from patients.vault.rootkey import root_key_from
from patients.vault.slots import SlotFileKeyStore

if TYPE_CHECKING:
    from patients.vault.token import Token

# By process, because a child must not share what its parent holds in mid-change, and by directory.
_stores: dict[tuple[int, str], KeyStore] = {}


def open_store() -> KeyStore:
    """Open the store that LACUNA_KEYS names, with the token or the root key that the settings name.

    A root key file is made on first use, but never for a store that exists: it would open nothing; and never
    where there is a token. Errors: ImproperlyConfigured, its text a sentence for whoever starts the house;
    KeyStoreDamaged, OSError.
    """
    check_settings()
    token = configured_token()
    if settings.LACUNA_KEYS == "database":
        from patients.vault.database_keys import DatabaseKeyStore  # a store in a file needs no psycopg

        return DatabaseKeyStore(connection.settings_dict, token, at=hit)
    directory, root_file = Path(settings.LACUNA_KEYS_DIR), Path(settings.LACUNA_ROOT_KEY_FILE)
    source: Literal["environment", "file"] = "environment" if settings.LACUNA_ROOT_KEY else "file"
    root_key = before = None
    if token is None or settings.LACUNA_ROOT_KEY or root_file.exists():
        new = not (directory / "epochs").exists()
        root_key = root_key_from(root_file, settings.LACUNA_ROOT_KEY, create=new)
    if settings.LACUNA_ROOT_KEY_FILE_BEFORE:
        before = root_key_from(Path(settings.LACUNA_ROOT_KEY_FILE_BEFORE))
    try:
        mirrors = [Path(mirror) for mirror in settings.LACUNA_KEY_MIRRORS]
        return SlotFileKeyStore(directory, root_key, mirrors, token=token, before=before, root=source, at=hit)
    finally:
        for key in (root_key, before):
            if key is not None:
                key[:] = bytes(len(key))


def key_observer() -> KeyStore:
    """A store to look at, for a process that may not change it and holds no secret: `attest`, `ids`, `state`.

    Errors: as `open_store`.
    """
    check_settings()
    if settings.LACUNA_KEYS == "database":
        from patients.vault.database_keys import DatabaseKeyStore

        return DatabaseKeyStore(connection.settings_dict, None)
    mirrors = [Path(mirror) for mirror in settings.LACUNA_KEY_MIRRORS]
    return SlotFileKeyStore.observer(Path(settings.LACUNA_KEYS_DIR), mirrors)


def check_settings() -> None:
    """Errors: ImproperlyConfigured for settings under which keys would not be safe, or not be found."""
    if settings.LACUNA_KEYS not in {"slots", "database"}:
        raise ImproperlyConfigured("LACUNA_KEYS is neither slots nor database.")
    if settings.LACUNA_KEYS == "slots":
        if settings.LACUNA_SEVERAL_MACHINES:
            raise ImproperlyConfigured(
                "Several machines serve this house, as LACUNA_SEVERAL_MACHINES or Redis on another host "
                "says, but LACUNA_KEYS=slots keeps the keys in a file of one. Set LACUNA_KEYS=database and a "
                "token, or LACUNA_SEVERAL_MACHINES=0 where this machine is the only one (docs/keys.md)."
            )
        return
    if connection.vendor != "postgresql":
        raise ImproperlyConfigured(
            "LACUNA_KEYS=database needs PostgreSQL: set LACUNA_DATABASE (docs/keys.md)."
        )
    if not settings.LACUNA_TOKEN_MODULE:
        raise ImproperlyConfigured(
            "LACUNA_KEYS=database needs a PKCS#11 token: a database cannot forget a row, so the keys of "
            "cases must stand elsewhere. Set LACUNA_TOKEN_MODULE (docs/keys.md)."
        )
    if settings.LACUNA_KEY_MIRRORS:
        raise ImproperlyConfigured(
            "LACUNA_KEY_MIRRORS are copies of a slot file; with LACUNA_KEYS=database there is none. Let the "
            "database and the token have their own replicas (docs/keys.md)."
        )


def configured_token() -> "Token | None":
    """The token that the settings name, if any; nothing is opened yet. Errors: ImproperlyConfigured."""
    if not settings.LACUNA_TOKEN_MODULE:
        return None
    from patients.vault.token import Token  # a house without a token needs no PKCS#11

    pin = settings.LACUNA_TOKEN_PIN
    if not pin and settings.LACUNA_TOKEN_PIN_FILE:
        try:
            pin = Path(settings.LACUNA_TOKEN_PIN_FILE).read_text().strip()
        except OSError as error:
            raise ImproperlyConfigured("LACUNA_TOKEN_PIN_FILE cannot be read.") from error
    if not pin:
        raise ImproperlyConfigured(
            "LACUNA_TOKEN_MODULE is set, and neither LACUNA_TOKEN_PIN nor LACUNA_TOKEN_PIN_FILE is."
        )
    return Token(Path(settings.LACUNA_TOKEN_MODULE), settings.LACUNA_TOKEN_LABEL, pin)


def key_store() -> KeyStore:
    """This process's key store, opened at its first use in the process. Errors: as `open_store`."""
    mine = (os.getpid(), str(settings.LACUNA_KEYS_DIR))
    store = _stores.get(mine)
    if store is None:
        store = _stores[mine] = open_store()
    return store


def reset() -> None:
    """Forget the open store, so that changed settings are read; for tests."""
    for (pid, _), store in _stores.items():
        if pid == os.getpid():
            store.close()
    _stores.clear()
