"""Who may use the URLs of this package: patients. A place belongs to nobody, so no relation is checked."""

from clinic.access.policy import Row, register, roles
from clinic.accounts.models import Role

register(
    {
        "patients:left-behind": Row(roles(Role.PATIENT)),
        "patients:left-behind-tick": Row((), roles(Role.PATIENT)),
        "patients:left-behind-untick": Row((), roles(Role.PATIENT)),
    }
)
