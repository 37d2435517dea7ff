"""remove_expired deletes expired sessions and cache rows, and no others."""

from datetime import timedelta

import pytest
from django.conf import settings
from django.contrib.sessions.models import Session
from django.core.cache import cache
from django.db import connection
from django.utils import timezone

from clinic.expiry import remove_expired

pytestmark = pytest.mark.django_db


def cache_keys() -> set[str]:
    """The keys of all rows of the cache, expired ones included."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT cache_key FROM clinic_cache")
        return {key for (key,) in cursor.fetchall()}


def test_expired_sessions_are_deleted() -> None:
    now = timezone.now()
    for key, expires in [("ended", now - timedelta(seconds=1)), ("live", now + timedelta(minutes=1))]:
        Session.objects.create(session_key=key, session_data="", expire_date=expires)
    remove_expired()
    assert set(Session.objects.values_list("session_key", flat=True)) == {"live"}


@pytest.mark.skipif("Throttle" not in settings.CACHES["default"]["BACKEND"], reason="the cache is in Redis")
def test_expired_cache_rows_are_deleted() -> None:
    cache.clear()
    cache.set("ended", 1, timeout=3600)
    with connection.cursor() as cursor:
        before = connection.ops.adapt_datetimefield_value(timezone.now() - timedelta(seconds=1))
        cursor.execute("UPDATE clinic_cache SET expires = %s", [before])
    cache.set("live", 1, timeout=3600)
    cache.set("forever", 1, timeout=None)
    assert cache_keys() == {":1:ended", ":1:live", ":1:forever"}
    remove_expired()
    assert cache_keys() == {":1:live", ":1:forever"}
