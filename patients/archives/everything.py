"""One encrypted archive of everything that is held about a patient. It can be opened without Lacuna.

`index.html` is for people, `data.json` has the same for programs; the files are beside them. Each package
reads its own sections (clinic/personal_data/registry.py).
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import cached_property

from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.formats import date_format

from clinic.accounts.models import User
from clinic.personal_data.registry import HeldFile, Record, Section, Value, sections_of
from patients.archives.archive import Member, zip_of


@dataclass(frozen=True)
class NamedRecord:
    """A record, with the name of each of its files in the archive."""

    record: Record
    files: Sequence[tuple[str, HeldFile]]

    @property
    def texts(self) -> list[tuple[str, str]]:
        """The labels and values as a person reads them, in the active language and time zone."""
        return [(str(label), _text(value)) for label, value in self.record.values]


@dataclass(frozen=True)
class Everything:
    """What the archive will contain. made_at: when the data was read."""

    sections: Sequence[tuple[Section, Sequence[NamedRecord]]]
    made_at: datetime

    @cached_property
    def files(self) -> list[tuple[str, HeldFile]]:
        return [file for _section, records in self.sections for named in records for file in named.files]


def everything_about(person: User) -> Everything:
    """Read all that is held about a patient. Errors: OSError if the storage is away."""
    number = 0
    found = []
    for section in sections_of(person):
        records = []
        for record in section.records:
            files = []
            for file in record.files:
                number += 1
                files.append((f"files/{number:04d}{file.extension}", file))
            records.append(NamedRecord(record, files))
        found.append((section, records))
    return Everything(found, timezone.now())


def zip_everything(contents: Everything, passphrase: str) -> Iterator[bytes]:
    """Yield the bytes of the encrypted archive (see `zip_of`). Errors: as `zip_chunks`."""
    return zip_of(_members(contents), passphrase)


def _members(contents: Everything) -> Iterator[Member]:
    index = render_to_string("patients/archives/everything_index.html", {"contents": contents})
    yield "index.html", [index.encode()]
    yield "data.json", [json.dumps(_as_data(contents), ensure_ascii=False, indent=1).encode()]
    for name, file in contents.files:
        yield name, file.chunks()


def _as_data(contents: Everything) -> list[dict[str, object]]:
    return [
        {
            "title": str(section.title),
            "records": [
                {
                    "title": str(named.record.title),
                    "values": [[str(label), _plain(value)] for label, value in named.record.values],
                    "files": [name for name, _file in named.files],
                }
                for named in records
            ],
        }
        for section, records in contents.sections
    ]


def _text(value: Value) -> str:
    if isinstance(value, datetime):
        return date_format(timezone.localtime(value), "DATETIME_FORMAT")
    return date_format(value, "DATE_FORMAT") if isinstance(value, date) else str(value)


def _plain(value: Value) -> str | int | bool:
    """Return a value as JSON has it: times in ISO 8601, with their zone."""
    if isinstance(value, date):  # a datetime is one, too
        return value.isoformat()
    return value if isinstance(value, int) else str(value)
