"""What must be true before the first request is served."""

import logging
import os
from pathlib import Path

from django.conf import settings
from django.contrib.staticfiles.finders import get_finders
from django.core.exceptions import ImproperlyConfigured
from django.core.files.base import ContentFile
from django.core.management import call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from clinic.audit import triggers
from clinic.audit.checkpoints import public_key, verify_note
from clinic.audit.models import Checkpoint, Entry
from clinic.checks import lacking
from clinic.unavailable import redis_is_unavailable
from erasure.operations.reconcile import reconcile_with_keys
from patients.vault.configured import key_store
from patients.vault.keys import KeyStoreDamaged, KeyStoreState
from patients.vault.limits import VOLUMES
from patients.vault.models import StoredObject, WrappedKey
from patients.vault.objects import storage

log = logging.getLogger("lacuna.serve")


class CannotOpen(Exception):
    """The house cannot be opened; the message says why, and what to do, in a plain sentence."""


def prepare() -> None:
    """Check what the house stands on, and lay out its static files. Errors: CannotOpen, django.db.Error."""
    for sentence in lacking():
        log.warning("%s", sentence)
    check_redis()
    check_migrations()
    check_log()
    check_signature()
    check_keys()
    check_storage()
    obey()
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


def check_signature() -> None:
    """Errors: CannotOpen where this machine would sign with another key than the log was signed with."""
    newest = Checkpoint.objects.order_by("pk").last()
    if newest is None:
        return
    path = Path(settings.LACUNA_SIGNING_KEY_FILE)
    why = "there is none"
    if path.exists():  # asking for it would make a new one
        try:
            verify_note(newest.note, public_key())
        except (ValueError, OSError) as error:
            why = str(error)
        else:
            return
    raise CannotOpen(
        f"The log was signed with another key than the one in {path}: {why}. Bring that one here. "
        "All machines of a house share it (LACUNA_SIGNING_KEY_FILE)."
    )


def check_keys() -> None:
    """Warn where what is overwritten may survive.

    Errors: CannotOpen where the key store cannot be read, or is not the one the rows were made with.
    """
    living = StoredObject.objects.live().count()
    # Asked before the store is opened, which would lay out a new one in an empty place.
    directory = Path(settings.LACUNA_KEYS_DIR)
    in_slots = settings.LACUNA_KEYS == "slots"
    if in_slots and living and not any((directory / name).exists() for name in ("slots", "epochs")):
        raise CannotOpen(
            f"The key directory {directory} is empty, but the database holds {living} things that only its "
            "keys open. Bring the key volume back. With new keys all of them would be lost for good."
        )
    if not in_slots and living and not WrappedKey.objects.filter(live=True).exists():
        raise CannotOpen(
            f"The tables of keys are empty, but the database holds {living} things that only they open. "
            "Bring them back from the database's replica. With new keys all of them would be lost for good."
        )
    try:
        state = key_store().state()
    except ImproperlyConfigured as error:
        raise CannotOpen(str(error)) from error
    except (KeyStoreDamaged, OSError) as error:
        raise CannotOpen(f"The key store cannot be opened: {error}") from error
    if in_slots:
        check_age(state, living)
    for warning in state.warnings:
        log.warning(
            "KEYS MAY OUTLIVE THEIR ERASURE. %s (%s, on %s.) Certificates will say so. See docs/keys.md.",
            VOLUMES[warning.reason],
            warning.place,
            warning.filesystem,
        )


def check_redis() -> None:
    """Errors: CannotOpen where Redis is to wake workers and does not answer."""
    if not settings.REDIS_URL:
        return
    from redis import Redis, RedisError  # a house without Redis does not load it

    try:
        Redis.from_url(settings.REDIS_URL).ping()
    except RedisError as error:
        raise CannotOpen(redis_is_unavailable(error)) from error
    except ValueError as error:
        raise CannotOpen(f"LACUNA_REDIS is no address of a Redis server: {error}") from error


def check_storage() -> None:
    """Keep a byte, read it and destroy it. Errors: CannotOpen where any of that cannot be done."""
    if objection := storage().objection():
        raise CannotOpen(objection)
    name, byte = os.urandom(16).hex(), os.urandom(1)
    try:
        storage().save(name, ContentFile(byte))
        try:
            with storage().open(name) as file:
                read = file.read()
        finally:
            storage().delete(name)
        left = name in storage().traces()
    except OSError as error:
        raise CannotOpen(f"What people bring could not be stored and destroyed. {error}") from error
    if read != byte or left:
        raise CannotOpen("The storage of the vault does not give back what it took, or keeps what it gave.")


def check_age(state: KeyStoreState, living: int) -> None:
    """Errors: CannotOpen where the slot file is a new one, or an old one brought back."""
    directory = settings.LACUNA_KEYS_DIR
    if living and (state.epoch, state.live, state.destroyed) == (1, 0, 0):
        raise CannotOpen(
            f"The key store in {directory} is new, but the database holds {living} things that were sealed "
            "with another one's keys. Bring that one back."
        )
    rolled = Entry.objects.filter(action="keys.rolled").order_by("index").last()
    if rolled and state.epoch < int(rolled.details["epoch"]):
        raise CannotOpen(
            f"The key store in {directory} is older than the log: it is of epoch {state.epoch}, and epoch "
            f"{rolled.details['epoch']} has begun. It could open what is erased. Bring the newest back."
        )


def obey() -> None:
    """Mark erased again what a restored backup brought back without its keys. Errors: CannotOpen."""
    try:
        obeyed = reconcile_with_keys()
    except (KeyStoreDamaged, OSError) as error:
        raise CannotOpen(f"What was erased could not be marked so again: {error}") from error
    if obeyed is not None:
        told = ", ".join(f"{count} {kind}" for kind, count in sorted(obeyed.counts.items()) if count)
        log.warning("a restored database obeyed the key store: %s", told or "nothing had to change")


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
