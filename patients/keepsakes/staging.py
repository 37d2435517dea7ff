"""Files on their way in: ciphertext in the staging directory, segment by segment, and never anything else.

An upload's id is the id of its key from the first byte on. What is acknowledged is whole segments that are
on the disk; an incomplete one lives in memory alone, and is sent again after a cut. Whoever writes, settles
or discards an upload holds the lock of its staged file while doing so.
"""

import fcntl
import os
import re
import threading
import time
from datetime import timedelta
from pathlib import Path
from uuid import UUID, uuid4

from django.conf import settings
from django.core.files import File
from django.db import transaction
from django.db.models import Count, Sum
from django.utils import timezone
from django.utils.translation import gettext as _

from clinic import durable
from clinic.accounts.models import User
from clinic.audit.canonical import LARGEST_INT
from clinic.audit.record import Act, actor_of, record
from clinic.durable import make_directory, sync_directory
from patients.cases.editing import NotTaken
from patients.cases.models import Case
from patients.imaging.refusals import Refused
from patients.keepsakes.ingest import FILENAME_LENGTH, check_takes, receive, room_left
from patients.keepsakes.models import Keepsake, Upload, UploadFields
from patients.vault.configured import key_store
from patients.vault.keys import KeyGone
from patients.vault.models import StoredObject
from patients.vault.objects import associated_data, destroy, doom, storage
from patients.vault.stream import HEADER, SEGMENT, Encryptor, ciphertext_size, plaintext_of

