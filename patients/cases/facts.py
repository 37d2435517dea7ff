"""Gathers the facts from which a case's status is derived. Other packages register functions for them.

Such a function (a source) gives one field of `Facts` (patients/cases/status.py) and is registered under the
field's name, in a module `facts.py` of its package, which clinic/registration.py imports. It gets many cases
at once and reads them with the same number of queries.
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
    """Return a decorator that registers a function as the source of the field `name` of `Facts`.

    The function returns the field's values by case id. A case that it leaves out gets the field's default.
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

    The cases are used as they were loaded: the caller reads them again if they may have changed.
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
