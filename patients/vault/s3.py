"""Ciphertext in S3-compatible storage, under the same names as on a disk and deleted as completely.

A bucket can keep what it was asked to delete: as an older version, or as the parts of an unfinished upload.
So an object is sent in one request, which stores all of it or nothing; `delete` removes every version and
part; and `traces` lists these as well as the present objects.
"""

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Any, cast

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from django.conf import settings
from django.core.exceptions import SuspiciousFileOperation
from storages.backends.s3 import S3Storage

from clinic.unavailable import ServiceUnavailable
from patients.vault.storage import NAME
from patients.vault.stream import ciphertext_size

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

# The most that S3 accepts in one request. A larger object would need parts, which a crash leaves behind.
MAX_PUT_BYTES = 5 * 1024**3
WINDOW = 1024 * 1024  # bytes fetched in one request; almost every object is smaller
MAX_WINDOWS = 3  # cached while one object is read: its first, its last and the one that is being read
NOT_FOUND_CODES = {"404", "NoSuchKey"}
# Answers of a service without versions or without uploads in parts, which has none of them to list.
UNSUPPORTED_CODES = {"NotImplemented", "501", "MethodNotAllowed", "405"}
CONFIG = Config(
    connect_timeout=5,
    read_timeout=15,  # three attempts end before a worker's lease, so that it can still say that they failed
    retries={"mode": "standard", "total_max_attempts": 3},
    # Decryption detects any change to an object; many services refuse the checksums that AWS has added.
    request_checksum_calculation="when_required",
    response_checksum_validation="when_required",
)


class Unsupported(Exception):
    """The service does not support the operation, so it has nothing of that kind."""


@contextmanager
def translated_errors(bucket: str, name: str = "") -> Iterator[None]:
    """Translate errors of the S3 client into those of a storage.

    Errors: FileNotFoundError if there is no such object; Unsupported; otherwise ServiceUnavailable, whose
    message is a sentence for the operator.
    """
    try:
        yield
    except ClientError as error:
        details = error.response.get("Error", {})
        code = str(details.get("Code", ""))
        if code in NOT_FOUND_CODES:
            raise FileNotFoundError(name) from error
        if code in UNSUPPORTED_CODES:
            raise Unsupported from error
        text = details.get("Message") or "no reason given"
        raise ServiceUnavailable(f"The S3 bucket {bucket} cannot be used: {text} ({code}).") from error
    except BotoCoreError as error:
        raise ServiceUnavailable(f"The S3 bucket {bucket} cannot be reached: {error}") from error


def checked_name(name: str) -> str:
    """Return `name` if it is the name of a vault file. Errors: SuspiciousFileOperation."""
    if not NAME.fullmatch(name):
        raise SuspiciousFileOperation("this is not the name of a vault file")
    return name


