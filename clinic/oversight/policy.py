"""The access policy of this package's URLs."""

from clinic.access.policy import READERS, Row, register

register(
    {
        "audit": Row(READERS),
        "audit-verify": Row((), READERS),
        "audit-export": Row((), READERS),
        "audit-compare": Row((), READERS),
    }
)
