"""The access policy of this package's URLs."""

from clinic.access.policy import EVERY_STAFF, Row, register, roles
from clinic.accounts.models import Role

# Which bookings each of them may move, the package of the booking says (clinic/calendar/moving.py).
MOVERS = roles(Role.RECEPTIONIST, Role.TECHNICIAN, Role.DOCTOR)

register(
    {
        "calendar": Row(EVERY_STAFF),
        "calendar-move": Row(MOVERS, MOVERS),
        "day-sheet": Row(EVERY_STAFF),
    }
)
