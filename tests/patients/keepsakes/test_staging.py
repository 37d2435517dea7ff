"""Uploads that end in a bad moment."""

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


def whole(photo: bytes) -> tuple[Upload, Writer]:
    """An upload whose bytes have all arrived, and its writer, which holds the lock."""
    case = make_case()
    upload = begin_upload(case, by=case.patient, length=len(photo))
    writer = Writer(upload, 0)
    writer.write(photo)
    writer.finish()
    return upload, writer


def test_an_upload_that_ends_while_one_waits_for_it_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    upload, writer = whole(jpeg())
    writer.close()

    def late(fd: int, how: int) -> None:
        """The other one ends it between the opening of the file and its lock."""
        monkeypatch.undo()
        discard(upload)
        fcntl.flock(fd, how)

    monkeypatch.setattr(fcntl, "flock", late)
    with pytest.raises(Discarded):
        Writer(upload)
    assert not Upload.objects.exists()


def test_what_was_canceled_before_it_was_looked_at_is_no_keepsake() -> None:
    upload, writer = whole(jpeg())
    writer.discard()
    with pytest.raises(Discarded):
        finish_upload(upload, by=upload.by)
    writer.close()
    assert not StoredObject.objects.filter(role=StoredObject.Role.ORIGINAL).exists()


def test_a_keepsake_whose_maker_died_at_once_keeps_its_original() -> None:
    photo = jpeg()
    upload, writer = whole(photo)
    keepsake = create_keepsake(staging._store_original(upload), by=upload.by)
    writer.close()  # here the process died
    discard(upload)
    assert read(StoredObject.objects.get(keepsake=keepsake, role=StoredObject.Role.ORIGINAL)) == photo
    assert finish_upload(upload, by=upload.by) == keepsake


# --- what a failing database or storage does to an upload that has arrived whole ---


class Failing:
    """Lets the nth statement that changes something fail, as a database does that goes away for a moment."""

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
def test_a_whole_upload_outlives_each_passing_error_of_the_database() -> None:
    photo, survived = jpeg(), 0
    for nth in range(1, 100):
        upload, writer = whole(photo)
        failing = Failing(nth)
        try:
            with connection.execute_wrapper(failing):
                finish_upload(upload, by=upload.by)
        except OperationalError:
            survived += 1
        writer.close()
        later = timezone.now() + 10 * GRACE_PERIOD
        Sweeper().sweep(open_upload_keys(), later)  # rounds spare what is still to become a keepsake
        finish_arrived()
        keepsake = Keepsake.objects.get(case=upload.case)
        original = StoredObject.objects.get(keepsake=keepsake, role=StoredObject.Role.ORIGINAL)
        assert read(original) == photo, f"after statement {nth}"
        assert not staging_path(upload.pk).exists()
        assert Entry.objects.filter(action="keepsake.brought", case=upload.case_id).count() == 1
        assert not Entry.objects.filter(action="keepsake.refused").exists()
        Sweeper().sweep(open_upload_keys(), later)  # and end what the first try left
        rows = StoredObject.objects.filter(case=upload.case).remaining()
        assert set(rows.values_list("state", flat=True)) == {StoredObject.State.LIVE}
        if not failing.failed:
            break
    assert survived > 8, "each statement failed once"


@pytest.mark.django_db(transaction=True)
def test_a_lost_answer_to_the_commit_destroys_no_keepsake(monkeypatch: pytest.MonkeyPatch) -> None:
    """The transaction is committed; only its answer is lost."""
    photo = jpeg()
    upload, writer = whole(photo)
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
def test_a_whole_upload_outlives_a_storage_that_is_away(
    bucket: Bucket, settings: Settings, nowhere: str
) -> None:
    photo = jpeg()
    upload, writer = whole(photo)
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
def test_what_is_refused_is_still_destroyed_at_once() -> None:
    upload, writer = whole(os.urandom(5000))
    with pytest.raises(FileRefused):
        finish_upload(upload, by=upload.by)
    writer.close()
    assert not StoredObject.objects.exclude(role=StoredObject.Role.SEAL).remaining().exists()
    assert not Upload.objects.exists()
    assert storage().traces() == set()


def test_an_upload_whose_last_step_failed_can_be_canceled() -> None:
    upload, writer = whole(jpeg())
    staging._store_original(upload)
    writer.close()
    discard(upload)
    assert not StoredObject.objects.filter(pk=upload.pk).remaining().exists()
    assert storage().traces() == set()
    assert not Upload.objects.exists()


def test_a_damaged_upload_has_ended() -> None:
    upload, writer = whole(jpeg())
    content = bytearray(staging_path(upload.pk).read_bytes())
    content[-1] ^= 1
    staging_path(upload.pk).write_bytes(content)
    with pytest.raises(Discarded):
        finish_upload(upload, by=upload.by)
    writer.close()
    assert not Upload.objects.exists()


@pytest.mark.parametrize("whole_too", [True, False])
def test_only_what_has_arrived_whole_is_finished(whole_too: bool) -> None:
    case = make_case()
    begin_upload(case, by=case.patient, length=10)
    if whole_too:
        whole(jpeg())[1].close()
    assert finish_arrived() == whole_too
    assert Upload.objects.filter(keepsake__isnull=True).count() == 1


def test_an_upload_that_somebody_works_on_is_left_to_them() -> None:
    _upload, writer = whole(jpeg())
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
def test_a_process_killed_in_the_last_step_loses_nothing(point: str, monkeypatch: pytest.MonkeyPatch) -> None:
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
    Upload.objects.get().refresh_from_db()
    assert Upload.objects.get().keepsake == keepsake
    if staging_path(upload.pk).exists():  # its name is left by a kill after the commit, and not for long
        os.utime(staging_path(upload.pk), (time.time() - 3600,) * 2)
        assert discard_expired() == 1
    assert list(staging_path(upload.pk).parent.iterdir()) == []
    assert read(StoredObject.objects.get(keepsake=keepsake, role=StoredObject.Role.ORIGINAL)) == photo
