"""Who may use the URLs of this package."""

from clinic.access.policy import Row, register, roles
from clinic.accounts.models import Role

register({"patients:everything": Row(roles(Role.PATIENT), roles(Role.PATIENT))})
