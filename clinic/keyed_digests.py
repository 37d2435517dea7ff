"""Digests that only the server can make, and that outlive a change of SECRET_KEY.

Pages carry them back to the server. A page that is open while the key changes has digests of the former key.
"""

from collections.abc import Iterator

from django.conf import settings
from django.utils.crypto import salted_hmac


def keyed_digest(salt: str, value: str) -> str:
    """Return the digest of `value` under SECRET_KEY: 64 hexadecimal digits.

    salt: says what the digest is for; those of two purposes never match.
    """
    return next(keyed_digests(salt, value))


def keyed_digests(salt: str, value: str) -> Iterator[str]:
    """Yield the digest of `value` under SECRET_KEY, then under each key of SECRET_KEY_FALLBACKS."""
    for secret in (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS):
        yield salted_hmac(salt, value, secret=secret, algorithm="sha256").hexdigest()
