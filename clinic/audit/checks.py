"""System check: the triggers that make the audit log append-only are installed."""

from collections.abc import Sequence
from typing import Any

from django.core.checks import CheckMessage, Error, Tags, register
from django.db import connections
from django.db.migrations.recorder import MigrationRecorder

from clinic.audit import triggers

MIGRATION = ("clinic", "0002_audit_triggers")


@register(Tags.database)
def log_is_guarded(databases: Sequence[str] | None = None, **kwargs: Any) -> list[CheckMessage]:
    """Return an error for each missing trigger of the log, once the migration that installs them has run."""
    errors: list[CheckMessage] = []
    for alias in databases or []:
        connection = connections[alias]
        # Before that migration the tables may not exist, and this check must not prevent migrating.
        if MIGRATION not in MigrationRecorder(connection).applied_migrations():
            continue
        errors += [
            Error(
                f"The database would let the audit log be changed: its trigger {name} is missing.",
                hint="Find out why, then run: manage.py verify_audit --install-triggers",
                id="clinic.E001",
            )
            for name in triggers.missing(connection)
        ]
    return errors
