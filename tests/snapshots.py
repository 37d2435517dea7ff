"""A state that many tests begin with: made once in a process, and copied for every further test.

Only rows and files are copied. What a maker depends on beyond settings and language, a patched function for
instance, is not looked at: a test that patches what the maker calls makes its state itself.
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

# Tables whose rows are there before a test: of Django's own, and texts that a migration brings.
STANDING = {"auth_permission", "django_content_type", "patients_consenttext"}


@dataclass
class Snapshot:
    """All rows but those that were there before, all files by path, and what the maker returned."""

    rows: dict[type[Model], list[Model]]
    files: dict[Path, tuple[int, bytes]]
    returned: tuple[type[Model], Any]


def begin_with(make: Callable[P, M]) -> Callable[P, M]:
    """Have `make` do its work for the first test that begins with it, and copy that for the others.

    A test that has made rows or keys before it calls `make` gets a state that is made for it.
    """
    taken: dict[object, Snapshot] = {}

    @wraps(make)
    def begin(*args: P.args, **kwargs: P.kwargs) -> M:
        standing = _rows()
        if any(model._meta.db_table not in STANDING for model in standing) or _files():
            return make(*args, **kwargs)
        key = (args, tuple(kwargs.items()), get_language(), _settings(), _ids(standing))
        if key not in taken:
            made = make(*args, **kwargs)
            rows = {
                model: [row for row in found if row not in standing.get(model, [])]
                for model, found in _rows().items()
            }
            taken[key] = Snapshot(rows, _files(), (type(made), made.pk))
        else:
            _restore(taken[key])
        model, pk = taken[key].returned
        return cast(M, model._base_manager.get(pk=pk))

    return begin


def _rows() -> dict[type[Model], list[Model]]:
    """Every row of every model that has any."""
    models = [model for model in apps.get_models(include_auto_created=True) if model._meta.managed]
    found = {model: list(model._base_manager.all()) for model in models}
    return {model: rows for model, rows in found.items() if rows}


def _ids(rows: dict[type[Model], list[Model]]) -> frozenset[tuple[str, object]]:
    return frozenset((model._meta.db_table, row.pk) for model, found in rows.items() for row in found)


def _files() -> dict[Path, tuple[int, bytes]]:
    """Mode and content of every file below LACUNA_DATA_DIR, which is the test's own."""
    root = Path(settings.LACUNA_DATA_DIR)
    paths = [path for path in root.rglob("*") if path.is_file()]
    return {path.relative_to(root): (path.stat().st_mode & 0o777, path.read_bytes()) for path in paths}


def _settings() -> str:
    """All settings in one text, in which the test's own directory has no name."""
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
