"""The vault in an S3 bucket: it behaves as on a disk, and keeps nothing that was deleted."""

import io
import os
from pathlib import Path

import pytest
from botocore.awsrequest import AWSPreparedRequest, AWSResponse, HeadersDict
from django.core.exceptions import SuspiciousFileOperation
from django.core.files.base import ContentFile, File
from pytest_django import Settings
from urllib3 import HTTPResponse

from clinic.unavailable import ServiceUnavailable
from patients.vault.configured import key_store
from patients.vault.models import StoredObject
from patients.vault.objects import destroy, mark_for_destruction, put, read, reader, storage
from patients.vault.s3 import MAX_PUT_BYTES, WINDOW
from tests.factories import make_case
from tests.servers import Bucket, S3Server, use_bucket


def name() -> str:
    return os.urandom(16).hex()


@pytest.mark.usefixtures("bucket")
def test_saved_files_can_be_read_and_are_never_overwritten() -> None:
    one = storage().save(name(), ContentFile(b"first"))
    assert storage().save("", io.BytesIO(b"second")) != one
    with pytest.raises(FileExistsError):
        storage().save(one, ContentFile(b"other"))
    with storage().open(one) as file:
        assert file.read() == b"first"
    assert (storage().exists(one), storage().size(one)) == (True, 5)
    assert len(storage().listdir("")[1]) == 2


def rest_of(file: File) -> bytes:
    """Read a file to its end in steps of 600,000 bytes."""
    return b"".join(iter(lambda: file.read(600_000), b""))


@pytest.mark.usefixtures("bucket")
def test_a_file_of_several_windows_can_be_read_at_any_position(tmp_path: Path) -> None:
    data = os.urandom(5 * WINDOW + 1234)
    (tmp_path / "staged").write_bytes(data)
    with (tmp_path / "staged").open("rb") as staged:
        one = storage().save(name(), File(staged))
    with storage().open(one) as file:
        assert file.seek(0, os.SEEK_END) == len(data)
        for start in (0, 5 * WINDOW + 1000, WINDOW - 7, 3 * WINDOW, len(data), 10):
            file.seek(start)
            piece = rest_of(file) if start > WINDOW else file.read(100)
            assert data[start:].startswith(piece)
            assert piece or start == len(data)
        file.seek(0)
        assert file.read() == data


@pytest.mark.usefixtures("bucket")
def test_only_the_root_can_be_listed() -> None:
    with pytest.raises(SuspiciousFileOperation):
        storage().listdir("aa")


@pytest.mark.parametrize("bad", ["", "../x", "x" * 32, "A" * 32])
@pytest.mark.usefixtures("bucket")
def test_invalid_names_are_refused(bad: str) -> None:
    for act in (storage().open, storage().exists, storage().size, storage().delete):
        with pytest.raises(SuspiciousFileOperation):
            act(bad)
    with pytest.raises(ValueError, match="has no URL"):
        storage().url(name())


@pytest.mark.usefixtures("bucket")
def test_missing_files_and_an_unreachable_bucket_are_different_errors(
    s3_server: S3Server, settings: Settings, nowhere: str
) -> None:
    one = name()
    assert not storage().exists(one)
    for act in (storage().open, storage().size):
        with pytest.raises(FileNotFoundError):
            act(one)
    storage().delete(one)
    use_bucket(settings, "no-such-bucket", s3_server.address)
    for act in (storage().open, storage().size, storage().exists, storage().delete):
        with pytest.raises(
            ServiceUnavailable, match=r"The S3 bucket no-such-bucket cannot be used: .*NoSuchBucket"
        ):
            act(one)
    use_bucket(settings, "away", nowhere)
    for act in (storage().open, storage().size, storage().exists, storage().delete):
        with pytest.raises(
            ServiceUnavailable, match=r"The S3 bucket away cannot be reached: Could not connect"
        ):
            act(one)


