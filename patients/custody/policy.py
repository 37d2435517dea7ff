"""Who may use the URLs of this package."""

from clinic.access.policy import Row, register, roles
from clinic.accounts.models import Role
from patients.cases.relations import CASE_TECHNICIAN

register(
    {
        "patients:custody": Row(roles(Role.RECEPTIONIST, Role.DOCTOR, CASE_TECHNICIAN, Role.AUDITOR)),
        "patients:custody-change": Row((), roles(Role.RECEPTIONIST, Role.DOCTOR, CASE_TECHNICIAN)),
    }
)
