"""Certificates, exports and backups of an installation that has replaced its signing key."""

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
from tests.erasure.certificates.proofs import download, export, run_verifier
from tests.erasure.verification.ended import make_ended

pytestmark = pytest.mark.django_db(transaction=True)


def codes(file: bytes, key: str, *notes: str) -> list[str]:
    """Codes of the offline verifier's findings about an exported log that do not hold."""
    _log, found = offline.check_log(file, offline.read_key(key), notes)
    return [finding.code for finding in found if finding.holds is False]


def test_certificates_and_log_hold_before_and_after_a_rotation(
    monkeypatch: pytest.MonkeyPatch, client: Client, tmp_path: Path
) -> None:
    before = make_ended(monkeypatch)
    old_key = verifier_key()
    backup = Path(make_backup(tmp_path / "backup")[0].directory)
    rotate(by="system:operator")
    after = make_ended(monkeypatch)
    for run in (before, after):
        certificate = Certificate.objects.get(run=run)
        page = Client().get(f"/v/{certificate.number}/").content.decode()
        assert "This certificate holds." in page
        assert old_key in page
    check(backup)

    log, notes = export(client), [row.note for row in Checkpoint.objects.all()]
    # With either of the two keys the log verifies, because it contains the handover.
    assert codes(log, verifier_key(), *notes) == []
    assert codes(log, old_key, *notes) == []
    clinic_name = offline.read_key(verifier_key()).name
    other_key = offline.Key(clinic_name, Ed25519PrivateKey.generate().public_key())
    assert "signature-not" in codes(log, str(other_key))

    (tmp_path / "old.json").write_bytes(download(client, before))
    (tmp_path / "log.jsonl").write_bytes(log)
    result = run_verifier(tmp_path, "old.json", "--key", old_key, "--log", "log.jsonl")
    assert result.returncode == 0, result.stdout
    assert "hands the signature over to another key, signed with both" in result.stdout
    assert "That this very certificate was issued is entry" in result.stdout


def test_a_key_file_that_was_only_replaced_is_not_trusted(
    monkeypatch: pytest.MonkeyPatch, client: Client
) -> None:
    certificate = make_ended(monkeypatch).certificate
    old_key = verifier_key()
    fresh = Ed25519PrivateKey.generate()
    django_settings.LACUNA_SIGNING_KEY_FILE.write_bytes(
        fresh.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    )
    assert "This certificate does not hold." in Client().get(f"/v/{certificate.number}/").content.decode()
    assert "signature-not" in codes(export(client), old_key)
