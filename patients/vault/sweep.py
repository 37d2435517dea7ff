"""The rounds: what a crash, a restore or an outside hand left behind is found and ended, both ways.

Rows without a keeper are doomed; doomed rows are destroyed; keys and files without a row are destroyed too,
unless they wait for a decision after a restore (patients/vault/unknown_keys.py).
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from django.utils import timezone

from patients.vault.configured import key_store
from patients.vault.models import HeldKey, StoredObject
from patients.vault.objects import destroy, doom, orphans, storage

# A key or file may be seconds older than the row that names it is visible (an open transaction), so only
# what has been without a row through two rounds this far apart is ended.
PATIENCE = timedelta(minutes=10)


def owned(extra_owners: set[UUID]) -> set[UUID]:
    """Keys that a row accounts for; `extra_owners` are those of other tables (open uploads, requests)."""
    return set(StoredObject.objects.remaining().values_list("pk", flat=True)) | extra_owners


@dataclass
class Sweeper:
    """Sweeps repeatedly; remembers what it saw without a row, and since when. One per process."""

    first_seen: dict[UUID, datetime] = field(default_factory=dict)

    def sweep(self, extra_owners: set[UUID], now: datetime | None = None) -> int:
        """Destroy what is doomed or has been unowned for PATIENCE; return how many things were ended.

        `extra_owners` as of `owned`. A key that is held after a restore stays.
        """
        now = now or timezone.now()
        doom(orphans(now), "orphan")
        ended = destroy(StoredObject.objects.all()).objects
        store = key_store()
        keys = set(store.ids())
        held = set(HeldKey.objects.values_list("pk", flat=True))
        unowned = keys - owned(extra_owners) - held
        self.first_seen = {key: self.first_seen.get(key, now) for key in unowned}
        for key, since in list(self.first_seen.items()):
            if now - since >= PATIENCE and store.destroy(key):
                storage().delete(key.hex)
                ended += 1
        return ended
