"""Files of the audit log survive a power failure, once the function that wrote them has returned."""

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
    """The files without temporary ones, which a crash may leave behind and nobody reads."""
    return {name: content for name, content in files.items() if not Path(name).name.startswith(".")}


@pytest.mark.parametrize("folder", [".", "witness/of/the/log"])
def test_a_note_is_complete_or_absent_and_present_after_keep_once_returned(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: str
) -> None:
    path = tmp_path / folder / "note"
    name = str(path.relative_to(tmp_path))
    for done, files in left_by_crashes(tmp_path, monkeypatch, lambda: keep_once(path, NOTE, 0o644)):
        assert visible(files) in ([{name: NOTE}] if done else [{}, {name: NOTE}])


def test_a_note_of_another_process_is_present_after_keep_once_returned(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "note"

    def write_and_keep() -> None:
        path.write_bytes(NOTE)  # the other process has not synced it
        keep_once(path, NOTE, 0o644)

    assert all(
        files.keys() >= {"note"}
        for done, files in left_by_crashes(tmp_path, monkeypatch, write_and_keep)
        if done
    )


@pytest.mark.django_db(transaction=True)
def test_a_checkpoint_is_in_the_witness_directory_before_its_row_is_created(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: LazySettings
) -> None:
    settings.LACUNA_WITNESS_DIR = tmp_path / "keys" / "witness"
    settings.LACUNA_SIGNING_KEY_FILE = tmp_path / "keys" / "signing-key"
    for done, files in left_by_crashes(tmp_path, monkeypatch, lambda: checkpoint("test")):
        notes = [content.decode() for name, content in files.items() if name.endswith(".note")]
        (note,) = Checkpoint.objects.values_list("note", flat=True)
        assert notes in ([[note]] if done else [[], [note]])
        assert not done or "keys/signing-key" in files


@pytest.mark.django_db(transaction=True)
def test_replacing_the_signing_key_never_loses_the_former_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: LazySettings
) -> None:
    settings.LACUNA_WITNESS_DIR = tmp_path / "witness"
    settings.LACUNA_SIGNING_KEY_FILE = tmp_path / "signing-key"
    checkpoint("test")
    first = (tmp_path / "signing-key").read_bytes()
    former = keyring._path_with_ending("former").name
    for done, files in left_by_crashes(tmp_path, monkeypatch, lambda: rotate(by="system:operator")):
        present = files["signing-key"]
        assert present != first or not done
        assert present == first or files[former] == (tmp_path / former).read_bytes()


def test_an_export_is_present_after_the_command_has_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, db: None
) -> None:
    target = tmp_path / "export"
    for done, files in left_by_crashes(
        tmp_path, monkeypatch, lambda: call_command("export_audit", str(target), reason="a court asked")
    ):
        whole = target.read_bytes()
        assert visible(files).get("export") in ([whole] if done else [None, whole])
