"""A real worker that keeps what a burglar with perfect timing would keep: every ciphertext, every slot image.

Run as `python -m tests.erasure.keeping_worker DIRECTORY [ID]`. With ID, the destruction of exactly that key
is left out: the fault that the canary test has to notice.
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

from django.core.management import call_command  # noqa: E402 - after the set-up

from patients.vault.replicas import Replica  # noqa: E402 - after the set-up
from patients.vault.slots import SlotFileKeyStore  # noqa: E402 - after the set-up
from patients.vault.storage import VaultStorage  # noqa: E402 - after the set-up

kept = Path(sys.argv[1])
spared = UUID(sys.argv[2]) if len(sys.argv) > 2 else None
numbers = count()


def keep_slots(directory: Path) -> None:
    for name in ("slots", "slots.new"):
        if (directory / name).exists():
            shutil.copyfile(directory / name, kept / f"slots-{os.getpid()}-{next(numbers):06d}")


def keeping(name: str) -> None:
    """Let a method of Replica leave a copy of the slot file before and after it writes."""
    original = getattr(Replica, name)

    def write(self: Replica, *args: Any) -> Any:
        keep_slots(self.directory)
        result = original(self, *args)
        keep_slots(self.directory)
        return result

    setattr(Replica, name, write)


for method in ("write", "write_draft", "put_draft_in_place"):
    keeping(method)

delete, destroy = VaultStorage.delete, SlotFileKeyStore.destroy


def delete_but_keep(self: VaultStorage, name: str) -> None:
    path = Path(self.path(name))
    if path.exists():
        shutil.copyfile(path, kept / f"blob-{name}")
    delete(self, name)


def destroy_all_but_one(self: SlotFileKeyStore, key_id: UUID) -> bool:
    return True if key_id == spared else destroy(self, key_id)


VaultStorage.delete = delete_but_keep  # type: ignore[method-assign]
SlotFileKeyStore.destroy = destroy_all_but_one  # type: ignore[method-assign]
call_command("work", interval=0.05, worker_id="keeping")
