"""The access policy of this package's URLs."""

from clinic.access.policy import EVERY_STAFF, Row, register

register(
    {
        "today": Row(EVERY_STAFF),
        "today-wall": Row(EVERY_STAFF, quiet=True),
    }
)
