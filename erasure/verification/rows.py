"""The database: rows that should say nothing any more, and what a database keeps beside its rows."""

import sqlite3
from collections.abc import Iterator
from typing import Any

from django.apps import apps
from django.conf import settings
from django.db import connection
from django.db.models import Model, Q

from clinic.audit.canonical import check_details
from clinic.audit.models import Entry
from erasure.runs.models import Event, Run
from erasure.verification.keys import all_live_keys
from erasure.verification.places import Place, Subject, speaks
from patients.cases.models import Case
from patients.keepsakes.models import Keepsake
from patients.memories.models import Memory
from patients.vault.sealed import SealedModel

ROOMS = ("patients", "erasure")
# Tables about what is brought and destroyed: none of their plain columns ever holds a sentence.
WORDLESS = ("memory", "keepsake", "upload", "storedobject", "memorylink", "step", "hold", "run", "event")
TEXTS = {"text", "character varying", "varchar", "character", "jsonb", "json"}


def _sealed_rows(subject: Subject) -> Iterator[SealedModel]:
    """Every row, whatever its model, with a sealed part of a memory or a keepsake that is gone."""
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


def seals(subject: Subject) -> Place:
    """Titles, stories, captions, file names, and after a whole night the name: no key opens them any more."""
    rows = [row for row in _sealed_rows(subject) if row.sealed]
    live = all_live_keys()
    found = [f"{row._meta.model_name}:{row.pk}" for row in rows if row.seal_key_id in live]
    return Place.of("seals", found, len(rows))


def rows(subject: Subject) -> Place:
    """What rows say in clear of this run is ids, numbers and states; and the memories are said to be gone."""
    found: list[object] = []
    unsaid = Memory.objects.filter(pk__in=[step.memory_id for step in subject.steps])
    found += [f"memory:{pk}" for pk in unsaid.exclude(fate=Memory.Fate.ERASED).values_list("pk", flat=True)]
    events = Event.objects.filter(run=subject.run)
    found += [f"event:{event.seq}" for event in events if speaks(event.data)]
    entries = Entry.objects.filter(Q(run=subject.run.pk) | Q(case=subject.case_id))
    found += [f"entry:{entry.index}" for entry in entries if not _plain(entry)]
    found += unknown_columns()
    return Place.of("rows", found, len(subject.memories))


def _plain(entry: Entry) -> bool:
    try:
        return check_details(entry.details) == entry.details
    except (ValueError, AttributeError):
        return False


def _models() -> Iterator[type[Model]]:
    return (model for app in ROOMS for model in apps.get_app_config(app).get_models())


def unknown_columns() -> list[str]:
    """Columns of our tables that no model has: somebody may have put words into them."""
    found = []
    with connection.cursor() as cursor:
        for model in _models():
            table = model._meta.db_table
            # Asked of an empty answer: Django's own description parses each table's SQL, a second in all.
            cursor.execute(f"SELECT * FROM {connection.ops.quote_name(table)} LIMIT 0")  # noqa: S608 - a model's
            there = {column[0] for column in cursor.description}
            found += [f"{table}.{name}" for name in sorted(there - _columns(model))]
    return found


def _columns(model: type[Model]) -> set[str]:
    return {field.column for field in model._meta.local_concrete_fields if field.column}


def sqlite_state(subject: Subject) -> Place:
    """How the house's own connections write: freed pages are overwritten, and the log of writes is one."""
    if connection.vendor != "sqlite":
        return Place.of("sqlite", [], why="none-here")
    options: dict[str, Any] = settings.DATABASES["default"].get("OPTIONS", {})
    trial = sqlite3.connect(":memory:")
    try:
        trial.executescript(options.get("init_command", ""))
        (overwrites,) = trial.execute("PRAGMA secure_delete").fetchone()
    finally:
        trial.close()
    with connection.cursor() as cursor:
        (mode,) = cursor.execute("PRAGMA journal_mode").fetchone()
        (auto_vacuum,) = cursor.execute("PRAGMA auto_vacuum").fetchone()
    found = [] if overwrites == 1 else ["secure-delete-off"]
    # A rollback journal that is kept or only cut short lies beside the database with whole old pages in it.
    found += [] if mode in {"wal", "delete", "memory"} else [f"journal-{mode}"]
    return Place.of("sqlite", found, why="" if not auto_vacuum else "pages-move")


def statistics(subject: Subject) -> Place:
    """PostgreSQL keeps samples of columns beside them: none is of a column that holds words."""
    if connection.vendor != "postgresql":
        return Place.of("statistics", [], why="none-here")
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
            wordless = model._meta.model_name in WORDLESS and kind in TEXTS - {"json", "jsonb"}
            if column not in _columns(model) or (wordless and any(_sentences(text) for text in samples)):
                found.append(f"{table}.{column}")
    return Place.of("statistics", found, looked)


def _sentences(samples: str | None) -> bool:
    """Whether an array of PostgreSQL's, as text, has an element with a space in it: such are quoted."""
    return '"' in (samples or "") and " " in (samples or "")


def indexes(subject: Subject) -> Place:
    """A full-text index would keep every word: there is none."""
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
    return Place.of("indexes", found)


def replicas(subject: Subject) -> Place:
    """Another server that follows this one holds what this one held; what it is sealed under is gone."""
    if connection.vendor != "postgresql":
        return Place.of("replicas", [], why="none-here")
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT (SELECT count(*) FROM pg_stat_replication), count(*) FROM pg_replication_slots"
        )
        following, slots = cursor.fetchone()
    if following or slots:
        return Place.closed("replicas", "replica-follows")
    return Place.of("replicas", [], why="none-here")
