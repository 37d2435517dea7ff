"""Finds the day of a holiday that is named in English or Vietnamese."""

import re
from datetime import date, timedelta

# The day of the year on which Tết is, the first day of the Vietnamese lunar year. From 1968 on it follows
# from the new moons after Meeus, "Astronomical Algorithms", in UTC+7, by the rules of Hồ Ngọc Đức:
# https://www.informatik.uni-leipzig.de/~duc/amlich/calrules_en.html. Before, Vietnam kept the Chinese
# calendar; those days are from the tables on the same pages.
_TET_FROM = 1900
_TET = (
    31, 50, 39, 29, 47, 35, 25, 44, 33, 22, 41, 30, 49, 37, 26, 45, 34, 23, 42, 32,
    51, 39, 28, 47, 36, 24, 44, 33, 23, 41, 30, 48, 37, 26, 45, 35, 24, 42, 31, 50,
    39, 27, 46, 36, 25, 44, 33, 22, 41, 29, 48, 37, 27, 45, 34, 24, 43, 31, 49, 39,
    28, 46, 36, 25, 44, 33, 21, 40, 29, 47, 37, 27, 46, 34, 23, 42, 31, 49, 38, 28,
    47, 36, 25, 44, 33, 21, 40, 29, 48, 37, 27, 46, 35, 23, 41, 31, 50, 38, 28, 47,
    36, 24, 43, 32, 22, 40, 29, 48, 38, 26, 45, 34, 23, 41, 31, 50, 39, 28, 47, 36,
    25, 43, 32, 22, 41, 29, 48, 37, 26, 44, 33, 23, 42, 31, 50, 39, 28, 46, 35, 24,
    43, 32, 22, 41, 30, 48, 37, 26, 45, 33, 23,
)  # fmt: skip
_TET_MIDDLE = 36  # 5 February, the middle of the days on which Tết can be

# Pattern, month and day; the first pattern that matches counts. Holidays of the lunar calendar other than Tết
# get the middle of the days on which they can be.
_FIXED = tuple(
    (re.compile(rf"\b(?:{words})\b"), month, day)
    for words, month, day in (
        (r"christmas eve|đêm (?:giáng sinh|noel|nô-?en)", 12, 24),
        (r"christmas|x-?mas|gi[aá]ng sinh|noel|nô-?en", 12, 25),
        (r"valentine(?:'?s)?|lễ tình nhân", 2, 14),
        (r"hallowe'?en", 10, 31),
        (r"independence day|(?:4th|fourth) of july", 7, 4),
        (r"t[eế]t (?:dương lịch|tây|tay)", 1, 1),
        (r"tết thiếu nhi", 6, 1),
        (r"(?:tết )?trung thu", 9, 22),
        (r"tết đoan ngọ", 6, 12),
    )
)
_NEW_YEAR = ((re.compile(r"\bnew year'?s eve\b"), 12, 31), (re.compile(r"\bnew year(?:'?s)?\b"), 1, 1))
_TET_WORDS = re.compile(r"\bt[eế]t\b|\bgiao thừa\b|\b(?:lunar|chinese|vietnamese) new year\b")
_DAY_OF_TET = re.compile(r"\bm[uùoồ]ng (\d{1,2}|một|hai|ba|bốn|năm|sáu|bảy) t[eế]t\b")
_EVE_OF_TET = re.compile(
    r"\bgiao thừa\b|\b(?:29|30|ba mươi) t[eế]t\b|\b(?:lunar|chinese|vietnamese) new year'?s eve\b"
)
_NUMBERS = {"một": 1, "hai": 2, "ba": 3, "bốn": 4, "năm": 5, "sáu": 6, "bảy": 7}


def holiday(text: str, year: int) -> date | None:
    """Return the day in `year` of the holiday that `text` names; None if it names none.

    text: in lower case.
    """
    for words, month, day in _FIXED:
        if words.search(text):
            return date(year, month, day)
    if re.search(r"\bthanksgiving\b", text):
        first = date(year, 11, 1)
        days_to_thursday = (3 - first.weekday()) % 7
        return first + timedelta(days=days_to_thursday + 21)  # the fourth Thursday of November
    if re.search(r"\beaster\b|\bphục sinh\b", text):
        return _easter(year)
    if _TET_WORDS.search(text):
        return tet(year) + timedelta(days=_days_after_tet(text))
    for words, month, day in _NEW_YEAR:
        if words.search(text):
            return date(year, month, day)
    return None


def tet(year: int) -> date:
    """Return the first day of the Vietnamese lunar year. Outside 1900 to 2050 the day is approximate."""
    is_known = 0 <= year - _TET_FROM < len(_TET)
    day_of_year = _TET[year - _TET_FROM] if is_known else _TET_MIDDLE
    return date(year, 1, 1) + timedelta(days=day_of_year - 1)


def _days_after_tet(text: str) -> int:
    """Return how many days after the first day of Tết the text means; -1 for its eve."""
    if _EVE_OF_TET.search(text):
        return -1
    if found := _DAY_OF_TET.search(text):
        number = _NUMBERS.get(found[1]) or int(found[1])
        return number - 1 if 1 <= number <= 10 else 0
    return 0


def _easter(year: int) -> date:
    """Return Easter Sunday (Meeus, "Astronomical Algorithms", chapter 8; Gregorian calendar)."""
    a, (b, c) = year % 19, divmod(year, 100)
    h = (19 * a + b - b // 4 - (b - (b + 8) // 25 + 1) // 3 + 15) % 30
    rest = (32 + 2 * (b % 4) + 2 * (c // 4) - h - c % 4) % 7
    month, day = divmod(h + rest - 7 * ((a + 11 * h + 22 * rest) // 451) + 114, 31)
    return date(year, month, day + 1)
