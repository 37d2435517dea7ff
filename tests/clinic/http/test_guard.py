"""The checks that ASGI applications outside Django's resolver make before they answer."""

import pytest
from django.conf import settings
from django.contrib.sessions.backends.base import SessionBase
from django.test import Client
from django.utils.module_loading import import_string
from pytest_django import Settings

from clinic.access.page_owner import owner_mark
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


def session_cookie_of(user: User) -> str:
    client = Client()
    client.force_login(user, backend=settings.AUTHENTICATION_BACKENDS[0])
    return client.cookies[settings.SESSION_COOKIE_NAME].value


def test_a_person_whose_account_was_closed_gets_401() -> None:
    user = make_user(Role.AUDITOR)
    cookie = session_cookie_of(user)
    assert check(scope(cookie), "erasure:live", {}).user == user
    User.objects.filter(pk=user.pk).update(is_active=False)
    with pytest.raises(Refused) as refused:
        check(scope(cookie), "erasure:live", {})
    assert refused.value.status == 401


def test_with_SECURE_SSL_REDIRECT_requests_without_https_are_refused(settings: Settings) -> None:
    checked_host(scope())
    settings.SECURE_SSL_REDIRECT = True
    settings.SECURE_PROXY_SSL_HEADER = None
    with pytest.raises(Refused) as refused:
        checked_host(scope())
    assert refused.value.status == 403
    assert checked_host(scope(scheme="https")).is_secure()


def test_session_of_returns_only_sessions_of_signed_in_users() -> None:
    session: SessionBase = import_string(f"{settings.SESSION_ENGINE}.SessionStore")()
    session["language"] = "vi"
    session.save()
    assert session.session_key
    assert session_of(session.session_key) is None
    assert session_of("") is None
    assert session_of("nothing") is None
    found = session_of(session_cookie_of(make_user()))
    assert found is not None
    assert found.session_key


def test_an_empty_or_wrong_session_hash_is_invalid() -> None:
    user = make_user()
    assert is_valid_session_hash(user, user.get_session_auth_hash())
    assert not is_valid_session_hash(user, "")
    assert not is_valid_session_hash(user, "0" * 64)


def test_w1_a_script_of_somebody_signed_out_is_told_that_it_may_sign_in_again() -> None:
    with pytest.raises(Refused) as refused:
        check(scope(), "erasure:live", {})
    assert (refused.value.status, refused.value.headers) == (401, {"WWW-Authenticate": "Session"})


def test_w1_a_script_of_another_person_s_page_is_told_to_leave() -> None:
    user, other = make_user(Role.AUDITOR), make_user(Role.AUDITOR)
    request = scope(session_cookie_of(user))
    for mark in (owner_mark(other), "", "é"):
        marked = request | {"headers": [*request["headers"], (b"x-page-owner", mark.encode())]}  # type: ignore[misc]
        with pytest.raises(Refused) as refused:
            check(marked, "erasure:live", {})
        assert (refused.value.status, refused.value.headers["HX-Redirect"]) == (401, "/")
    own = request | {"headers": [*request["headers"], (b"x-page-owner", owner_mark(user).encode())]}  # type: ignore[misc]
    assert check(own, "erasure:live", {}).user == user
