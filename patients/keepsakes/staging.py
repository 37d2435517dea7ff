"""Files on their way in: ciphertext in the staging directory, segment by segment, and never anything else.

An upload's id is the id of its key from the first byte on. What is acknowledged is whole segments that are
on the disk; an incomplete one lives in memory alone, and is sent again after a cut.
"""

import fcntl
import os
from datetime import timedelta
from pathlib import Path
from uuid import UUID, uuid4

from django.conf import settings
from django.core.files import File
from django.db import transaction
from django.db.models import Sum
from django.utils import timezone

from clinic.audit.record import Act, actor_of, record
from clinic.people.models import User
from patients.cases.models import Case
from patients.imaging.refusals import Refused
from patients.keepsakes.arrivals import NotTaken, check_takes, receive
from patients.keepsakes.models import Keepsake, Upload, UploadPaper
from patients.vault.configured import key_store
from patients.vault.models import StoredObject
from patients.vault.objects import associated_data, destroy, doom, storage
from patients.vault.stream import HEADER, SEGMENT, Encryptor, plaintext_of

# An upload nobody has continued for so long is taken for abandoned.
EXPIRES = timedelta(hours=24)


class Busy(Exception):
    """Another request is writing to this upload."""


class Moved(Exception):
    """The sender and we disagree on how much has arrived; `offset` is our word."""

    def __init__(self, offset: int) -> None:
        super().__init__(f"{offset} bytes have arrived")
        self.offset = offset


def staging_path(upload_id: UUID) -> Path:
    """Where the ciphertext of an unfinished upload lies: on the vault's own volume."""
    return Path(settings.LACUNA_VAULT_DIR) / "staging" / upload_id.hex


def announced(case: Case) -> int:
    """How many bytes open uploads of this case have announced."""
    coming = Upload.objects.filter(case=case, keepsake__isnull=True).aggregate(size=Sum("length"))
    return coming["size"] or 0


def begin(case: Case, *, by: User, length: int, filename: str = "", kind: str = "") -> Upload:
    """Announce an upload of `length` plaintext bytes: its key, its row, its empty file.

    What other open uploads have announced counts as taken, so a quota holds in parallel too.
    Errors: NotTaken; OSError from key store or disk.
    """
    upload = Upload(
        pk=uuid4(),
        case=case,
        by=by,
        length=length,
        kind=kind or Upload.kind.field.default,
        expires_at=timezone.now() + EXPIRES,
    )
    key_store().create(upload.pk)
    try:
        upload.write(UploadPaper(filename=filename))
        path = staging_path(upload.pk)
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        with transaction.atomic():
            locked = Case.objects.select_for_update().get(pk=case.pk)
            check_takes(locked, size=length + announced(locked))
            upload.save(force_insert=True)
    except BaseException:
        staging_path(upload.pk).unlink(missing_ok=True)
        key_store().destroy(upload.pk)
        raise
    return upload


def discard(upload: Upload) -> None:
    """End an unfinished upload: key first, then file and row. May be repeated."""
    key_store().destroy(upload.pk)
    staging_path(upload.pk).unlink(missing_ok=True)
    Upload.objects.filter(pk=upload.pk, keepsake__isnull=True).delete()


def discard_expired() -> int:
    """Discard what nobody has continued; the supervisor's rounds call this. Returns how many."""
    expired = list(Upload.objects.filter(keepsake__isnull=True, expires_at__lt=timezone.now()))
    for upload in expired:
        discard(upload)
    return len(expired)


