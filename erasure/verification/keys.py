"""Check the key store's files, in each copy, without its root key and without writing."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from uuid import UUID

from django.conf import settings

from clinic.audit.models import Entry
from erasure.verification.places import Place, Subject
from patients.vault.configured import key_observer
from patients.vault.lock import StoreLock
from patients.vault.replicas import Header, Replica, Slot, epoch_of, records

CHUNK = 8192  # slots read at a time


def in_database() -> bool:
    """Return whether keys are rows, wrapped under a key that only a token holds, and not slots in files."""
    return str(settings.LACUNA_KEYS) == "database"


def copies() -> list[tuple[str, Path]]:
    """Return the store's directory and its mirrors, with the names that warnings in KeyStoreState use."""
    mirrors = [Path(place) for place in settings.LACUNA_KEY_MIRRORS]
    return [("keys", Path(settings.LACUNA_KEYS_DIR))] + [
        (f"mirror-{number}", place) for number, place in enumerate(mirrors, 1)
    ]


@contextmanager
def open_copy(directory: Path) -> Iterator[tuple[Replica, Header]]:
    """Open one copy for reading. Errors: KeyStoreDamaged, OSError."""
    replica = Replica(directory, writable=False)
    try:
        yield replica, replica.open()
    finally:
        replica.close()


@contextmanager
def read_lock() -> Iterator[None]:
    """Lock the store against writers. Errors: KeyStoreDamaged if there is no store."""
    lock = StoreLock(Path(settings.LACUNA_KEYS_DIR), writable=False)
    try:
        with lock.held(exclusive=False):
            yield
    finally:
        with lock.closing():
            pass


def live_keys(directory: Path) -> set[UUID]:
    """Return the ids of the live keys in one copy, of every epoch. Errors: KeyStoreDamaged, OSError."""
    found = set()
    with open_copy(directory) as (replica, header):
        for first in range(1, header.capacity + 1, CHUNK):
            data = replica.read(first, min(CHUNK, header.capacity + 1 - first))
            for _index, record in records(data, first):
                slot = Slot.parsed(record)
                if slot.live:
                    found.add(slot.key_id)
    return found


def all_live_keys() -> set[UUID]:
    """Return the ids of the live keys in the store, not its mirrors.

    Errors: KeyStoreDamaged, OSError, django.db.Error.
    """
    if in_database():
        with closing(key_observer()) as store:
            return set(store.ids())
    with read_lock():
        return live_keys(copies()[0][1])


def keys(subject: Subject) -> Place:
    """Check that the store has no live key of a destroyed object."""
    wanted = {row.pk for row in subject.objects}
    return Place.checked("keys", sorted(all_live_keys() & wanted), len(wanted))


def mirrors(subject: Subject) -> Place:
    """Check that no mirror has a live key of a destroyed object, and that each mirror equals the store."""
    wanted, found = {row.pk for row in subject.objects}, []
    (_name, primary), *others = copies()
    if in_database() or not others:
        return Place.checked("mirrors", [], why="none-here")
    with read_lock(), open_copy(primary) as (original, header):
        for name, directory in others:
            found += [f"{name}:{key}" for key in sorted(live_keys(directory) & wanted)]
            with open_copy(directory) as (replica, mirror_header):
                if mirror_header != header or not replica.same_as(original, header):
                    found.append(f"{name}:differs")
    return Place.checked("mirrors", found, len(wanted) * len(others))


def epochs(subject: Subject) -> Place:
    """Check that no copy has the key of an older epoch, and that no roll was left unfinished."""
    if in_database():  # the wrapping keys are in a token, which cannot be read without its PIN
        return Place.not_checkable("epochs", "elsewhere")
    rolled = Entry.objects.filter(run=subject.work.pk, action="keys.rolled").last()
    expected, found = int(rolled.details["epoch"]) if rolled else 1, []
    with read_lock():
        (_name, primary), *_mirrors = copies()
        with open_copy(primary) as (_replica, header):
            if header.epoch < expected:  # somebody restored an older store
                found.append(f"keys:epoch-{header.epoch}")
        for name, directory in copies():
            with open_copy(directory) as (replica, _header):
                older = {epoch_of(record) for record in replica.read_epochs()} - {None, header.epoch}
                drafts = (replica.draft, directory / "epochs.new")
                found += [f"{name}:key-of-epoch-{epoch}" for epoch in sorted(filter(None, older))]
                found += [f"{name}:{draft.name}" for draft in drafts if draft.exists()]
    return Place.checked("epochs", found, expected)
