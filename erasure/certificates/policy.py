"""Who may use the URLs of this package."""

from clinic.access.policy import PUBLIC, Row, register, roles
from clinic.accounts.models import Role
from patients.cases.relations import BOOKED_TEAM, OWN

# The files name the patient, as they were signed, so an auditor reads the page only, which leaves it out.
FILE_READERS = roles(*BOOKED_TEAM, OWN, Role.RECEPTIONIST)
CERTIFICATE_READERS = roles(*FILE_READERS, Role.AUDITOR)

register(
    {
        "erasure:certificate": Row(CERTIFICATE_READERS),
        "erasure:certificate-json": Row(FILE_READERS),
        "erasure:certificate-statement": Row(FILE_READERS),
        "erasure:certificate-signature": Row(FILE_READERS),
        "erasure:certificate-pdf": Row(FILE_READERS),
        # Anyone who has a certificate may check it: these pages show no personal data.
        "erasure:verify": Row(PUBLIC, PUBLIC, ownerless=True),
        "erasure:verify-number": Row(PUBLIC),
        "erasure:verify-key": Row(PUBLIC),
        "erasure:verifier": Row(PUBLIC),
    }
)