# An upload nobody has continued for so long is taken for abandoned.
EXPIRES = timedelta(hours=24)
# A staged file is made seconds before its row can be seen; one without a row for so long has none to come.
STRAY = timedelta(minutes=10)
# What a name on a page must not hold: controls, and marks that turn or hide the text around them.
UNFIT = re.compile("[\x00-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


class Busy(Exception):
    """Another request is writing to this upload, or it is being looked at."""


class Stopped(Exception):
    """The upload was discarded: by its sender, or because its time was over."""


class TooMuch(Exception):
    """More bytes arrived than were announced."""


class Moved(Exception):
    """The sender and we disagree on how much has arrived; `offset` is our word."""

    def __init__(self, offset: int) -> None:
        super().__init__(f"{offset} bytes have arrived")
        self.offset = offset


def staging_path(upload_id: UUID) -> Path:
    """Where the ciphertext of an unfinished upload lies: on the vault's own volume."""
    return Path(settings.LACUNA_VAULT_DIR) / "staging" / upload_id.hex


def clean_name(name: str) -> str:
    """The name of a file as it may be shown: no directories, controls or marks, its end kept."""
    last = re.split(r"[/\\]", UNFIT.sub("", name))[-1]
    return " ".join(last.split())[-FILENAME_LENGTH:]


def open_uploads(case: Case) -> tuple[int, int]:
    """How many uploads of this case are on their way, and how many bytes they have announced."""
    # One that is being looked at has its original in the vault already, and is counted there.
    arrived = StoredObject.objects.filter(case=case, role=StoredObject.Role.ORIGINAL).remaining()
    coming = Upload.objects.filter(case=case, keepsake__isnull=True).exclude(pk__in=arrived.values("pk"))
    said = coming.aggregate(count=Count("pk"), size=Sum("length"))
    return said["count"], said["size"] or 0


def open_upload_keys() -> set[UUID]:
    """Keys that belong to uploads on their way in; the vault's sweep spares them."""
    return set(Upload.objects.filter(keepsake__isnull=True).values_list("pk", flat=True))


def bytes_left(case: Case) -> int:
    """How long a file may be whose length nobody knows yet; 0 where there is no room."""
    return max(0, min(settings.LACUNA_UPLOAD_MAX_BYTES, room_left(case)[1] - open_uploads(case)[1]))


def check_room(case: Case, length: int) -> None:
    """`check_takes`, counting what other open uploads have announced. Errors: NotTaken."""
    count, size = open_uploads(case)
    check_takes(case, size=length + size)
    if room_left(case)[0] <= count:
        raise NotTaken(_("You have brought as many keepsakes as one file can hold."))


def begin(case: Case, *, by: User, length: int, filename: str = "", kind: str = "") -> Upload:
    """Announce an upload of `length` plaintext bytes: its key, its row, its empty file.

    What is announced counts as taken, so a quota holds in parallel too.
    Errors: NotTaken; OSError from key store or disk.
    """
    check_room(case, length)  # no key is made for what is refused anyway
    upload = Upload(
        pk=uuid4(),
        case=case,
        by=by,
        length=length,
        kind=kind or Upload.kind.field.default,
        expires_at=timezone.now() + EXPIRES,
    )
    key_store().create(upload.pk, case.pk)
    try:
        upload.write(UploadFields(filename=clean_name(filename)))
        path = staging_path(upload.pk)
        make_directory(path.parent)
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        sync_directory(path.parent)  # or what is acknowledged later would be lost with the file's name
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
    """Open the staged file and lock it; the lock ends with the descriptor.

    Errors: Busy; Stopped when the file is gone.
    """
    path = staging_path(upload.pk)
    try:
        fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        raise _why_gone(upload) from None
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if not path.exists():  # whoever held the lock before has moved it or ended it
            raise _why_gone(upload)
    except BaseException as error:
        os.close(fd)
        if isinstance(error, BlockingIOError):
            raise Busy from error
        raise
    return fd


def _why_gone(upload: Upload) -> Busy | Stopped:
    pending = StoredObject.objects.filter(pk=upload.pk, state=StoredObject.State.PENDING)
    return Busy() if pending.exists() else Stopped()


def discard(upload: Upload) -> None:
    """End an unfinished upload: key first, then file and row. May be repeated.

    Errors: Busy while somebody writes to it or settles it.
    """
    try:
        fd = lock(upload)
    except Stopped:
        _drop(upload)
        return
    try:
        _drop(upload)
    finally:
        os.close(fd)


def _drop(upload: Upload) -> None:
    """`discard` for whoever holds the lock."""
    if Upload.objects.filter(pk=upload.pk, keepsake__isnull=False).exists():
        return  # it became a keepsake, and its key is the original's
    key_store().destroy(upload.pk)
    staging_path(upload.pk).unlink(missing_ok=True)
    Upload.objects.filter(pk=upload.pk, keepsake__isnull=True).delete()


def discard_expired() -> int:
    """Discard what nobody has continued, and files without a row; the supervisor's rounds call this.

    Returns how many.
    """
    ended = 0
    for upload in Upload.objects.filter(keepsake__isnull=True, expires_at__lt=timezone.now()):
        try:
            discard(upload)
            ended += 1
        except Busy:
            continue
    return ended + _unlink_strays()


def _unlink_strays() -> int:
    directory = staging_path(UUID(int=0)).parent
    before = time.time() - STRAY.total_seconds()
    old = []
    for path in directory.glob("*"):
        try:
            if path.stat().st_mtime < before:
                old.append(path)
        except FileNotFoundError:
            continue
    known = {key.hex for key in Upload.objects.values_list("pk", flat=True)} if old else set()
    strays = [path for path in old if path.name not in known]
    for path in strays:
        path.unlink(missing_ok=True)
    return len(strays)


class Writer:
    """Writes one upload from where it stands. One writer at a time, in whatever process.

    Errors at opening: Busy, Stopped, KeyGone, Moved where `offset` is not where it stands.
    """

    def __init__(self, upload: Upload, offset: int | None = None) -> None:
        self.upload = upload
        # A request may be given up while a thread still writes for it: the descriptor must outlast that, or
        # its number could be another file's by then.
        self._turn = threading.Lock()
        self._closed = False
        self.fd = lock(upload)
        try:
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
        size = os.fstat(self.fd).st_size
        # A segment leaves only when a byte beyond it is known, so an unfinished file is always shorter.
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
        self.acknowledged = plaintext_of(segments)

    def write(self, data: bytes) -> None:
        """Take plaintext; whole segments go to the disk encrypted.

        Errors: TooMuch beyond the length; Stopped after `close`; OSError.
        """
        with self._turn:
            if self._closed:
                raise Stopped
            if self.received + len(data) > self.upload.length:
                raise TooMuch
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
        with self._turn:
            if not self._closed and not self.finished:
                durable.fsync(self.fd)
                self.acknowledged = plaintext_of(os.fstat(self.fd).st_size // SEGMENT)
        Upload.objects.filter(pk=self.upload.pk).update(
            offset=self.acknowledged, expires_at=timezone.now() + EXPIRES
        )
        return self.acknowledged

    def finish(self) -> None:
        """Write the last segment and make everything durable; the length is what has arrived."""
        with self._turn:
            if self._closed:
                raise Stopped
            if not self.finished:
                self._out(self.encryptor.finish())
            durable.fsync(self.fd)
            self.finished = True
        Upload.objects.filter(pk=self.upload.pk).update(offset=self.received, length=self.received)
        self.upload.length = self.received

    def discard(self) -> None:
        """End the upload: nothing of it is kept. The writer is still to be closed."""
        _drop(self.upload)

    def close(self) -> None:
        """Give the upload free for others. May be repeated."""
        with self._turn:
            if not self._closed:
                self._closed = True
                os.close(self.fd)


class Staged(File):
    """A staged file, which the vault's storage moves instead of copying."""

    def __init__(self, path: Path) -> None:
        super().__init__(path.open("rb"), path.name)
        self._path = path

    def temporary_file_path(self) -> str:
        return str(self._path)


def finish_upload(upload: Upload, *, by: User) -> Keepsake:
    """Make a keepsake of an upload whose bytes have all arrived; a second call returns the same one.

    The caller holds its lock. Errors: Refused, NotTaken; then nothing of it is left, and the refusal is in
    the log. Stopped when it was discarded.
    """
    done = Upload.objects.select_related("keepsake").filter(pk=upload.pk).first()
    if done is None:
        raise Stopped
    if done.keepsake is not None:
        return done.keepsake
    try:
        filename = upload.read().filename
        return receive(_into_the_vault(upload), by=by, filename=filename, kind=upload.kind)
    except BaseException as error:
        mine = StoredObject.objects.filter(pk=upload.pk)
        doom(mine, "refused")
        destroy(mine)
        _drop(upload)
        if isinstance(error, Refused | NotTaken):
            record_refusal(upload.case_id, code_of(error), upload.length, by=by, upload_id=upload.pk)
        if isinstance(error, KeyGone):
            raise Stopped from error
        raise


def _into_the_vault(upload: Upload) -> StoredObject:
    """Move the staged ciphertext to where objects lie, its row first."""
    original = StoredObject.objects.create(
        id=upload.pk,
        case_id=upload.case_id,
        role=StoredObject.Role.ORIGINAL,
        state=StoredObject.State.PENDING,
        size=upload.length,
        blob=upload.pk.hex,
    )
    with Staged(staging_path(upload.pk)) as staged:
        storage().save(original.blob, staged)
    # Storage elsewhere (S3) has copied it; here it was moved and is gone already.
    staging_path(upload.pk).unlink(missing_ok=True)
    return original


def code_of(error: Refused | NotTaken) -> str:
    """The word for a refusal that the log and an address may hold."""
    return str(error.code.value) if isinstance(error, Refused) else "not-taken"


@transaction.atomic
def record_refusal(case_id: UUID, code: str, size: int, *, by: User, upload_id: UUID | None = None) -> None:
    """Write down that something was not taken: why, in one word, and how many bytes were announced."""
    record(
        Act(
            "keepsake.refused",
            f"upload:{upload_id}" if upload_id else f"case:{case_id}",
            actor=actor_of(by),
            case=case_id,
            details={"because": code, "bytes": min(size, LARGEST_INT)},
        )
    )
