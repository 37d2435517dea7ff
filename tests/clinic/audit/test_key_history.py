"""verify_log reports a list of former signing keys that does not agree with the log."""

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.db import connection

from clinic.audit import triggers
from clinic.audit.checkpoints import checkpoint, verifier_key
from clinic.audit.keyring import rotate
from clinic.audit.models import Checkpoint, Entry
from clinic.audit.restored import declare_restored, sign_restore
from clinic.audit.verify import verify_log
from tests.clinic.audit.factories import a_log, an_act, write
from tests.clinic.audit.plugin import unguarded
from tests.clinic.audit.test_verify import rewrite_log

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def former_keys_file(key_directory: Path) -> Path:
    """Write a log of 4 entries whose key was replaced at entry 3; return the file with the former keys."""
    triggers.install(connection)
    a_log(3)
    rotate(by="system:operator")
    write(an_act(9))
    assert verify_log().problems == []
    return key_directory / "signing-key.former"


def test_a_key_added_to_the_list_is_reported(former_keys_file: Path) -> None:
    forged = verifier_key(Ed25519PrivateKey.generate().public_key())
    former_keys_file.write_text(former_keys_file.read_text() + f"900 {forged}\n")
    assert verify_log().problems == [
        "A former signing key is listed up to 900 entries, and no entry hands it over."
    ]


@pytest.mark.parametrize("size", [2, 4, 900])
def test_a_key_listed_for_another_size_than_it_was_used_is_reported(
    former_keys_file: Path, size: int
) -> None:
    former_keys_file.write_text(former_keys_file.read_text().replace("3 ", f"{size} ", 1))
    assert (
        f"A former signing key is listed up to {size} entries, and no entry hands it over."
        in verify_log().problems
    )


def test_a_key_removed_from_the_list_is_reported(former_keys_file: Path) -> None:
    former_keys_file.unlink()
    assert "Entry 3 replaces a signing key that is not in the list of former keys." in verify_log().problems


def test_an_unreadable_list_is_reported(former_keys_file: Path) -> None:
    former_keys_file.write_text("nonsense\n")
    (problem,) = verify_log().problems
    assert problem.startswith("The list of former signing keys cannot be read: ")


def test_a_key_change_not_signed_by_both_keys_is_reported(former_keys_file: Path) -> None:
    entry = Entry.objects.get(action="audit.key-rotated")
    entry.details = {**entry.details, "signed_now_1": "0" * 64}
    with unguarded(connection):
        entry.save()
    problems = verify_log().problems
    assert "Entry 3 replaces the signing key, and is not signed with both keys." in problems


def test_a_signing_key_other_than_the_recorded_one_is_reported(former_keys_file: Path) -> None:
    (former_keys_file.parent / "signing-key").unlink()
    assert "The signing key is not the one that entry 3 hands over to." in verify_log().problems


def test_a_rotation_lost_by_a_declared_restore_is_not_reported(former_keys_file: Path) -> None:
    checkpoint("daily")
    rewrite_log(list(Entry.objects.filter(index__lt=2).order_by("index")))
    with unguarded(connection):
        Checkpoint.objects.all().delete()
    missing = "A former signing key is listed up to 3 entries, and no entry hands it over."
    assert missing in verify_log().problems
    sign_restore()
    declare_restored("system:startup")
    assert verify_log().problems == []
