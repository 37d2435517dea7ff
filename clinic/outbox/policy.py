"""The access policy of this package's URLs."""

from clinic.access.policy import Row, register, roles
from clinic.accounts.models import Role

register(
    {
        "outbox": Row(roles(Role.RECEPTIONIST, Role.ADMINISTRATOR)),
    }
)
