"""Speeds up factories: the rows and files that a factory makes are kept, and copied for every further test.

A copy is used only if the factory's arguments, the settings and the language are the same. Anything else, for
example a patched function, is not compared: a test that patches what the factory calls must not use this.
"""

import copy
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any, ParamSpec, TypeVar, cast

from django.apps import apps
from django.conf import settings
from django.core.management.color import no_style
from django.db import connection, transaction
from django.db.models import Model
from django.utils.translation import get_language

from patients.vault import configured

P = ParamSpec("P")
M = TypeVar("M", bound=Model)

# Tables that have rows before a test begins: Django's own, and texts that a migration creates.
TABLES_WITH_ROWS = {"auth_permission", "django_content_type", "patients_consenttext"}


@dataclass
class Snapshot:
    """What a factory made: new rows, all files by path with mode and content, and the object it returned."""

    rows: dict[type[Model], list[Model]]
    files: dict[Path, tuple[int, bytes]]
    returned: tuple[type[Model], Any]


def snapshotted(make: Callable[P, M]) -> Callable[P, M]:
    """Decorator: the factory `make` runs for the first test that calls it; later tests get a copy.

    If a test has already made rows or files, the factory runs as usual.
    """
    snapshots: dict[object, Snapshot] = {}

    @wraps(make)
    def make_or_copy(*args: P.args, **kwargs: P.kwargs) -> M:
        rows_before = _rows()
        if any(model._meta.db_table not in TABLES_WITH_ROWS for model in rows_before) or _files():
            return make(*args, **kwargs)
        key = (args, tuple(kwargs.items()), get_language(), _settings(), _ids(rows_before))
        if key not in snapshots:
            made = make(*args, **kwargs)
            rows = {
                model: [row for row in found if row not in rows_before.get(model, [])]
                for model, found in _rows().items()
            }
            snapshots[key] = Snapshot(rows, _files(), (type(made), made.pk))
        else:
            _restore(snapshots[key])
        model, pk = snapshots[key].returned
        return cast(M, model._base_manager.get(pk=pk))

    return make_or_copy


def _rows() -> dict[type[Model], list[Model]]:
    """Every row of every model that has any."""
    models = [model for model in apps.get_models(include_auto_created=True) if model._meta.managed]
    found = {model: list(model._base_manager.all()) for model in models}
    return {model: rows for model, rows in found.items() if rows}


def _ids(rows: dict[type[Model], list[Model]]) -> frozenset[tuple[str, object]]:
    return frozenset((model._meta.db_table, row.pk) for model, found in rows.items() for row in found)


def _files() -> dict[Path, tuple[int, bytes]]:
    """Mode and content of every file in LACUNA_DATA_DIR, by relative path."""
    root = Path(settings.LACUNA_DATA_DIR)
    paths = [path for path in root.rglob("*") if path.is_file()]
    return {path.relative_to(root): (path.stat().st_mode & 0o777, path.read_bytes()) for path in paths}


def _settings() -> str:
    """All settings as one text, without the path of the test's own directory."""
    names = [name for name in dir(settings) if name.isupper()]
    text = repr([(name, getattr(settings, name)) for name in names])
    return text.replace(str(settings.LACUNA_DATA_DIR), "")


def _restore(snapshot: Snapshot) -> None:
    for path, (mode, content) in snapshot.files.items():
        target = Path(settings.LACUNA_DATA_DIR) / path
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        target.write_bytes(content)
        target.chmod(mode)
    configured.reset()
    with transaction.atomic(), connection.cursor() as cursor:
        for model, rows in snapshot.rows.items():
            model._base_manager.bulk_create([copy.copy(row) for row in rows])
        for statement in connection.ops.sequence_reset_sql(no_style(), list(snapshot.rows)):
            cursor.execute(statement)
