"""The access policy of this package's URLs. The front desk sees only messages to patients (lists.py)."""

from clinic.access.policy import Row, register, roles
from clinic.accounts.models import Role

register(
    {
        "mails": Row(roles(Role.RECEPTIONIST, Role.ADMINISTRATOR)),
        "mail-decide": Row((), roles(Role.RECEPTIONIST, Role.ADMINISTRATOR)),
    }
)
