import hashlib
import sys
from datetime import UTC, datetime, timedelta, timezone
from uuid import UUID

import pytest
from django.db.models import TextChoices
from hypothesis import given
from hypothesis import strategies as st

from clinic.audit.canonical import canonical, check_details, dump, leaf_of, moment
from clinic.audit.models import Entry

CASE = UUID("3f8c9a52-5d0e-4b36-9df0-0d9a44ab64c1")


class Mood(TextChoices):
    GLAD = "glad"


def make_entry(**changes: object) -> Entry:
    fields: dict[str, object] = {
        "index": 7,
        "at": datetime(2004, 2, 13, 22, 41, 7, tzinfo=UTC),
        "action": "test.done",
        "actor": "system:worker",
        "subject": "step:12",
        "case": CASE,
        "run": None,
        "details": {"copies": 3, "bytes": 4182334},
        "reason": "à la demande",
        "address": "",
    }
    return Entry(**(fields | changes))


def test_the_canonical_bytes_of_an_entry() -> None:
    expected = (
        '{"action":"test.done","actor":"system:worker","address":"","at":"2004-02-13T22:41:07.000000Z",'
        '"case":"3f8c9a52-5d0e-4b36-9df0-0d9a44ab64c1","details":{"bytes":4182334,"copies":3},"index":7,'
        '"reason":"à la demande","run":null,"subject":"step:12","v":1}'
    ).encode()
    assert canonical(make_entry()) == expected
    assert leaf_of(make_entry()) == hashlib.sha256(b"\x00" + expected).digest()


@pytest.mark.parametrize(
    "change",
    [
        {"index": 8},
        {"at": datetime(2004, 2, 13, 22, 41, 7, 1, tzinfo=UTC)},
        {"action": "test.destroyed"},
        {"actor": "visitor"},
        {"subject": "step:13"},
        {"case": None},
        {"run": CASE},
        {"details": {"bytes": 4182334, "copies": 4}},
        {"reason": ""},
        {"address": "192.0.2.1"},
    ],
)
def test_the_leaf_hash_depends_on_every_field(change: dict[str, object]) -> None:
    assert leaf_of(make_entry(**change)) != leaf_of(make_entry())


def test_a_datetime_is_written_in_utc_with_microseconds() -> None:
    at = datetime(2004, 2, 13, 17, 41, 7, 5, tzinfo=timezone(timedelta(hours=-5)))
    assert moment(at) == "2004-02-13T22:41:07.000005Z"
    with pytest.raises(ValueError, match="without a zone"):
        moment(datetime(2004, 2, 13))


@pytest.mark.parametrize("value", [1.5, {"a": [1, {"b": 0.0}]}, float("nan")])
def test_floats_are_refused(value: object) -> None:
    with pytest.raises(ValueError, match="no floats"):
        dump(value)


@pytest.mark.parametrize(
    "value",
    [
        "Clementine",
        "two words",
        "é",
        "a" * 81,
        "line\n",
        0.5,
        None,
        [1],
        {"a": 1},
        2**53,
        b"x",
        "2004-02-31T00:00Z",
        "2004-02-13J22:41",  # Python reads a time with any sign in the middle
        "2004-02-13 22:41",
        "2004-W07-5",
    ],
)
def test_a_detail_with_free_text_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match="neither a number, a word, an id nor a time"):
        check_details({"what": value})


def test_details_are_stored_as_plain_json_values() -> None:
    at = datetime(2004, 2, 13, tzinfo=UTC)
    given_ = {"n": -3, "on": True, "id": CASE, "mood": Mood.GLAD, "at": at, "day": "2004-02-13", "no": ""}
    stored = check_details(given_)
    assert stored == {
        "n": -3,
        "on": True,
        "id": str(CASE),
        "mood": "glad",
        "at": "2004-02-13T00:00:00.000000Z",
        "day": "2004-02-13",
        "no": "",
    }
    assert type(stored["mood"]) is str


@pytest.mark.parametrize("name", ["Name", "", "a b", "é", "_x"])
def test_a_detail_name_with_other_characters_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="no name for a detail"):
        check_details({name: 1})


SPACES = "".join(sign for sign in map(chr, range(sys.maxunicode + 1)) if sign.isspace())
CAPITALS = st.characters(categories=["Lu"], exclude_characters="TZ")


@given(st.text(), st.sampled_from(SPACES) | CAPITALS, st.text())
def test_a_detail_with_a_space_or_a_capital_is_refused(before: str, sign: str, after: str) -> None:
    with pytest.raises(ValueError, match="neither a number"):
        check_details({"what": before + sign + after})
