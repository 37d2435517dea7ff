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

EARLIEST = 1850  # year; earlier ones are not read as dates
_HALF_A_PART = timedelta(days=46)  # half of a season
# By the tens digit. "tens" only holds its place in the list: it is not read as a decade.
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
# Before a decade: then it is a person's age, as in "in my 20s".
_AGE = re.compile(r"\b(?:my|your|his|her|our|their)(?: (?:early|mid|late))?[ -]'?$")
# Words to leave out when the year is asked for. "Last summer" may be this year's or that of the year before.
_WHICH_OF_TWO = re.compile(
    r"^(?:the |this |past |last )+|(?: (?:vừa rồi|vừa qua|năm đó|này|rồi))+$", re.IGNORECASE
)


class When(NamedTuple):
    """A date. day: the ISO date to sort by. words: the date as it was typed, or "" if the day is exact.

    In `words`, "last year" and the like are replaced by the year, because later they mean another one.
    """

    day: str
    words: str

    @property
    def field_value(self) -> str:
        """Return the text for the form field when it is shown again."""
        return self.words or self.day


def read_when(text: str) -> When:
    """Read "2003", "Feb 2003", "summer 2002", "14.2.2003", "the 90s", "Tết 2003", "năm ngoái" and so on.

    For a rough date, `day` is the middle of its period. Errors: ValueError with a message for the person. It
    is a question if the year is missing, or the text can be read in two ways.
    """
    today = timezone.localdate()
    typed = normalize_text(text)
    if day := recent_day(plain_words(typed), today):
        return When(day.isoformat(), "")
    typed = without_today(typed, today)
    plain = with_full_year(plain_words(typed), today)
    if found := _exact(plain):
        return When(_require_past(found).isoformat(), "")
    for reader in _ROUGH_READERS:
        if found := reader(plain):
            return When(_until_today(found).isoformat(), typed)
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


def period_of(day: str, words: str) -> tuple[date, date]:
    """Return the first and the last day that a stored date may mean: the day itself, if it is exact.

    day: an ISO day. words: as typed; "" if the day is exact. The period of a rough date is about right.
    """
    middle = date.fromisoformat(day)
    if not words:
        return middle, middle
    plain = with_full_year(plain_words(words), timezone.localdate())
    for reader, half in _ROUGH_READERS.items():
        try:
            found = reader(plain)
        except ValueError:
            continue
        if found:
            years = [int(year) for year in re.findall(r"\b(\d{4})\b", plain)] if reader is _years else []
            more = 366 * (years[1] - years[0]) // 2 if len(years) > 1 else 0
            return _shifted(middle, -half.days - more), _shifted(middle, half.days + more)
    return middle, middle


def _shifted(day: date, days: int) -> date:
    """Return the day `days` later, or the last or first day that there is."""
    return date.fromordinal(max(1, min(date.max.toordinal(), day.toordinal() + days)))


def shown(day: str, words: str) -> str:
    """Return a date for a page: the typed words, or else the day formatted in the reader's language."""
    return words or (date_format(date.fromisoformat(day), "SHORT_DATE_FORMAT") if day else "")


def _require_past(found: date) -> date:
    """Return `found` unchanged. Errors: ValueError if that day is in the future."""
    if found > timezone.localdate():
        raise ValueError(_("That day has not come yet."))
    return found


def _until_today(found: date) -> date:
    """Return the middle of a period, or today if that is earlier. Errors: ValueError for a later year."""
    today = timezone.localdate()
    if found.year > today.year:
        raise ValueError(_("That time has not come yet."))
    return min(found, today)


def _day(year: int, month: int, day: int) -> date | None:
    """Return the date; None if there is no such day, or the year is before `EARLIEST`."""
    try:
        return date(year, month, day) if year >= EARLIEST else None
    except ValueError:
        return None


def _require_date(found: date | None) -> date:
    """Return the date. Errors: ValueError if it is None: the text looks like a date, but is not one."""
    if found is None:
        raise ValueError(_("There is no such day in the calendar."))
    return found


