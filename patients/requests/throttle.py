"""How many requests one address may send, counted in the cache that all processes share."""

import ipaddress

from django.core.cache import cache

# Requests from one address within an hour; a family at one kitchen table fits, a program does not.
MOST_PER_HOUR = 12
HOUR = 3600


def too_many(address: str) -> bool:
    """Count one request from an IP address and say whether it is one too many.

    Each takes one of MOST_PER_HOUR places for an hour. `add` gives a place to one caller only, whatever
    other processes do meanwhile; a counter that is read and written back would not.
    """
    place = _place(address)
    return not any(
        cache.add(f"requests:{place}:{number}", 1, timeout=HOUR) for number in range(MOST_PER_HOUR)
    )


def _place(address: str) -> str:
    """The address, or for IPv6 its /64: one household has more addresses there than could be counted."""
    if ":" not in address:
        return address or "unknown"
    return str(ipaddress.IPv6Network((address, 64), strict=False).network_address)
