"""Uploads that end in a bad moment."""

import fcntl

import pytest

from patients.keepsakes import staging
from patients.keepsakes.ingest import create_keepsake
from patients.keepsakes.models import Upload
from patients.keepsakes.staging import Discarded, Writer, begin_upload, discard, finish_upload
from patients.vault.models import StoredObject
from patients.vault.objects import read
from tests.factories import jpeg, make_case

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
    keepsake = create_keepsake(staging._move_to_vault(upload), by=upload.by)
    writer.close()  # here the process died
    discard(upload)
    assert read(StoredObject.objects.get(keepsake=keepsake, role=StoredObject.Role.ORIGINAL)) == photo
    assert finish_upload(upload, by=upload.by) == keepsake
