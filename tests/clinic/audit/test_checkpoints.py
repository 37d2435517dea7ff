import base64
import stat
from pathlib import Path

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed448 import Ed448PrivateKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from django.db import transaction
from pytest_django import Settings

from clinic.audit.checkpoints import (
    NoteInvalid,
    checkpoint,
    key_id,
    public_key,
    read_note,
    read_verifier_key,
    sign,
    verifier_key,
    verify_note,
    write_note,
)
from clinic.audit.merkle import EMPTY_ROOT, Frontier
from clinic.audit.models import Checkpoint
from tests.clinic.audit.factories import a_log

ROOT = bytes(range(32))


def test_the_signing_key_is_created_once_and_only_its_owner_can_read_it(key_directory: Path) -> None:
    first = public_key().public_bytes_raw()
    assert stat.S_IMODE((key_directory / "signing-key").stat().st_mode) == 0o600
    assert public_key().public_bytes_raw() == first
    assert [path.name for path in key_directory.iterdir()] == ["signing-key"]


def test_a_signing_key_of_another_algorithm_is_refused(key_directory: Path) -> None:
    other = Ed448PrivateKey.generate()
    pem = other.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (key_directory / "signing-key").write_bytes(pem)
    with pytest.raises(ValueError, match="not an Ed25519 key"):
        sign(b"what was destroyed")
    assert (key_directory / "signing-key").read_bytes() == pem


def test_a_signature_is_valid_for_its_text_only() -> None:
    signature = sign(b"what was destroyed")
    public_key().verify(signature, b"what was destroyed")
    with pytest.raises(InvalidSignature):
        public_key().verify(signature, b"what was kept")


def test_a_note_has_the_format_of_the_c2sp_specification() -> None:
    note = write_note(42, ROOT)
    body, signed = note.split("\n\n")
    assert body == f"lacuna.test/audit\n42\n{base64.b64encode(ROOT).decode()}"
    assert signed.startswith("— lacuna.test/audit ")
    assert signed.endswith("\n")
    blob = base64.b64decode(signed.split(" ")[2])
    assert blob[:4] == key_id("lacuna.test/audit", public_key())
    public_key().verify(blob[4:], f"{body}\n".encode())
    assert verify_note(note, public_key()) == read_note(note)
    assert (read_note(note).size, read_note(note).root) == (42, ROOT)


def test_the_key_id_of_the_published_example() -> None:
    # From the signed-note specification of Go's sumdb; C2SP uses the same key ids.
    key = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
    raw = base64.b64decode(key.split("+", 2)[2])[1:]
    assert key_id("PeterNeumann", Ed25519PublicKey.from_public_bytes(raw)).hex() == "c74f20a3"
    assert read_verifier_key(key).public_bytes_raw() == raw


def test_a_verifier_key_can_be_read_back() -> None:
    assert read_verifier_key(verifier_key() + "\n").public_bytes_raw() == public_key().public_bytes_raw()
    name, number, blob = verifier_key().split("+", 2)
    for wrong in (f"{name}+00000000+{blob}", f"{name}+{number}", "", f"{name}+{number}+AAAA", "a+b+é"):
        with pytest.raises(ValueError):  # noqa: PT011 -- the messages differ
            read_verifier_key(wrong)


@pytest.mark.parametrize("kind", [b"\x02", b"\x01\x01", b""], ids=["algorithm", "long", "short"])
def test_a_verifier_key_of_another_algorithm_or_length_is_refused(kind: bytes) -> None:
    name, number, _blob = verifier_key().split("+", 2)
    blob = base64.b64encode(kind + public_key().public_bytes_raw()).decode()
    with pytest.raises(ValueError, match="no Ed25519 verifier key"):
        read_verifier_key(f"{name}+{number}+{blob}")


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("\n42\n", "\n43\n", "the note's signature is not of this text"),
        ("\n42\n", "\n042\n", "the note's second line is no size"),
        ("\n42\n", "\n-1\n", "the note's second line is no size"),
        ("\n42\n", "\n42\r\n", "this is no signed note"),
        ("lacuna.test/audit\n42", "lacuna.test/other\n42", "the note speaks of another log"),
        ("— lacuna.test/audit", "— lacuna.test/other", "the note is not signed with this key"),
        ("— lacuna.test/audit", "- lacuna.test/audit", "a signature line of the note is malformed"),
        ("AAEC", "AA", "the note is not base64 where it should be"),
        ("AAEC", "", "the note's third line is no root"),
        ("\n\n", "\n", "this is no signed note"),
        (f"\n{base64.b64encode(ROOT).decode()}", "", "this is no signed note"),
    ],
)
def test_a_changed_note_is_refused(old: str, new: str, sentence: str) -> None:
    note = write_note(42, ROOT)
    assert old in note
    with pytest.raises(NoteInvalid) as caught:
        verify_note(note.replace(old, new, 1), public_key())
    assert str(caught.value) == sentence


@pytest.mark.parametrize("end", ["", "A", "=", " "])
def test_a_note_whose_last_line_was_changed_is_refused(end: str) -> None:
    with pytest.raises(NoteInvalid) as caught:
        verify_note(write_note(42, ROOT).removesuffix("\n") + end, public_key())
    assert str(caught.value) == "this is no signed note"


def test_signatures_of_other_keys_are_ignored_but_do_not_suffice() -> None:
    note, stranger = write_note(42, ROOT), Ed25519PrivateKey.generate().public_key()
    with pytest.raises(NoteInvalid, match="not signed with this key"):
        verify_note(note, stranger)
    blob = base64.b64encode(b"\0" * 68).decode()
    assert verify_note(f"{note}— witness.test/a {blob}\n", public_key()).size == 42


def test_a_signature_of_another_note_is_refused() -> None:
    first, second = write_note(42, ROOT), write_note(43, ROOT)
    swapped = first.split("\n\n")[0] + "\n\n" + second.split("\n\n")[1]
    with pytest.raises(NoteInvalid, match="signature is not of this text"):
        verify_note(swapped, public_key())


@pytest.mark.django_db(transaction=True)
def test_a_checkpoint_is_stored_as_a_row_and_as_a_file(key_directory: Path) -> None:
    empty = checkpoint("first")
    assert (empty.size, empty.root) == (0, EMPTY_ROOT)
    entries = a_log(3)
    row = checkpoint("run-finished")
    assert (row.size, row.root) == (3, Frontier().extend(entry.leaf for entry in entries).root())
    assert row.reason == "run-finished"
    files = sorted((key_directory / "witness").iterdir())
    assert [path.name[:13] for path in files] == ["000000000000-", "000000000003-"]
    assert files[1].read_text() == row.note
    assert verify_note(row.note, public_key()).root == row.root
    again = checkpoint("another")
    assert (again.note, len(list((key_directory / "witness").iterdir()))) == (row.note, 2)


@pytest.mark.django_db(transaction=True)
def test_no_checkpoint_inside_a_transaction_that_may_roll_back(key_directory: Path) -> None:
    with pytest.raises(RuntimeError, match="durable"), transaction.atomic():
        checkpoint("too-early")
    assert not (key_directory / "witness").exists()


@pytest.mark.django_db(transaction=True)
def test_there_is_no_row_if_the_file_cannot_be_written(settings: Settings, key_directory: Path) -> None:
    (key_directory / "file").write_text("")
    settings.LACUNA_WITNESS_DIR = key_directory / "file"
    with pytest.raises(OSError, match="file"):
        checkpoint("no-place")
    assert not Checkpoint.objects.exists()
