"""Changes of settings in words: who, when, from, to, why."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import QuerySet
from django.utils.functional import Promise
from django.utils.translation import gettext as _

from clinic.configuration.models import SettingChange
from clinic.configuration.registry import setting_of


@dataclass(frozen=True)
class Line:
    """One change. before, after: as text, with the unit. kept: somebody confirmed the value as it was."""

    label: str | Promise
    before: str
    after: str
    kept: bool
    who: str
    at: datetime
    reason: str


def lines_of(rows: "QuerySet[SettingChange] | Iterable[SettingChange]") -> list[Line]:
    """Return a line for each change, in the same order, with a constant number of queries."""
    if isinstance(rows, QuerySet):
        rows = rows.select_related("by")
    return [_line(row) for row in rows]


def _line(row: SettingChange) -> Line:
    return Line(
        label=setting.label if (setting := setting_of(row.key)) else row.key,
        before=_in_words(row.key, row.before),
        after=_in_words(row.key, row.value),
        kept=row.kept,
        who=row.by.name if row.by else _("The operator"),
        at=row.at,
        reason=row.reason,
    )


def _in_words(key: str, value: Any) -> str:
    """Return a value with its unit. If no package has the setting any more: the value as it is stored."""
    setting = setting_of(key)
    return (setting.words(value) if setting else str(value)) or _("nothing")
