"""Checking a certificate with verify_certificate.py, the same file that anyone can download."""

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

# Bytes. The certificate of two thousand memories has about 1.5 MB; a larger file is not read at all.
LARGEST_FILE = 2 * 1024 * 1024


@dataclass(frozen=True)
class Checked:
    """The result of a check. certificate: None if the file could not be read as one."""

    certificate: Certificate | None
    findings: tuple[Finding, ...]

    @property
    def holds(self) -> bool:
        """True if no finding failed. A finding that could not be checked does not count as failed."""
        return all(finding.holds is not False for finding in self.findings)

    @property
    def entries(self) -> int:
        """The number of entries of the log that the certificate proves."""
        return sum(finding.values["n"] for finding in self.findings if finding.code == "entries")

    @property
    def problems(self) -> list[str]:
        """The findings that failed, as English sentences."""
        return [str(finding) for finding in self.findings if finding.holds is False]

    @property
    def says(self) -> dict[str, Any]:
        """The certificate's statement, empty if it could not be read."""
        return self.certificate.says if self.certificate else {}


def check(body: bytes, signature: str, public_key: Ed25519PublicKey) -> Checked:
    """Check a statement and its base64 signature with the installation's public key.

    body: the exact bytes that were signed. public_key: it must not be taken from the certificate, because a
    certificate checked with its own key proves nothing.
    """
    key = Key(settings.LACUNA_LOG_ORIGIN, public_key)
    try:
        certificate = read_certificate(body, unbase64(signature))
        return Checked(certificate, tuple(check_certificate(certificate, key)))
    except Unreadable as error:
        return Checked(None, (Finding("unreadable", False, {"why": str(error)}),))


def digest_of(file: bytes) -> str:
    """Return the SHA-256 (hex) of a certificate file's statement.

    Errors: Unreadable if it is no certificate.
    """
    return read_certificate(file).digest


def read_and_check(file: bytes, public_key: Ed25519PublicKey) -> Checked:
    """Check a downloaded certificate file. Errors: Unreadable (a ValueError) if it is no certificate."""
    certificate = read_certificate(file)
    key = Key(settings.LACUNA_LOG_ORIGIN, public_key)
    return Checked(certificate, tuple(check_certificate(certificate, key)))
