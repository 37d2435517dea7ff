"""Who may use the URLs of this package."""

from clinic.access.policy import Row, register, roles
from clinic.accounts.models import Role

PATIENT = roles(Role.PATIENT)

register(
    {
        "patients:sheet": Row(PATIENT, PATIENT),
        "patients:sheet-undo": Row((), PATIENT),
        "patients:proposals": Row(PATIENT),
        "patients:proposals-dismiss": Row((), PATIENT),
        "patients:proposals-recall": Row((), PATIENT),
        "patients:timeline": Row(PATIENT),
    }
)
