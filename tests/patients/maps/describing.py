"""Changing a memory as the mapping page does when staff save its form."""

from typing import Any

from clinic.accounts.models import User
from patients.memories.links import lock_case_with_open_map
from patients.memories.models import Memory
from patients.memories.writing import write_memory


def describe(memory: Memory, words: dict[str, Any], numbers: dict[str, Any], *, by: User) -> Memory:
    """Write these words and numbers of a memory, with the lock that the mapping page uses."""
    return write_memory(memory.case, words, numbers, memory=memory, by=by, lock=lock_case_with_open_map)
