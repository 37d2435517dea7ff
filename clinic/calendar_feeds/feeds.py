"""Making and ending the secret addresses of feeds, and finding the feed of an address."""

import secrets

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from clinic.accounts.models import Role, User
from clinic.audit.record import Act, actor_of, record
from clinic.calendar_feeds.models import CalendarFeed
from clinic.edits.seen import is_seen, seen_mark
from clinic.keyed_digests import keyed_digest, keyed_digests

SALT = "clinic.calendar_feeds"
# Who can be booked, and so has bookings to read.
BOOKABLE = (Role.TECHNICIAN, Role.DOCTOR)


class FeedRefused(Exception):
    """The feed is not as the page showed it. The message is a sentence for the user."""


def current_feed(user: User) -> CalendarFeed | None:
    """Return the feed of this person that has not ended, or None."""
    return CalendarFeed.objects.filter(user=user, ended_at=None).first()


def feed_mark(user: User, feed: CalendarFeed | None) -> str:
    """Return the `seen_mark` of a page that shows this feed, or shows that there is none."""
    return seen_mark(f"calendar-feed:{user.pk}", feed.pk if feed else "")


def _end(user: User, seen: str) -> CalendarFeed | None:
    """End the present feed, if there is one, and return it. Call it inside a transaction.

    seen: the `feed_mark` of the page. Errors: FeedRefused if the page showed another feed.
    """
    User.objects.select_for_update(no_key=True).get(pk=user.pk)
    feed = current_feed(user)
    if not is_seen(seen, f"calendar-feed:{user.pk}", feed.pk if feed else ""):
        raise FeedRefused(_("The address was changed meanwhile. This page shows how it is now."))
    if feed:
        feed.ended_at = timezone.now()
        feed.save(update_fields=["ended_at"])
    return feed


@transaction.atomic
def make_feed(user: User, *, seen: str) -> str:
    """Make a feed for `user` and return its token, which is stored nowhere. It replaces the former one.

    seen: the `feed_mark` of the page. Errors: FeedRefused.
    """
    former = _end(user, seen)
    token = secrets.token_urlsafe(32)
    feed = CalendarFeed.objects.create(user=user, digest=keyed_digest(SALT, token))
    acts = [Act("feed.ended", f"feed:{former.pk}", actor=actor_of(user))] if former else []
    record(*acts, Act("feed.made", f"feed:{feed.pk}", actor=actor_of(user)))
    return token


@transaction.atomic
def end_feed(user: User, *, seen: str) -> None:
    """End the feed of `user`: its address opens nothing any more.

    Errors: FeedRefused, also if there is none.
    """
    feed = _end(user, seen)
    if feed is None:
        raise FeedRefused(_("There is no address to end."))
    record(Act("feed.ended", f"feed:{feed.pk}", actor=actor_of(user)))


def find_feed(token: str) -> CalendarFeed | None:
    """Return the feed of a token. None if it has ended, or if its person has left or cannot be booked."""
    rows = CalendarFeed.objects.filter(
        digest__in=list(keyed_digests(SALT, token)),
        ended_at=None,
        user__is_active=True,
        user__grants__role__in=BOOKABLE,
    )
    return rows.select_related("user").first()
