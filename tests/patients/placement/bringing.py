"""Keepsakes that a patient brought and has not put into a memory yet, and what the sheet shows of them."""

import random
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from patients.cases.models import Case
from patients.keepsakes.models import Keepsake
from patients.placement.sheet import ReadKeepsake, read_brought
from tests.factories import jpeg, make_keepsake

EVENING = datetime(2004, 2, 14, 18, 20)


def bring(case: Case, taken: str = "", **fields: Any) -> Keepsake:
    """A photo in no memory, without caption. taken: the time that its camera wrote into it."""
    return make_keepsake(None, case=case, **{"caption": "", "taken": taken, **fields})


def bring_evening(case: Case, count: int, *, starts: datetime = EVENING, minutes: int = 15) -> list[Keepsake]:
    """Photos of one evening. minutes: the time from one to the next."""
    times = (starts + timedelta(minutes=minutes * n) for n in range(count))
    return [bring(case, time.isoformat()) for time in times]


def scene(seed: int) -> bytes:
    """The bytes of a photo. Two photos look alike only if their seeds are equal."""
    return jpeg((160, 120), random.Random(seed).randbytes(8 * 6 * 3))  # noqa: S311 - no secret


def keepsakes_of(case: Case) -> list[ReadKeepsake]:
    """Everything on the patient's sheet, in the sheet's order."""
    return read_brought(case).keepsakes


def ticks_of(case: Case, keepsakes: Sequence[Keepsake]) -> list[str]:
    """The values of these keepsakes' checkboxes (id and mark), as the sheet would show them now."""
    by_id = {keepsake.row.pk: keepsake.tick for keepsake in keepsakes_of(case)}
    return [by_id[keepsake.pk] for keepsake in keepsakes]
