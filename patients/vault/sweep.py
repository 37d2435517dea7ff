"""The sweep: find and destroy what a crash, a restore or a change from outside left behind.

Abandoned pending rows are doomed, and doomed rows are destroyed. Keys without a row are destroyed with their
files, unless they wait for a decision after a restore (patients/vault/unknown_keys.py).
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from django.utils import timezone

from patients.vault.configured import key_store
from patients.vault.models import HeldKey, StoredObject
from patients.vault.objects import destroy, mark_for_destruction, orphans, storage

# A key or file may exist for some seconds before its row is visible (in an open transaction). So a key is
# destroyed only when two sweeps at least this far apart found it without a row.
GRACE_PERIOD = timedelta(minutes=10)


def owned_keys(extra_owners: set[UUID]) -> set[UUID]:
    """Return the keys that have a row. `extra_owners`: keys of other tables (open uploads, requests)."""
    return set(StoredObject.objects.remaining().values_list("pk", flat=True)) | extra_owners


@dataclass
class Sweeper:
    """Sweeps repeatedly, and remembers which keys have no row, and since when. One per process."""

    first_seen: dict[UUID, datetime] = field(default_factory=dict)

    def sweep(self, extra_owners: set[UUID], now: datetime | None = None) -> int:
        """Destroy what is doomed, and keys without a row for GRACE_PERIOD; return how many were destroyed.

        `extra_owners`: as for `owned_keys`; the original of an upload that is still to become a keepsake has
        its id, and is not abandoned either. A key that is held after a restore stays.
        """
        now = now or timezone.now()
        mark_for_destruction(orphans(now).exclude(pk__in=extra_owners), "orphan")
        ended = destroy(StoredObject.objects.all()).objects
        store = key_store()
        keys = set(store.ids())
        held = set(HeldKey.objects.values_list("pk", flat=True))
        unowned = keys - owned_keys(extra_owners) - held
        self.first_seen = {key: self.first_seen.get(key, now) for key in unowned}
        for key, since in list(self.first_seen.items()):
            if now - since >= GRACE_PERIOD and store.destroy(key):
                storage().delete(key.hex)
                ended += 1
        return ended
