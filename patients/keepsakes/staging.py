"""Uploads in progress. The staging directory has their ciphertext, segment by segment, and no plaintext.

The id of an upload is also the id of its key, from the start. When a request ends, the whole segments are
synced to the disk and the bytes after the last one are sealed into the upload's row; then all of them are
acknowledged. Whoever writes, finishes or discards an upload must hold the lock of its staged file.
"""

import fcntl
import os
import re
import threading
import time
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from django.conf import settings
from django.core.files import File
from django.db import Error, transaction
from django.db.models import Count, Sum
from django.utils import timezone
from django.utils.translation import gettext as _

from clinic import durable
from clinic.accounts.models import User
from clinic.audit.canonical import LARGEST_INT
from clinic.audit.record import Act, actor_of, record
from clinic.durable import make_directory, sync_directory
from clinic.failpoints import hit
from patients.cases.editing import CaseLocked
from patients.cases.models import Case
from patients.imaging.refusals import FileRefused
from patients.imaging.sniff import HEAD_BYTES
from patients.keepsakes.ingest import FILENAME_LENGTH, check_accepts, create_keepsake, remaining_quota
from patients.keepsakes.limits import check_head, max_bytes_by_head, max_upload_bytes
from patients.keepsakes.models import Keepsake, Upload, UploadFields
from patients.vault.configured import key_store
from patients.vault.keys import KeyGone, KeyStoreDamaged
from patients.vault.models import StoredObject
from patients.vault.objects import associated_data, destroy, mark_for_destruction, storage
from patients.vault.sealed import seal, unseal
from patients.vault.stream import HEADER, SEGMENT, Encryptor, Tampered, ciphertext_size, plaintext_of

# An upload that was not continued for this long is discarded.
EXPIRES = timedelta(hours=24)
# A staged file is created seconds before its row is committed. If it has no row after this time, it will
# never have one.
STRAY_AGE = timedelta(minutes=10)
# Removed from file names: control characters, and characters that hide or reverse the text around them.
UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


class Busy(Exception):
    """Another request is writing to this upload, or it is being made a keepsake."""


class Discarded(Exception):
    """The upload was discarded: by the client, or because it had expired."""


class TooManyBytes(Exception):
    """More bytes arrived than were announced."""


class OffsetMismatch(Exception):
    """The client sent another offset than `offset`, the number of bytes that have arrived here."""

    def __init__(self, offset: int) -> None:
        super().__init__(f"{offset} bytes have arrived")
        self.offset = offset


def staging_path(upload_id: UUID) -> Path:
    """Return the path of an unfinished upload's ciphertext, on the same volume as the vault."""
    return Path(settings.LACUNA_VAULT_DIR) / "staging" / upload_id.hex


def clean_name(name: str) -> str:
    """Return a file name that is safe to show: no directories or `UNPRINTABLE`, shortened at its start."""
    last = re.split(r"[/\\]", UNPRINTABLE.sub("", name))[-1]
    return " ".join(last.split())[-FILENAME_LENGTH:]


def open_uploads(case: Case) -> tuple[int, int]:
    """Return the number of uploads in progress in this case, and the bytes they have announced."""
    # An upload that is being made a keepsake has its original in the vault already and is counted there.
    arrived = StoredObject.objects.filter(case=case, role=StoredObject.Role.ORIGINAL).remaining()
    announced = Upload.objects.filter(case=case, keepsake__isnull=True).exclude(pk__in=arrived.values("pk"))
    totals = announced.aggregate(count=Count("pk"), size=Sum("length"))
    return totals["count"], totals["size"] or 0


def open_upload_keys() -> set[UUID]:
    """Return the ids of the keys of uploads in progress, which the vault's sweep must not destroy."""
    return set(Upload.objects.filter(keepsake__isnull=True).values_list("pk", flat=True))


def bytes_left(case: Case) -> int:
    """Return how many bytes a file of unknown length may have; 0 if the quota is used up."""
    return max(0, min(max_upload_bytes(), remaining_quota(case)[1] - open_uploads(case)[1]))


def check_room(case: Case, length: int) -> None:
    """Like `check_accepts`, but also count what uploads in progress have announced. Errors: CaseLocked."""
    count, size = open_uploads(case)
    check_accepts(case, size=length + size)
    if remaining_quota(case)[0] <= count:
        raise CaseLocked(_("You have brought as many keepsakes as one file can hold."))


