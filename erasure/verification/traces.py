"""Check what programs store as a side effect: sessions, cache, task queue, mail, logs, temporary files."""

import base64
import os
import pickletools
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.apps import apps
from django.conf import settings
from django.contrib.sessions.models import Session
from django.core import signing
from django.core.cache import caches
from django.core.cache.backends.db import DatabaseCache
from django.core.cache.backends.redis import RedisCache
from django.db import connection
from django.utils.module_loading import import_string
from django_tasks_db.models import DBTaskResult

from clinic.outbox.models import Mail
from clinic.unavailable import redis_errors
from erasure.verification.machine import installation_processes
from erasure.verification.places import Place, Subject, may_be_text

# The beginning of a line as settings.LOGGING writes it. Other lines belong to tracebacks, which quote values.
LOG_LINE = re.compile(rb"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} (DEBUG|INFO|WARNING|ERROR|CRITICAL) [\w.-]+ ")
LOG_TAIL = 64 * 1024 * 1024  # bytes read from the end of each log
# Files that an upload handler, a mail or a spreadsheet leaves. Our own code creates no temporary files there.
TEMPORARY_FILES = ("*.upload", "*.upload.*", "lacuna-*")

# The error that RQ records for a task whose worker was killed.
ABANDONED = "Moved to FailedJobRegistry, due to AbandonedJobError"


def sessions(subject: Subject) -> Place:
    """Check that sessions store who is signed in and since when, but no text."""
    store = import_string(f"{settings.SESSION_ENGINE}.SessionStore")()
    found, looked = [], 0
    for session in Session.objects.iterator():
        looked += 1
        try:
            data: Any = signing.loads(session.session_data, salt=store.key_salt, serializer=store.serializer)
        except signing.BadSignature:  # signed with an older secret, or no session: unknown content
            data = session.session_data.encode()
        if may_be_text(data):
            found.append(session.session_key[:8])
    return Place.checked("sessions", found, looked)


def admin(subject: Subject) -> Place:
    """Check that Django's admin is not installed and has no table: it stores names of edited objects."""
    found = ["django.contrib.admin"] if apps.is_installed("django.contrib.admin") else []
    found += [name for name in connection.introspection.table_names() if name == "django_admin_log"]
    return Place.checked("admin", found)


def cache(subject: Subject) -> Place:
    """Check that the cache holds the counters and times of throttles, but no text.

    Stored values are read from the table or from Redis directly. Django's database cache would not show
    expired values, and would try to delete them, which this process cannot.
    """
    backend = caches["default"]
    if isinstance(backend, DatabaseCache):
        stored = _cached_in_database()
    elif isinstance(backend, RedisCache):
        try:
            stored = _cached_in_redis()
        except redis_errors():
            return Place.not_checkable("cache", "elsewhere")
    else:
        return Place.not_checkable("cache", "elsewhere")
    found = []
    for name, value in stored:
        key = name.split(":", 2)[-1]
        if may_be_text(key) or may_be_text(_pickled_values(value)):
            found.append(key)
    return Place.checked("cache", found, len(stored))


def _cached_in_database() -> list[tuple[str, bytes]]:
    with connection.cursor() as cursor:
        table = connection.ops.quote_name(settings.CACHES["default"]["LOCATION"])
        cursor.execute(f"SELECT cache_key, value FROM {table}")  # noqa: S608 - a name of the settings, quoted
        return [(name, _decoded_or_raw(value)) for name, value in cursor.fetchall()]


def _decoded_or_raw(value: str) -> bytes:
    try:
        return base64.b64decode(value, validate=True)
    except ValueError:  # not written by Django's cache
        return value.encode()


def _cached_in_redis() -> list[tuple[str, bytes]]:
    from redis import Redis  # imported only if Redis is configured

    chosen = settings.CACHES["default"]
    with Redis.from_url(chosen["LOCATION"]) as redis:
        names = list(redis.scan_iter(match=f"{chosen['KEY_PREFIX']}:*"))
        return [(name.decode(errors="replace"), redis.get(name) or b"") for name in names]


def _pickled_values(value: bytes) -> list[object]:
    """Return every string, number and byte string in a pickled value, without unpickling it."""
    if value.removeprefix(b"-").isdigit() or not value:  # Redis stores counters as plain digits
        return []
    try:
        return [argument for _, argument, _ in pickletools.genops(value)]
    except ValueError:  # not a pickle: unknown content
        return [value]


