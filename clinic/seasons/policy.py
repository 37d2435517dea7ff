"""The access policy of this package's URLs."""

from clinic.access.policy import EVERY_STAFF, Row, register, roles
from clinic.accounts.models import Role

register(
    {
        "seasons": Row(EVERY_STAFF, roles(Role.ADMINISTRATOR)),
        "season": Row(roles(Role.ADMINISTRATOR, Role.AUDITOR), roles(Role.ADMINISTRATOR)),
        "season-agree": Row((), roles(Role.TECHNICIAN, Role.DOCTOR)),
    }
)
