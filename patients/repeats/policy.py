"""Who may use the URLs of this package."""

from clinic.access.policy import Row, register, roles
from clinic.accounts.models import Role

DECIDERS = roles(Role.DOCTOR, Role.ADMINISTRATOR)

register(
    {
        "patients:repeats": Row(roles(Role.DOCTOR, Role.ADMINISTRATOR, Role.AUDITOR)),
        "patients:repeat": Row(
            roles(Role.RECEPTIONIST, Role.DOCTOR, Role.ADMINISTRATOR, Role.AUDITOR), DECIDERS
        ),
    }
)
