"""What an application beside Django's resolver learns of its visitor before it answers."""

import pytest
from django.conf import settings
from django.contrib.sessions.backends.base import SessionBase
from django.test import Client
from django.utils.module_loading import import_string
from pytest_django import Settings

from clinic.accounts.models import Role, User
from clinic.http.guard import Refused, check, checked_host, is_valid_session_hash, session_of
from tests.factories import make_user

pytestmark = pytest.mark.django_db


def scope(cookie: str = "", scheme: str = "http") -> dict[str, object]:
    name = settings.SESSION_COOKIE_NAME
    return {
        "type": "http",
        "method": "GET",
        "path": "/live/",
        "scheme": scheme,
        "query_string": b"",
        "headers": [(b"host", b"testserver"), (b"cookie", f"{name}={cookie}".encode())],
    }


def signed_in(user: User) -> str:
    client = Client()
    client.force_login(user, backend=settings.AUTHENTICATION_BACKENDS[0])
    return client.cookies[settings.SESSION_COOKIE_NAME].value


def test_whose_account_was_closed_is_asked_to_sign_in() -> None:
    user = make_user(Role.AUDITOR)
    cookie = signed_in(user)
    assert check(scope(cookie), "erasure:live", {}).user == user
    User.objects.filter(pk=user.pk).update(is_active=False)
    with pytest.raises(Refused) as refused:
        check(scope(cookie), "erasure:live", {})
    assert refused.value.status == 401


def test_where_https_is_demanded_nothing_is_answered_without_it(settings: Settings) -> None:
    checked_host(scope())
    settings.SECURE_SSL_REDIRECT = True
    settings.SECURE_PROXY_SSL_HEADER = None
    with pytest.raises(Refused) as refused:
        checked_host(scope())
    assert refused.value.status == 403
    assert checked_host(scope(scheme="https")).is_secure()


def test_a_session_that_nobody_signed_in_to_is_none() -> None:
    session: SessionBase = import_string(f"{settings.SESSION_ENGINE}.SessionStore")()
    session["language"] = "vi"
    session.save()
    assert session.session_key
    assert session_of(session.session_key) is None
    assert session_of("") is None
    assert session_of("nothing") is None
    found = session_of(signed_in(make_user()))
    assert found is not None
    assert found.session_key


def test_no_session_hash_is_a_valid_one() -> None:
    user = make_user()
    assert is_valid_session_hash(user, user.get_session_auth_hash())
    assert not is_valid_session_hash(user, "")
    assert not is_valid_session_hash(user, "0" * 64)
