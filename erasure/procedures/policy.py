"""Which roles may read and post to the URLs of this package."""

from clinic.access.policy import Row, register, roles
from clinic.accounts.models import Role

BOOKERS = roles(Role.RECEPTIONIST, Role.DOCTOR)

register(
    {
        "erasure:book": Row(BOOKERS, BOOKERS),
        "erasure:procedure-move": Row(BOOKERS, BOOKERS),
        "erasure:procedure-cancel": Row(BOOKERS, BOOKERS),
    }
)
