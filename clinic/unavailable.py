"""Tells outages (of the database, Redis, the mail server, the disk) from faults of the code; the 503 page."""

import errno
import logging
import sqlite3
import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from django.db import Error, InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.template.loader import render_to_string
from django.utils import translation
from django.utils.http import escape_leading_slashes
from django.views import defaults

if TYPE_CHECKING:
    from redis.exceptions import RedisError

log = logging.getLogger("lacuna.unavailable")

RETRY_AFTER = 30  # seconds

# The errors of SQLite that are not caused by the query: https://www.sqlite.org/rescode.html
SQLITE_OUTAGES = frozenset(
    {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_NOMEM,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_PROTOCOL,
    }
)
# The same for PostgreSQL. First the classes 08 (connection), 53 (resources), 57 (operator) and 58 (system).
# Then read-only (a standby), a serialization failure, a deadlock, and a lock that was not available.
POSTGRESQL_OUTAGES = ("08", "53", "57", "58", "25006", "40001", "40P01", "55P03")
POSTGRESQL_FULL = "53100"
DISK_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
DISK_OUTAGES = DISK_FULL | {errno.EROFS, errno.EIO, errno.EMFILE, errno.ENFILE}


class ServiceUnavailable(OSError):
    """A service that we depend on does not answer, or refuses. The message is a sentence that names it."""


def redis_errors() -> "tuple[type[RedisError], ...]":
    """Return the exception classes of redis for an `except` clause; () if redis is not imported.

    It is not imported here: that takes a fifth of a process's start-up time, and most installations have no
    Redis.
    """
    redis = sys.modules.get("redis.exceptions")
    return (redis.RedisError,) if redis else ()


def redis_is_unavailable(error: BaseException) -> str:
    """Return a sentence that Redis is unavailable. Messages of redis have host and port, but no password."""
    return f"Redis does not answer as LACUNA_REDIS says: {error}"


def outage(error: BaseException) -> str:
    """Return a sentence for the log if something is unavailable; "" if the error is a fault of the code.

    A wrong query is no outage, although SQLite reports it as the same kind of error.
    """
    for cause in _causes(error):
        if isinstance(cause, ServiceUnavailable):
            return str(cause)
        if isinstance(cause, redis_errors()):
            return redis_is_unavailable(cause)
        if isinstance(cause, Error) and _is_outage_of_database(cause):
            return f"The database does not answer or refuses: {_first_line(cause)}"
        if isinstance(cause, OSError) and cause.errno in DISK_OUTAGES:
            return f"The disk does not take or give what it should: {cause.strerror}"
    return ""


def is_full(error: BaseException) -> bool:
    """Return whether the error means that a disk, its quota, or the database's disk is full."""
    for cause in _causes(error):
        if isinstance(cause, OSError) and cause.errno in DISK_FULL:
            return True
        if _sqlite_code(cause) == sqlite3.SQLITE_FULL or _sqlstate(cause) == POSTGRESQL_FULL:
            return True
    return False


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield the error, then what it was raised from, and so on."""
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__


def _sqlite_code(error: BaseException) -> int | None:
    """Return the primary code of an error of SQLite, or None."""
    code = getattr(error, "sqlite_errorcode", None)
    return None if code is None else code & 0xFF


def _sqlstate(error: BaseException) -> str | None:
    """Return the code of an error that PostgreSQL reported, or None."""
    return getattr(error, "sqlstate", None)


def _is_outage_of_database(error: Error) -> bool:
    """Return whether Django's error `error` comes from the state of the database and not from the query."""
    for cause in _causes(error):
        if (code := _sqlite_code(cause)) is not None:
            return code in SQLITE_OUTAGES
        if (state := _sqlstate(cause)) is not None:
            return state.startswith(POSTGRESQL_OUTAGES)
    # No code: no server answered. SQLite gives a code with every error of a query.
    return isinstance(error, OperationalError | InterfaceError)


def _first_line(error: Error) -> str:
    """Return the first line of an error's message. The lines after it may quote the query."""
    return str(error).partition("\n")[0]


def unavailable_page(request: HttpRequest, sentence: str) -> HttpResponse:
    """Log `sentence`, which says what is unavailable, and return the 503 page. Does not use the database."""
    log.error("%s", sentence)
    again = escape_leading_slashes(request.get_full_path()) if request.method in {"GET", "HEAD"} else ""
    # The language of the session or the account would need the database. The cookie and the header do not.
    with translation.override(translation.get_language_from_request(request)):
        page = HttpResponse(render_to_string("503.html", {"again": again}), status=503)
    page["Retry-After"] = str(RETRY_AFTER)
    page["Cache-Control"] = "private, no-store"
    # Django would log the request once more, with a traceback.
    setattr(page, "_has_been_logged", True)  # noqa: B010 - no attribute that Django's types know
    return page


def server_error(request: HttpRequest) -> HttpResponseBase:
    """Return the 503 page if the exception being handled is an outage, else the 500 page.

    This is Django's handler500. It also handles exceptions of middleware, unlike `process_exception`.
    """
    error = sys.exc_info()[1]
    if error is not None and (sentence := outage(error)):
        return unavailable_page(request, sentence)
    return defaults.server_error(request)


class ServiceUnavailableMiddleware:
    """Answers with the 503 page if a view fails because something is unavailable."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        """Return the 503 page if the view's error is an outage; None for other errors."""
        sentence = outage(error)
        return unavailable_page(request, sentence) if sentence else None
