"""Who may use the URLs of this package."""

from clinic.access.policy import Row, register, roles
from clinic.accounts.models import Role
from patients.cases.relations import OWN

register(
    {
        "erasure:belongings": Row(roles(Role.PATIENT)),
        "erasure:belongings-choose": Row((), roles(OWN)),
        "erasure:belongings-take": Row((), roles(OWN)),
        "erasure:belongings-destroy": Row((), roles(OWN)),
        "erasure:belongings-reopen": Row((), roles(OWN)),
        "erasure:destruction": Row(roles(OWN)),
        "erasure:destruction-stop": Row((), roles(OWN)),
    }
)
