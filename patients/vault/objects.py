"""Putting bytes into the vault, reading them, and ending them.

The order is always: row (pending), key (durable), ciphertext (durable), and only then a pointer in a
transaction of the caller's. So nothing can hold a key without a row that names it, and whatever a crash
leaves is found by `orphans` and ended like anything else. The other way round a row is doomed in the
caller's transaction, and `destroy` may be repeated by anyone until it is done.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, cast
from uuid import UUID

from django.core.files.base import ContentFile
from django.core.files.storage import storages
from django.db.models import Q
from django.utils import timezone

from clinic.failpoints import hit
from patients.vault.configured import key_store
from patients.vault.models import StoredObject, StoredObjectQuerySet
from patients.vault.stream import Encryptor, Reader

if TYPE_CHECKING:
    from patients.vault.s3 import S3Vault
    from patients.vault.storage import VaultStorage

# A pending object this old belongs to nobody: its maker is dead or was fenced off. Longer than any lease.
ORPHAN_AGE = timedelta(minutes=10)


@dataclass(frozen=True)
class Destroyed:
    """What one call of `destroy` ended: objects and their plaintext bytes."""

    objects: int = 0
    size: int = 0


def storage() -> "VaultStorage | S3Vault":
    """Where ciphertext lies."""
    return cast("VaultStorage | S3Vault", storages["vault"])


def associated_data(object_id: UUID) -> bytes:
    """Bind a ciphertext to its id: swapped files must not open under each other's rows."""
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
) -> StoredObject:
    """Encrypt `data` under a key of its own and return its PENDING row.

    The caller makes it live (`publish`) in the transaction that points to it. Errors: OSError from the
    storage or the key store; the row then stays pending and is swept.
    """
    row = StoredObject.objects.create(
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
    )
    row.blob = row.id.hex
    StoredObject.objects.filter(pk=row.pk).update(blob=row.blob)
    hit("row")
    key = key_store().create(row.id, case_id)
    hit("key")
    encryptor = Encryptor(key, associated_data(row.id))
    ciphertext = encryptor.update(data) + encryptor.finish()
    stored = storage().save(row.blob, ContentFile(ciphertext))
    if stored != row.blob:
        raise FileExistsError(stored)
    hit("file")
    return row


def publish(rows: Iterable[StoredObject]) -> bool:
    """Make pending rows live; False if any was doomed meanwhile. Call inside the pointing transaction."""
    ids = [row.pk for row in rows]
    pending = StoredObject.objects.filter(pk__in=ids, state=StoredObject.State.PENDING)
    return pending.update(state=StoredObject.State.LIVE) == len(ids)


def new_seal(
    *, case_id: UUID, seal_id: UUID, memory_id: UUID | None = None, keepsake_id: UUID | None = None
) -> None:
    """Create the key under which one row's sealed part will lie, and its row. Call inside a transaction."""
    StoredObject.objects.create(
        id=seal_id,
        case_id=case_id,
        memory_id=memory_id,
        keepsake_id=keepsake_id,
        role=StoredObject.Role.SEAL,
    )
    key_store().create(seal_id, case_id)


def reader(row: StoredObject) -> Reader:
    """Open an object for reading, seekable. Errors: KeyGone, FileNotFoundError, Tampered."""
    key = key_store().get(row.pk)
    return Reader(storage().open(row.blob), key, associated_data(row.pk))


def read(row: StoredObject) -> bytes:
    """Return an object's plaintext. Errors as `reader`."""
    with reader(row) as file:
        return bytes(file.read())


def doom(rows: StoredObjectQuerySet, by: str) -> int:
    """Doom objects inside the caller's transaction; its commit is their end. Returns how many."""
    return rows.filter(state__in=[StoredObject.State.PENDING, StoredObject.State.LIVE]).update(
        state=StoredObject.State.DOOMED, doomed_at=timezone.now(), doomed_by=by
    )


def destroy(rows: StoredObjectQuerySet) -> Destroyed:
    """Destroy the key and unlink the file of every doomed object in `rows`, then record it.

    Idempotent, safe to run from any process at any time, also twice at once. Key first: from that moment
    the file is noise, wherever copies of it are. Errors: OSError; what was not ended stays doomed.
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


def orphans(now: datetime | None = None) -> StoredObjectQuerySet:
    """Pending objects whose maker is gone, except those an upload that is still open owns."""
    before = (now or timezone.now()) - ORPHAN_AGE
    return StoredObject.objects.filter(Q(state=StoredObject.State.PENDING) & Q(made_at__lt=before))
