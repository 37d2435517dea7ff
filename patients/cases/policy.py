"""Who may use the URLs of this package."""

from clinic.access.policy import Row, register, roles
from clinic.people.models import Role
from patients.cases.relations import CASE_TEAM, CASE_TECHNICIAN

PATIENT = roles(Role.PATIENT)

register(
    {
        "patients:portal": Row(PATIENT),
        "patients:intake": Row(PATIENT, PATIENT),
        "patients:cases": Row(roles(Role.RECEPTIONIST, Role.TECHNICIAN, Role.DOCTOR, Role.AUDITOR)),
        "patients:case": Row(roles(Role.RECEPTIONIST, Role.DOCTOR, CASE_TECHNICIAN, Role.AUDITOR)),
        "patients:review": Row(CASE_TEAM),
        "patients:review-decide": Row((), CASE_TEAM),
        "patients:review-unblur": Row((), CASE_TEAM),
        "patients:review-rest": Row((), CASE_TEAM),
    }
)
