"""The access policy of this package's URLs."""

from clinic.access.policy import EVERY_STAFF, Row, register, roles
from clinic.accounts.models import Role

register(
    {
        "today": Row(EVERY_STAFF),
        "places": Row(roles(Role.ADMINISTRATOR), roles(Role.ADMINISTRATOR)),
        "today-wall": Row(EVERY_STAFF, quiet=True),
    }
)