def begin_upload(
    case: Case,
    *,
    by: User,
    length: int,
    filename: str = "",
    kind: str = "",
    metadata: str = "",
    length_deferred: bool = False,
) -> Upload:
    """Begin an upload of `length` plaintext bytes: create its key, its empty file and its row.

    metadata: the client's Upload-Metadata header. length_deferred: `length` is a maximum (`set_length`).
    Announced bytes count as used, so that parallel uploads cannot exceed the quota.
    Errors: CaseLocked; OSError from key store or disk.
    """
    check_room(case, length)  # do not create a key for an upload that is refused anyway
    upload = Upload(
        pk=uuid4(),
        case=case,
        by=by,
        length=length,
        length_deferred=length_deferred,
        kind=kind or Upload.kind.field.default,
        expires_at=timezone.now() + EXPIRES,
    )
    key_store().create(upload.pk, case.pk)
    try:
        upload.write(UploadFields(filename=clean_name(filename), metadata=metadata))
        path = staging_path(upload.pk)
        make_directory(path.parent)
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        sync_directory(path.parent)  # else a crash could lose the file's name, and acknowledged bytes with it
        with transaction.atomic():
            locked = Case.objects.select_for_update().get(pk=case.pk)
            check_room(locked, length)
            upload.save(force_insert=True)
    except BaseException:
        key_store().destroy(upload.pk)
        staging_path(upload.pk).unlink(missing_ok=True)
        raise
    return upload


def lock(upload: Upload) -> int:
    """Open and lock the staged file; return its descriptor. Closing the descriptor releases the lock.

    Errors: Busy; Discarded if the file is gone.
    """
    path = staging_path(upload.pk)
    try:
        fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        raise _error_for_missing_file(upload) from None
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if not path.exists():  # the previous holder of the lock has moved or deleted it
            raise _error_for_missing_file(upload)
    except BaseException as error:
        os.close(fd)
        if isinstance(error, BlockingIOError):
            raise Busy from error
        raise
    return fd


def _error_for_missing_file(upload: Upload) -> Busy | Discarded:
    """Return Busy if the upload has just become a keepsake (a repeated request gets it), else Discarded."""
    return Busy() if Upload.objects.filter(pk=upload.pk, keepsake__isnull=False).exists() else Discarded()


def discard(upload: Upload) -> None:
    """Discard an unfinished upload: destroy its key, then delete its file and row. May be repeated.

    One that is a keepsake already is left as it is. Errors: Busy if another request is writing to it or
    making it a keepsake.
    """
    if Upload.objects.filter(pk=upload.pk, keepsake__isnull=False).exists():
        return
    try:
        fd = lock(upload)
    except Discarded:  # the file is gone, but key or row may be left of an earlier attempt
        _discard_locked(upload)
        return
    try:
        _discard_locked(upload)
    finally:
        os.close(fd)


def _discard_locked(upload: Upload) -> None:
    """Like `discard`; the caller holds the lock of the staged file, or the file is gone."""
    if Upload.objects.filter(pk=upload.pk, keepsake__isnull=False).exists():
        return  # it became a keepsake, and its key is the original's
    key_store().destroy(upload.pk)
    original = StoredObject.objects.filter(pk=upload.pk)  # there is one if `finish_upload` had begun
    mark_for_destruction(original, "discarded")
    destroy(original)
    staging_path(upload.pk).unlink(missing_ok=True)
    Upload.objects.filter(pk=upload.pk, keepsake__isnull=True).delete()


def finish_arrived() -> int:
    """Make keepsakes of uploads whose bytes have all arrived and whose last step has failed; return how many.

    The sender may have gone by then. The supervisor calls this at intervals. Errors: the first error that is
    no refusal, once all uploads had their turn; they are tried again until they expire.
    """
    count, errors = 0, []
    for upload in Upload.objects.filter(keepsake__isnull=True).select_related("by"):
        try:
            writer = Writer(upload)
        except (Busy, Discarded, KeyGone):
            continue
        try:
            if writer.finished:
                finish_upload(upload, by=upload.by)
                count += 1
        except (Discarded, FileRefused, CaseLocked):
            continue
        except (Error, OSError, KeyStoreDamaged) as error:
            errors.append(error)
        finally:
            writer.close()
    if errors:
        raise errors[0]
    return count


def discard_expired() -> int:
    """Discard expired uploads, and staged files without a row. Return how many.

    The supervisor calls this at intervals.
    """
    count = 0
    for upload in Upload.objects.filter(keepsake__isnull=True, expires_at__lt=timezone.now()):
        try:
            discard(upload)
            count += 1
        except Busy:
            continue
    return count + _unlink_strays()


def _unlink_strays() -> int:
    """Delete staged files that are older than `STRAY_AGE` and have no row; return how many."""
    any_id = UUID(int=0)
    directory = staging_path(any_id).parent
    before = time.time() - STRAY_AGE.total_seconds()
    old = []
    for path in directory.glob("*"):
        try:
            if path.stat().st_mtime < before:
                old.append(path)
        except FileNotFoundError:
            continue
    known = {key.hex for key in open_upload_keys()} if old else set()
    strays = [path for path in old if path.name not in known]
    for path in strays:
        path.unlink(missing_ok=True)
    return len(strays)