def queue(subject: Subject) -> Place:
    """Check that tasks hold one id and no text, and neither do their results and errors."""
    if settings.REDIS_URL:
        try:
            return _queue_in_redis()
        except redis_errors():
            return Place.not_checkable("queue", "elsewhere")
    found, looked = [], 0
    for row in DBTaskResult.objects.iterator():
        looked += 1
        values = (row.args_kwargs, row.return_value)
        if may_be_text(values) or _may_quote_values(row.exception_class_path):
            found.append(f"task:{row.pk}")
    return Place.checked("queue", found, looked)


def _queue_in_redis() -> Place:
    """Check RQ's jobs: waiting, running, finished and failed."""
    from erasure.task_queue.redis_queue import every_job  # imported only if Redis is configured

    found, looked = [], 0
    for job in every_job():
        looked += 1
        results = job.results()
        values = [job.description, job.args, job.kwargs, *(result.return_value for result in results)]
        errors = [result.exc_string or "" for result in results]
        if may_be_text(values) or any(
            _may_quote_values(error) and not error.startswith(ABANDONED) for error in errors
        ):
            found.append(f"task:{job.id}")
    return Place.checked("queue", found, looked)


def _may_quote_values(exception: str) -> bool:
    """Return whether an exception's text may quote a value; database, disk and our own code do not."""
    harmless = ("clinic.", "patients.", "erasure.", "django.db.", "sqlite3.", "psycopg.", "redis.")
    return bool(exception) and not (
        exception.startswith(harmless)
        or exception in {"builtins.OSError", "OSError", "builtins.SystemExit", "SystemExit"}
    )


def outbox(subject: Subject) -> Place:
    """Check that stored mail contains no id of what is gone, so no link to one of its pages either."""
    names = [form for key in subject.ids for form in (str(key), key.hex)]
    found = []
    for mail in Mail.objects.iterator():
        text = f"{mail.subject}\n{mail.body}"
        if any(name in text for name in names):
            found.append(f"mail:{mail.pk}")
    return Place.checked("outbox", found, len(subject.ids))


def log_files() -> list[Path]:
    """Return our log files: those named in the settings, and the stdout and stderr files of our processes."""
    chosen: dict[str, Any] = settings.LOGGING
    handlers = chosen.get("handlers", {}).values()
    found = {Path(handler["filename"]).resolve() for handler in handlers if "filename" in handler}
    for process in installation_processes():
        for stream in (1, 2):
            try:
                target = (process / "fd" / str(stream)).readlink()
            except OSError:
                continue
            if target.is_file():
                found.add(target)
    return sorted(found)


def _unexpected_lines(path: Path) -> Iterator[int]:
    """Yield the offsets of lines that settings.LOGGING did not write, in the last LOG_TAIL bytes."""
    with path.open("rb") as file:
        start = max(0, path.stat().st_size - LOG_TAIL)
        file.seek(start)
        if start:
            start += len(file.readline())
        for line in file:
            if line.strip() and not LOG_LINE.match(line):
                yield start
            start += len(line)


def logs(subject: Subject) -> Place:
    """Check that our logs hold only our own lines and no traceback, which would quote values."""
    paths = log_files()
    if not paths:
        return Place.not_checkable("logs", "elsewhere")
    found = []
    for path in paths:
        try:
            found += [f"{path.name}:{offset}" for offset in _unexpected_lines(path)]
        except FileNotFoundError:  # in the settings, but not written yet
            continue
    return Place.checked("logs", found, len(paths))


def temporary(subject: Subject) -> Place:
    """Check that no upload was written to the directory for temporary files."""
    # tempfile.gettempdir() cannot be used: it writes a file to test a directory.
    chosen = (os.environ.get(name) for name in ("TMPDIR", "TEMP", "TMP"))
    directory = Path(next(filter(None, chosen), "/tmp"))  # noqa: S108 - only read
    found = {path.name for pattern in TEMPORARY_FILES for path in directory.glob(pattern) if path.is_file()}
    return Place.checked("temporary", [f"file:{name}" for name in sorted(found)])
