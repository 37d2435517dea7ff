"""Guards that no test notices and that were reviewed: accepted.toml, with the reason for each."""

import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from tests.guards.guard import Guard

FILE = Path(__file__).with_name("accepted.toml")


@dataclass(frozen=True)
class Accepted:
    """An entry: `file`, `function`, `kind` and `guard` are as `make guards` prints them."""

    file: str
    function: str
    kind: str
    guard: str
    reason: str

    def fits(self, guard: Guard) -> bool:
        return (self.file, self.function, self.kind, self.guard) == (
            guard.path,
            guard.function,
            guard.kind.value,
            guard.text,
        )


def read(path: Path = FILE) -> list[Accepted]:
    """The entries of accepted.toml.

    Errors: ValueError for an entry without one of its fields, or with an empty one.
    """
    entries = tomllib.loads(path.read_text()).get("accepted", []) if path.exists() else []
    for entry in entries:
        fields = set(Accepted.__dataclass_fields__)
        if set(entry) != fields or not all(str(value).strip() for value in entry.values()):
            raise ValueError(f"{path.name}: an entry needs {', '.join(sorted(fields))}: {entry}")
    return [Accepted(**entry) for entry in entries]


def unmatched(entries: Iterable[Accepted], guards: Iterable[Guard]) -> list[Accepted]:
    """Entries that fit no existing guard: the code has changed, so they must be reviewed again."""
    existing = list(guards)
    return [entry for entry in entries if not any(entry.fits(guard) for guard in existing)]
