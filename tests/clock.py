"""A clock of the test's choice, which this process and the database's `Now()` read."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.apps import apps
from django.db.models.functions import Now
from django.utils import timezone

SQLITE_FORMAT = "%%%%Y-%%%%m-%%%%d %%%%H:%%%%M:%%%%f"  # twice escaped, as in Django's own `Now`


class MovedClock:
    """The clocks of the application for one test. Other processes keep the real time.

    Servers of the test must be threads of this process (`tests/serving.py`).
    """

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self._real_now = timezone.now
        self._offset = timedelta()
        patch.setattr(timezone, "now", self.now)
        for model in apps.get_models():
            for field in model._meta.concrete_fields:
                if field.default is self._real_now:  # the model class has stored the original function
                    patch.setitem(field.__dict__, "_get_default", self.now)
        patch.setattr(Now, "as_sqlite", self._as_sqlite())
        patch.setattr(Now, "as_postgresql", self._as_postgresql())

    def now(self) -> datetime:
        """Return the moved time."""
        return self._real_now() + self._offset

    def set_to(self, moment: datetime) -> None:
        """Set the clocks to `moment` (aware). They go on from there."""
        self._offset = moment - self._real_now()

    def _as_sqlite(self) -> Callable[..., Any]:
        def as_sqlite(now: Now, compiler: Any, connection: Any, **context: Any) -> Any:
            template = f"STRFTIME('{SQLITE_FORMAT}', 'NOW', '{self._offset.total_seconds():+.3f} seconds')"
            return now.as_sql(compiler, connection, template=template, **context)

        return as_sqlite

    def _as_postgresql(self) -> Callable[..., Any]:
        def as_postgresql(now: Now, compiler: Any, connection: Any, **context: Any) -> Any:
            template = f"(STATEMENT_TIMESTAMP() + INTERVAL '{self._offset.total_seconds():.3f} seconds')"
            return now.as_sql(compiler, connection, template=template, **context)

        return as_postgresql