class Writer:
    """Continues one upload. Only one writer can exist at a time, among all processes.

    received: plaintext bytes so far. acknowledged: those that were durable at the start, or at `pause`.
    finished: the staged file has its last segment. Creating a writer locks the upload. Errors: Busy,
    Discarded, KeyGone; OffsetMismatch if `offset` is given and is not the number of acknowledged bytes.
    """

    def __init__(self, upload: Upload, offset: int | None = None) -> None:
        self.upload = upload
        # A request may end while a thread still writes for it. The descriptor must not be closed during that
        # write: its number could be reused for another file.
        self._lock = threading.Lock()
        self._closed = False
        self.fd = lock(upload)
        try:
            self._resume()
            if offset is not None and offset != self.acknowledged:
                raise OffsetMismatch(self.acknowledged)
        except BaseException:
            os.close(self.fd)
            raise
        self.received = self.acknowledged

    def _resume(self) -> None:
        """Continue after the last whole segment in the file, and cut off an incomplete one.

        Segments that were written but never acknowledged are kept too: encrypting other bytes in their place
        would use a nonce twice.
        """
        key = key_store().get(self.upload.pk)
        size = os.fstat(self.fd).st_size
        # A segment is written only when a byte after it has arrived, so an unfinished file is always shorter.
        self.finished = size == ciphertext_size(self.upload.length)
        if self.finished:
            self.acknowledged = self.upload.length
            return
        segments = size // SEGMENT
        os.ftruncate(self.fd, segments * SEGMENT)
        aad = associated_data(self.upload.pk)
        if segments:
            durable.fsync(self.fd)
            header = os.pread(self.fd, HEADER, 0)
            self.encryptor = Encryptor.resume(key, aad, header, segments)
            os.lseek(self.fd, 0, os.SEEK_END)
        else:
            self.encryptor = Encryptor(key, aad)
        tail = self._read_tail(key)
        self.encryptor.update(tail)
        self.acknowledged = plaintext_of(segments) + len(tail)

    def _read_tail(self, key: bytes) -> bytes:
        """Return the plaintext behind the last whole segment; empty if a segment was written after it."""
        sealed = Upload.objects.filter(pk=self.upload.pk).values_list("sealed_tail", flat=True).first()
        try:
            return unseal(key, self._tail_data(), sealed) if sealed else b""
        except Tampered:
            return b""

    def _tail_data(self) -> bytes:
        """Return the associated data of the tail: it follows this many segments of this upload."""
        return f"{associated_data(self.upload.pk)!r} tail {self.encryptor.segments}".encode()

    def write(self, data: bytes) -> None:
        """Encrypt plaintext and write all whole segments to the staged file.

        Errors: TooManyBytes beyond the announced length; FileRefused once the first bytes tell that the whole
        will be refused; Discarded after `close`; OSError.
        """
        with self._lock:
            if self._closed:
                raise Discarded
            if self.received < HEAD_BYTES <= self.received + len(data):
                self._check_head(self.encryptor.unsealed + data)
            if self.received + len(data) > self.upload.length:
                raise TooManyBytes
            self.received += len(data)
            self._write_all(self.encryptor.update(data))

    def _check_head(self, head: bytes) -> None:
        """Check the kind of the file and its size by its first bytes. Errors: FileRefused.

        The most that a file of unknown length may have becomes that of its kind.
        """
        filename = self.upload.read().filename
        if not self.upload.length_deferred:
            check_head(head, filename, self.upload.length)
        elif (most := max_bytes_by_head(head, filename)) < self.upload.length:
            self.upload.length = most
            Upload.objects.filter(pk=self.upload.pk, length_deferred=True).update(length=most)

    def _write_all(self, ciphertext: bytes) -> None:
        view = memoryview(ciphertext)
        while view:
            view = view[os.write(self.fd, view) :]

    def set_length(self, length: int) -> bool:
        """Set the length of an upload that was announced without one.

        Return whether the upload has this length now. A length that is known never changes. One below the
        bytes that have arrived, or above the maximum, is not accepted.
        """
        if self.upload.length_deferred and self.received <= length <= self.upload.length:
            Upload.objects.filter(pk=self.upload.pk).update(length=length, length_deferred=False)
            self.upload.length, self.upload.length_deferred = length, False
        return not self.upload.length_deferred and length == self.upload.length

    @property
    def complete(self) -> bool:
        """Whether all bytes have arrived, and the client has said that these are all."""
        return self.received == self.upload.length and not self.upload.length_deferred

    def pause(self) -> int:
        """Make durable what has arrived, release the lock, and return the acknowledged offset in bytes.

        Errors: KeyGone if the upload's key was destroyed meanwhile.
        """
        changes: dict[str, Any] = {"wanted": False, "expires_at": timezone.now() + EXPIRES}
        with self._lock:
            if not self._closed and not self.finished:
                durable.fsync(self.fd)
                tail = self.encryptor.unsealed
                changes["sealed_tail"] = seal(key_store().get(self.upload.pk), self._tail_data(), tail)
                self.acknowledged = plaintext_of(self.encryptor.segments) + len(tail)
        Upload.objects.filter(pk=self.upload.pk).update(offset=self.acknowledged, **changes)
        self.upload.expires_at = changes["expires_at"]
        self.close()
        return self.acknowledged

    def is_wanted(self) -> bool:
        """Return whether another request of the client waits for the lock."""
        return Upload.objects.filter(pk=self.upload.pk, wanted=True).exists()

    def finish(self) -> None:
        """Note in the database that all has arrived, then write the last segment and sync the file.

        In this order a file that is whole always has its length in the database, so that another process can
        tell that it is whole.
        """
        if self._closed:
            raise Discarded
        Upload.objects.filter(pk=self.upload.pk).update(
            offset=self.received, length=self.received, length_deferred=False
        )
        self.upload.length, self.upload.length_deferred = self.received, False
        with self._lock:
            if self._closed:
                raise Discarded
            if not self.finished:
                self._write_all(self.encryptor.finish())
            durable.fsync(self.fd)
            self.finished = True
        hit("upload-finished")

    def discard(self) -> None:
        """Discard the upload. The caller must close the writer afterwards."""
        _discard_locked(self.upload)

    def close(self) -> None:
        """Release the lock. May be repeated."""
        with self._lock:
            if not self._closed:
                self._closed = True
                os.close(self.fd)


