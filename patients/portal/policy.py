"""Who may use the URLs of this package."""

from clinic.access.policy import Row, register, roles
from clinic.accounts.models import Role
from patients.cases.relations import OWN

register(
    {
        "patients:portal": Row(roles(Role.PATIENT)),
        "patients:looks": Row(roles(Role.PATIENT)),
        "patients:memory-new": Row(roles(Role.PATIENT), roles(Role.PATIENT)),
        "patients:memory": Row(roles(OWN), roles(OWN)),
        "patients:memory-remove": Row((), roles(OWN)),
    }
)
