"""The access policy of this package's URLs."""

from clinic.access.policy import EVERY_STAFF, Row, register

register(
    {
        "style": Row(EVERY_STAFF),
    }
)
