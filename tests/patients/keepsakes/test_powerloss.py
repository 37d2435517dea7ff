"""Acknowledged bytes of an upload survive a power failure."""

import os
from contextlib import closing
from pathlib import Path

import pytest
from django.conf import LazySettings

from patients.keepsakes.models import Upload
from patients.keepsakes.staging import Writer, begin_upload, staging_path
from patients.vault.configured import key_store
from patients.vault.objects import associated_data
from patients.vault.stream import FIRST, SEGMENT, Encryptor, Reader
from tests.factories import make_case
from tests.powerloss import left_by_crashes

pytestmark = pytest.mark.django_db(transaction=True)

DATA = b"\xff\xd8\xff" + os.urandom(FIRST + 997)  # the beginning of a JPEG


def test_acknowledged_bytes_survive_a_power_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: LazySettings
) -> None:
    settings.LACUNA_VAULT_DIR = tmp_path / "vault"
    case = make_case()
    acknowledged: list[int] = []

    def operation() -> None:
        upload = begin_upload(case, by=case.patient, length=len(DATA))
        writer = Writer(upload)
        writer.write(DATA)
        acknowledged.append(writer.pause())
        writer.close()

    for done, files in left_by_crashes(tmp_path / "vault", monkeypatch, operation):
        assert not done or [len(content) for content in files.values()] == [SEGMENT]
    # The bytes behind the segment are in the upload's row: the database has its own guarantee.
    assert acknowledged == [len(DATA)]
    with closing(Writer(Upload.objects.get())) as again:
        assert again.acknowledged == len(DATA)


def test_a_finished_upload_survives_a_power_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: LazySettings
) -> None:
    settings.LACUNA_VAULT_DIR = tmp_path / "vault"
    case = make_case()
    upload = begin_upload(case, by=case.patient, length=len(DATA))

    def operation() -> None:
        writer = Writer(upload)
        writer.write(DATA)
        writer.finish()
        writer.close()

    place = tmp_path / "found"
    for _done, files in left_by_crashes(tmp_path / "vault", monkeypatch, operation, only_done=True):
        (content,) = files.values()
        place.write_bytes(content)
        with Reader(place.open("rb"), key_store().get(upload.pk), associated_data(upload.pk)) as reader:
            assert reader.read() == DATA


def test_existing_segments_are_synced_before_an_upload_continues(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: LazySettings
) -> None:
    """An upload may continue after a segment that was not acknowledged.

    If that segment were lost later, its nonce would be used twice.
    """
    settings.LACUNA_VAULT_DIR = tmp_path / "vault"
    case = make_case()
    upload = begin_upload(case, by=case.patient, length=len(DATA))
    path = staging_path(upload.pk)
    whole = Encryptor(key_store().get(upload.pk), associated_data(upload.pk)).update(DATA)

    def operation() -> None:
        path.write_bytes(whole)  # by a process that died before syncing it
        Writer(upload).close()

    for done, files in left_by_crashes(tmp_path / "vault", monkeypatch, operation):
        assert not done or list(files.values()) == [whole]
