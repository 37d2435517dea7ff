"""What programs leave behind in passing: sessions, cache, queue, mail, logs, temporary files."""

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
from erasure.verification.machine import house_processes
from erasure.verification.places import Place, Subject, speaks

# A line as settings.LOGGING writes it; any other is the rest of a traceback, which echoes values.
LINE = re.compile(rb"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} (DEBUG|INFO|WARNING|ERROR|CRITICAL) [\w.-]+ ")
LOG_READ = 64 * 1024 * 1024  # bytes of a log's end that are read
# What an upload handler, a mail or a spreadsheet leaves; our own code makes no temporary file at all.
TEMPORARY = ("*.upload", "*.upload.*", "lacuna-*")

# What RQ writes of a task whose worker was killed.
ABANDONED = "Moved to FailedJobRegistry, due to AbandonedJobError"


def sessions(subject: Subject) -> Place:
    """Sessions hold who is signed in and since when, no sentence."""
    store = import_string(f"{settings.SESSION_ENGINE}.SessionStore")()
    found, looked = [], 0
    for session in Session.objects.iterator():
        looked += 1
        try:
            data: Any = signing.loads(session.session_data, salt=store.key_salt, serializer=store.serializer)
        except signing.BadSignature:  # of an older secret, or not a session: nobody can say what it holds
            data = session.session_data.encode()
        if speaks(data):
            found.append(session.session_key[:8])
    return Place.of("sessions", found, looked)


def admin(subject: Subject) -> Place:
    """Django's admin keeps the name of every object it touched: it is not installed and has no table."""
    found = ["django.contrib.admin"] if apps.is_installed("django.contrib.admin") else []
    found += [name for name in connection.introspection.table_names() if name == "django_admin_log"]
    return Place.of("admin", found)


def cache(subject: Subject) -> Place:
    """The cache holds counters and moments of throttles, no sentence.

    What is stored is read where it lies: asked for a value, a cache in the database would take out what has
    expired, which this process cannot, and would not say what lies there until then.
    """
    backend = caches["default"]
    if isinstance(backend, DatabaseCache):
        stored = _cached_in_database()
    elif isinstance(backend, RedisCache):
        try:
            stored = _cached_in_redis()
        except redis_errors():
            return Place.closed("cache", "elsewhere")
    else:
        return Place.closed("cache", "elsewhere")
    found = []
    for name, value in stored:
        key = name.split(":", 2)[-1]
        if speaks(key) or speaks(_pickled(value)):
            found.append(key)
    return Place.of("cache", found, len(stored))


def _cached_in_database() -> list[tuple[str, bytes]]:
    with connection.cursor() as cursor:
        table = connection.ops.quote_name(settings.CACHES["default"]["LOCATION"])
        cursor.execute(f"SELECT cache_key, value FROM {table}")  # noqa: S608 - a name of the settings, quoted
        return [(name, _plain_or_decoded(value)) for name, value in cursor.fetchall()]


def _plain_or_decoded(value: str) -> bytes:
    try:
        return base64.b64decode(value, validate=True)
    except ValueError:  # nothing that Django's cache wrote
        return value.encode()


def _cached_in_redis() -> list[tuple[str, bytes]]:
    from redis import Redis  # without Redis there is no cache to import it for

    chosen = settings.CACHES["default"]
    with Redis.from_url(chosen["LOCATION"]) as redis:
        names = list(redis.scan_iter(match=f"{chosen['KEY_PREFIX']}:*"))
        return [(name.decode(errors="replace"), redis.get(name) or b"") for name in names]


def _pickled(value: bytes) -> list[object]:
    """Every text, number and byte string in a pickled value, which is read and not run."""
    if value.removeprefix(b"-").isdigit() or not value:  # Redis counts in numbers as they are
        return []
    try:
        return [part for _, part, _ in pickletools.genops(value)]
    except ValueError:  # no pickle at all: nobody can say what it holds
        return [value]


