"""Who may use the URLs of this package."""

from clinic.access.policy import Row, register, roles
from clinic.accounts.models import Role

register(
    {
        "outbox": Row(roles(Role.RECEPTIONIST, Role.ADMINISTRATOR)),
    }
)
