"""B10: an unavailable database or disk is answered with 503 and Retry-After; errors in the code are not."""

import errno
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from django.conf import settings as django_settings
from django.contrib.sessions.models import Session
from django.db import DatabaseError, connection
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created
from django.http import HttpResponse
from django.test import Client, RequestFactory
from django.utils import timezone

from clinic.accounts.models import Role, User
from clinic.http.guard import close_connections
from clinic.unavailable import RETRY_AFTER, is_full, outage, unavailable_page
from patients.keepsakes.upload_app import upload_app
from tests.factories import make_case, make_user
from tests.patients.keepsakes.sending import Sender
from tests.serving import serving

pytestmark = pytest.mark.django_db(transaction=True)

UNAVAILABLE = "Something does not answer."
IN_VIETNAMESE = "Có thứ không trả lời."
LOGIN = "/account/login/"


def client_of(user: User) -> Client:
    client = Client(raise_request_exception=False)
    client.force_login(user, backend=django_settings.AUTHENTICATION_BACKENDS[0])
    return client


def check_unavailable(answer: HttpResponse, text: str = UNAVAILABLE) -> None:
    """Assert that this is the 503 page, with Retry-After and the headers of every page."""
    assert answer.status_code == 503
    assert int(answer["Retry-After"]) == RETRY_AFTER > 0
    assert answer["Cache-Control"] == "private, no-store"
    assert "default-src 'none'" in answer["Content-Security-Policy"]
    assert answer["X-Frame-Options"] == "DENY"
    page = answer.content.decode()
    assert text in page
    language = "vi" if text == IN_VIETNAMESE else "en"
    assert f'<html lang="{language}">' in page


@contextmanager
def pragma(statement: str, undo: str) -> Iterator[None]:
    """Execute `statement` on SQLite for the block, then `undo`."""
    with connection.cursor() as cursor:
        cursor.execute(statement)
        cursor.fetchall()
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute(undo)


@pytest.mark.only_on("sqlite")
def test_b10_a_read_only_database_is_answered_with_503() -> None:
    """The database is read-only, as after a disk error. Pages that only read still work."""
    user = make_user(Role.ADMINISTRATOR)
    other = make_user(Role.DOCTOR)
    client = client_of(user)
    with pragma("PRAGMA query_only=ON", "PRAGMA query_only=OFF"):
        assert client.get(f"/people/{other.pk}/").status_code == 200
        answer = client.post(f"/people/{other.pk}/", {"do": "close", "sure": "yes"})
        check_unavailable(answer)
        assert "go one page back" in answer.content.decode()
        check_unavailable(
            client.post(LOGIN, {"login": "a@lacuna.example"}, headers={"accept-language": "vi"}),
            IN_VIETNAMESE,
        )
    assert User.objects.get(pk=other.pk).is_active
    assert client.post(f"/people/{other.pk}/", {"do": "close", "sure": "yes"}).status_code == 302
    assert not User.objects.get(pk=other.pk).is_active


@pytest.mark.only_on("sqlite")
def test_b10_a_locked_database_is_answered_with_503_and_works_afterwards() -> None:
    boss, other = make_user(Role.ADMINISTRATOR), make_user(Role.DOCTOR)
    client = client_of(boss)
    holder = sqlite3.connect(connection.settings_dict["NAME"], isolation_level=None)
    with pragma("PRAGMA busy_timeout=50", "PRAGMA busy_timeout=20000"):
        holder.execute("BEGIN IMMEDIATE")
        assert client.get(f"/people/{other.pk}/").status_code == 200, "reading needs no lock"
        check_unavailable(client.post(f"/people/{other.pk}/", {"do": "close", "sure": "yes"}))
        holder.execute("ROLLBACK")
        holder.close()
        assert client.post(f"/people/{other.pk}/", {"do": "close", "sure": "yes"}).status_code == 302
    assert not User.objects.get(pk=other.pk).is_active


