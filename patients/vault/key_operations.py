"""Key operations that an operator starts, each with its audit entry."""

from collections.abc import Mapping

from django.db import transaction

from clinic.audit.canonical import Detail
from clinic.audit.record import Act, record
from patients.vault.configured import key_store
from patients.vault.keys import Rolled


def roll(*, by: str) -> Rolled:
    """Roll the epoch outside of a run: after a change of root key or token, or in case of doubt.

    `by`: the actor for the audit entry. Errors: those of the key store; then there is no audit entry.
    """
    rolled = key_store().roll_epoch()
    _record_entry(
        "keys.rolled-by-hand",
        by,
        {
            "epoch": rolled.epoch,
            "survivors": rolled.survivors,
            "dropped": rolled.dropped,
            "custody": key_store().state().custody,
        },
    )
    return rolled


def strike(*, by: str) -> int:
    """Destroy the data key rows that no key in the token opens; return how many.

    A restored database brings such rows back. The roll that destroyed their case key ended their data keys.
    With a slot file there are none, because backups leave it out. `by`: the actor for the audit entry.
    Errors: those of the key store.
    """
    from patients.vault.database_keys import DatabaseKeyStore  # a store in a file needs no psycopg

    store = key_store()
    unopenable = store.unopenable() if isinstance(store, DatabaseKeyStore) else []
    struck = sum(store.destroy(key_id) for key_id in unopenable)
    _record_entry("keys.struck", by, {"keys": struck})
    return struck


@transaction.atomic
def _record_entry(action: str, by: str, details: Mapping[str, Detail]) -> None:
    """Write the audit entry in a transaction of its own: the key operation cannot be undone any more."""
    record(Act(action, "keys:store", actor=by, details=details))
