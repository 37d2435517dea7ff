"""The key store that the settings name."""

import os
from pathlib import Path

from django.conf import settings

from clinic.points import reached
from patients.vault.keys import KeyStore
from patients.vault.rootkey import root_key_from
from patients.vault.slots import SlotFileKeyStore

# By process, because a child must not share what its parent holds in mid-change, and by directory.
_stores: dict[tuple[int, str], SlotFileKeyStore] = {}


def open_store() -> SlotFileKeyStore:
    """Open the store at LACUNA_KEYS_DIR under LACUNA_ROOT_KEY (hex), or else LACUNA_ROOT_KEY_FILE.

    A root key file is made on first use, but never for a store that exists: it would open nothing.
    Errors: KeyStoreDamaged, OSError.
    """
    directory = Path(settings.LACUNA_KEYS_DIR)
    new = not (directory / "epochs").exists()
    root_key = root_key_from(Path(settings.LACUNA_ROOT_KEY_FILE), settings.LACUNA_ROOT_KEY, create=new)
    try:
        mirrors = [Path(mirror) for mirror in settings.LACUNA_KEY_MIRRORS]
        return SlotFileKeyStore(directory, root_key, mirrors, at=reached)
    finally:
        root_key[:] = bytes(len(root_key))


def key_store() -> KeyStore:
    """This process's key store, opened at its first use in the process. Errors: as `open_store`."""
    mine = (os.getpid(), str(settings.LACUNA_KEYS_DIR))
    store = _stores.get(mine)
    if store is None:
        store = _stores[mine] = open_store()
    return store


def reset() -> None:
    """Forget the open store, so that changed settings are read; for tests."""
    for store in _stores.values():
        store.close()
    _stores.clear()
