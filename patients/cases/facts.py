"""Gathers the facts of which a case's status is derived. The packages that have them register how.

A source is registered under the name of a field of `Facts` (patients/cases/status.py), in a module `facts.py`
of its package; clinic/registration.py imports it. It gets many cases and asks the database once for all.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import fields
from typing import Any
from uuid import UUID

from patients.cases.models import Case
from patients.cases.status import Facts, Status, case_status

Source = Callable[[Sequence[Case]], Mapping[UUID, Any]]
_sources: dict[str, Source] = {}


def facts(name: str) -> Callable[[Source], Source]:
    """Return a decorator that registers the source of the field `name` of `Facts`.

    The source returns values by the case's id; a case that it leaves out gets the field's default.
    Errors: ValueError if `Facts` has no such field.
    """
    if name not in {one.name for one in fields(Facts)} - {"stored"}:
        raise ValueError(f"a case has no fact named {name}")

    def register(source: Source) -> Source:
        _sources[name] = source
        return source

    return register


def statuses_of(cases: Collection[Case]) -> dict[UUID, Status]:
    """Return the status of each case by its id. The number of queries is the same for any number of cases.

    The cases' own rows are taken as they are: read them anew if they may have changed.
    """
    rows = list(cases)
    found = {name: source(rows) for name, source in _sources.items()} if rows else {}
    return {
        case.pk: case_status(
            Facts(
                stored=case.stage,
                **{name: values[case.pk] for name, values in found.items() if case.pk in values},
            )
        )
        for case in rows
    }


def status_of(case: Case) -> Status:
    """Return the status of one case."""
    return statuses_of([case])[case.pk]
