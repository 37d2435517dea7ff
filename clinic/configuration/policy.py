"""The access policy of this package's URLs."""

from clinic.access.policy import READERS, Row, register, roles
from clinic.accounts.models import Role

register(
    {
        "settings": Row(roles(Role.ADMINISTRATOR), roles(Role.ADMINISTRATOR)),
        "settings-policies": Row(roles(Role.ADMINISTRATOR), roles(Role.ADMINISTRATOR)),
        "settings-history": Row(READERS),
    }
)
