"""Who may use the URLs of this package: the patient alone. A place is no object of anybody's."""

from clinic.access.policy import Row, register, roles
from clinic.accounts.models import Role

register(
    {
        "patients:left-behind": Row(roles(Role.PATIENT)),
        "patients:left-behind-tick": Row((), roles(Role.PATIENT)),
        "patients:left-behind-untick": Row((), roles(Role.PATIENT)),
    }
)
