"""Fingerprints are compared only within a kind: pictures, pages, sounds."""

from uuid import UUID

import pytest

from patients.keepsakes.duplicates import alike_ids, bits_apart
from patients.keepsakes.models import KeepsakeFields

# Fingerprints of 64 bits: all set, three of them cleared, none set.
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
def test_the_distance_of_two_keepsakes_is_the_least_within_a_kind(
    one: dict[str, object], other: dict[str, object], bits: int | None
) -> None:
    assert bits_apart(KeepsakeFields(**one), KeepsakeFields(**other)) == bits  # type: ignore[arg-type]
    assert bits_apart(KeepsakeFields(**other), KeepsakeFields(**one)) == bits  # type: ignore[arg-type]


def test_alike_ids_returns_the_keepsakes_with_a_near_fingerprint_of_the_same_kind() -> None:
    sheet = {
        "picture": KeepsakeFields(fingerprint=ALL),
        "the same": KeepsakeFields(fingerprint=NEARLY),
        "another": KeepsakeFields(fingerprint=FAR),
        "sound": KeepsakeFields(sound=ALL),
        "same sound": KeepsakeFields(sound=ALL),
        "letter": KeepsakeFields(prints=[FAR, ALL]),
        "same letter": KeepsakeFields(prints=[FAR]),
        "blank": KeepsakeFields(),
        "blank too": KeepsakeFields(),
    }
    ids = {name: UUID(int=number) for number, name in enumerate(sheet)}
    found = alike_ids({ids[name]: fields for name, fields in sheet.items()})
    alike = {"picture", "the same", "sound", "same sound", "letter", "same letter"}
    assert found == {ids[name] for name in alike}
    assert alike_ids({ids["picture"]: sheet["picture"]}) == set()
