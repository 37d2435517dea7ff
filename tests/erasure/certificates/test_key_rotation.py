"""Certificates, exports and backups of a house that has replaced its signing key."""

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from django.conf import settings as django_settings
from django.test import Client

from clinic.audit.checkpoints import verifier_key
from clinic.audit.keyring import rotate
from clinic.audit.models import Checkpoint
from erasure.backups.create import make_backup
from erasure.backups.manifest import check
from erasure.certificates import verify_certificate as offline
from erasure.certificates.models import Certificate
from tests.erasure.certificates.proofs import export, run_alone, take
from tests.erasure.verification.ended import make_ended

pytestmark = pytest.mark.django_db(transaction=True)


def codes(file: bytes, key: str, *notes: str) -> list[str]:
    _log, found = offline.check_log(file, offline.read_key(key), notes)
    return [finding.code for finding in found if finding.holds is False]


def test_certificates_from_before_and_after_hold_and_so_does_the_log(
    monkeypatch: pytest.MonkeyPatch, client: Client, tmp_path: Path
) -> None:
    before = make_ended(monkeypatch)
    old_key = verifier_key()
    backup = Path(make_backup(tmp_path / "backup")[0].directory)
    rotate(by="system:operator")
    after = make_ended(monkeypatch)
    for run in (before, after):
        made = Certificate.objects.get(run=run)
        page = Client().get(f"/v/{made.number}/").content.decode()
        assert "This certificate holds." in page
        assert old_key in page
    check(backup)

    log, notes = export(client), [row.note for row in Checkpoint.objects.all()]
    # Whoever knows either key follows the handover to the other.
    assert codes(log, verifier_key(), *notes) == []
    assert codes(log, old_key, *notes) == []
    stranger = offline.read_key(verifier_key()).name
    other = Ed25519PrivateKey.generate().public_key()
    assert "signature-not" in codes(log, str(offline.Key(stranger, other)))

    (tmp_path / "old.json").write_bytes(take(client, before))
    (tmp_path / "log.jsonl").write_bytes(log)
    ended = run_alone(tmp_path, "old.json", "--key", old_key, "--log", "log.jsonl")
    assert ended.returncode == 0, ended.stdout
    assert "hands the signature over to another key, signed with both" in ended.stdout
    assert "That this very certificate was issued is entry" in ended.stdout


def test_a_key_that_was_merely_replaced_hands_nothing_over(
    monkeypatch: pytest.MonkeyPatch, client: Client
) -> None:
    made = make_ended(monkeypatch).certificate
    old_key = verifier_key()
    fresh = Ed25519PrivateKey.generate()
    django_settings.LACUNA_SIGNING_KEY_FILE.write_bytes(
        fresh.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    )
    assert "This certificate does not hold." in Client().get(f"/v/{made.number}/").content.decode()
    assert "signature-not" in codes(export(client), old_key)
