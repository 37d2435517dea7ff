"""Who may use the URLs of this package."""

from clinic.access.policy import EVERY_STAFF, Row, register

register({"alerts": Row(EVERY_STAFF, quiet=True)})
