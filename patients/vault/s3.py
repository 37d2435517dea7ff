"""Ciphertext in S3-compatible storage, under the same names as on a disk, and ended there as truly.

A bucket can keep what it was told to delete: as an older version, or as the parts of an upload that came to
no end. So an object is sent in one piece, of which there is all or nothing; deleting takes every version and
part of it; and `traces` lists those beside what is there.
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

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

# What S3 takes as one piece; a larger object would have to go in parts, which a crash leaves behind.
ONE_PIECE = 5 * 1024**3
WINDOW = 1024 * 1024  # bytes fetched at once; almost every object is smaller
WINDOWS = 3  # kept of one object while it is read: its first, its last and the one between that is read
GONE = {"404", "NoSuchKey"}
# What a service says that keeps no versions, or takes nothing in parts, and so has none to list.
HAS_NONE = {"NotImplemented", "501", "MethodNotAllowed", "405"}
CONFIG = Config(
    connect_timeout=5,
    read_timeout=30,
    retries={"mode": "standard", "total_max_attempts": 3},
    # Every object proves itself by its seal; many services refuse the checksums that AWS has added.
    request_checksum_calculation="when_required",
    response_checksum_validation="when_required",
)


class HasNone(Exception):
    """The service does not know what it was asked for, so there is none of it."""


@contextmanager
def answered(bucket: str, name: str = "") -> Iterator[None]:
    """Turn what the service says into what callers of a storage know.

    Errors: FileNotFoundError for what is not there; HasNone; else ServiceUnavailable, whose message is a
    sentence for whoever runs the installation.
    """
    try:
        yield
    except ClientError as error:
        said = error.response.get("Error", {})
        code = str(said.get("Code", ""))
        if code in GONE:
            raise FileNotFoundError(name) from error
        if code in HAS_NONE:
            raise HasNone from error
        text = said.get("Message") or "no reason given"
        raise ServiceUnavailable(f"The S3 bucket {bucket} cannot be used: {text} ({code}).") from error
    except BotoCoreError as error:
        raise ServiceUnavailable(f"The S3 bucket {bucket} cannot be reached: {error}") from error


def checked(name: str) -> str:
    """`name`, if it is one of the vault's. Errors: SuspiciousFileOperation."""
    if not NAME.fullmatch(name):
        raise SuspiciousFileOperation("that is no name of the vault")
    return name


