"""Finds patients on one board who could be mistaken for each other. The file number tells them apart."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from clinic.names import name_key


@dataclass(frozen=True)
class BoardPatient:
    """A patient whose name the viewer may read. number: the file number, which tells two apart."""

    name: str
    number: str
    family_name_first: bool = False

    @property
    def likeness(self) -> tuple[str, str]:
        """Family name and first letter of the given name, without accents, in lower case.

        Two patients with the same likeness are easily mistaken for each other on a board of short names.
        """
        words = name_key(self.name).split() or [""]
        family, given = (words[0], words[-1]) if self.family_name_first else (words[-1], words[0])
        return family, given[:1] if len(words) > 1 else ""


def mistakable(patients: Iterable[BoardPatient]) -> set[str]:
    """Return the file numbers of the patients who have the likeness or the whole name of another one."""
    groups: dict[object, set[str]] = defaultdict(set)
    for one in patients:
        groups[one.likeness].add(one.number)
        groups[name_key(one.name)].add(one.number)
    return {number for numbers in groups.values() if len(numbers) > 1 for number in numbers}
