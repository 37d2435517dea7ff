"""Keys that a restored database does not know. They are held until an administrator confirms the backup.

After a restore, everything uploaded since the backup has no row, and the sweep would destroy its keys within
minutes. If it was the wrong backup, that would erase what nobody asked to erase. So these keys are recorded
as held when the installation is opened after a restore, and stay until an administrator has decided.
"""

from uuid import UUID

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from clinic.audit.record import Act, record
from patients.vault.configured import key_store
from patients.vault.models import HeldKey
from patients.vault.objects import storage
from patients.vault.sweep import owned_keys


class NotAsShown(Exception):
    """The held keys have changed since they were shown. The message says so to the user."""


def hold(extra_owners: set[UUID]) -> int:
    """Hold every live key that has no row; return how many are newly held. Call it inside a transaction.

    `extra_owners`: as for the sweep. Held keys that no longer exist, or whose row is back, are released.
    """
    # List the keys before the rows, so that a key created meanwhile is not mistaken for one without a row.
    live = set(key_store().ids())
    unowned = live - owned_keys(extra_owners)
    before, now = dict(HeldKey.objects.values_list("pk", "since")), timezone.now()
    if unowned != before.keys():
        HeldKey.objects.all().delete()
        rows = [HeldKey(pk=key, since=before.get(key, now)) for key in sorted(unowned)]
        HeldKey.objects.bulk_create(rows, batch_size=500)
    return len(unowned - before.keys())


def destroy_held_keys(seen: int, *, by: str) -> int:
    """Destroy the held keys and the files they open; return how many.

    `seen`: how many were shown to the person who decided. `by`: the actor for the audit entry. After a crash
    the sweep destroys the remaining keys, as they are no longer held. Errors: NotAsShown; KeyStoreDamaged,
    OSError.
    """
    with transaction.atomic():
        held = set(HeldKey.objects.select_for_update().values_list("pk", flat=True))
        ended, _kinds = HeldKey.objects.all().delete()
        if not len(held) == ended == seen:
            raise NotAsShown(
                _("%(now)d keys are held now, and not %(seen)d. Look again.")
                % {"now": len(held), "seen": seen}
            )
        doomed = held - owned_keys(set())  # a key that has a row after all is only released
        record(Act("keys.let-go", "keys:store", by, details={"keys": len(doomed)}))
    for key in sorted(doomed):
        key_store().destroy(key)
        storage().delete(key.hex)
    return len(doomed)
