"""Who may use the URLs of this package."""

from clinic.access.policy import Row, register, roles
from clinic.accounts.models import Role

PATIENT = roles(Role.PATIENT)

register(
    {
        "patients:withdraw": Row(PATIENT, PATIENT),
    }
)
