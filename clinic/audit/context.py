"""Who is acting now, and from where, for entries that don't say it themselves."""

import ipaddress
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import NamedTuple

from django.conf import settings
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import AnonymousUser


class Acting(NamedTuple):
    """`actor` is asked when an entry is written, not before: a log-in changes it within a request."""

    actor: Callable[[], str]
    address: str


_acting: ContextVar[Acting | None] = ContextVar("lacuna_acting", default=None)


def current() -> Acting | None:
    """Return who acts in this request or task, if that is known."""
    return _acting.get()


@contextmanager
def acting(actor: str | Callable[[], str], address: str = "") -> Iterator[None]:
    """Let `record` take `actor` ("user:<uuid>", "system:worker", "visitor") and `address` for acts inside."""
    who: Callable[[], str] = (lambda: actor) if isinstance(actor, str) else actor
    token = _acting.set(Acting(who, address))
    try:
        yield
    finally:
        _acting.reset(token)


def actor_of(user: AbstractBaseUser | AnonymousUser | None, system: str = "worker") -> str:
    """Return the log's name for a user: "user:<uuid>", "visitor" if anonymous, "system:<system>" for None."""
    if user is None:
        return f"system:{system}"
    return f"user:{user.pk}" if user.is_authenticated else "visitor"


def client_address(remote: str, forwarded: str = "") -> str:
    """Return the address a request came from.

    remote: the address of the connection. forwarded: the X-Forwarded-For header, of which only as many
    last places are believed as ALLAUTH_TRUSTED_PROXY_COUNT says there are proxies of ours; the rest is the
    sender's own claim. An empty text where the result is no IP address (a Unix socket).
    """
    address = remote
    if proxies := settings.ALLAUTH_TRUSTED_PROXY_COUNT:
        claimed = [place.strip() for place in forwarded.split(",")] if forwarded else []
        if len(claimed) >= proxies:
            address = claimed[-proxies]
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return ""
    if isinstance(parsed, ipaddress.IPv6Address):
        parsed = parsed.ipv4_mapped or ipaddress.IPv6Address(
            parsed.packed
        )  # a scope id is of no use to a reader
    return str(parsed)
