"""Deletion of expired rows.

Django treats an expired session or cache row as absent, but does not delete it.
"""

from django.conf import settings
from django.core.cache import caches
from django.core.cache.backends.db import DatabaseCache
from django.db import connection
from django.utils import timezone
from django.utils.module_loading import import_string


def remove_expired() -> None:
    """Delete expired sessions, which contain user ids, and expired cache rows, which contain addresses."""
    import_string(f"{settings.SESSION_ENGINE}.SessionStore").clear_expired()
    if isinstance(caches["default"], DatabaseCache):  # Redis deletes expired keys itself
        table = connection.ops.quote_name(settings.CACHES["default"]["LOCATION"])
        now = connection.ops.adapt_datetimefield_value(timezone.now())
        with connection.cursor() as cursor:
            cursor.execute(f"DELETE FROM {table} WHERE expires < %s", [now])  # noqa: S608 - a quoted setting
