"""Who may use the URLs of this package."""

from clinic.access.policy import Row, register, roles
from clinic.accounts.models import Role

register({"erasure:close-account": Row(roles(Role.PATIENT), roles(Role.PATIENT))})
