"""A real worker that copies what an attacker could copy: every ciphertext and every state of the slots.

Run as `python -m tests.erasure.copying_worker DIRECTORY [ID]`. With ID, the key with this id is not
destroyed: a fault that the canary test must notice.
"""

import os
import shutil
import sys
from itertools import count
from pathlib import Path
from typing import Any
from uuid import UUID

import django

django.setup()

from django.core.management import call_command  # noqa: E402 - after django.setup()

from patients.vault.replicas import Replica  # noqa: E402 - after django.setup()
from patients.vault.slots import SlotFileKeyStore  # noqa: E402 - after django.setup()
from patients.vault.storage import VaultStorage  # noqa: E402 - after django.setup()

copies_dir = Path(sys.argv[1])
spared_key = UUID(sys.argv[2]) if len(sys.argv) > 2 else None
numbers = count()


def copy_slots(directory: Path) -> None:
    for name in ("slots", "slots.new"):
        if (directory / name).exists():
            shutil.copyfile(directory / name, copies_dir / f"slots-{os.getpid()}-{next(numbers):06d}")


def copy_slots_around(name: str) -> None:
    """Change a method of Replica to copy the slot file before and after each call."""
    original = getattr(Replica, name)

    def write(self: Replica, *args: Any) -> Any:
        copy_slots(self.directory)
        result = original(self, *args)
        copy_slots(self.directory)
        return result

    setattr(Replica, name, write)


for method in ("write", "write_draft", "put_draft_in_place"):
    copy_slots_around(method)

delete, destroy = VaultStorage.delete, SlotFileKeyStore.destroy


def copy_and_delete(self: VaultStorage, name: str) -> None:
    path = Path(self.path(name))
    if path.exists():
        shutil.copyfile(path, copies_dir / f"blob-{name}")
    delete(self, name)


def destroy_all_but_one(self: SlotFileKeyStore, key_id: UUID) -> bool:
    return True if key_id == spared_key else destroy(self, key_id)


VaultStorage.delete = copy_and_delete  # type: ignore[method-assign]
SlotFileKeyStore.destroy = destroy_all_but_one  # type: ignore[method-assign]
call_command("work", interval=0.05, worker_id="copying")
