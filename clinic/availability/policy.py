"""The access policy of this package's URLs."""

from clinic.access.policy import Row, register, roles
from clinic.accounts.models import Role

KEEPERS = roles(Role.RECEPTIONIST, Role.ADMINISTRATOR)

register(
    {
        "hours": Row(KEEPERS, KEEPERS),
        "hours-of": Row(KEEPERS, KEEPERS),
        "my-hours": Row(roles(Role.TECHNICIAN, Role.DOCTOR)),
    }
)
