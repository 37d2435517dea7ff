"""Who may use the URLs of this package."""

from clinic.access.policy import EVERY_STAFF, Row, register

register(
    {
        "style": Row(EVERY_STAFF),
    }
)
