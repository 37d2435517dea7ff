"""Who may use the URLs of this package."""

from clinic.access.policy import PUBLIC, Row, register, roles
from clinic.accounts.models import Role
from patients.cases.relations import BOOKED_TEAM, OWN

CERTIFICATE_READERS = roles(*BOOKED_TEAM, OWN, Role.RECEPTIONIST, Role.AUDITOR)

register(
    {
        "erasure:certificate": Row(CERTIFICATE_READERS),
        "erasure:certificate-json": Row(CERTIFICATE_READERS),
        "erasure:certificate-statement": Row(CERTIFICATE_READERS),
        "erasure:certificate-signature": Row(CERTIFICATE_READERS),
        "erasure:certificate-pdf": Row(CERTIFICATE_READERS),
        # Anyone who has a certificate may check it: these pages show no personal data.
        "erasure:verify": Row(PUBLIC, PUBLIC),
        "erasure:verify-number": Row(PUBLIC),
        "erasure:verify-key": Row(PUBLIC),
        "erasure:verifier": Row(PUBLIC),
    }
)
