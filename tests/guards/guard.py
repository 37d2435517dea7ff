"""A guard: a piece of code that refuses, selects, binds or makes durable."""

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    REFUSAL = "refusal"  # a condition under which the code refuses
    CHECK = "check"  # a call whose only effect is a refusal
    OPERAND = "operand"  # one operand of such a condition, or of what a predicate returns
    BOUND = "bound"  # one end of a chained comparison: the 0 of `0 < n <= 9`
    CONDITION = "condition"  # one condition of a conditional update or deletion
    CHANGE = "change"  # an update or deletion as a whole
    SELECTION = "selection"  # one condition of a named queryset method or of a relation to a person
    BINDING = "binding"  # one part of a ciphertext's associated data
    SYNC = "sync"  # one call that makes something durable


@dataclass(frozen=True)
class Guard:
    """One guard. `key` identifies it until its function's name or its own text changes."""

    path: str
    function: str
    kind: Kind
    text: str
    line: int
    end_line: int
    nth: int = 0  # its index among guards of the same function, kind and text

    @property
    def key(self) -> str:
        suffix = f" #{self.nth + 1}" if self.nth else ""
        return f"{self.path}::{self.function}::{self.kind}::{self.text}{suffix}"
