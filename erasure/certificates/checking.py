"""Checking a certificate with the very file that a stranger can download, and putting its words to people."""

from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from django.conf import settings

from erasure.certificates.verify_certificate import (
    Certificate,
    Finding,
    Key,
    Unreadable,
    check_certificate,
    read_certificate,
    unbase64,
)

__all__ = ["Checked", "Unreadable", "check", "digest_of", "read_and_check"]

# A night of two thousand memories is a file of about 1.5 MB; what is larger is not read at all.
LARGEST_FILE = 2 * 1024 * 1024


@dataclass(frozen=True)
class Checked:
    """What was checked, finding by finding."""

    certificate: Certificate | None
    findings: tuple[Finding, ...]

    @property
    def holds(self) -> bool:
        return all(finding.holds is not False for finding in self.findings)

    @property
    def entries(self) -> int:
        """How many entries of the log are proved with it."""
        return sum(finding.values["n"] for finding in self.findings if finding.code == "entries")

    @property
    def problems(self) -> list[str]:
        """What does not hold, in plain English sentences."""
        return [str(finding) for finding in self.findings if finding.holds is False]

    @property
    def says(self) -> dict[str, Any]:
        """What the certificate states; nothing where its text could not be read."""
        return self.certificate.says if self.certificate else {}


def check(body: bytes, signature: str, public_key: Ed25519PublicKey) -> Checked:
    """Check `body` (the exact bytes) with its base64 signature under the house's public key.

    The key must come from elsewhere than the certificate: one that vouches for itself proves nothing.
    """
    key = Key(settings.LACUNA_LOG_ORIGIN, public_key)
    try:
        certificate = read_certificate(body, unbase64(signature))
        return Checked(certificate, tuple(check_certificate(certificate, key)))
    except Unreadable as error:
        return Checked(None, (Finding("unreadable", False, {"why": str(error)}),))


def digest_of(file: bytes) -> str:
    """The digest of what a certificate file states. Errors: Unreadable where it is none."""
    return read_certificate(file).digest


def read_and_check(file: bytes, public_key: Ed25519PublicKey) -> Checked:
    """Check a downloaded certificate file. Errors: ValueError where it is none."""
    certificate = read_certificate(file)
    key = Key(settings.LACUNA_LOG_ORIGIN, public_key)
    return Checked(certificate, tuple(check_certificate(certificate, key)))
