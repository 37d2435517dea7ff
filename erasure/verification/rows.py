"""Check the database: rows about what was destroyed, and what a database stores besides its rows."""

import sqlite3
from collections.abc import Iterator
from typing import Any

from django.apps import apps
from django.conf import settings
from django.db import connection
from django.db.models import Model, Q

from clinic.audit.canonical import check_details
from clinic.audit.models import Entry
from erasure.runs.models import Event, Run, SafeWord
from erasure.verification.keys import all_live_keys
from erasure.verification.places import Place, Subject, may_be_text
from patients.cases.models import Case
from patients.keepsakes.models import Keepsake
from patients.memories.models import Memory
from patients.vault.sealed import SealedModel

APPS = ("patients", "erasure")
# Names of models about keepsakes and their destruction: none of their unencrypted columns may contain a
# sentence.
TEXT_FREE = ("memory", "keepsake", "upload", "storedobject", "memorylink", "step", "hold", "run", "event")
TEXT_TYPES = {"text", "character varying", "varchar", "character", "jsonb", "json"}


def _sealed_rows(subject: Subject) -> Iterator[SealedModel]:
    """Yield rows of every model with sealed fields that belong to a memory or keepsake that is gone."""
    for model in apps.get_models():
        if not issubclass(model, SealedModel):
            continue
        names = {field.name for field in model._meta.get_fields()}
        about = Q(pk__in=[])
        if model is Memory:
            about |= Q(pk__in=subject.memories)
        if model is Keepsake:
            about |= Q(pk__in=subject.keepsakes)
        if "memory" in names:
            about |= Q(memory__in=subject.memories)
        if "keepsake" in names:
            about |= Q(keepsake__in=subject.keepsakes)
        yield from model._default_manager.filter(about)
    if subject.run.outcome != Run.Outcome.STOPPED:
        yield from Case.objects.filter(pk=subject.case_id)
        yield from SafeWord.objects.filter(case=subject.case_id)


def seals(subject: Subject) -> Place:
    """Check that no key opens titles, stories, captions and file names any more.

    After a run that was not stopped this includes what is sealed under the case's key: the name of the
    forgotten person, and what the patient said after a safe word.
    """
    rows = [row for row in _sealed_rows(subject) if row.sealed]
    live = all_live_keys()
    found = [f"{row._meta.model_name}:{row.pk}" for row in rows if row.seal_key_id in live]
    return Place.checked("seals", found, len(rows))


def rows(subject: Subject) -> Place:
    """Check that rows about this run hold no unencrypted text.

    Memories that are not marked as erased, and columns that no model has, are reported too.
    """
    found: list[object] = []
    memories = Memory.objects.filter(pk__in=[step.memory_id for step in subject.steps])
    found += [f"memory:{pk}" for pk in memories.exclude(fate=Memory.Fate.ERASED).values_list("pk", flat=True)]
    events = Event.objects.filter(run=subject.run)
    found += [f"event:{event.seq}" for event in events if may_be_text(event.data)]
    entries = Entry.objects.filter(Q(run=subject.run.pk) | Q(case=subject.case_id))
    found += [f"entry:{entry.index}" for entry in entries if not _has_valid_details(entry)]
    found += unknown_columns()
    return Place.checked("rows", found, len(subject.memories))


def _has_valid_details(entry: Entry) -> bool:
    try:
        return check_details(entry.details) == entry.details
    except (ValueError, AttributeError):
        return False


def _models() -> Iterator[type[Model]]:
    return (model for app in APPS for model in apps.get_app_config(app).get_models())


def unknown_columns() -> list[str]:
    """Return columns of our tables that no model has: somebody may have added them and stored text there."""
    found = []
    with connection.cursor() as cursor:
        for model in _models():
            table = model._meta.db_table
            # Django's introspection parses each table's SQL, which takes a second in all.
            cursor.execute(f"SELECT * FROM {connection.ops.quote_name(table)} LIMIT 0")  # noqa: S608 - a model's
            columns = {column[0] for column in cursor.description}
            found += [f"{table}.{name}" for name in sorted(columns - _columns(model))]
    return found


