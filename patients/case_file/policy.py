"""Who may use the URLs of this package."""

from clinic.access.policy import Row, register, roles
from clinic.accounts.models import Role
from patients.cases.relations import CASE_TECHNICIAN

register(
    {
        "patients:cases": Row(roles(Role.RECEPTIONIST, Role.TECHNICIAN, Role.DOCTOR, Role.AUDITOR)),
        "patients:case": Row(roles(Role.RECEPTIONIST, Role.DOCTOR, CASE_TECHNICIAN, Role.AUDITOR)),
    }
)
