"""Who may use the URLs of this package."""

from clinic.access.policy import Row, register, roles
from clinic.people.models import Role
from patients.cases.relations import CASE_TECHNICIAN, OWN

PATIENT = roles(Role.PATIENT)

register(
    {
        "patients:keepsakes": Row(PATIENT, PATIENT),
        "patients:keepsakes-done": Row((), PATIENT),
        "patients:keepsake": Row(roles(OWN), roles(OWN)),
        "patients:keepsake-remove": Row((), roles(OWN)),
        "patients:upload": Row(PATIENT, PATIENT),
        "patients:upload-form": Row((), PATIENT),
        "patients:picture": Row(roles(Role.DOCTOR, CASE_TECHNICIAN, OWN)),
        "patients:playback": Row(roles(Role.DOCTOR, CASE_TECHNICIAN, OWN)),
    }
)
