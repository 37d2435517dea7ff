"""Reads dates in people's own words, exact or rough, in English and Vietnamese."""

import re
from collections.abc import Callable
from datetime import date, timedelta
from typing import NamedTuple

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from clinic.names import normalize_text

MONTHS = {
    name: number
    for number, names in enumerate(
        (
            "january jan giêng một", "february feb hai", "march mar ba", "april apr tư bốn", "may năm",
            "june jun sáu", "july jul bảy", "august aug tám", "september sep sept chín",
            "october oct mười", "november nov", "december dec chạp",
        ),
        start=1,
    )
    for name in names.split()
}  # fmt: skip
# Month and day in the middle of each part of a year, for the northern hemisphere. An English winter belongs
# to the year in which most of it lies.
PARTS = {
    "spring": (4, 15), "summer": (7, 15), "fall": (10, 15), "autumn": (10, 15), "winter": (1, 15),
    "early": (2, 15), "beginning": (2, 15), "start": (2, 15), "late": (11, 15), "end": (11, 15),
    "xuân": (3, 1), "hè": (6, 1), "hạ": (6, 1), "thu": (9, 1), "đông": (12, 15),
    "đầu": (2, 15), "cuối": (11, 15),
}  # fmt: skip
EARLIEST = 1850


class When(NamedTuple):
    """A date. day: the ISO date to sort by. words: the date as it was typed; empty if the day is exact."""

    day: str
    words: str

    @property
    def field_value(self) -> str:
        """Return the text for the form field when it is shown again."""
        return self.words or self.day


def read_when(text: str) -> When:
    """Read "2003", "Feb 2003", "about 2003", "summer 2002", "14.2.2003", "tháng 2 năm 2003" and so on.

    For a rough date, `day` is the middle of its period. Errors: ValueError with a message for the person.
    """
    typed = normalize_text(text)
    plain = typed.lower().replace(",", " ").replace("’", "'")
    plain = " ".join(plain.split())
    if found := _exact(plain):
        if found > timezone.localdate():
            raise ValueError(_("That day has not come yet."))
        return When(found.isoformat(), "")
    for reader in _ROUGH_READERS:
        if found := reader(plain):
            return When(_middle(found).isoformat(), typed)
    raise ValueError(_("We could not read that date. Try “14 Feb 2003”, “summer 2002” or “about 2003”."))


def shown(day: str, words: str) -> str:
    """Return a date for a page: the typed words, or else the day formatted in the reader's language."""
    return words or (date_format(date.fromisoformat(day), "SHORT_DATE_FORMAT") if day else "")


def _middle(found: date) -> date:
    """Return the middle of a period, but today if that is earlier. Errors: ValueError for a later year."""
    today = timezone.localdate()
    if found.year > today.year:
        raise ValueError(_("That time has not come yet."))
    return min(found, today)


def _day(year: int, month: int, day: int) -> date | None:
    try:
        return date(year, month, day) if year >= EARLIEST else None
    except ValueError:
        return None


def _require_date(found: date | None) -> date:
    """Return the date. Errors: ValueError if it is None: the text looks like a date, but is none."""
    if found is None:
        raise ValueError(_("There is no such day in the calendar."))
    return found


def _numbers(match: re.Match[str], one: int, two: int, three: int) -> tuple[int, int, int]:
    return int(match[one]), int(match[two]), int(match[three])


def _exact(text: str) -> date | None:
    if match := re.fullmatch(r"(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})", text):
        return _require_date(_day(*_numbers(match, 1, 2, 3)))
    if match := re.fullmatch(r"(\d{1,2})[.-] ?(\d{1,2})[.-] ?(\d{4})", text):
        return _require_date(_day(*_numbers(match, 3, 2, 1)))
    if match := re.fullmatch(r"(\d{1,2})/(\d{1,2})/(\d{4})", text):
        return _require_date(_with_slashes(*_numbers(match, 1, 2, 3)))
    if match := re.fullmatch(r"(\d{1,2})(?:st|nd|rd|th)?\.? (?:of )?([a-z]+)\.? (\d{4})", text):
        return _with_month_name(match[2], match[1], match[3])
    if match := re.fullmatch(r"([a-z]+)\.? (\d{1,2})(?:st|nd|rd|th)? (\d{4})", text):
        return _with_month_name(match[1], match[2], match[3])
    if match := re.fullmatch(r"(?:ngày )?(\d{1,2}) tháng (\d{1,2}) (?:năm )?(\d{4})", text):
        return _require_date(_day(*_numbers(match, 3, 2, 1)))
    return None


def _with_month_name(month: str, day: str, year: str) -> date | None:
    return _require_date(_day(int(year), MONTHS[month], int(day))) if month in MONTHS else None


def _with_slashes(first: int, second: int, year: int) -> date | None:
    """Read day/month/year or month/day/year. Errors: ValueError if both are dates: a guess might be wrong."""
    one, other = _day(year, second, first), _day(year, first, second)
    if one and other and one != other:
        raise ValueError(
            _("That could be %(one)s or %(other)s. Please write the month as a word.")
            % {"one": date_format(one, "SHORT_DATE_FORMAT"), "other": date_format(other, "SHORT_DATE_FORMAT")}
        )
    return one or other


def _month(text: str) -> date | None:
    if match := re.search(r"\btháng (\d{1,2})\b.*?\b(\d{4})\b", text):
        return _require_date(_day(int(match[2]), int(match[1]), 15))
    if match := re.search(r"\btháng (mười (?:một|hai)|[^\W\d]+) (?:năm )?(\d{4})\b", text):
        eleven = {"mười một": 11, "mười hai": 12}
        return _day(int(match[2]), eleven.get(match[1]) or MONTHS.get(match[1], 0), 15)
    if match := re.search(r"\b([a-z]+)\.? (?:of )?(\d{4})\b", text):
        return _day(int(match[2]), MONTHS.get(match[1], 0), 15)
    if match := re.fullmatch(r"(\d{1,2})[./-](\d{4})", text):
        return _require_date(_day(int(match[2]), int(match[1]), 15))
    if match := re.fullmatch(r"(\d{4})[-/](\d{1,2})", text):
        return _require_date(_day(int(match[1]), int(match[2]), 15))
    return None


def _part(text: str) -> date | None:
    years = [int(year) for year in re.findall(r"\b(\d{4})\b", text)]
    if not years:
        return None
    if "winter" in text and (across := re.search(r"\b(\d{4})\s?(?:/|-|–|to)\s?(?:\d{4}|\d{2})\b", text)):
        return _day(int(across[1]) + 1, 1, 15)
    named = [PARTS[word] for word in re.findall(r"[^\W\d_]+", text) if word in PARTS]
    return _day(years[0], *named[0]) if named else None


def _years(text: str) -> date | None:
    """Return the middle of a year, a decade, or the years from the first to the second that is named."""
    if match := re.search(r"\b(\d{3})0'?s\b", text):
        return _day(int(match[1]) * 10 + 5, 1, 1)
    years = [int(year) for year in re.findall(r"\b(\d{4})\b", text)]
    days = [_day(year, 1, 1) for year in years[:2]]
    first, last = (days * 2)[:2] if days else (None, None)
    if first is None or last is None or first > last:
        return None
    return first + (last - first) / 2 + timedelta(days=181)


_ROUGH_READERS: tuple[Callable[[str], date | None], ...] = (_month, _part, _years)
