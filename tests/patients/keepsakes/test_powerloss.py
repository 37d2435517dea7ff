"""What an upload was told has arrived is there after a power cut."""

import os
from pathlib import Path

import pytest
from django.conf import LazySettings

from patients.keepsakes.staging import Writer, begin_upload, staging_path
from patients.vault.configured import key_store
from patients.vault.objects import associated_data
from patients.vault.stream import FIRST, SEGMENT, Encryptor, Reader
from tests.factories import make_case
from tests.powerloss import left_by_crashes

pytestmark = pytest.mark.django_db(transaction=True)

DATA = os.urandom(FIRST + 1000)


def test_what_was_acknowledged_is_there_after_a_power_cut(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: LazySettings
) -> None:
    settings.LACUNA_VAULT_DIR = tmp_path / "vault"
    case = make_case()
    told: list[int] = []

    def deed() -> None:
        upload = begin_upload(case, by=case.patient, length=len(DATA))
        writer = Writer(upload)
        writer.write(DATA)
        told.append(writer.pause())
        writer.close()

    for done, files in left_by_crashes(tmp_path / "vault", monkeypatch, deed):
        assert not done or [len(content) for content in files.values()] == [SEGMENT]
    assert told == [FIRST]


def test_a_finished_upload_is_whole_after_a_power_cut(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: LazySettings
) -> None:
    settings.LACUNA_VAULT_DIR = tmp_path / "vault"
    case = make_case()
    upload = begin_upload(case, by=case.patient, length=len(DATA))

    def deed() -> None:
        writer = Writer(upload)
        writer.write(DATA)
        writer.finish()
        writer.close()

    place = tmp_path / "found"
    for _done, files in left_by_crashes(tmp_path / "vault", monkeypatch, deed, only_done=True):
        (content,) = files.values()
        place.write_bytes(content)
        with Reader(place.open("rb"), key_store().get(upload.pk), associated_data(upload.pk)) as reader:
            assert reader.read() == DATA


def test_a_segment_that_is_continued_after_was_synced_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: LazySettings
) -> None:
    """A segment that nobody acknowledged is built upon: were it lost later, its nonce would serve twice."""
    settings.LACUNA_VAULT_DIR = tmp_path / "vault"
    case = make_case()
    upload = begin_upload(case, by=case.patient, length=len(DATA))
    path = staging_path(upload.pk)
    whole = Encryptor(key_store().get(upload.pk), associated_data(upload.pk)).update(DATA)

    def deed() -> None:
        path.write_bytes(whole)  # by a process that died before it synced
        Writer(upload).close()

    for done, files in left_by_crashes(tmp_path / "vault", monkeypatch, deed):
        assert not done or list(files.values()) == [whole]