def _columns(model: type[Model]) -> set[str]:
    return {field.column for field in model._meta.local_concrete_fields if field.column}


def sqlite_state(subject: Subject) -> Place:
    """Check that the settings make SQLite overwrite freed pages and keep no rollback journal."""
    if connection.vendor != "sqlite":
        return Place.checked("sqlite", [], why="none-here")
    options: dict[str, Any] = settings.DATABASES["default"].get("OPTIONS", {})
    configured = sqlite3.connect(":memory:")
    try:
        configured.executescript(options.get("init_command", ""))
        (overwrites,) = configured.execute("PRAGMA secure_delete").fetchone()
    finally:
        configured.close()
    with connection.cursor() as cursor:
        (mode,) = cursor.execute("PRAGMA journal_mode").fetchone()
        (auto_vacuum,) = cursor.execute("PRAGMA auto_vacuum").fetchone()
    found = [] if overwrites == 1 else ["secure-delete-off"]
    # A rollback journal that is kept (persist) or cut short (truncate) stays beside the database, with whole
    # old pages in it.
    found += [] if mode in {"wal", "delete", "memory"} else [f"journal-{mode}"]
    return Place.checked("sqlite", found, why="" if not auto_vacuum else "pages-move")


def statistics(subject: Subject) -> Place:
    """Check that the column samples in PostgreSQL's statistics are not of columns that contain text."""
    if connection.vendor != "postgresql":
        return Place.checked("statistics", [], why="none-here")
    tables = {model._meta.db_table: model for model in _models()}
    found, looked = [], 0
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT s.tablename, s.attname, c.data_type, s.most_common_vals::text, s.histogram_bounds::text"
            " FROM pg_stats s JOIN information_schema.columns c ON c.table_schema = s.schemaname"
            " AND c.table_name = s.tablename AND c.column_name = s.attname"
            " WHERE s.schemaname = current_schema() AND s.tablename = ANY(%s)",
            [list(tables)],
        )
        for table, column, kind, *samples in cursor.fetchall():
            looked += 1
            model = tables[table]
            text_free = model._meta.model_name in TEXT_FREE and kind in TEXT_TYPES - {"json", "jsonb"}
            if column not in _columns(model) or (text_free and any(_has_sentence(text) for text in samples)):
                found.append(f"{table}.{column}")
    return Place.checked("statistics", found, looked)


def _has_sentence(samples: str | None) -> bool:
    """Return whether a PostgreSQL array, as text, may have an element with a space in it.

    PostgreSQL puts such elements in quotation marks.
    """
    return '"' in (samples or "") and " " in (samples or "")


def indexes(subject: Subject) -> Place:
    """Check that there is no full-text index, which would store every word."""
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute(
                "SELECT name FROM sqlite_master WHERE lower(sql) LIKE '%%using fts%%'"
                " OR lower(sql) LIKE '%%using spellfix%%'"
            )
        else:
            cursor.execute(
                "SELECT i.indexname FROM pg_indexes i WHERE i.schemaname = current_schema()"
                " AND (i.indexdef ILIKE '%%USING gin%%' OR i.indexdef ILIKE '%%_trgm_ops%%'"
                " OR i.indexdef ILIKE '%%tsvector%%')"
                " UNION SELECT table_name || '.' || column_name FROM information_schema.columns"
                " WHERE table_schema = current_schema() AND data_type = 'tsvector'"
            )
        found = sorted(name for (name,) in cursor.fetchall())
    return Place.checked("indexes", found)


def replicas(subject: Subject) -> Place:
    """Report replication as not checkable: a replica holds the same rows, sealed under destroyed keys."""
    if connection.vendor != "postgresql":
        return Place.checked("replicas", [], why="none-here")
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT (SELECT count(*) FROM pg_stat_replication), count(*) FROM pg_replication_slots"
        )
        following, slots = cursor.fetchone()
    if following or slots:
        return Place.not_checkable("replicas", "replica-follows")
    return Place.checked("replicas", [], why="none-here")
