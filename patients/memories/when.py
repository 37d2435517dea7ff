"""Reads dates in people's own words, exact or rough, in English and Vietnamese."""

import re
from collections.abc import Callable
from datetime import date, timedelta
from typing import NamedTuple

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from clinic.names import normalize_text
from patients.memories.date_words import (
    EARLY,
    LATE,
    MONTHS,
    NOT_COME,
    PARTS,
    SEASONS,
    plain_words,
    recent_day,
    with_full_year,
    without_today,
)
from patients.memories.holidays import holiday

EARLIEST = 1850
_HALF_A_PART = timedelta(days=46)
_DECADE_NAMES = {
    name: number
    for number, name in enumerate(
        [
            "noughties",
            "tens",
            "twenties",
            "thirties",
            "forties",
            "fifties",
            "sixties",
            "seventies",
            "eighties",
            "nineties",
        ]
    )
    if name != "tens"
}
_DECADE = re.compile(
    r"\b(?P<century>\d{2})?(?P<digit>\d)0'?s\b"
    r"|\b(?:những năm|thập niên|thập k[ỷỉ])(?: của)? '?(?P<century_vi>\d{2})?(?P<digit_vi>\d)0\b"
    rf"|\b(?P<name>{'|'.join(_DECADE_NAMES)})\b"
)
_AGE = re.compile(r"\b(?:my|your|his|her|our|their)(?: (?:early|mid|late))?[ -]'?$")
# "Last summer" may be that of this year or of the year before.
_WHICH_OF_TWO = re.compile(
    r"^(?:the |this |past |last )+|(?: (?:vừa rồi|vừa qua|năm đó|này|rồi))+$", re.IGNORECASE
)


class When(NamedTuple):
    """A date. day: the ISO date to sort by. words: the date as it was typed; empty if the day is exact.

    "Last year" and the like are replaced by the year, because they soon mean another.
    """

    day: str
    words: str

    @property
    def field_value(self) -> str:
        """Return the text for the form field when it is shown again."""
        return self.words or self.day


def read_when(text: str) -> When:
    """Read "2003", "Feb 2003", "summer 2002", "14.2.2003", "the 90s", "Tết 2003", "năm ngoái" and so on.

    For a rough date, `day` is the middle of its period. Errors: ValueError with a message for the person; a
    question if a year is missing or there are two ways to read it.
    """
    today = timezone.localdate()
    typed = normalize_text(text)
    if day := recent_day(plain_words(typed), today):
        return When(day.isoformat(), "")
    typed = without_today(typed, today)
    plain = with_full_year(plain_words(typed), today)
    if found := _exact(plain):
        return When(_come(found).isoformat(), "")
    for reader in _ROUGH_READERS:
        if found := reader(plain):
            return When(_middle(found).isoformat(), typed)
    _ask_for_year(plain, typed)
    raise ValueError(_("We could not read that date. Try “14 Feb 2003”, “summer 2002” or “about 2003”."))


def _ask_for_year(plain: str, typed: str) -> None:
    """Ask for the year if only that is missing. Errors: ValueError with the question."""
    if re.search(r"\d{4}", plain):
        return
    if NOT_COME.search(plain):
        raise ValueError(_("That time has not come yet."))
    if re.search(r"(?<![\w/.-])\d{1,2}[./–-]\d{1,2}[./–-]\d{2}(?![\w/.-])", plain):
        raise ValueError(_("Which year was that? Please write it with four digits, as in “14 Feb 2003”."))
    if re.search(r"(?<![\w/.-])\d{1,2}[./–-]\d{1,2}(?![\w/-])", plain):
        raise ValueError(_("Which year was that? Please write it too, as in “14 Feb 2003”."))
    # 2004 is a leap year, so that 29 February is a day.
    if any(read(f"{plain} 2004") for read in (_exact, _holiday, _month, _part)):
        words = _WHICH_OF_TWO.sub("", typed)
        raise ValueError(
            _("Which year was that? Please write it too, as in “%(words)s 2004”.") % {"words": words}
        )


def shown(day: str, words: str) -> str:
    """Return a date for a page: the typed words, or else the day formatted in the reader's language."""
    return words or (date_format(date.fromisoformat(day), "SHORT_DATE_FORMAT") if day else "")


def _come(found: date) -> date:
    """Return the day. Errors: ValueError for a day that has not come."""
    if found > timezone.localdate():
        raise ValueError(_("That day has not come yet."))
    return found


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
    for pattern, read in _DAY_PATTERNS:
        if match := re.fullmatch(pattern, text):
            return read(match)
    return None


def _day_within(text: str) -> date | None:
    """Return the day that is named among other words. Errors: ValueError if there are two ways to read it."""
    for pattern, read in _DAY_PATTERNS:
        for match in re.finditer(rf"(?<![\w/.-]){pattern}(?![\w/-])", text):
            if found := read(match):
                return _come(found)
    return None


def _year_first(match: re.Match[str]) -> date | None:
    return _require_date(_day(*_numbers(match, 1, 2, 3)))


def _day_first(match: re.Match[str]) -> date | None:
    return _require_date(_day(*_numbers(match, 3, 2, 1)))


