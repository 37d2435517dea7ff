"""Who may use the URLs of this package."""

from clinic.access.policy import Row, register, roles
from clinic.accounts.models import Role

PATIENT = roles(Role.PATIENT)

register(
    {
        "patients:consent": Row(PATIENT),
        "patients:consent-sign": Row((), PATIENT),
        "patients:withdraw": Row(PATIENT, PATIENT),
    }
)
