"""The list of former signing keys says what the log says, or verify_log reports it."""

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
from tests.clinic.audit.test_verify import seal_anew

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def former(house: Path) -> Path:
    """A log of 4 whose key was replaced once, at entry 3; return the list of former keys."""
    triggers.install(connection)
    a_log(3)
    rotate(by="system:operator")
    write(an_act(9))
    assert verify_log().problems == []
    return house / "signing-key.former"


def test_a_key_slipped_into_the_list_is_a_finding(former: Path) -> None:
    forged = verifier_key(Ed25519PrivateKey.generate().public_key())
    former.write_text(former.read_text() + f"900 {forged}\n")
    assert verify_log().problems == [
        "A former signing key is listed up to 900 entries, and no entry hands it over."
    ]


@pytest.mark.parametrize("size", [2, 4, 900])
def test_a_key_that_is_listed_for_longer_than_it_was_used_is_a_finding(former: Path, size: int) -> None:
    former.write_text(former.read_text().replace("3 ", f"{size} ", 1))
    assert (
        f"A former signing key is listed up to {size} entries, and no entry hands it over."
        in verify_log().problems
    )


def test_a_key_taken_from_the_list_is_a_finding(former: Path) -> None:
    former.unlink()
    assert "Entry 3 replaces a signing key that is not in the list of former keys." in verify_log().problems


def test_a_list_that_cannot_be_read_is_a_finding(former: Path) -> None:
    former.write_text("nonsense\n")
    (problem,) = verify_log().problems
    assert problem.startswith("The list of former signing keys cannot be read: ")


def test_a_handover_that_was_not_signed_by_both_is_a_finding(former: Path) -> None:
    entry = Entry.objects.get(action="audit.key-rotated")
    entry.details = {**entry.details, "signed_now_1": "0" * 64}
    with unguarded(connection):
        entry.save()
    problems = verify_log().problems
    assert "Entry 3 replaces the signing key, and is not signed with both keys." in problems


def test_another_key_than_the_one_handed_over_to_is_a_finding(former: Path) -> None:
    (former.parent / "signing-key").unlink()
    assert "The signing key is not the one that entry 3 hands over to." in verify_log().problems


def test_a_rotation_that_a_declared_restore_lost_is_none(former: Path) -> None:
    checkpoint("daily")
    seal_anew(list(Entry.objects.filter(index__lt=2).order_by("index")))
    with unguarded(connection):
        Checkpoint.objects.all().delete()
    missing = "A former signing key is listed up to 3 entries, and no entry hands it over."
    assert missing in verify_log().problems
    sign_restore()
    declare_restored("system:startup")
    assert verify_log().problems == []
