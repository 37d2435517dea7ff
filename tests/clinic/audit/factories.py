"""Factories for audit entries and logs."""

from django.db import transaction

from clinic.audit.models import Entry
from clinic.audit.record import Act, record


def an_act(number: int = 0, **more: object) -> Act:
    return Act("test.done", f"step:{number}", "system:worker", **more)  # type: ignore[arg-type]


def write(*acts: Act) -> list[Entry]:
    with transaction.atomic():
        return record(*acts)


def a_log(size: int) -> list[Entry]:
    """Write `size` entries, each in its own transaction."""
    return [write(an_act(number, details={"bytes": number}))[0] for number in range(size)]


def copy_of_entry(source: int, index: int) -> str:
    """Return SQL that inserts a copy of entry `source` at `index`, as someone who tampers would."""
    columns = [field.column for field in Entry._meta.concrete_fields if field.column != "index"]
    names = ", ".join(f'"{column}"' for column in columns)
    return (
        f'INSERT INTO clinic_entry ("index", {names})'  # noqa: S608 -- column names of the model
        f' SELECT {index}, {names} FROM clinic_entry WHERE "index" = {source}'
    )
