"""What an operator does with the keys by hand, each with its entry in the log."""

from collections.abc import Mapping

from django.db import transaction

from clinic.audit.canonical import Detail
from clinic.audit.record import Act, record
from patients.vault.configured import key_store
from patients.vault.keys import Rolled


def roll(*, by: str) -> Rolled:
    """Roll the epoch outside of any night: after a change of root key or token, or whenever in doubt.

    `by`: the actor, as the log takes it. Errors: as of the key store; then nothing was rolled.
    """
    rolled = key_store().roll_epoch()
    _say(
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
    """End the rows that no key in the token opens, which a restored database brings back; return how many.

    Their data keys ended with the roll that destroyed the key they are wrapped under. Nothing with a slot
    file, which no backup takes. Errors: as of the key store.
    """
    from patients.vault.database_keys import DatabaseKeyStore  # a store in a file needs no psycopg

    store = key_store()
    lost = store.lost() if isinstance(store, DatabaseKeyStore) else []
    struck = sum(store.destroy(key_id) for key_id in lost)
    _say("keys.struck", by, {"keys": struck})
    return struck


@transaction.atomic
def _say(action: str, by: str, details: Mapping[str, Detail]) -> None:
    """What the store did is done and cannot be taken back; this transaction is the entry's alone."""
    record(Act(action, "keys:store", actor=by, details=details))
