"""Who may use the URLs of this package."""

from clinic.access.policy import Row, register, roles
from clinic.accounts.models import Role
from patients.cases.relations import OWN

BOOKERS = roles(Role.RECEPTIONIST, Role.DOCTOR)

register(
    {
        "patients:waitlist": Row(BOOKERS),
        "patients:waitlist-go-through": Row((), BOOKERS),
        "patients:waitlist-new": Row(BOOKERS, BOOKERS),
        "patients:waitlist-entry": Row(BOOKERS, BOOKERS),
        "patients:waitlist-up": Row((), BOOKERS),
        "patients:waitlist-end": Row((), BOOKERS),
        # The patient answers on their page; the desk for whoever calls.
        "patients:waitlist-offer": Row(roles(OWN), roles(OWN)),
        "patients:waitlist-answer": Row((), BOOKERS),
        "patients:waitlist-earlier": Row((), roles(OWN)),
        "patients:waitlist-earlier-night": Row((), roles(Role.PATIENT)),
    }
)
