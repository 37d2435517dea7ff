"""What must be true before the first request is served."""

from django.conf import settings
from django.contrib.staticfiles.finders import get_finders
from django.core.management import call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from clinic.audit import triggers
from patients.vault.configured import key_store
from patients.vault.keys import KeyStoreDamaged


class CannotOpen(Exception):
    """The house cannot be opened; the message says why, and what to do, in a plain sentence."""


def prepare() -> None:
    """Check what the house stands on, and lay out its static files. Errors: CannotOpen, django.db.Error."""
    check_migrations()
    check_log()
    check_keys()
    lay_out_static()


def check_migrations() -> None:
    """Errors: CannotOpen where the tables are not those of this version."""
    executor = MigrationExecutor(connection)
    if plan := executor.migration_plan(executor.loader.graph.leaf_nodes()):
        first = f"{plan[0][0].app_label}.{plan[0][0].name}"
        raise CannotOpen(
            f"The database is not that of this version: it lacks {first} and {len(plan) - 1} more. "
            "Run: manage.py migrate"
        )


def check_log() -> None:
    """Errors: CannotOpen where the database would let the log be changed."""
    if lacking := triggers.missing(connection):
        raise CannotOpen(
            f"The database would let the audit log be changed: its trigger {lacking[0]} is missing. "
            "Find out why, then run: manage.py verify_audit --install-triggers"
        )


def check_keys() -> None:
    """Errors: CannotOpen where the key store cannot be read."""
    try:
        key_store().state()
    except (KeyStoreDamaged, OSError) as error:
        raise CannotOpen(f"The key store cannot be opened: {error}") from error


def lay_out_static() -> None:
    """Collect the static files where any is newer than the last collection."""
    manifest = settings.STATIC_ROOT / "staticfiles.json"
    laid_out = manifest.stat().st_mtime if manifest.exists() else 0.0
    newest = max(
        (
            storage.get_modified_time(path).timestamp()
            for finder in get_finders()
            for path, storage in finder.list([])
        ),
        default=0.0,
    )
    if newest >= laid_out:
        call_command("collectstatic", interactive=False, verbosity=0)