@pytest.mark.only_on("sqlite")
def test_b10_a_full_database_is_recognized() -> None:
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA page_count")
        (pages,) = cursor.fetchone()
    with pragma(f"PRAGMA max_page_count={pages}", "PRAGMA max_page_count=1073741823"):
        with pytest.raises(DatabaseError) as full:
            Session.objects.bulk_create(
                Session(session_key=f"{code}", session_data="x" * 4000, expire_date=timezone.now())
                for code in range(2000)
            )
        assert is_full(full.value)
        assert outage(full.value).startswith("The database does not answer or refuses: database or disk is f")


def test_b10_a_wrong_query_is_not_an_outage() -> None:
    """SQLite reports a missing table as an OperationalError, as it does a lock."""
    with pytest.raises(DatabaseError) as wrong, connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM no_such_table")
    assert outage(wrong.value) == ""
    with pytest.raises(DatabaseError) as wrong, connection.cursor() as cursor:
        cursor.execute("SELECT no_such_column FROM django_migrations")
    assert (outage(wrong.value), is_full(wrong.value)) == ("", False)


@pytest.mark.parametrize(
    ("code", "is_outage", "full"),
    [
        (errno.ENOSPC, True, True),
        (errno.EDQUOT, True, True),
        (errno.EROFS, True, False),
        (errno.EIO, True, False),
        (errno.ENOENT, False, False),
        (errno.EACCES, False, False),
    ],
)
def test_b10_disk_errors_are_outages_and_a_missing_file_is_not(
    code: int, is_outage: bool, full: bool
) -> None:
    error = OSError(code, os.strerror(code))
    assert (bool(outage(error)), is_full(error)) == (is_outage, full)
    wrapped = RuntimeError("while the key was stored")
    wrapped.__cause__ = error
    assert (bool(outage(wrapped)), is_full(wrapped)) == (is_outage, full)


def test_b10_the_health_page_answers_ok(client: Client) -> None:
    assert (client.get("/health/").status_code, client.get("/health/").content) == (200, b"ok")


def test_b10_the_page_links_to_the_same_address_but_never_to_another_host() -> None:
    page = unavailable_page(
        RequestFactory().get("/", {"a": "<b>"}, PATH_INFO="//elsewhere.example/x"), "A test."
    )
    assert 'href="/%2Felsewhere.example/x?a=%3Cb%3E"' in page.content.decode()


def full_connection(connection: BaseDatabaseWrapper, **_signal: object) -> None:
    """Signal receiver: a new SQLite connection may not make the database larger."""
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA page_count")
        cursor.execute(f"PRAGMA max_page_count={cursor.fetchone()[0]}")


@contextmanager
def no_room_for_uploads() -> Iterator[None]:
    """Make the database report that it is full when an upload is inserted."""
    if connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            cursor.execute("VACUUM")  # else there are free pages
        close_connections()
        connection_created.connect(full_connection)
        try:
            yield
        finally:
            connection_created.disconnect(full_connection)
            close_connections()
        return
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE FUNCTION no_room() RETURNS trigger LANGUAGE plpgsql AS"
            " $$ BEGIN RAISE EXCEPTION 'could not extend file' USING ERRCODE = '53100'; END $$;"
            " CREATE TRIGGER no_room BEFORE INSERT ON patients_upload EXECUTE FUNCTION no_room()"
        )
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute("DROP TRIGGER no_room ON patients_upload; DROP FUNCTION no_room()")


def test_b10_an_upload_into_a_full_database_is_answered_with_507() -> None:
    with serving(upload_app) as port:
        sender = Sender(port, make_case().patient)
        with no_room_for_uploads():
            # SQLite still has room in partly filled pages.
            answers = [sender.announce(10)]
            while answers[-1].status == 201 and len(answers) < 400:
                answers.append(sender.announce(10))
            assert answers[-1].status == 507
            assert answers[-1].json["error"].startswith("There is no room for this at the moment.")
        assert sender.announce(10).status == 201
