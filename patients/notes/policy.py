"""Who may use the URLs of this package: the staff who may read the patient's name on the file."""

from clinic.access.policy import Row, register, roles
from clinic.accounts.models import Role
from patients.cases.relations import CASE_TECHNICIAN

WRITERS = roles(Role.RECEPTIONIST, Role.DOCTOR, CASE_TECHNICIAN)
register(
    {
        "patients:notes": Row(WRITERS, WRITERS),
        "patients:note-strike": Row((), WRITERS),
    }
)