def test_deleting_removes_older_versions_and_unfinished_multipart_uploads(bucket: Bucket) -> None:
    bucket.enable_versioning()
    one, other = storage().save(name(), ContentFile(b"one")), storage().save(name(), ContentFile(b"other"))
    bucket.client.put_object(Bucket=bucket.name, Key=one, Body=b"one again")
    bucket.client.delete_object(Bucket=bucket.name, Key=one)
    bucket.begin_multipart_upload(parts := name())
    bucket.client.put_object(Bucket=bucket.name, Key="a stranger's", Body=b"is not ours to see")
    assert storage().listdir("")[1] == [other], "a listing of objects would not have shown it"
    assert storage().traces() == {one, other, parts}
    storage().delete(one)
    storage().delete(parts)
    assert storage().traces() == {other}
    assert bucket.versions() == 2  # the one of `other`, and the stranger's
    storage().delete(other)
    storage().delete(other)
    assert bucket.versions() == 1


def refuse_listings(status: int, code: str) -> None:
    """Answer each request for versions or parts with `status`, and with no body if `code` is empty."""
    body = f"<Error><Code>{code}</Code></Error>".encode() if code else b""

    def answer(request: AWSPreparedRequest, **more: object) -> AWSResponse:
        raw = HTTPResponse(io.BytesIO(body), preload_content=False)
        return AWSResponse(request.url, status, HeadersDict(), raw)

    for operation in ("ListObjectVersions", "ListMultipartUploads"):
        storage().client.meta.events.register(f"before-send.s3.{operation}", answer)


@pytest.mark.parametrize(
    ("status", "code"), [(501, "NotImplemented"), (501, ""), (405, "MethodNotAllowed"), (405, "")]
)
@pytest.mark.usefixtures("bucket")
def test_a_service_without_versions_or_multipart_uploads_can_be_used(status: int, code: str) -> None:
    one, other = storage().save(name(), ContentFile(b"one")), storage().save(name(), ContentFile(b"other"))
    refuse_listings(status, code)
    assert storage().traces() == {one, other}
    storage().delete(one)
    assert storage().traces() == {other}


@pytest.mark.usefixtures("bucket")
def test_a_service_that_refuses_to_list_versions_is_an_error() -> None:
    one = storage().save(name(), ContentFile(b"one"))
    refuse_listings(403, "AccessDenied")
    with pytest.raises(ServiceUnavailable, match="AccessDenied"):
        storage().traces()
    with pytest.raises(ServiceUnavailable, match="AccessDenied"):
        storage().delete(one)
    assert storage().exists(one)


def test_a_large_file_is_uploaded_in_one_piece(bucket: Bucket) -> None:
    one = storage().save(name(), ContentFile(bytes(20 * WINDOW)))
    found = bucket.client.head_object(Bucket=bucket.name, Key=one)
    assert "-" not in found["ETag"], "an object that came in parts says so"


@pytest.mark.django_db(transaction=True)
def test_a_stored_object_is_written_read_and_destroyed(bucket: Bucket) -> None:
    bucket.enable_versioning()
    case, data = make_case(), os.urandom(3 * WINDOW)
    row = put(data, case_id=case.pk, role=StoredObject.Role.ORIGINAL)
    assert read(row) == data
    with reader(row) as file:
        file.seek(2 * WINDOW)
        assert file.read(1000) == data[2 * WINDOW : 2 * WINDOW + 1000]
    mine = StoredObject.objects.filter(pk=row.pk)
    mark_for_destruction(mine, "test")
    assert destroy(mine).objects == 1
    assert storage().traces() == set()
    assert row.pk not in set(key_store().ids())


def test_a_bucket_with_an_object_lock_is_refused(bucket: Bucket, settings: Settings) -> None:
    assert storage().objection() == ""
    settings.LACUNA_UPLOAD_MAX_BYTES = MAX_PUT_BYTES
    assert "LACUNA_UPLOAD_MAX_BYTES" in storage().objection()
    settings.LACUNA_UPLOAD_MAX_BYTES = 1024
    bucket.client.create_bucket(Bucket="locked", ObjectLockEnabledForBucket=True)
    use_bucket(settings, "locked", bucket.client.meta.endpoint_url)
    assert storage().objection() == (
        "The S3 bucket locked is under an object lock: it would keep what is destroyed. "
        "Name one without (LACUNA_S3_BUCKET)."
    )