class Writer:
    """Writes one upload from where it stands. One writer at a time, in whatever process.

    Errors at opening: Busy, Moved where `offset` is not where it stands, FileNotFoundError when it is gone.
    """

    def __init__(self, upload: Upload, offset: int | None = None) -> None:
        self.upload = upload
        self.fd = os.open(staging_path(upload.pk), os.O_RDWR | os.O_CLOEXEC)
        try:
            try:
                fcntl.flock(self.fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise Busy from error
            self._resume()
            if offset is not None and offset != self.acknowledged:
                raise Moved(self.acknowledged)
        except BaseException:
            os.close(self.fd)
            raise
        self.received = self.acknowledged

    def _resume(self) -> None:
        """Keep the whole segments that are there, also those written but never acknowledged: encrypting
        other bytes in their place would use a nonce twice."""
        key = key_store().get(self.upload.pk)
        segments = os.fstat(self.fd).st_size // SEGMENT
        os.ftruncate(self.fd, segments * SEGMENT)
        aad = associated_data(self.upload.pk)
        if segments:
            os.fsync(self.fd)
            header = os.pread(self.fd, HEADER, 0)
            self.encryptor = Encryptor.resume(key, aad, header, segments)
            os.lseek(self.fd, 0, os.SEEK_END)
        else:
            self.encryptor = Encryptor(key, aad)
        self.acknowledged = plaintext_of(segments)

    def write(self, data: bytes) -> None:
        """Take plaintext; whole segments go to the disk encrypted. Errors: Moved beyond the length."""
        if self.received + len(data) > self.upload.length:
            raise Moved(self.acknowledged)
        self.received += len(data)
        self._out(self.encryptor.update(data))

    def _out(self, ciphertext: bytes) -> None:
        view = memoryview(ciphertext)
        while view:
            view = view[os.write(self.fd, view) :]

    @property
    def complete(self) -> bool:
        return self.received == self.upload.length

    def pause(self) -> int:
        """Make what is whole durable and return the acknowledged offset, in plaintext bytes."""
        os.fsync(self.fd)
        self.acknowledged = plaintext_of(os.fstat(self.fd).st_size // SEGMENT)
        Upload.objects.filter(pk=self.upload.pk).update(
            offset=self.acknowledged, expires_at=timezone.now() + EXPIRES
        )
        return self.acknowledged

    def finish(self) -> None:
        """Write the last segment and make everything durable."""
        self._out(self.encryptor.finish())
        os.fsync(self.fd)
        Upload.objects.filter(pk=self.upload.pk).update(offset=self.received, length=self.received)
        self.upload.length = self.received

    def close(self) -> None:
        os.close(self.fd)


class Staged(File):
    """A staged file, which the vault's storage moves instead of copying."""

    def __init__(self, path: Path) -> None:
        super().__init__(path.open("rb"), path.name)
        self._path = path

    def temporary_file_path(self) -> str:
        return str(self._path)


def settle(upload: Upload, *, by: User) -> Keepsake:
    """Make a keepsake of an upload whose bytes have all arrived; a second call returns the same one.

    Errors: Refused, NotTaken; then nothing of it is left, and the refusal is in the log.
    """
    done = Upload.objects.select_related("keepsake").filter(pk=upload.pk).first()
    if done is not None and done.keepsake is not None:
        return done.keepsake
    filename = upload.read().filename
    original = StoredObject.objects.create(
        id=upload.pk,
        case_id=upload.case_id,
        role=StoredObject.Role.ORIGINAL,
        state=StoredObject.State.PENDING,
        size=upload.length,
        blob=upload.pk.hex,
    )
    try:
        with Staged(staging_path(upload.pk)) as staged:
            storage().save(original.blob, staged)
        # Storage elsewhere (S3) has copied it; here it was moved and is gone already.
        staging_path(upload.pk).unlink(missing_ok=True)
        keepsake = receive(original, by=by, filename=filename, kind=upload.kind)
    except BaseException as error:
        mine = StoredObject.objects.filter(pk=original.pk)
        doom(mine, "refused")
        destroy(mine)
        discard(upload)
        if isinstance(error, Refused | NotTaken):
            _record_refusal(upload, error, by)
        raise
    Upload.objects.filter(pk=upload.pk).update(keepsake=keepsake)
    return keepsake


def _record_refusal(upload: Upload, error: Refused | NotTaken, by: User) -> None:
    code = str(error.code.value) if isinstance(error, Refused) else "not-taken"
    with transaction.atomic():
        record(
            Act(
                "keepsake.refused",
                f"upload:{upload.pk}",
                actor=actor_of(by),
                case=upload.case_id,
                details={"because": code, "bytes": upload.length},
            )
        )
