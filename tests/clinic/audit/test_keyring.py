"""Replacing the signing key: earlier signatures stay valid, and the old key cannot sign anything new."""

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed448 import Ed448PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from django.core.management import call_command

from clinic.audit import checkpoints, keyring
from clinic.audit.checkpoints import NoteInvalid, checkpoint, public_key, verifier_key
from clinic.audit.compare import compare
from clinic.audit.keyring import former_keys, handover, key_at, rotate, verify_ours
from clinic.audit.models import Checkpoint, Entry
from clinic.audit.verify import verify_log
from tests.clinic.audit.factories import a_log, an_act, write

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_rotation_is_an_entry_signed_with_both_keys_and_old_notes_stay_valid(key_directory: Path) -> None:
    a_log(3)
    note = checkpoint("daily").note
    old = public_key()
    rotate(by="system:operator")
    new = public_key()
    assert new.public_bytes_raw() != old.public_bytes_raw()
    (entry,) = Entry.objects.filter(action="audit.key-rotated")
    text = handover(old, new)
    for name, key in (("before", old), ("now", new)):
        assert entry.details[name] == key.public_bytes_raw().hex()
        key.verify(bytes.fromhex(entry.details[f"signed_{name}_1"] + entry.details[f"signed_{name}_2"]), text)
    # The old key's last checkpoint is over all entries before this one, the new key's first one includes it.
    assert [row.size for row in Checkpoint.objects.filter(reason="key-rotation").order_by("pk")] == [3, 4]
    assert verify_log().problems == []
    assert verify_ours(note).size == 3
    write(an_act(9))
    assert compare(note, checkpoint("daily").note).holds
    assert [one.size for one in former_keys()] == [3]
    assert key_at(2).public_bytes_raw() == old.public_bytes_raw()
    assert key_at(3).public_bytes_raw() == key_at(None).public_bytes_raw() == new.public_bytes_raw()


def test_notes_signed_with_the_old_key_after_the_rotation_are_refused(
    key_directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    a_log(2)
    stolen = checkpoints.signing_key()
    rotate(by="system:operator")
    with monkeypatch.context() as thief:
        thief.setattr(checkpoints, "signing_key", lambda: stolen)
        forged = checkpoints.write_note(9, bytes(32))
    with pytest.raises(NoteInvalid, match="not signed with this key"):
        verify_ours(forged)


@pytest.mark.parametrize("place", ["_add_former_key", "checkpoint"])
def test_an_interrupted_rotation_is_completed_by_the_next_one(
    place: str, key_directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    a_log(2)
    first = verifier_key()
    with monkeypatch.context() as broken:
        broken.setattr(keyring, place, lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            rotate(by="system:operator")
    assert verifier_key() == first, "the old key stays in use until the rotation is complete"
    assert verify_log().problems == []
    call_command("rotate_signing_key")
    assert verifier_key() != first
    assert Entry.objects.filter(action="audit.key-rotated").count() == 1
    assert verify_log().problems == []
    second = verifier_key()
    call_command("rotate_signing_key")
    assert verifier_key() not in {first, second}
    assert [verifier_key(one.key) for one in former_keys()] == [first, second]
    assert verify_log().problems == []


def test_a_new_key_of_another_algorithm_is_refused(key_directory: Path) -> None:
    a_log(2)
    before, other = verifier_key(), Ed448PrivateKey.generate()
    (key_directory / "signing-key.next").write_bytes(
        other.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    )
    with pytest.raises(ValueError, match="not an Ed25519 key"):
        rotate(by="system:operator")
    assert verifier_key() == before
    assert not Checkpoint.objects.exists()
