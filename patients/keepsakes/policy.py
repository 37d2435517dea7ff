"""The access policy for the URLs of this package: roles for reading, roles for writing."""

from clinic.access.policy import Row, register, roles
from clinic.accounts.models import Role
from patients.cases.relations import CASE_TEAM, OWN

PATIENT = roles(Role.PATIENT)

register(
    {
        "patients:keepsakes": Row(PATIENT, PATIENT),
        "patients:keepsakes-done": Row((), PATIENT),
        "patients:keepsake": Row(roles(OWN), roles(OWN)),
        "patients:keepsake-remove": Row((), roles(OWN)),
        "patients:review": Row(CASE_TEAM),
        "patients:review-decide": Row((), CASE_TEAM),
        "patients:review-unblur": Row((), CASE_TEAM),
        "patients:review-rest": Row((), CASE_TEAM),
        "patients:upload": Row(PATIENT, PATIENT),
        "patients:upload-form": Row((), PATIENT),
        "patients:picture": Row(roles(*CASE_TEAM, OWN)),
        "patients:picture-blurred": Row(roles(*CASE_TEAM, OWN)),
        "patients:playback": Row(roles(*CASE_TEAM, OWN)),
    }
)