def queue(subject: Subject) -> Place:
    """Tasks carry an id and nothing else, and what they answered or died of says no more."""
    if settings.REDIS_URL:
        try:
            return _queue_in_redis()
        except redis_errors():
            return Place.closed("queue", "elsewhere")
    found, looked = [], 0
    for row in DBTaskResult.objects.iterator():
        looked += 1
        if speaks(row.args_kwargs) or speaks(row.return_value) or _echoes(row.exception_class_path):
            found.append(f"task:{row.pk}")
    return Place.of("queue", found, looked)


def _queue_in_redis() -> Place:
    """As RQ keeps it: each task by its id, waiting, under way, done or failed."""
    from erasure.task_queue.redis_queue import every_job  # without Redis there is no queue to import it for

    found, looked = [], 0
    for job in every_job():
        looked += 1
        results = job.results()
        said = [job.description, job.args, job.kwargs, *(result.return_value for result in results)]
        died = [result.exc_string or "" for result in results]
        if speaks(said) or any(_echoes(why) and not why.startswith(ABANDONED) for why in died):
            found.append(f"task:{job.id}")
    return Place.of("queue", found, looked)


def _echoes(exception: str) -> bool:
    """Whether an exception's text may hold what it met; those of database, disk and our own do not."""
    ours = ("clinic.", "patients.", "erasure.", "django.db.", "sqlite3.", "psycopg.", "redis.")
    return bool(exception) and not (
        exception.startswith(ours)
        or exception in {"builtins.OSError", "OSError", "builtins.SystemExit", "SystemExit"}
    )


def outbox(subject: Subject) -> Place:
    """Mail that waits in the house names nothing of what is gone, and no page of it."""
    names = [form for key in subject.ids for form in (str(key), key.hex)]
    found = []
    for mail in Mail.objects.iterator():
        text = f"{mail.subject}\n{mail.body}"
        if any(name in text for name in names):
            found.append(f"mail:{mail.pk}")
    return Place.of("outbox", found, len(subject.ids))


def log_files() -> list[Path]:
    """Our own log files: those the settings name, and plain files that processes of this house write to."""
    chosen: dict[str, Any] = settings.LOGGING
    handlers = chosen.get("handlers", {}).values()
    found = {Path(handler["filename"]).resolve() for handler in handlers if "filename" in handler}
    for process in house_processes():
        for stream in (1, 2):
            try:
                target = (process / "fd" / str(stream)).readlink()
            except OSError:
                continue
            if target.is_file():
                found.add(target)
    return sorted(found)


def _foreign_lines(path: Path) -> Iterator[int]:
    """Offsets of lines that are not as the house writes them, in the last LOG_READ bytes."""
    with path.open("rb") as file:
        start = max(0, path.stat().st_size - LOG_READ)
        file.seek(start)
        if start:
            start += len(file.readline())
        for line in file:
            if line.strip() and not LINE.match(line):
                yield start
            start += len(line)


def logs(subject: Subject) -> Place:
    """Our logs hold lines of ours and no traceback, which would echo the values it met."""
    paths = log_files()
    if not paths:
        return Place.closed("logs", "elsewhere")
    found = []
    for path in paths:
        try:
            found += [f"{path.name}:{offset}" for offset in _foreign_lines(path)]
        except FileNotFoundError:  # named, and not written yet
            continue
    return Place.of("logs", found, len(paths))


def temporary(subject: Subject) -> Place:
    """No upload was spooled into the directory for temporary files."""
    # Not tempfile.gettempdir(), which chooses by writing.
    chosen = (os.environ.get(name) for name in ("TMPDIR", "TEMP", "TMP"))
    directory = Path(next(filter(None, chosen), "/tmp"))  # noqa: S108 - looked into, nothing is put there
    found = {path.name for pattern in TEMPORARY for path in directory.glob(pattern) if path.is_file()}
    return Place.of("temporary", [f"file:{name}" for name in sorted(found)])
