"""Checks and preparations before the server starts."""

import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.contrib.staticfiles.finders import get_finders
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from clinic.audit import triggers
from clinic.audit.checkpoints import public_key, verify_note
from clinic.audit.models import Checkpoint, Entry
from clinic.checks import lacking, set_in_vain
from clinic.unavailable import redis_is_unavailable
from erasure.operations.reconcile import reconcile_with_keys
from patients.vault.configured import key_store
from patients.vault.keys import KeyStoreDamaged, KeyStoreState
from patients.vault.limits import VOLUMES
from patients.vault.models import StoredObject, WrappedKey
from patients.vault.objects import storage, try_storage

if TYPE_CHECKING:
    from redis import Redis

log = logging.getLogger("lacuna.serve")


class CannotStart(Exception):
    """The server must not start. The message tells the operator why, and what to do."""


def prepare() -> None:
    """Run all checks, reconcile a restored database, collect static files.

    Errors: CannotStart, django.db.Error.
    """
    for warning in [*lacking(), *set_in_vain()]:
        log.warning("%s", warning)
    check_redis()
    check_migrations()
    check_log()
    check_signature()
    check_keys()
    check_storage()
    reconcile()
    collect_static()


def check_migrations() -> None:
    """Check that all migrations are applied. Errors: CannotStart."""
    executor = MigrationExecutor(connection)
    if plan := executor.migration_plan(executor.loader.graph.leaf_nodes()):
        first = f"{plan[0][0].app_label}.{plan[0][0].name}"
        raise CannotStart(
            f"The database is not that of this version: it lacks migration {first} and {len(plan) - 1} more. "
            "Run: manage.py migrate"
        )


def check_log() -> None:
    """Check that the triggers that protect the audit log exist. Errors: CannotStart."""
    if missing := triggers.missing(connection):
        raise CannotStart(
            f"The database would let the audit log be changed: its trigger {missing[0]} is missing. "
            "Find out why, then run: manage.py verify_audit --install-triggers"
        )


def check_signature() -> None:
    """Check that this machine's signing key is the one that signed the log. Errors: CannotStart."""
    newest = Checkpoint.objects.order_by("pk").last()
    if newest is None:
        return
    path = Path(settings.LACUNA_SIGNING_KEY_FILE)
    why = "there is none"
    if path.exists():  # else public_key() would create a new one
        try:
            verify_note(newest.note, public_key())
        except (ValueError, OSError) as error:
            why = str(error)
        else:
            return
    raise CannotStart(
        f"The log was signed with another key than the one in {path}: {why}. Put that key there. "
        "All machines of an installation share it (LACUNA_SIGNING_KEY_FILE)."
    )


def check_keys() -> None:
    """Check that the key store can be read and belongs to this database.

    Also warn if overwritten keys may survive on its volume. Errors: CannotStart.
    """
    live = StoredObject.objects.live().count()
    # Checked before the store is opened: opening creates a new one in an empty directory.
    directory = Path(settings.LACUNA_KEYS_DIR)
    in_slots = settings.LACUNA_KEYS == "slots"
    if in_slots and live and not any((directory / name).exists() for name in ("slots", "epochs")):
        raise CannotStart(
            f"The key directory {directory} is empty, but the database holds {live} things that only its "
            "keys open. Bring the key volume back. With new keys all of them would be lost for good."
        )
    if not in_slots and live and not WrappedKey.objects.filter(live=True).exists():
        raise CannotStart(
            f"The tables of keys are empty, but the database holds {live} things that only they open. "
            "Restore them from the database's replica. With new keys all of them would be lost for good."
        )
    try:
        state = key_store().state()
    except ImproperlyConfigured as error:
        raise CannotStart(str(error)) from error
    except (KeyStoreDamaged, OSError) as error:
        raise CannotStart(f"The key store cannot be opened: {error}") from error
    if in_slots:
        check_age(state, live)
    for warning in state.warnings:
        log.warning(
            "KEYS MAY OUTLIVE THEIR ERASURE. %s (%s, on %s.) Certificates will say so. See docs/keys.md.",
            VOLUMES[warning.reason],
            warning.place,
            warning.filesystem,
        )


def check_redis() -> None:
    """Check that Redis answers, if it is configured. Errors: CannotStart."""
    if not settings.REDIS_URL:
        return
    from redis import Redis, RedisError  # imported only if Redis is configured

    try:
        redis = Redis.from_url(settings.REDIS_URL)
        redis.ping()
        warn_of_eviction(redis)
    except RedisError as error:
        raise CannotStart(redis_is_unavailable(error)) from error
    except ValueError as error:
        raise CannotStart(f"LACUNA_REDIS is no address of a Redis server: {error}") from error


def warn_of_eviction(redis: "Redis") -> None:
    """Warn if Redis deletes counters of throttles to make room. Errors: RedisError."""
    memory: Any = redis.info("memory")
    policy = memory.get("maxmemory_policy", "noeviction")
    if memory.get("maxmemory") and policy != "noeviction":
        log.warning(
            "REDIS MAY FORGET THROTTLES. It has a limit of memory and maxmemory-policy %s, so many requests "
            "of strangers can reset the counter of failed sign-ins of an account. Set it to noeviction.",
            policy,
        )


def check_storage() -> None:
    """Check the vault's storage by storing, reading and destroying one byte. Errors: CannotStart."""
    if objection := storage().objection():
        raise CannotStart(objection)
    name = os.urandom(16).hex()
    try:
        works = try_storage(name) and name not in storage().traces()
    except OSError as error:
        raise CannotStart(f"What people bring could not be stored and destroyed. {error}") from error
    if not works:
        raise CannotStart("The storage of the vault does not return what was stored, or does not destroy it.")


def check_age(state: KeyStoreState, live: int) -> None:
    """Check that the key store is neither new nor an older copy. live: how many objects have live rows.

    Errors: CannotStart.
    """
    directory = settings.LACUNA_KEYS_DIR
    if live and (state.epoch, state.live, state.destroyed) == (1, 0, 0):
        raise CannotStart(
            f"The key store in {directory} is new, but the database holds {live} things that were sealed "
            "with the keys of another one. Bring that one back."
        )
    rolled = Entry.objects.filter(action="keys.rolled").order_by("index").last()
    if rolled and state.epoch < int(rolled.details["epoch"]):
        raise CannotStart(
            f"The key store in {directory} is older than the log: it is of epoch {state.epoch}, and epoch "
            f"{rolled.details['epoch']} has begun. It could open what is erased. Bring the newest back."
        )


def reconcile() -> None:
    """Reconcile a restored database with the key store. Errors: CannotStart."""
    try:
        reconciliation = reconcile_with_keys()
    except (KeyStoreDamaged, OSError) as error:
        raise CannotStart(f"Erased rows could not be marked as erased again: {error}") from error
    if reconciliation is not None:
        counts = sorted(reconciliation.counts.items())
        changes = ", ".join(f"{count} {kind}" for kind, count in counts if count)
        log.warning("a restored database was reconciled with the key store: %s", changes or "no changes")


def collect_static() -> None:
    """Collect the static files if any of them is newer than the last collection."""
    manifest = settings.STATIC_ROOT / "staticfiles.json"
    collected_at = manifest.stat().st_mtime if manifest.exists() else 0.0
    newest = max(
        (
            storage.get_modified_time(path).timestamp()
            for finder in get_finders()
            for path, storage in finder.list([])
        ),
        default=0.0,
    )
    if newest >= collected_at:
        call_command("collectstatic", interactive=False, verbosity=0)