class S3Vault(S3Storage):
    """The vault's storage in a bucket; names, contract and errors as `VaultStorage`.

    `save` never overwrites: FileExistsError. `delete` ends every version and every unfinished part.
    Errors of all: SuspiciousFileOperation for any other name; ServiceUnavailable, which is an OSError.
    """

    def get_default_settings(self) -> dict[str, Any]:
        # No access list is sent: a bucket without them, which is AWS's default, would refuse it.
        given: dict[str, Any] = super().get_default_settings()
        return given | {"client_config": CONFIG, "default_acl": None}

    @property
    def client(self) -> Any:
        """This thread's client."""
        return self.connection.meta.client

    def save(self, name: str | None, content: IO[Any], max_length: int | None = None) -> str:
        name = checked(name or os.urandom(16).hex())
        if self.exists(name):
            raise FileExistsError(name)
        body = getattr(content, "file", content)  # the plain file that Django's classes wrap
        body.seek(0)
        with answered(self.bucket_name, name):
            self.client.put_object(Bucket=self.bucket_name, Key=name, Body=body)
        return name

    def open(self, name: str, mode: str = "rb") -> IO[bytes]:
        """Open for reading, seekable; what is not read is not fetched.

        Errors: FileNotFoundError, ServiceUnavailable.
        """
        return cast(IO[bytes], Fetched(self, checked(name)))

    def exists(self, name: str) -> bool:
        return any(True for _entry in self._entries("list_objects_v2", "Contents", checked(name)))

    def size(self, name: str) -> int:
        # Not HEAD, which does not tell a missing object from a missing bucket.
        for entry in self._entries("list_objects_v2", "Contents", checked(name)):
            return int(entry["Size"])
        raise FileNotFoundError(name)

    def delete(self, name: str) -> None:
        for kind in ("Versions", "DeleteMarkers"):
            for version in self._entries("list_object_versions", kind, checked(name)):
                self._end("delete_object", name, VersionId=version["VersionId"])
        if self.exists(name):  # where versions are unknown
            self._end("delete_object", name)
        for upload in self._entries("list_multipart_uploads", "Uploads", name):
            self._end("abort_multipart_upload", name, UploadId=upload["UploadId"])

    def listdir(self, path: str) -> tuple[list[str], list[str]]:
        """No directories, and every name there is; `path` is "".

        Errors: SuspiciousFileOperation, ServiceUnavailable.
        """
        if path:
            raise SuspiciousFileOperation("the vault has one list")
        return [], sorted(self._names("list_objects_v2", "Contents"))

    def traces(self) -> set[str]:
        """Every name of which a byte is stored, older versions and parts of unfinished uploads included."""
        return (
            self._names("list_objects_v2", "Contents")
            | self._names("list_object_versions", "Versions")
            | self._names("list_multipart_uploads", "Uploads")
        )

    def url(self, name: str | None, *args: Any, **kwargs: Any) -> str:
        raise ValueError("nothing in the vault has an address")

    def objection(self) -> str:
        """Why the vault must not stand on this bucket, in a sentence; empty where it may."""
        if settings.LACUNA_UPLOAD_MAX_BYTES > ONE_PIECE // 2:
            return f"LACUNA_UPLOAD_MAX_BYTES is beyond {ONE_PIECE // 2} bytes, the most for one piece in S3."
        try:
            with answered(self.bucket_name):
                found = self.client.get_object_lock_configuration(Bucket=self.bucket_name)
        except (ServiceUnavailable, HasNone):  # there is no lock, or nobody says
            return ""
        if found.get("ObjectLockConfiguration", {}).get("ObjectLockEnabled") != "Enabled":
            return ""
        return (
            f"The S3 bucket {self.bucket_name} is under an object lock: it would keep what is destroyed. "
            "Name one without (LACUNA_S3_BUCKET)."
        )

    def read_range(self, name: str, start: int) -> tuple[bytes, int]:
        """At most WINDOW bytes from `start`, and the whole length.

        Errors: FileNotFoundError, ServiceUnavailable.
        """
        span = f"bytes={start}-{start + WINDOW - 1}"
        with answered(self.bucket_name, name):
            found = self.client.get_object(Bucket=self.bucket_name, Key=name, Range=span)
            data: bytes = found["Body"].read()
        return data, int(found.get("ContentRange", f"/{len(data)}").rpartition("/")[2])

    def _entries(self, operation: str, field: str, name: str = "") -> Iterator[dict[str, Any]]:
        """What a listing holds, of one name or of all that are the vault's."""
        try:
            with answered(self.bucket_name, name):
                pages = self.client.get_paginator(operation).paginate(Bucket=self.bucket_name, Prefix=name)
                for page in pages:
                    for entry in page.get(field, ()):
                        if NAME.fullmatch(entry["Key"]):
                            yield entry
        except HasNone:
            return

    def _names(self, operation: str, field: str) -> set[str]:
        return {entry["Key"] for entry in self._entries(operation, field)}

    def _end(self, operation: str, name: str, **what: str) -> None:
        """Delete one thing, which somebody else may have deleted already."""
        try:
            with answered(self.bucket_name, name):
                getattr(self.client, operation)(Bucket=self.bucket_name, Key=name, **what)
        except FileNotFoundError:
            return


class Fetched(io.RawIOBase):
    """An object as a seekable file, fetched window by window.

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
            if len(self._windows) == WINDOWS:
                self._windows.pop(list(self._windows)[1])  # the first is read again and again
            self._windows[index], _length = self._storage.read_range(self._name, index * WINDOW)
        return self._windows[index]
