"""Access rules for the URLs of this package."""

from clinic.access.policy import READERS, Row, register, roles
from clinic.accounts.models import Role

register(
    {
        "erasure:backups": Row(READERS),
        "erasure:backups-end-held": Row((), roles(Role.ADMINISTRATOR)),
    }
)
