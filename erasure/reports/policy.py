"""Access rules for the URLs of this package."""

from clinic.access.policy import READERS, Row, register

register(
    {
        "erasure:reports": Row(READERS),
        "erasure:forecast": Row(READERS),
        "erasure:report-export": Row((), READERS),
    }
)
