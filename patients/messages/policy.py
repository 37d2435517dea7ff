"""Who may use the URLs of this package (docs/decisions/0027-messages.md)."""

from clinic.access.policy import Row, register, roles, with_relation
from clinic.accounts.models import Role

# After a withdrawal no member of staff reads the thread, not even those who are booked for the night.
READERS = roles(with_relation(Role.DOCTOR, "consented"), with_relation(Role.TECHNICIAN, "entrusted"))

register(
    {
        "patients:my-messages": Row(roles(Role.PATIENT), roles(Role.PATIENT)),
        # The inbox shows who waits, and since when. Only the page of a case shows words.
        "patients:inbox": Row(roles(Role.RECEPTIONIST, Role.TECHNICIAN, Role.DOCTOR)),
        "patients:case-messages": Row(READERS, READERS),
        "patients:messages-assign": Row((), READERS),
        "patients:messages-settle": Row((), READERS),
        "patients:messages-unsettle": Row((), READERS),
    }
)
