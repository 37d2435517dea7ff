"""Uploads that are canceled, fail or are killed at any moment: nothing is lost, nothing is left over."""

import fcntl
import os
import signal
import time
from collections.abc import Callable
from typing import Any

import pytest
from django.db import OperationalError, connection
from django.utils import timezone
from pytest_django import Settings

from clinic import failpoints
from clinic.audit.models import Entry
from clinic.unavailable import ServiceUnavailable
from patients.imaging.refusals import FileRefused
from patients.keepsakes import staging
from patients.keepsakes.ingest import create_keepsake
from patients.keepsakes.models import Keepsake, Upload
from patients.keepsakes.staging import (
    Discarded,
    Writer,
    begin_upload,
    discard,
    discard_expired,
    finish_arrived,
    finish_upload,
    open_upload_keys,
    staging_path,
)
from patients.vault.models import StoredObject
from patients.vault.objects import read, storage
from patients.vault.sweep import GRACE_PERIOD, Sweeper
from tests.factories import jpeg, make_case
from tests.servers import Bucket, use_bucket
from tests.torture.faults import in_child

pytestmark = pytest.mark.django_db


def arrived_upload(photo: bytes) -> tuple[Upload, Writer]:
    """An upload whose bytes have all arrived, and its writer, which has it locked."""
    case = make_case()
    upload = begin_upload(case, by=case.patient, length=len(photo))
    writer = Writer(upload, 0)
    writer.write(photo)
    writer.finish()
    return upload, writer


def test_a_writer_is_refused_if_its_upload_is_discarded_before_it_is_locked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    upload, writer = arrived_upload(jpeg())
    writer.close()

    def discard_first(fd: int, how: int) -> None:
        """Discard the upload after its file was opened and before it is locked."""
        monkeypatch.undo()
        discard(upload)
        fcntl.flock(fd, how)

    monkeypatch.setattr(fcntl, "flock", discard_first)
    with pytest.raises(Discarded):
        Writer(upload)
    assert not Upload.objects.exists()


def test_a_canceled_upload_does_not_become_a_keepsake() -> None:
    upload, writer = arrived_upload(jpeg())
    writer.discard()
    with pytest.raises(Discarded):
        finish_upload(upload, by=upload.by)
    writer.close()
    assert not StoredObject.objects.filter(role=StoredObject.Role.ORIGINAL).exists()


def test_discarding_an_upload_does_not_destroy_the_original_of_a_keepsake() -> None:
    photo = jpeg()
    upload, writer = arrived_upload(photo)
    keepsake = create_keepsake(staging._store_original(upload), by=upload.by)
    writer.close()  # as if the process died here
    discard(upload)
    assert read(StoredObject.objects.get(keepsake=keepsake, role=StoredObject.Role.ORIGINAL)) == photo
    assert finish_upload(upload, by=upload.by) == keepsake


# --- A failing database or storage, after the whole upload has arrived ------------------------------------


class FailNthWrite:
    """An execute wrapper that makes the nth writing statement fail, as if the connection broke."""

    def __init__(self, nth: int) -> None:
        self.left, self.failed = nth, False

    def __call__(
        self, execute: Callable[..., Any], sql: str, params: Any, many: bool, context: dict[str, Any]
    ) -> Any:
        if self.failed or not sql.startswith(("INSERT", "UPDATE", "DELETE")):
            return execute(sql, params, many, context)
        self.left -= 1
        if self.left:
            return execute(sql, params, many, context)
        self.failed = True
        raise OperationalError("the database went away")


@pytest.mark.django_db(transaction=True)
def test_an_arrived_upload_survives_a_database_error_at_every_statement() -> None:
    photo, survived = jpeg(), 0
    for nth in range(1, 100):
        upload, writer = arrived_upload(photo)
        failing = FailNthWrite(nth)
        try:
            with connection.execute_wrapper(failing):
                finish_upload(upload, by=upload.by)
        except OperationalError:
            survived += 1
        writer.close()
        later = timezone.now() + 10 * GRACE_PERIOD
        Sweeper().sweep(open_upload_keys(), later)  # must not destroy what is still to become a keepsake
        finish_arrived()
        keepsake = Keepsake.objects.get(case=upload.case)
        original = StoredObject.objects.get(keepsake=keepsake, role=StoredObject.Role.ORIGINAL)
        assert read(original) == photo, f"after statement {nth}"
        assert not staging_path(upload.pk).exists()
        assert Entry.objects.filter(action="keepsake.brought", case=upload.case_id).count() == 1
        assert not Entry.objects.filter(action="keepsake.refused").exists()
        Sweeper().sweep(open_upload_keys(), later)  # destroys what the first attempt left
        rows = StoredObject.objects.filter(case=upload.case).remaining()
        assert set(rows.values_list("state", flat=True)) == {StoredObject.State.LIVE}
        if not failing.failed:
            break
    assert survived > 8, "each statement failed once"