class S3Vault(S3Storage):
    """The vault's storage in a bucket, with the names, behaviour and errors of `VaultStorage`.

    `save` never overwrites: FileExistsError. `delete` removes every version and every unfinished upload.
    Errors of all methods: SuspiciousFileOperation for any other name; ServiceUnavailable, an OSError.
    """

    def get_default_settings(self) -> dict[str, Any]:
        # Send no ACL: a bucket with ACLs disabled, which is AWS's default, would refuse it.
        given: dict[str, Any] = super().get_default_settings()
        return given | {"client_config": CONFIG, "default_acl": None}

    @property
    def client(self) -> Any:
        """This thread's client."""
        return self.connection.meta.client

    def save(self, name: str | None, content: IO[Any], max_length: int | None = None) -> str:
        name = checked_name(name or os.urandom(16).hex())
        if self.exists(name):
            raise FileExistsError(name)
        body = getattr(content, "file", content)  # the plain file inside Django's wrapper
        body.seek(0)
        with translated_errors(self.bucket_name, name):
            self.client.put_object(Bucket=self.bucket_name, Key=name, Body=body)
        return name

    def open(self, name: str, mode: str = "rb") -> IO[bytes]:
        """Open for reading, seekable. Only what is read is fetched.

        Errors: FileNotFoundError, ServiceUnavailable.
        """
        return cast(IO[bytes], S3File(self, checked_name(name)))

    def exists(self, name: str) -> bool:
        return any(True for _entry in self._entries("list_objects_v2", "Contents", checked_name(name)))

    def size(self, name: str) -> int:
        # Not HEAD: its answer is the same for a missing object and a missing bucket.
        for entry in self._entries("list_objects_v2", "Contents", checked_name(name)):
            return int(entry["Size"])
        raise FileNotFoundError(name)

    def delete(self, name: str) -> None:
        for kind in ("Versions", "DeleteMarkers"):
            for version in self._entries("list_object_versions", kind, checked_name(name)):
                self._delete_one("delete_object", name, VersionId=version["VersionId"])
        if self.exists(name):  # in a service without versions
            self._delete_one("delete_object", name)
        for upload in self._entries("list_multipart_uploads", "Uploads", name):
            self._delete_one("abort_multipart_upload", name, UploadId=upload["UploadId"])

    def listdir(self, path: str) -> tuple[list[str], list[str]]:
        """Return no directories and all file names.

        Errors: SuspiciousFileOperation unless `path` is "", ServiceUnavailable.
        """
        if path:
            raise SuspiciousFileOperation("the vault has no directories")
        return [], sorted(self._names("list_objects_v2", "Contents"))

    def traces(self) -> set[str]:
        """Return every name under which a byte is stored, also in older versions and unfinished uploads."""
        return (
            self._names("list_objects_v2", "Contents")
            | self._names("list_object_versions", "Versions")
            | self._names("list_multipart_uploads", "Uploads")
        )

    def url(self, name: str | None, *args: Any, **kwargs: Any) -> str:
        raise ValueError("a vault file has no URL")

    def objection(self) -> str:
        """Return why the vault must not use this bucket, in a sentence; "" if it may."""
        if ciphertext_size(settings.LACUNA_UPLOAD_MAX_BYTES) > MAX_PUT_BYTES:
            return (
                f"A file of LACUNA_UPLOAD_MAX_BYTES would have more than {MAX_PUT_BYTES} bytes once it is "
                "encrypted, the most for one piece in S3."
            )
        try:
            with translated_errors(self.bucket_name):
                found = self.client.get_object_lock_configuration(Bucket=self.bucket_name)
        except (ServiceUnavailable, Unsupported):  # there is no lock, or the service doesn't tell
            return ""
        if found.get("ObjectLockConfiguration", {}).get("ObjectLockEnabled") != "Enabled":
            return ""
        return (
            f"The S3 bucket {self.bucket_name} is under an object lock: it would keep what is destroyed. "
            "Name one without (LACUNA_S3_BUCKET)."
        )

    def read_range(self, name: str, start: int) -> tuple[bytes, int]:
        """Return at most WINDOW bytes from `start`, and the length of the whole object.

        Errors: FileNotFoundError, ServiceUnavailable.
        """
        span = f"bytes={start}-{start + WINDOW - 1}"
        with translated_errors(self.bucket_name, name):
            found = self.client.get_object(Bucket=self.bucket_name, Key=name, Range=span)
            data: bytes = found["Body"].read()
        return data, int(found.get("ContentRange", f"/{len(data)}").rpartition("/")[2])

    def _entries(self, operation: str, field: str, name: str = "") -> Iterator[dict[str, Any]]:
        """Yield the entries of a listing, for one name or for all vault files."""
        try:
            with translated_errors(self.bucket_name, name):
                pages = self.client.get_paginator(operation).paginate(Bucket=self.bucket_name, Prefix=name)
                for page in pages:
                    for entry in page.get(field, ()):
                        if NAME.fullmatch(entry["Key"]):
                            yield entry
        except Unsupported:
            return

    def _names(self, operation: str, field: str) -> set[str]:
        return {entry["Key"] for entry in self._entries(operation, field)}

    def _delete_one(self, operation: str, name: str, **identifier: str) -> None:
        """Delete one version or upload, unless another process has already deleted it."""
        try:
            with translated_errors(self.bucket_name, name):
                getattr(self.client, operation)(Bucket=self.bucket_name, Key=name, **identifier)
        except FileNotFoundError:
            return


class S3File(io.RawIOBase):
    """An object as a seekable file, fetched in windows of WINDOW bytes.

    Errors: FileNotFoundError, ServiceUnavailable.
    """

    def __init__(self, storage: S3Vault, name: str) -> None:
        super().__init__()
        self._storage, self._name = storage, name
        self._windows: dict[int, bytes] = {}
        self._position = 0
        self._windows[0], self._length = storage.read_range(name, 0)

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._length}[whence]
        self._position = base + offset
        return self._position

    def readinto(self, buffer: "WriteableBuffer") -> int:
        with memoryview(buffer).cast("B") as target:
            index, within = divmod(self._position, WINDOW)
            data = (
                self._window(index)[within : within + len(target)] if self._position < self._length else b""
            )
            target[: len(data)] = data
        self._position += len(data)
        return len(data)

    def _window(self, index: int) -> bytes:
        if index not in self._windows:
            if len(self._windows) == MAX_WINDOWS:
                self._windows.pop(list(self._windows)[1])  # not the first, which is read again and again
            self._windows[index], _length = self._storage.read_range(self._name, index * WINDOW)
        return self._windows[index]
