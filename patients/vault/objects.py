"""Store, read and destroy objects of the vault.

To store one, the order is always: row (pending), key (durable), ciphertext (durable), and last a reference to
the row, in a transaction of the caller. So every key has a row that names it, and `orphans` finds whatever a
crash leaves. To destroy one, the caller's transaction marks its row as doomed. After that any process may
call `destroy`, again and again until it is done.

A key is made only while its row is pending, and the key store asks for that while nobody can destroy the key.
So a process that was frozen between row and key, while others doomed and destroyed the object, makes no key
when it goes on (docs/decisions/0010-no-key-after-the-end.md).
"""

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, cast
from uuid import UUID, uuid4

from django.core.files.base import ContentFile
from django.core.files.storage import storages
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from clinic.failpoints import hit
from patients.vault.configured import key_store
from patients.vault.keys import Unwanted, always
from patients.vault.models import StoredObject, StoredObjectQuerySet
from patients.vault.stream import Encryptor, Reader

if TYPE_CHECKING:
    from patients.vault.s3 import S3Vault
    from patients.vault.storage import VaultStorage

# A pending object this old is abandoned: its creator died or lost its lease. Longer than any lease.
ORPHAN_AGE = timedelta(minutes=10)


# How many files are looked for to tell a storage that is away from a file that is missing.
SAMPLE = 20


@dataclass(frozen=True)
class Destroyed:
    """Result of `destroy`: the number of objects destroyed, and their plaintext size in bytes."""

    objects: int = 0
    size: int = 0


def storage() -> "VaultStorage | S3Vault":
    """Return the storage for ciphertext."""
    return cast("VaultStorage | S3Vault", storages["vault"])


def associated_data(object_id: UUID) -> bytes:
    """Return the data that binds a ciphertext to its id, so that swapped files do not open."""
    return b"lacuna object " + object_id.bytes


def put(
    data: bytes,
    *,
    case_id: UUID,
    role: str,
    memory_id: UUID | None = None,
    keepsake_id: UUID | None = None,
    media_type: str = "",
    size: tuple[int, int] = (0, 0),
    level: int = 0,
    capacity: int = 0,
    permitted: Callable[[], bool] = always,
) -> StoredObject:
    """Encrypt `data` under a key of its own and return its PENDING row.

    The caller makes it live (`publish`) in the transaction that refers to it. `size` is width and height in
    pixels, `level` the fade level, `capacity` as in StoredObject. `permitted` is asked in the transaction
    that makes the row; it may lock what its answer depends on.
    Errors: Unwanted if the answer is no (there is no row), or if the row was doomed meanwhile (there is
    neither key nor file); OSError from the storage or the key store; the row then stays pending, and the
    sweep destroys it.
    """
    key_id = uuid4()
    row = StoredObject(
        id=key_id,
        case_id=case_id,
        memory_id=memory_id,
        keepsake_id=keepsake_id,
        role=role,
        state=StoredObject.State.PENDING,
        media_type=media_type,
        size=len(data),
        width=size[0],
        height=size[1],
        level=level,
        capacity=capacity,
        blob=key_id.hex,
    )
    with transaction.atomic():
        if not permitted():
            raise Unwanted(key_id)
        row.save(force_insert=True)
    hit("row")
    still_pending = StoredObject.objects.filter(pk=key_id, state=StoredObject.State.PENDING).exists
    key = key_store().create(key_id, case_id, wanted=still_pending)
    hit("key")
    encryptor = Encryptor(key, associated_data(row.id))
    ciphertext = encryptor.update(data) + encryptor.finish()
    stored = storage().save(row.blob, ContentFile(ciphertext))
    if stored != row.blob:
        raise FileExistsError(stored)
    hit("file")
    if not still_pending():  # whoever destroyed it came before the file, which no key opens
        storage().delete(row.blob)
        raise Unwanted(key_id)
    return row


def publish(rows: Iterable[StoredObject]) -> bool:
    """Make pending rows live; return False if any was doomed meanwhile.

    Call it inside the transaction that refers to them.
    """
    ids = [row.pk for row in rows]
    pending = StoredObject.objects.filter(pk__in=ids, state=StoredObject.State.PENDING)
    return pending.update(state=StoredObject.State.LIVE) == len(ids)


def new_seal(
    *, case_id: UUID, seal_id: UUID, memory_id: UUID | None = None, keepsake_id: UUID | None = None
) -> None:
    """Create the key for one row's sealed fields, and the key's own row. Call it inside a transaction."""
    StoredObject.objects.create(
        id=seal_id,
        case_id=case_id,
        memory_id=memory_id,
        keepsake_id=keepsake_id,
        role=StoredObject.Role.SEAL,
    )
    key_store().create(seal_id, case_id)


def reader(row: StoredObject) -> Reader:
    """Return a seekable file of an object's plaintext. Errors: KeyGone, FileNotFoundError, Tampered."""
    key = key_store().get(row.pk)
    return Reader(storage().open(row.blob), key, associated_data(row.pk))


def read(row: StoredObject) -> bytes:
    """Return an object's plaintext. Errors as `reader`."""
    with reader(row) as file:
        return bytes(file.read())


def mark_for_destruction(rows: StoredObjectQuerySet, by: str) -> int:
    """Mark objects for destruction; return how many.

    Call it inside a transaction. From its commit on, the objects are lost for good.
    """
    return rows.filter(state__in=[StoredObject.State.PENDING, StoredObject.State.LIVE]).update(
        state=StoredObject.State.DOOMED, doomed_at=timezone.now(), doomed_by=by
    )


def destroy(rows: StoredObjectQuerySet) -> Destroyed:
    """Destroy the key and delete the file of every doomed object in `rows`, then record it.

    Idempotent. Any process may call it at any time, also two at once. The key goes first: from then on the
    file and all its copies are unreadable. Errors: OSError; objects that were not destroyed stay doomed.
    """
    ended = size = 0
    for row in rows.doomed():
        key_store().destroy(row.pk)
        hit("key-destroyed")
        if row.blob:
            storage().delete(row.blob)
        hit("file-unlinked")
        ended += StoredObject.objects.filter(pk=row.pk, state=StoredObject.State.DOOMED).update(
            state=StoredObject.State.DESTROYED, destroyed_at=timezone.now(), blob=""
        )
        size += row.size
        hit("recorded")
    return Destroyed(ended, size)


def storage_holds(rows: StoredObjectQuerySet) -> bool:
    """Return whether the storage has at least one of the newest files of `rows`; True if they have no file.

    If it has none of them, not one file is missing, but another disk or bucket is in its place.
    Errors: OSError.
    """
    blobs = rows.live().exclude(blob="").order_by("-made_at").values_list("blob", flat=True)[:SAMPLE]
    return not blobs or any(storage().exists(blob) for blob in blobs)


def try_storage(name: str) -> bool:
    """Store one byte under `name`, read and delete it; return whether it was read as stored.

    Errors: OSError.
    """
    content = os.urandom(1)
    storage().save(name, ContentFile(content))
    try:
        with storage().open(name) as file:
            return bool(file.read() == content)
    finally:
        storage().delete(name)


def orphans(now: datetime | None = None) -> StoredObjectQuerySet:
    """Return the pending objects that are older than ORPHAN_AGE, so that their creator must be gone.

    An open upload has only a key, until its last step gives it a row. While that step is tried again, the row
    is among them, and the caller excludes it (sweep.py).
    """
    before = (now or timezone.now()) - ORPHAN_AGE
    return StoredObject.objects.filter(Q(state=StoredObject.State.PENDING) & Q(made_at__lt=before))
