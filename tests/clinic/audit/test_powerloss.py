"""What the log leaves on the disk is there after a power cut, whole, once it was reported."""

from pathlib import Path

import pytest
from django.conf import LazySettings
from django.core.management import call_command

from clinic.audit import keyring
from clinic.audit.checkpoints import checkpoint, keep_once
from clinic.audit.keyring import rotate
from clinic.audit.models import Checkpoint
from tests.powerloss import left_by_crashes

NOTE = b"a note" * 200


def visible(files: dict[str, bytes]) -> dict[str, bytes]:
    """Without drafts, which a crash may leave and nobody reads."""
    return {name: content for name, content in files.items() if not Path(name).name.startswith(".")}


@pytest.mark.parametrize("folder", [".", "witness/of/the/log"])
def test_a_note_is_whole_or_absent_and_there_once_it_was_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: str
) -> None:
    path = tmp_path / folder / "note"
    name = str(path.relative_to(tmp_path))
    for done, files in left_by_crashes(tmp_path, monkeypatch, lambda: keep_once(path, NOTE, 0o644)):
        assert visible(files) in ([{name: NOTE}] if done else [{}, {name: NOTE}])


def test_a_note_that_another_process_wrote_is_there_once_it_was_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "note"

    def deed() -> None:
        path.write_bytes(NOTE)  # not durable under this name yet
        keep_once(path, NOTE, 0o644)

    assert all(
        files.keys() >= {"note"} for done, files in left_by_crashes(tmp_path, monkeypatch, deed) if done
    )


@pytest.mark.django_db(transaction=True)
def test_a_checkpoint_is_in_the_witness_directory_before_its_row_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: LazySettings
) -> None:
    settings.LACUNA_WITNESS_DIR = tmp_path / "house" / "witness"
    settings.LACUNA_SIGNING_KEY_FILE = tmp_path / "house" / "signing-key"
    for done, files in left_by_crashes(tmp_path, monkeypatch, lambda: checkpoint("test")):
        notes = [content.decode() for name, content in files.items() if name.endswith(".note")]
        (said,) = Checkpoint.objects.values_list("note", flat=True)
        assert notes in ([[said]] if done else [[], [said]])
        assert not done or "house/signing-key" in files


@pytest.mark.django_db(transaction=True)
def test_a_new_signing_key_never_loses_the_one_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: LazySettings
) -> None:
    settings.LACUNA_WITNESS_DIR = tmp_path / "witness"
    settings.LACUNA_SIGNING_KEY_FILE = tmp_path / "signing-key"
    checkpoint("test")
    first = (tmp_path / "signing-key").read_bytes()
    former = keyring._path_with_ending("former").name
    for done, files in left_by_crashes(tmp_path, monkeypatch, lambda: rotate(by="system:operator")):
        now = files["signing-key"]
        assert now != first or not done
        assert now == first or files[former] == (tmp_path / former).read_bytes()


def test_an_export_is_there_once_it_was_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, db: None
) -> None:
    target = tmp_path / "export"
    for done, files in left_by_crashes(
        tmp_path, monkeypatch, lambda: call_command("export_audit", str(target), reason="a court asked")
    ):
        whole = target.read_bytes()
        assert visible(files).get("export") in ([whole] if done else [None, whole])