class StagedFile(File):
    """A staged file. Its temporary_file_path lets the vault's storage link to it instead of copying it."""

    def __init__(self, path: Path) -> None:
        super().__init__(path.open("rb"), path.name)
        self._path = path

    def temporary_file_path(self) -> str:
        return str(self._path)


def finish_upload(upload: Upload, *, by: User) -> Keepsake:
    """Make a keepsake of an upload whose bytes have all arrived. A second call returns the same keepsake.

    The caller holds the lock of the staged file. Errors: Discarded, FileRefused and CaseLocked, after the
    upload was destroyed and a refusal was recorded in the audit log. After any other error (a database or a
    disk that fails) nothing of what was brought is lost, and it may be called again.
    """
    done = Upload.objects.select_related("keepsake").filter(pk=upload.pk).first()
    if done is None:
        raise Discarded
    if done.keepsake is None:
        try:
            filename = upload.read().filename
            original = _store_original(upload)
            keepsake = create_keepsake(original, by=by, filename=filename, kind=upload.kind)
        except (FileRefused, CaseLocked) as refusal:
            _discard_locked(upload)
            record_refusal(upload.case_id, refusal_code(refusal), upload.length, by=by, upload_id=upload.pk)
            raise
        except (KeyGone, Tampered) as error:  # nobody can ever read it
            _discard_locked(upload)
            raise Discarded from error
    else:
        keepsake = done.keepsake
    hit("upload-received")
    staging_path(upload.pk).unlink(missing_ok=True)
    return keepsake


def _store_original(upload: Upload) -> StoredObject:
    """Create the original's row and store the staged ciphertext in the vault, unless an earlier call did so.

    The staged file stays until the keepsake is there: whoever works on the upload holds its lock.
    Errors: KeyGone if the original is marked for destruction, or destroyed.
    """
    original, _created = StoredObject.objects.get_or_create(
        id=upload.pk,
        defaults={
            "case_id": upload.case_id,
            "role": StoredObject.Role.ORIGINAL,
            "state": StoredObject.State.PENDING,
            "size": upload.length,
            "blob": upload.pk.hex,
        },
    )
    if original.state != StoredObject.State.PENDING:
        raise KeyGone(upload.pk)
    hit("original-row")
    if not storage().exists(original.blob):
        with StagedFile(staging_path(upload.pk)) as staged:
            storage().save(original.blob, staged)
    hit("original-file")
    return original


def refusal_code(error: FileRefused | CaseLocked) -> str:
    """Return the code of a refusal, for the audit log and for URLs."""
    return str(error.code.value) if isinstance(error, FileRefused) else "not-taken"


@transaction.atomic
def record_refusal(case_id: UUID, code: str, size: int, *, by: User, upload_id: UUID | None = None) -> None:
    """Record in the audit log that an upload was refused: the code, and the bytes announced (or received)."""
    record(
        Act(
            "keepsake.refused",
            f"upload:{upload_id}" if upload_id else f"case:{case_id}",
            actor=actor_of(by),
            case=case_id,
            details={"because": code, "bytes": min(size, LARGEST_INT)},
        )
    )