def _with_month_name(month: str, day: str, year: str) -> date | None:
    return _require_date(_day(int(year), MONTHS[month], int(day))) if month in MONTHS else None


def _day_or_month_first(match: re.Match[str]) -> date | None:
    """Read day/month/year or month/day/year. Errors: ValueError if both are dates: a guess might be wrong."""
    first, second, year = _numbers(match, 1, 2, 3)
    one, other = _day(year, second, first), _day(year, first, second)
    if one and other and one != other:
        raise ValueError(
            _("That could be %(one)s or %(other)s. Please write the month as a word.")
            % {"one": date_format(one, "SHORT_DATE_FORMAT"), "other": date_format(other, "SHORT_DATE_FORMAT")}
        )
    return _require_date(one or other)


_SEPARATOR = " ?[/–-] ?"
# Each way to write a day, and what reads it. With dots and with Vietnamese words the day is always first.
_DAY_PATTERNS: tuple[tuple[str, Callable[[re.Match[str]], date | None]], ...] = (
    (r"(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})", _year_first),
    (r"ngày (\d{1,2})[-/.](\d{1,2})[-/.](\d{4})", _day_first),
    (r"(?:ngày )?(\d{1,2})[-/.](\d{1,2}) năm (\d{4})", _day_first),
    (r"(?:ngày )?(\d{1,2}) tháng (\d{1,2}) (?:năm )?(\d{4})", _day_first),
    (
        r"(?:ngày )?(\d{1,2}) tháng (mười (?:một|hai)|[^\W\d]+) (?:năm )?(\d{4})",
        lambda match: _with_month_name(match[2], match[1], match[3]),
    ),
    (r"(\d{1,2})\. ?(\d{1,2})\. ?(\d{4})", _day_first),
    (rf"(\d{{1,2}}){_SEPARATOR}(\d{{1,2}}){_SEPARATOR}(\d{{4}})", _day_or_month_first),
    (
        r"(\d{1,2})(?:st|nd|rd|th)?\.?[ -](?:of )?([a-z]+)\.?[ -](\d{4})",
        lambda match: _with_month_name(match[2], match[1], match[3]),
    ),
    (
        r"([a-z]+)\.? (\d{1,2})(?:st|nd|rd|th)? (\d{4})",
        lambda match: _with_month_name(match[1], match[2], match[3]),
    ),
)


def _month(text: str) -> date | None:
    found = _middle_of_month(text)
    if found and found.replace(day=1) > timezone.localdate():
        raise ValueError(_("That time has not come yet."))
    return found


def _middle_of_month(text: str) -> date | None:
    if match := re.search(r"\btháng (\d{1,2})\b.*?\b(\d{4})\b", text):
        return _require_date(_day(int(match[2]), int(match[1]), 15))
    if match := re.search(r"\btháng (mười (?:một|hai)|[^\W\d]+) (?:năm )?(\d{4})\b", text):
        return _day(int(match[2]), MONTHS.get(match[1], 0), 15)
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
    words = re.findall(r"[^\W\d_]+", text)
    # A season says more than "early" or "late": "the end of summer 2002".
    named = [word for word in words if word in SEASONS] or [word for word in words if word in PARTS]
    found = _day(years[0], *PARTS[named[0]]) if named else None
    if found and found - _HALF_A_PART > timezone.localdate():
        raise ValueError(_("That time has not come yet."))
    return found


def _holiday(text: str) -> date | None:
    year = re.search(r"\b(\d{4})\b", text)
    if year is None or int(year[1]) < EARLIEST:
        return None
    found = holiday(text, int(year[1]))
    return _come(found) if found else None


def _decade(text: str) -> date | None:
    """Return the middle of a decade, or of its early or late years.

    Errors: ValueError if it is not sure which decade is meant, or if it is an age: "in my 20s".
    """
    match = _DECADE.search(text)
    if match is None:
        return None
    century, digit = match["century"] or match["century_vi"], match["digit"] or match["digit_vi"]
    tens = 10 * int(digit if digit else _DECADE_NAMES[match["name"]])
    today = timezone.localdate()
    if century:
        starts = [100 * int(century) + tens]
    else:
        starts = [year for year in (1900 + tens, 2000 + tens) if today.year - 110 <= year <= today.year]
    if len(starts) != 1 or (not century and _AGE.search(text[: match.start()])):
        raise ValueError(_("Which years were those? Please write them with four digits, as in “the 1990s”."))
    words = set(re.findall(r"[^\W\d_]+", text[: match.start()]))
    if words & EARLY:
        return _day(starts[0] + 1, 7, 1)
    return _day(starts[0] + 8, 7, 1) if words & LATE else _day(starts[0] + 5, 1, 1)


def _years(text: str) -> date | None:
    """Return the middle of a year, or of the years from the first to the second that is named."""
    years = [int(year) for year in re.findall(r"\b(\d{4})\b", text)]
    days = [_day(year, 1, 1) for year in years[:2]]
    first, last = (days * 2)[:2] if days else (None, None)
    if first is None or last is None or first > last:
        return None
    return first + (last - first) / 2 + timedelta(days=181)


_ROUGH_READERS: tuple[Callable[[str], date | None], ...] = (
    _day_within,
    _holiday,
    _decade,
    _month,
    _part,
    _years,
)
