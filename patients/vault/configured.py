"""The key store that the settings choose."""

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

# By process id, because the parent may be changing its store while a child is forked, and by directory.
_stores: dict[tuple[int, str], KeyStore] = {}


def open_store() -> KeyStore:
    """Open and return the store that LACUNA_KEYS chooses, with the token or the root key from the settings.

    A missing root key file is created on first use, but not if the store exists (a new key would open
    nothing), and not if there is a token. Errors: ImproperlyConfigured, whose message is a sentence for the
    operator; KeyStoreDamaged, OSError.
    """
    check_settings()
    token = configured_token()
    if settings.LACUNA_KEYS == "database":
        from patients.vault.database_keys import DatabaseKeyStore  # a store in a file needs no psycopg

        return DatabaseKeyStore(connection.settings_dict, token, at=hit)
    directory, root_file = Path(settings.LACUNA_KEYS_DIR), Path(settings.LACUNA_ROOT_KEY_FILE)
    source: Literal["environment", "file"] = "environment" if settings.LACUNA_ROOT_KEY else "file"
    root_key = old_root_key = None
    if token is None or settings.LACUNA_ROOT_KEY or root_file.exists():
        new = not (directory / "epochs").exists()
        root_key = root_key_from(root_file, settings.LACUNA_ROOT_KEY, create=new)
    if settings.LACUNA_ROOT_KEY_FILE_BEFORE:
        old_root_key = root_key_from(Path(settings.LACUNA_ROOT_KEY_FILE_BEFORE))
    try:
        mirrors = [Path(mirror) for mirror in settings.LACUNA_KEY_MIRRORS]
        return SlotFileKeyStore(
            directory,
            root_key,
            mirrors,
            token=token,
            old_root_key=old_root_key,
            root_key_source=source,
            at=hit,
        )
    finally:
        for key in (root_key, old_root_key):
            if key is not None:
                key[:] = bytes(len(key))


def key_observer() -> KeyStore:
    """Return a store without keys, for a process that may only read: `attest`, `ids` and `state` work.

    Errors: as `open_store`.
    """
    check_settings()
    if settings.LACUNA_KEYS == "database":
        from patients.vault.database_keys import DatabaseKeyStore

        return DatabaseKeyStore(connection.settings_dict, None)
    mirrors = [Path(mirror) for mirror in settings.LACUNA_KEY_MIRRORS]
    return SlotFileKeyStore.observer(Path(settings.LACUNA_KEYS_DIR), mirrors)


def check_settings() -> None:
    """Check the key settings. Errors: ImproperlyConfigured if keys would not be safe, or not be found."""
    if settings.LACUNA_KEYS not in {"slots", "database"}:
        raise ImproperlyConfigured("LACUNA_KEYS is neither slots nor database.")
    if settings.LACUNA_KEYS == "slots":
        if settings.LACUNA_SEVERAL_MACHINES:
            raise ImproperlyConfigured(
                "Several machines serve this installation, as LACUNA_SEVERAL_MACHINES or Redis on another "
                "host says, but LACUNA_KEYS=slots keeps the keys in a file of one machine. Set "
                "LACUNA_KEYS=database and a token, or LACUNA_SEVERAL_MACHINES=0 where this machine is the "
                "only one (docs/keys.md)."
            )
        return
    if connection.vendor != "postgresql":
        raise ImproperlyConfigured(
            "LACUNA_KEYS=database needs PostgreSQL: set LACUNA_DATABASE (docs/keys.md)."
        )
    if not settings.LACUNA_TOKEN_MODULE:
        raise ImproperlyConfigured(
            "LACUNA_KEYS=database needs a PKCS#11 token: a database cannot forget a row, so the keys of "
            "cases must be stored elsewhere. Set LACUNA_TOKEN_MODULE (docs/keys.md)."
        )
    if settings.LACUNA_KEY_MIRRORS:
        raise ImproperlyConfigured(
            "LACUNA_KEY_MIRRORS are copies of a slot file; with LACUNA_KEYS=database there is none. Let the "
            "database and the token have their own replicas (docs/keys.md)."
        )


def configured_token() -> "Token | None":
    """Return the token from the settings, or None. It is not opened yet. Errors: ImproperlyConfigured."""
    if not settings.LACUNA_TOKEN_MODULE:
        return None
    from patients.vault.token import Token  # without a token no PKCS#11 library is needed

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
    """Return this process's key store, opened at its first use. Errors: as `open_store`."""
    this_store = (os.getpid(), str(settings.LACUNA_KEYS_DIR))
    store = _stores.get(this_store)
    if store is None:
        store = _stores[this_store] = open_store()
    return store


def reset() -> None:
    """Close this process's stores, so that changed settings are read; for tests."""
    for (pid, _), store in _stores.items():
        if pid == os.getpid():
            store.close()
    _stores.clear()
