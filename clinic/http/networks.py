"""The network of an address: what throttles count by."""

import ipaddress


def network_of(address: str) -> str:
    """Return the address; for IPv6 its /64 network, as one household has countless addresses in it."""
    if ":" not in address:
        return address or "unknown"
    return str(ipaddress.IPv6Network((address, 64), strict=False).network_address)
