"""Who may use the URLs of this package."""

from clinic.access.policy import Row, register, roles
from clinic.accounts.models import Role
from patients.cases.relations import CASE_TECHNICIAN, OWN

ADMINISTRATOR = roles(Role.ADMINISTRATOR)
BOOKERS = roles(Role.RECEPTIONIST, Role.DOCTOR)
# An administrator may confirm a move above the limit, and hours outside those of the people needed.
MOVERS = roles(Role.RECEPTIONIST, Role.DOCTOR, Role.ADMINISTRATOR)
# Who sees the patient come in: the desk, and those who work on the case.
ATTENDANTS = roles(Role.RECEPTIONIST, Role.DOCTOR, CASE_TECHNICIAN)

register(
    {
        "patients:appointment-templates": Row(ADMINISTRATOR),
        "patients:appointment-template-new": Row(ADMINISTRATOR, ADMINISTRATOR),
        "patients:appointment-template": Row(ADMINISTRATOR, ADMINISTRATOR),
        "patients:appointment-new": Row(BOOKERS, BOOKERS),
        "patients:appointment-book": Row(BOOKERS, BOOKERS),
        "patients:appointment-move": Row(MOVERS, MOVERS),
        "patients:appointment-cancel": Row(BOOKERS, BOOKERS),
        "patients:appointment-calendar": Row(roles(OWN)),
        "patients:own-appointment-new": Row(roles(Role.PATIENT), roles(Role.PATIENT)),
        "patients:own-appointment-move": Row(roles(OWN), roles(OWN)),
        "patients:own-appointment-cancel": Row(roles(OWN), roles(OWN)),
        "patients:appointment-state": Row((), ATTENDANTS),
        "patients:desk-task-close": Row((), BOOKERS),
    }
)
