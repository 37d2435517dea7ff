"""Who may use the URL of this package."""

from clinic.access.policy import Row, register, roles
from patients.cases.relations import CASE_DOCTOR

register({"patients:intake-review": Row(roles(CASE_DOCTOR), roles(CASE_DOCTOR))})
