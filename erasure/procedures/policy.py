"""Who may use the URLs of this package."""

from clinic.access.policy import Row, register, roles
from clinic.people.models import Role
from patients.cases.relations import BOOKED_TEAM

BOOKERS = roles(Role.RECEPTIONIST, Role.DOCTOR)

register(
    {
        "erasure:book": Row(BOOKERS, BOOKERS),
        "erasure:procedure-move": Row(BOOKERS, BOOKERS),
        "erasure:procedure-cancel": Row((), BOOKERS),
        "erasure:start": Row(BOOKED_TEAM, BOOKED_TEAM),
    }
)
