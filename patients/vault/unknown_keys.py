"""Keys that a restored database does not know: held until an administrator says that the backup was right.

After a restore the rows of all that was brought since the backup are missing, and the sweep would end their
keys within minutes. If it was the wrong backup, that would erase what nobody asked to erase. So these keys
are written down when the house is opened, and stay until somebody has looked.
"""

from uuid import UUID

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from clinic.audit.record import Act, record
from patients.vault.configured import key_store
from patients.vault.models import HeldKey
from patients.vault.objects import storage
from patients.vault.sweep import owned


class NotAsShown(Exception):
    """Other keys are held than whoever decided has seen; the message says so in plain words."""


def hold(extra_owners: set[UUID]) -> int:
    """Hold every live key that no row accounts for; return how many came to be held. In a transaction.

    `extra_owners`: as of the sweep. What was held and is gone, or has its row again, is held no more.
    """
    # The keys first: what is made later has its row before anyone looks for it.
    live = set(key_store().ids())
    unowned = live - owned(extra_owners)
    before, now = dict(HeldKey.objects.values_list("pk", "since")), timezone.now()
    if unowned != before.keys():
        HeldKey.objects.all().delete()
        rows = [HeldKey(pk=key, since=before.get(key, now)) for key in sorted(unowned)]
        HeldKey.objects.bulk_create(rows, batch_size=500)
    return len(unowned - before.keys())


def end_held(seen: int, *, by: str) -> int:
    """Destroy the keys that are held, and the files they open; return how many.

    `seen`: how many were shown to whoever decided. `by`: the actor, as the log takes it. What a crash leaves
    is ended by the sweep, as it is held no more. Errors: NotAsShown; KeyStoreDamaged, OSError.
    """
    with transaction.atomic():
        held = set(HeldKey.objects.select_for_update().values_list("pk", flat=True))
        ended, _kinds = HeldKey.objects.all().delete()
        if not len(held) == ended == seen:
            raise NotAsShown(
                _("%(now)d keys are held now, and not %(seen)d. Look again.")
                % {"now": len(held), "seen": seen}
            )
        doomed = held - owned(set())  # one that has a row after all is merely held no more
        record(Act("keys.let-go", "keys:store", by, details={"keys": len(doomed)}))
    for key in sorted(doomed):
        key_store().destroy(key)
        storage().delete(key.hex)
    return len(doomed)
