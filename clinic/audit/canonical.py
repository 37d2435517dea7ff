"""Canonical JSON of entries: the same entry always gives the same bytes, and so the same hash."""

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Protocol, TypeAlias
from uuid import UUID

from clinic.audit.merkle import leaf_hash

Detail: TypeAlias = int | bool | str  # as stored
DetailInput: TypeAlias = Detail | UUID | datetime  # as passed to `Act`

# The limit of RFC 8785. Programs that read JSON numbers as doubles would round larger ones and hash other
# bytes.
LARGEST_INT = 2**53 - 1
NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")
# Without spaces and capitals: allows ids, states and URL names, but no person's name and no sentence.
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
    """Return a time as text: UTC with microseconds, 27 characters. Errors: ValueError if it is naive."""
    if at.tzinfo is None:
        raise ValueError("a time without a zone is ambiguous")
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ").rjust(27, "0")


def check_details(details: Mapping[str, object]) -> dict[str, Detail]:
    """Return `details` as they are stored.

    Allowed are integers, booleans, words of `[a-z0-9_.:-]{0,80}`, ids and ISO 8601 times: so no name and no
    caption can get in. Enum members, UUIDs and aware datetimes are stored as their text.
    Errors: ValueError for anything else, such as floats, lists and None.
    """
    stored: dict[str, Detail] = {}
    for name, value in details.items():
        if not NAME.fullmatch(name):
            raise ValueError(f"{name!r} is no name for a detail")
        if isinstance(value, datetime):
            stored[name] = moment(value)
        elif isinstance(value, int) and abs(value) <= LARGEST_INT:
            stored[name] = value if isinstance(value, bool) else int(value)
        elif isinstance(value, UUID) or (
            isinstance(value, str) and (WORD.fullmatch(value) or is_time(value))
        ):
            stored[name] = str(value)
        else:
            raise ValueError(f"detail {name!r} is neither a number, a word, an id nor a time")
    return stored


def is_time(text: str) -> bool:
    """Return whether `text` is an ISO 8601 date or time that exists in the calendar."""
    if not TIME.fullmatch(text):
        return False
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


def canonical(entry: Leaf) -> bytes:
    """Return an entry as canonical JSON: UTF-8, keys sorted, no spaces, no floats, times as from `moment`.

    Errors: ValueError for a float or for text that cannot be encoded as UTF-8.
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
    """Return `value` as canonical JSON.

    Errors: ValueError for floats, which programming languages write differently.
    """
    check_no_floats(value)
    return json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    ).encode()


def check_no_floats(value: object) -> None:
    """Check that no float is anywhere in `value`. Errors: ValueError."""
    if isinstance(value, float):
        raise ValueError("canonical JSON has no floats")
    if isinstance(value, dict):
        for inner in value.values():
            check_no_floats(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            check_no_floats(inner)


def leaf_of(entry: Leaf) -> bytes:
    """Return the leaf hash of an entry: SHA-256(0x00 || canonical)."""
    return leaf_hash(canonical(entry))
