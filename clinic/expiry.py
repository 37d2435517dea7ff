"""Deletion of expired rows.

Django treats an expired session or cache row as absent, but does not delete it.
"""

from django.conf import settings
from django.core.cache import caches
from django.utils.module_loading import import_string

from clinic.throttle_cache import ThrottleCache


def remove_expired() -> None:
    """Delete expired sessions, which contain user ids, and expired cache rows, which contain addresses."""
    import_string(f"{settings.SESSION_ENGINE}.SessionStore").clear_expired()
    cache = caches["default"]
    if isinstance(cache, ThrottleCache):  # Redis deletes expired keys itself
        cache.delete_expired()
