"""Reading a date as people say it: exactly, or about."""

import re
from datetime import date
from typing import NamedTuple

from django.utils.translation import gettext as _

MONTHS = {
    name: number
    for number, names in enumerate(
        (
            "january jan", "february feb", "march mar", "april apr", "may", "june jun", "july jul",
            "august aug", "september sep sept", "october oct", "november nov", "december dec",
        ),
        start=1,
    )
    for name in names.split()
}  # fmt: skip
# The middle of each season, in the northern half of the world; a winter is that of its January.
SEASONS = {
    "spring": (4, 15), "summer": (7, 15), "fall": (10, 15), "autumn": (10, 15), "winter": (1, 15),
    "xuân": (3, 1), "hè": (6, 1), "hạ": (6, 1), "thu": (9, 1), "đông": (12, 15),
}  # fmt: skip
EARLIEST, LATEST = 1850, 2199


class When(NamedTuple):
    """A day to sort by (ISO), and the words as they were said; no words where the day is exact."""

    day: str
    words: str


def read_when(text: str) -> When:
    """Understand "2003", "Feb 2003", "about 2003", "summer 2002", "14.2.2003", "tháng 2 năm 2003" and such.

    An exact day has no words; anything rougher keeps them and sorts by its middle. Errors: ValueError with a
    sentence for the person.
    """
    said = " ".join(text.split())
    plain = said.lower().replace(",", " ")
    for reader in (_exact, _month, _season, _year):
        found = reader(plain)
        if found:
            exact = reader is _exact
            return When(found.isoformat(), "" if exact else said)
    raise ValueError(_("We could not read that date. Try “14 Feb 2003”, “summer 2002” or “about 2003”."))


def _day(year: int, month: int, day: int) -> date | None:
    try:
        return date(year, month, day) if EARLIEST <= year <= LATEST else None
    except ValueError:
        return None


def _exact(text: str) -> date | None:
    if match := re.fullmatch(r"(\d{4})-(\d{1,2})-(\d{1,2})", text):
        return _day(int(match[1]), int(match[2]), int(match[3]))
    if match := re.fullmatch(r"(\d{1,2})[./](\d{1,2})[./](\d{4})", text):
        first, second, year = int(match[1]), int(match[2]), int(match[3])
        # 14.2. and 14/2 are a day and a month everywhere; 2/14 can only be the American order.
        return _day(year, second, first) or _day(year, first, second)
    if match := re.fullmatch(r"(\d{1,2})(?:st|nd|rd|th)? ([a-z]+)\.? (\d{4})", text):
        return _day(int(match[3]), MONTHS.get(match[2], 0), int(match[1]))
    if match := re.fullmatch(r"([a-z]+)\.? (\d{1,2})(?:st|nd|rd|th)? +(\d{4})", text):
        return _day(int(match[3]), MONTHS.get(match[1], 0), int(match[2]))
    if match := re.fullmatch(r"(?:ngày )?(\d{1,2}) tháng (\d{1,2}) (?:năm )?(\d{4})", text):
        return _day(int(match[3]), int(match[2]), int(match[1]))
    return None


def _month(text: str) -> date | None:
    if match := re.search(r"\btháng (\d{1,2})\b.*?(\d{4})\b", text):
        return _day(int(match[2]), int(match[1]), 15)
    if match := re.search(r"\b([a-z]+)\.? (\d{4})\b", text):
        return _day(int(match[2]), MONTHS.get(match[1], 0), 15)
    if match := re.fullmatch(r"(\d{1,2})[./](\d{4})", text):
        return _day(int(match[2]), int(match[1]), 15)
    if match := re.fullmatch(r"(\d{4})-(\d{1,2})", text):
        return _day(int(match[1]), int(match[2]), 15)
    return None


def _season(text: str) -> date | None:
    year = re.search(r"\b(\d{4})\b", text)
    for word in re.findall(r"[^\W\d_]+", text):
        if year and word in SEASONS:
            return _day(int(year[1]), *SEASONS[word])
    return None


def _year(text: str) -> date | None:
    match = re.search(r"\b(\d{4})\b", text)
    return _day(int(match[1]), 7, 1) if match else None