def _numbers(match: re.Match[str], one: int, two: int, three: int) -> tuple[int, int, int]:
    return int(match[one]), int(match[two]), int(match[three])


def _exact(text: str) -> date | None:
    """Return the day if the whole text is one exact date."""
    for pattern, read in _DAY_PATTERNS:
        if match := re.fullmatch(pattern, text):
            return read(match)
    return None


def _day_within(text: str) -> date | None:
    """Return the exact day in a text with other words. Errors: ValueError if it can be read in two ways."""
    for pattern, read in _DAY_PATTERNS:
        for match in re.finditer(rf"(?<![\w/.-]){pattern}(?![\w/-])", text):
            if found := read(match):
                return _require_past(found)
    return None


def _year_first(match: re.Match[str]) -> date | None:
    return _require_date(_day(*_numbers(match, 1, 2, 3)))


def _day_first(match: re.Match[str]) -> date | None:
    return _require_date(_day(*_numbers(match, 3, 2, 1)))


def _with_month_name(month: str, day: str, year: str) -> date | None:
    return _require_date(_day(int(year), MONTHS[month], int(day))) if month in MONTHS else None


def _day_or_month_first(match: re.Match[str]) -> date | None:
    """Read day/month/year or month/day/year. Errors: ValueError if both would be dates."""
    first, second, year = _numbers(match, 1, 2, 3)
    one, other = _day(year, second, first), _day(year, first, second)
    if one and other and one != other:
        raise ValueError(
            _("That could be %(one)s or %(other)s. Please write the month as a word.")
            % {"one": date_format(one, "SHORT_DATE_FORMAT"), "other": date_format(other, "SHORT_DATE_FORMAT")}
        )
    return _require_date(one or other)


_SEPARATOR = " ?[/–-] ?"
# Each way to write a day, and the function that reads it. With dots or Vietnamese words, the day comes first.
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
    """Return the middle of a month that is named with its year. Errors: ValueError if it is in the future."""
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
    """Return the middle of a season or part of a year. Errors: ValueError if that is in the future."""
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
    """Return the day of a holiday that is named with its year. Errors: ValueError if it is in the future."""
    year = re.search(r"\b(\d{4})\b", text)
    if year is None or int(year[1]) < EARLIEST:
        return None
    found = holiday(text, int(year[1]))
    return _require_past(found) if found else None


def _decade(text: str) -> date | None:
    """Return the middle of a decade, or of its early or late years.

    Errors: ValueError if two decades can be meant, or if it is an age: "in my 20s".
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
        oldest = today.year - 110  # no patient remembers an earlier decade
        starts = [year for year in (1900 + tens, 2000 + tens) if oldest <= year <= today.year]
    if len(starts) != 1 or (not century and _AGE.search(text[: match.start()])):
        raise ValueError(_("Which years were those? Please write them with four digits, as in “the 1990s”."))
    words = set(re.findall(r"[^\W\d_]+", text[: match.start()]))
    start = starts[0]
    if words & EARLY:
        return _day(start + 1, 7, 1)
    if words & LATE:
        return _day(start + 8, 7, 1)
    return _day(start + 5, 1, 1)


def _years(text: str) -> date | None:
    """Return the middle of a year, or of the period between the first two years in the text."""
    years = [int(year) for year in re.findall(r"\b(\d{4})\b", text)]
    if not years:
        return None
    first = _day(years[0], 1, 1)
    last = _day(years[1], 1, 1) if len(years) > 1 else first
    if first is None or last is None or first > last:
        return None
    return first + (last - first) / 2 + timedelta(days=181)  # 181: from 1 January to the middle of the year


# Each way to read a rough date, and half of the period that it means.
_ROUGH_READERS: dict[Callable[[str], date | None], timedelta] = {
    _day_within: timedelta(0),
    _holiday: timedelta(1),
    _decade: timedelta(5 * 365),
    _month: timedelta(15),
    _part: _HALF_A_PART,
    _years: timedelta(183),
}