@pytest.mark.django_db(transaction=True)
def test_a_connection_lost_after_the_commit_destroys_no_keepsake(monkeypatch: pytest.MonkeyPatch) -> None:
    """The transaction is committed, but the connection breaks before the answer."""
    photo = jpeg()
    upload, writer = arrived_upload(photo)
    real = staging.create_keepsake

    def lost(*args: Any, **more: Any) -> Keepsake:
        real(*args, **more)
        raise OperationalError("the connection is lost")

    monkeypatch.setattr(staging, "create_keepsake", lost)
    with pytest.raises(OperationalError):
        finish_upload(upload, by=upload.by)
    monkeypatch.undo()
    keepsake = finish_upload(upload, by=upload.by)
    writer.close()
    assert read(StoredObject.objects.get(keepsake=keepsake, role=StoredObject.Role.ORIGINAL)) == photo
    assert Keepsake.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_an_arrived_upload_survives_an_unavailable_storage(
    bucket: Bucket, settings: Settings, nowhere: str
) -> None:
    photo = jpeg()
    upload, writer = arrived_upload(photo)
    use_bucket(settings, bucket.name, nowhere)
    with pytest.raises(ServiceUnavailable):
        finish_upload(upload, by=upload.by)
    writer.close()
    with pytest.raises(ServiceUnavailable):
        finish_arrived()
    use_bucket(settings, bucket.name, bucket.client.meta.endpoint_url)
    assert finish_arrived() == 1
    assert read(StoredObject.objects.get(role=StoredObject.Role.ORIGINAL)) == photo


@pytest.mark.django_db(transaction=True)
def test_a_refused_upload_is_destroyed_at_once() -> None:
    upload, writer = arrived_upload(b"\xff\xd8\xff" + os.urandom(5000))
    with pytest.raises(FileRefused):
        finish_upload(upload, by=upload.by)
    writer.close()
    assert not StoredObject.objects.exclude(role=StoredObject.Role.SEAL).remaining().exists()
    assert not Upload.objects.exists()
    assert storage().traces() == set()


def test_an_upload_whose_last_step_failed_can_be_canceled() -> None:
    upload, writer = arrived_upload(jpeg())
    staging._store_original(upload)
    writer.close()
    discard(upload)
    assert not StoredObject.objects.filter(pk=upload.pk).remaining().exists()
    assert storage().traces() == set()
    assert not Upload.objects.exists()


def test_a_damaged_upload_is_discarded() -> None:
    upload, writer = arrived_upload(jpeg())
    content = bytearray(staging_path(upload.pk).read_bytes())
    content[-1] ^= 1
    staging_path(upload.pk).write_bytes(content)
    with pytest.raises(Discarded):
        finish_upload(upload, by=upload.by)
    writer.close()
    assert not Upload.objects.exists()


@pytest.mark.parametrize("with_arrived", [True, False])
def test_only_completely_arrived_uploads_are_finished(with_arrived: bool) -> None:
    case = make_case()
    begin_upload(case, by=case.patient, length=10)
    if with_arrived:
        arrived_upload(jpeg())[1].close()
    assert finish_arrived() == int(with_arrived)
    assert Upload.objects.filter(keepsake__isnull=True).count() == 1


def test_a_locked_upload_is_not_finished_by_another_process() -> None:
    _upload, writer = arrived_upload(jpeg())
    assert finish_arrived() == 0
    writer.close()
    assert finish_arrived() == 1


POINTS = [
    "upload-finished",
    "original-row",
    "original-file",
    "renditions-made",
    "keepsake-made",
    "upload-received",
]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("point", POINTS)
def test_a_process_killed_while_finishing_an_upload_loses_nothing(
    point: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    photo = jpeg()
    case = make_case()
    upload = begin_upload(case, by=case.patient, length=len(photo))

    def bring() -> None:
        monkeypatch.setattr(failpoints, "_label", point)
        writer = Writer(upload, 0)
        writer.write(photo)
        writer.finish()
        finish_upload(upload, by=upload.by)

    assert in_child(bring) == -signal.SIGKILL
    finish_arrived()
    keepsake = Keepsake.objects.get()
    assert read(StoredObject.objects.get(keepsake=keepsake, role=StoredObject.Role.ORIGINAL)) == photo
    assert Upload.objects.get().keepsake == keepsake
    if staging_path(upload.pk).exists():  # a kill after the commit may leave the file, until it expires
        os.utime(staging_path(upload.pk), (time.time() - 3600,) * 2)
        assert discard_expired() == 1
    assert list(staging_path(upload.pk).parent.iterdir()) == []
    assert read(StoredObject.objects.get(keepsake=keepsake, role=StoredObject.Role.ORIGINAL)) == photo
