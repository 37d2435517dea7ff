"""Check every place where something that a run or a destruction destroyed could have survived.

Each check searches by id or name. It needs no secret, and no sample of what was destroyed: a sample would
itself be a copy. A place that only a search for the content could check is reported as not checkable.
"""

from collections.abc import Callable
from typing import Any

from erasure.destructions.models import Destruction
from erasure.runs.models import Run
from erasure.verification import backups, keys, machine, rows, traces, vault
from erasure.verification.places import Findings, Place, Subject
from erasure.verification.places import statement as _statement
from erasure.verification.result_texts import BEYOND as BEYOND
from erasure.verification.result_texts import NAMES as NAMES

CHECKS: dict[str, Callable[[Subject], Place]] = {
    "keys": keys.keys,
    "mirrors": keys.mirrors,
    "epochs": keys.epochs,
    "files": vault.files,
    "orphans": vault.orphans,
    "frames": vault.frames,
    "thumbs": vault.thumbs,
    "pointers": vault.pointers,
    "staging": vault.staging,
    "seals": rows.seals,
    "rows": rows.rows,
    "sqlite": rows.sqlite_state,
    "statistics": rows.statistics,
    "indexes": rows.indexes,
    "replicas": rows.replicas,
    "sessions": traces.sessions,
    "admin": traces.admin,
    "cache": traces.cache,
    "queue": traces.queue,
    "outbox": traces.outbox,
    "logs": traces.logs,
    "temporary": traces.temporary,
    "processes": machine.processes,
    "cores": machine.cores,
    "swap": machine.swap,
    "browser_cache": machine.browsers,
    "catalogue": backups.backups,
}
EVERY = (*CHECKS, *BEYOND)


def verify(work: Run | Destruction) -> Findings:
    """Check every place for what `work` destroyed. Changes nothing.

    Errors: KeyStoreDamaged, OSError, django.db.Error. After an error no place may be called clean.
    """
    subject = Subject(work)
    places = [check(subject) for check in CHECKS.values()]
    places += [Place.not_checkable(name, "needs-a-sample") for name in BEYOND]
    return Findings(places)


def statement(figures: dict[str, Any]) -> dict[str, Any]:
    """Return a verification's audit details in the form of the certificate; see `places.statement`."""
    return _statement(figures, EVERY)
