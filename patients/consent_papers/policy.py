"""Who may use the URLs of this package."""

from clinic.access.policy import Row, register, roles
from clinic.accounts.models import Role
from patients.cases.relations import OWN

register(
    {
        "patients:consent": Row(roles(Role.PATIENT)),
        "patients:consent-sign": Row((), roles(Role.PATIENT)),
        "patients:consent-paper": Row(roles(OWN)),
    }
)
