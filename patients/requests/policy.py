"""Who may use the URLs of this package."""

from clinic.access.policy import PUBLIC, Row, register, roles
from clinic.accounts.models import Role

register(
    {
        "patients:request": Row(PUBLIC, PUBLIC),
        "patients:request-sent": Row(PUBLIC),
        "patients:requests": Row(roles(Role.RECEPTIONIST)),
        "patients:request-one": Row(roles(Role.RECEPTIONIST)),
        "patients:requests-decide": Row((), roles(Role.RECEPTIONIST)),
        "patients:request-decide": Row((), roles(Role.RECEPTIONIST)),
    }
)
