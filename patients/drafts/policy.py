"""Who may use the URLs of this package: whoever may save the form that is named in the URL."""

from clinic.access.policy import Row, register, roles, with_relation
from clinic.accounts.models import Role
from patients.drafts.relations import FILLS_IN

WRITERS = roles(
    *(
        with_relation(role, FILLS_IN)
        for role in (Role.PATIENT, Role.RECEPTIONIST, Role.TECHNICIAN, Role.DOCTOR)
    )
)

register(
    {
        "patients:draft": Row((), WRITERS),
        "patients:draft-discard": Row((), WRITERS),
    }
)
