"""Who may use the URL of this package."""

from clinic.access.policy import Row, register, roles
from clinic.accounts.models import Role

register({"patients:contact": Row(roles(Role.RECEPTIONIST), roles(Role.RECEPTIONIST))})
