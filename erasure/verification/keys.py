"""The key store's own files, slot by slot in each copy, read without its root key and without writing."""

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
    """Whether keys are rows, wrapped under what only a token holds, and not slots in files."""
    return str(settings.LACUNA_KEYS) == "database"


def copies() -> list[tuple[str, Path]]:
    """The store's directory and its mirrors, by the names of KeyStoreState's warnings."""
    mirrors = [Path(place) for place in settings.LACUNA_KEY_MIRRORS]
    return [("keys", Path(settings.LACUNA_KEYS_DIR))] + [
        (f"mirror-{number}", place) for number, place in enumerate(mirrors, 1)
    ]


@contextmanager
def opened(directory: Path) -> Iterator[tuple[Replica, Header]]:
    """One copy, opened for reading. Errors: KeyStoreDamaged, OSError."""
    replica = Replica(directory, writable=False)
    try:
        yield replica, replica.open()
    finally:
        replica.close()


@contextmanager
def held() -> Iterator[None]:
    """Nobody writes to the store within. Errors: KeyStoreDamaged where there is none."""
    lock = StoreLock(Path(settings.LACUNA_KEYS_DIR), writable=False)
    try:
        with lock.held(exclusive=False):
            yield
    finally:
        with lock.closing():
            pass


def live_keys(directory: Path) -> set[UUID]:
    """Ids of the live keys in one copy; a slot of any epoch counts. Errors: KeyStoreDamaged, OSError."""
    found = set()
    with opened(directory) as (replica, header):
        for first in range(1, header.capacity + 1, CHUNK):
            data = replica.read(first, min(CHUNK, header.capacity + 1 - first))
            for _index, record in records(data, first):
                slot = Slot.parsed(record)
                if slot.live:
                    found.add(slot.key_id)
    return found


def all_live_keys() -> set[UUID]:
    """Ids of the live keys in the store itself. Errors: KeyStoreDamaged, OSError, django.db.Error."""
    if in_database():
        with closing(key_observer()) as store:
            return set(store.ids())
    with held():
        return live_keys(copies()[0][1])


def keys(subject: Subject) -> Place:
    """No key of what is destroyed has a live slot in the store."""
    wanted = {row.pk for row in subject.objects}
    return Place.of("keys", sorted(all_live_keys() & wanted), len(wanted))


def mirrors(subject: Subject) -> Place:
    """Nor in any mirror; and each mirror is the store's very copy, so that none of them remembers more."""
    wanted, found = {row.pk for row in subject.objects}, []
    (_name, primary), *others = copies()
    if in_database() or not others:
        return Place.of("mirrors", [], why="none-here")
    with held(), opened(primary) as (original, header):
        for name, directory in others:
            found += [f"{name}:{key}" for key in sorted(live_keys(directory) & wanted)]
            with opened(directory) as (replica, theirs):
                if theirs != header or not replica.same_as(original, header):
                    found.append(f"{name}:differs")
    return Place.of("mirrors", found, len(wanted) * len(others))


def epochs(subject: Subject) -> Place:
    """The key that the old slots were wrapped under is nowhere, and no roll was left half done."""
    if in_database():  # the keys above are a token's, which says nothing of them to who has no PIN
        return Place.closed("epochs", "elsewhere")
    rolled = Entry.objects.filter(run=subject.run.pk, action="keys.rolled").last()
    expected, found = int(rolled.details["epoch"]) if rolled else 1, []
    with held():
        (_name, primary), *_mirrors = copies()
        with opened(primary) as (_replica, header):
            if header.epoch < expected:  # an older store was put back
                found.append(f"keys:epoch-{header.epoch}")
        for name, directory in copies():
            with opened(directory) as (replica, _theirs):
                kept = {epoch_of(record) for record in replica.read_epochs()} - {None, header.epoch}
                drafts = (replica.draft, directory / "epochs.new")
                found += [f"{name}:key-of-epoch-{epoch}" for epoch in sorted(filter(None, kept))]
                found += [f"{name}:{draft.name}" for draft in drafts if draft.exists()]
    return Place.of("epochs", found, expected)
