"""Who may use the URLs of this package."""

from clinic.access.policy import Row, register, roles
from clinic.accounts.models import Role
from patients.cases.relations import OWN

register(
    {
        "erasure:left": Row(roles(Role.PATIENT)),
        "erasure:left-give-back": Row((), roles(OWN)),
        "erasure:left-keep": Row((), roles(OWN)),
        "erasure:left-destroy": Row((), roles(OWN)),
        "erasure:left-fetch": Row(roles(OWN)),
    }
)
