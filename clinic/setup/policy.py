"""The access policy of this package's URLs."""

from clinic.access.policy import Row, register, roles
from clinic.accounts.models import Role

register(
    {
        "setup": Row(roles(Role.ADMINISTRATOR)),
        "setup-mail": Row((), roles(Role.ADMINISTRATOR)),
    }
)
