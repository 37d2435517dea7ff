"""The audit context: actor and address for acts that do not have their own."""

import ipaddress
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import NamedTuple

from django.conf import settings
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import AnonymousUser


class Acting(NamedTuple):
    """Actor and address.

    `actor` is called when an entry is written, because a sign-in changes it in a request.
    """

    actor: Callable[[], str]
    address: str


_acting: ContextVar[Acting | None] = ContextVar("lacuna_acting", default=None)


def current() -> Acting | None:
    """Return the audit context of this request or task, or None."""
    return _acting.get()


@contextmanager
def acting(actor: str | Callable[[], str], address: str = "") -> Iterator[None]:
    """Set the audit context: acts recorded inside get `actor` and `address` if they have none of their own.

    actor: "user:<uuid>", "system:<name>" or "visitor", or a function that returns it.
    """
    who: Callable[[], str] = (lambda: actor) if isinstance(actor, str) else actor
    token = _acting.set(Acting(who, address))
    try:
        yield
    finally:
        _acting.reset(token)


def actor_of(user: AbstractBaseUser | AnonymousUser | None, system: str = "worker") -> str:
    """Return the actor string of a user: "user:<uuid>", "visitor", or "system:<system>" for None."""
    if user is None:
        return f"system:{system}"
    return f"user:{user.pk}" if user.is_authenticated else "visitor"


def client_address(remote: str, forwarded: str = "") -> str:
    """Return the client's IP address, or "" if it is not an IP address (a Unix socket).

    remote: the address of the connection. forwarded: the X-Forwarded-For header. Of its addresses only the
    last ALLAUTH_TRUSTED_PROXY_COUNT were written by our own proxies; the client could have written the
    others.
    """
    address = remote
    if proxies := settings.ALLAUTH_TRUSTED_PROXY_COUNT:
        forwarded_addresses = [place.strip() for place in forwarded.split(",")] if forwarded else []
        if len(forwarded_addresses) >= proxies:
            address = forwarded_addresses[-proxies]
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return ""
    if isinstance(parsed, ipaddress.IPv6Address):
        # `packed` has no scope id, which means nothing on another machine.
        parsed = parsed.ipv4_mapped or ipaddress.IPv6Address(parsed.packed)
    return str(parsed)
