"""Limits the requests for an appointment per network, counted in the cache that all processes share."""

from django.core.cache import cache

from clinic.http.networks import network_of

# A family that shares one address stays below this; a program does not.
MAX_PER_HOUR = 12
HOUR_SECONDS = 3600


def too_many(address: str) -> bool:
    """Count one request from an IP address. Return whether it is over the limit.

    Each request adds one of MAX_PER_HOUR cache keys for an hour. `cache.add` succeeds for one caller only,
    even if processes race for a key; a counter that is read and written back would lose counts.
    """
    network = network_of(address)
    return not any(
        cache.add(f"requests:{network}:{number}", 1, timeout=HOUR_SECONDS) for number in range(MAX_PER_HOUR)
    )
