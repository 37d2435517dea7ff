"""Who may use the URLs of this package (docs/decisions/0027-messages.md)."""

from clinic.access.policy import Row, register, roles, with_relation
from clinic.accounts.models import Role

# Nobody reads on after the patient has taken the consent back, not even who is booked for the night.
READERS = roles(with_relation(Role.DOCTOR, "consented"), with_relation(Role.TECHNICIAN, "entrusted"))

register(
    {
        "patients:my-messages": Row(roles(Role.PATIENT), roles(Role.PATIENT)),
        # Who waits, and since when. The words stand on the page of each case only.
        "patients:inbox": Row(roles(Role.RECEPTIONIST, Role.TECHNICIAN, Role.DOCTOR)),
        "patients:case-messages": Row(READERS, READERS),
        "patients:messages-assign": Row((), READERS),
        "patients:messages-settle": Row((), READERS),
        "patients:messages-unsettle": Row((), READERS),
    }
)
