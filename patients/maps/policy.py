"""Who may use the URLs of this package."""

from clinic.access.policy import Row, register, roles
from patients.cases.relations import CASE_DOCTOR, CASE_TEAM

register(
    {
        "patients:mapping": Row(CASE_TEAM, CASE_TEAM),
        "patients:map-link": Row((), CASE_TEAM),
        "patients:map-place": Row((), CASE_TEAM),
        "patients:map-look": Row((), CASE_TEAM),
        "patients:map-chapters": Row((), CASE_TEAM),
        "patients:map-lock": Row((), CASE_TEAM),
        "patients:map-unlock": Row((), roles(CASE_DOCTOR)),
    }
)
