"""Check the database: rows about what was destroyed, and what a database stores besides its rows."""

import sqlite3
from collections.abc import Iterator
from typing import Any
from uuid import UUID

from django.apps import apps
from django.conf import settings
from django.db import connection
from django.db.models import Model, Q, QuerySet

from clinic.audit.canonical import check_details
from clinic.audit.models import Entry
from erasure.bedside.models import SpokenWord
from erasure.runs.models import Event, SafeWord
from erasure.verification.keys import all_live_keys
from erasure.verification.places import Place, Subject, may_be_text
from patients.appointments.models import Appointment
from patients.cases.models import Case
from patients.consent_papers.models import ConsentPaper
from patients.drafts.models import Draft
from patients.intake_review.models import IntakeReview
from patients.keepsakes.models import Keepsake
from patients.memories.models import Memory
from patients.messages.models import Message
from patients.notes.models import CaseNote
from patients.vault.sealed import SealedModel
from patients.waitlist.models import WaitlistEntry

APPS = ("patients", "erasure")
# Names of models about keepsakes and their destruction: none of their unencrypted columns may contain a
# sentence.
TEXT_FREE = (
    *("memory", "keepsake", "draft", "upload", "storedobject", "message", "messagethread"),
    *("memorylink", "step", "hold", "run", "event", "destruction", "destructionitem"),
)
TEXT_TYPES = {"text", "character varying", "varchar", "character", "jsonb", "json"}


def _sealed_rows(subject: Subject) -> Iterator[SealedModel]:
    """Yield rows of every model with sealed fields that belong to a memory or keepsake that is gone."""
    yield from drafts(subject)
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
    if subject.whole_case:
        yield from Case.objects.filter(pk=subject.case_id)
        yield from SafeWord.objects.filter(case=subject.case_id)
        yield from SpokenWord.objects.filter(case=subject.case_id)
        yield from IntakeReview.objects.filter(case=subject.case_id)
        yield from CaseNote.objects.filter(case=subject.case_id)
        yield from Message.objects.filter(case=subject.case_id)
        yield from Appointment.objects.filter(case=subject.case_id)
        yield from WaitlistEntry.objects.filter(case=subject.case_id)


def drafts(subject: Subject) -> QuerySet[Draft]:
    """Return the drafts about what is gone; if the words of the case are gone, all of the case.

    There must be none: the lock of the map ends them, and an ended one stays only until its key is destroyed.
    """
    gone = Q(about__in=subject.memories | subject.keepsakes)
    if subject.whole_case:
        gone |= Q(case=subject.case_id)
    return Draft.objects.filter(gone)


def seals(subject: Subject) -> Place:
    """Check that no key opens titles, stories, captions, file names and drafts any more.

    If the words of the case are gone too, this includes what is sealed under the case's key: the name of the
    forgotten person, the answers of the intake, their reviews, notes, messages, what was said after a safe
    word, the word to be said, and why appointments were moved. A paper of a consent is opened by many keys
    together, so one that is destroyed is enough. So it is for a message about a keepsake.
    """
    rows = [row for row in _sealed_rows(subject) if row.sealed]
    live = all_live_keys()
    found = [f"{row._meta.model_name}:{row.pk}" for row in rows if live.issuperset(row.seal_key_ids)]
    papers = _papers(subject)
    found += [f"consentpaper:{paper.pk}" for paper in papers if set(map(UUID, paper.keys)) <= live]
    return Place.checked("seals", found, len(rows) + len(papers))


def _papers(subject: Subject) -> list[ConsentPaper]:
    """Return the papers of consents that nobody may open any more: they name something that is gone."""
    gone = {str(key_id) for key_id in subject.memories | subject.keepsakes}
    if subject.whole_case:
        gone.add(str(subject.case_id))
    papers = ConsentPaper.objects.filter(signature__case=subject.case_id).defer("sealed")
    return [paper for paper in papers if gone & set(paper.keys)]


def rows(subject: Subject) -> Place:
    """Check that rows about this work hold no unencrypted text.

    Memories that are not marked as erased, drafts of what is gone, and columns that no model has, are
    reported too.
    """
    found: list[object] = []
    memories = Memory.objects.filter(pk__in=subject.own_memories)
    found += [f"memory:{pk}" for pk in memories.exclude(fate=Memory.Fate.ERASED).values_list("pk", flat=True)]
    found += [f"draft:{pk}" for pk in drafts(subject).values_list("pk", flat=True)]
    events = Event.objects.filter(run=subject.work.pk)
    found += [f"event:{event.seq}" for event in events if may_be_text(event.data)]
    entries = Entry.objects.filter(Q(run=subject.work.pk) | Q(case=subject.case_id))
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
