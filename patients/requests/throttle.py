"""Limits the requests for an appointment per network, counted in the cache that all processes share."""

import ipaddress

from django.core.cache import cache

# A family that shares one address stays below this; a program does not.
MAX_PER_HOUR = 12
HOUR_SECONDS = 3600


def too_many(address: str) -> bool:
    """Count one request from an IP address. Return whether it is over the limit.

    Each request adds one of MAX_PER_HOUR cache keys for an hour. `cache.add` succeeds for one caller only,
    even if processes race for a key; a counter that is read and written back would lose counts.
    """
    network = _network_of(address)
    return not any(
        cache.add(f"requests:{network}:{number}", 1, timeout=HOUR_SECONDS) for number in range(MAX_PER_HOUR)
    )


def _network_of(address: str) -> str:
    """Return the address; for IPv6 its /64 network, as one household has countless addresses in it."""
    if ":" not in address:
        return address or "unknown"
    return str(ipaddress.IPv6Network((address, 64), strict=False).network_address)
