"""Looking, after a run, whether anything of it is left where it should not be: every place there is.

Every check is structural: it asks by name, needs no secret and no sample of what was destroyed, which would
itself be a copy. What only a search for the content itself could show is reported as not checkable here.
"""

from collections.abc import Callable
from typing import Any

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
    "cores": machine.cores,
    "swap": machine.swap,
    "browser_cache": machine.browsers,
    "catalogue": backups.backups,
}
EVERY = (*CHECKS, *BEYOND)


def verify_run(run: Run) -> Findings:
    """Look at every place for what `run` destroyed. Changes nothing.

    Errors: KeyStoreDamaged, OSError, django.db.Error; then nothing is known, and nothing is clean.
    """
    subject = Subject(run)
    places = [check(subject) for check in CHECKS.values()]
    places += [Place.closed(name, "needs-a-sample") for name in BEYOND]
    return Findings(places)


def statement(figures: dict[str, Any]) -> dict[str, Any]:
    """What the log holds of a verification, as the certificate states it; see `places.statement`."""
    return _statement(figures, EVERY)
