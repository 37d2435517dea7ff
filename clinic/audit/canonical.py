"""The one way an entry is written as bytes, so that two programs hash the same thing."""

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Protocol, TypeAlias
from uuid import UUID

from clinic.audit.merkle import leaf_hash

Detail: TypeAlias = int | bool | str  # as kept
Telling: TypeAlias = Detail | UUID | datetime  # as given

# RFC 8785 asks the same: beyond it, programs that read numbers as doubles would hash other bytes.
LARGEST_INT = 2**53 - 1
NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")
# No space and no capital: a person's name or a sentence doesn't fit, an id, a state or a URL's name does.
WORD = re.compile(r"[a-z0-9_.:-]{0,80}")
TIME = re.compile(r"\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d{3,6})?)?(Z|[+-]\d\d:\d\d)?)?", re.ASCII)


class Leaf(Protocol):
    """The fields of an entry that its leaf covers: all but the leaf itself."""

    index: int
    at: datetime
    action: str
    actor: str
    subject: str
    case: UUID | None
    run: UUID | None
    details: Any
    reason: str
    address: str


def moment(at: datetime) -> str:
    """Write a time as UTC with microseconds, always in 27 characters. Errors: ValueError without a zone."""
    if at.tzinfo is None:
        raise ValueError("a time without a zone has no one meaning")
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ").rjust(27, "0")


def check_details(details: Mapping[str, object]) -> dict[str, Detail]:
    """Return `details` as they may be kept for ever.

    Only whole numbers, truth values, words of `[a-z0-9_.:-]{0,80}`, ids and ISO 8601 times: no name and no
    caption can slip in. Members of enumerations, UUIDs and aware datetimes are kept as their text.
    Errors: ValueError for anything else, floats, lists and nothing (None) included.
    """
    kept: dict[str, Detail] = {}
    for name, value in details.items():
        if not NAME.fullmatch(name):
            raise ValueError(f"{name!r} is no name for a detail")
        if isinstance(value, datetime):
            kept[name] = moment(value)
        elif isinstance(value, int) and abs(value) <= LARGEST_INT:
            kept[name] = value if isinstance(value, bool) else int(value)
        elif isinstance(value, UUID) or (
            isinstance(value, str) and (WORD.fullmatch(value) or is_time(value))
        ):
            kept[name] = str(value)
        else:
            raise ValueError(f"detail {name!r} is neither a number, a word, an id nor a time")
    return kept


def is_time(text: str) -> bool:
    """Whether `text` is an ISO 8601 date or time that exists."""
    if not TIME.fullmatch(text):
        return False
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


def canonical(entry: Leaf) -> bytes:
    """Return an entry as canonical JSON: UTF-8, keys sorted, no space, no floats, times as of `moment`.

    Errors: ValueError for a float or a text that UTF-8 cannot write.
    """
    fields = {
        "v": 1,
        "index": entry.index,
        "at": moment(entry.at),
        "action": entry.action,
        "actor": entry.actor,
        "subject": entry.subject,
        "case": str(entry.case) if entry.case else None,
        "run": str(entry.run) if entry.run else None,
        "details": entry.details,
        "reason": entry.reason,
        "address": entry.address,
    }
    return dump(fields)


def dump(value: object) -> bytes:
    """Return `value` as canonical JSON. Errors: ValueError for floats (languages write them differently)."""
    refuse_floats(value)
    return json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    ).encode()


def refuse_floats(value: object) -> None:
    """Errors: ValueError where a float hides anywhere in `value`."""
    if isinstance(value, float):
        raise ValueError("canonical JSON has no floats")
    if isinstance(value, dict):
        for inner in value.values():
            refuse_floats(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            refuse_floats(inner)


def leaf_of(entry: Leaf) -> bytes:
    """Return the leaf hash of an entry: SHA-256(0x00 || canonical)."""
    return leaf_hash(canonical(entry))
