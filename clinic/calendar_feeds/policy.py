"""The access policy of this package's URLs."""

from clinic.access.policy import PUBLIC, Row, register, roles
from clinic.calendar_feeds.feeds import BOOKABLE

register(
    {
        "calendar-feed": Row(roles(*BOOKABLE), roles(*BOOKABLE)),
        # Calendars have no session: whoever knows the token reads.
        "calendar-feed-file": Row(PUBLIC),
    }
)
