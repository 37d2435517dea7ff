"""Like is compared with like: pictures with pictures, pages with pages, sounds with sounds."""

import pytest

from patients.keepsakes.duplicates import bits_apart
from patients.keepsakes.models import KeepsakeFields

ALL = "f" * 16
NEARLY = f"{(2**64 - 1) ^ 0b111:016x}"
FAR = "0" * 16


@pytest.mark.parametrize(
    ("one", "other", "bits"),
    [
        ({"fingerprint": ALL}, {"fingerprint": NEARLY}, 3),
        ({"sound": ALL}, {"sound": NEARLY}, 3),
        ({"prints": [FAR, ALL]}, {"prints": [NEARLY]}, 3),
        ({"prints": [FAR, ALL]}, {"prints": [NEARLY, FAR]}, 0),
        ({"fingerprint": ALL}, {"fingerprint": FAR}, None),
        ({"fingerprint": ALL}, {"sound": ALL}, None),
        ({"fingerprint": ALL}, {"prints": [ALL]}, None),
        ({"sound": ALL}, {"prints": [ALL]}, None),
        ({}, {}, None),
        ({"fingerprint": ALL, "sound": FAR}, {"fingerprint": ALL, "sound": ALL}, 0),
    ],
)
def test_what_is_alike(one: dict[str, object], other: dict[str, object], bits: int | None) -> None:
    assert bits_apart(KeepsakeFields(**one), KeepsakeFields(**other)) == bits  # type: ignore[arg-type]
    assert bits_apart(KeepsakeFields(**other), KeepsakeFields(**one)) == bits  # type: ignore[arg-type]
