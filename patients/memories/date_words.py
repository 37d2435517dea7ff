"""The English and Vietnamese words in dates, and functions that add the year where it is not written out."""

import re
from datetime import date, timedelta

from django.utils.formats import date_format

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
} | {"mười một": 11, "mười hai": 12}  # fmt: skip
# Month and day in the middle of each part of a year, for the northern hemisphere. An English winter belongs
# to the year in which most of it lies.
SEASONS = {
    "spring": (4, 15), "summer": (7, 15), "fall": (10, 15), "autumn": (10, 15), "winter": (1, 15),
    "xuân": (3, 1), "hè": (6, 1), "hạ": (6, 1), "thu": (9, 1), "đông": (12, 15),
}  # fmt: skip
EARLY = frozenset({"early", "beginning", "start", "đầu"})
LATE = frozenset({"late", "end", "cuối"})
MIDDLE = frozenset({"mid", "middle", "giữa"})
PARTS = (
    SEASONS | dict.fromkeys(EARLY, (2, 15)) | dict.fromkeys(LATE, (11, 15)) | dict.fromkeys(MIDDLE, (7, 1))
)
# Words for a time that has not come yet.
NOT_COME = re.compile(
    r"^(?:the )?next (?:year|month|week|spring|summer|fall|autumn|winter|christmas)\b|\btomorrow\b"
    r"|\bngày mai\b|\bsang năm\b|\b(?:năm|tháng|tuần) (?:sau|tới)\b"
)
_DAYS_AGO = {"now": 0, "bây giờ": 0, "today": 0, "hôm nay": 0, "yesterday": 1, "hôm qua": 1, "hôm kia": 2}

_NUMBERS = {
    word: number
    for number, words in enumerate(
        ("một a an one", "hai two", "ba three", "bốn four", "năm five", "sáu six", "bảy seven", "tám eight",
         "chín nine", "mười ten"),
        start=1,
    )
    for word in words.split()
}  # fmt: skip
_NUMBER = rf"(\d{{1,3}}|{'|'.join(_NUMBERS)})"
# Patterns for a time before today. For each, how many years ago that is (None: the pattern finds the number),
# and the word to write before the year.
_YEARS_AGO = (
    (rf"\b{_NUMBER} years? ago\b", None, ""),
    (rf"\b(?:cách đây )?{_NUMBER} năm (?:về )?trước\b", None, "năm "),
    (rf"\bcách đây {_NUMBER} năm\b", None, "năm "),
    (r"\b(?:the )?year before last\b", 2, ""),
    (r"\bn[aă]m kia\b", 2, "năm "),
    (r"\blast year\b", 1, ""),
    (r"(?<!những )\bn[aă]m (?:ngo[aá]i|rồi|trước|vừa rồi|vừa qua)\b", 1, "năm "),
    (r"\bthis year\b", 0, ""),
    (r"\bn[aă]m nay\b", 0, "năm "),
)
_MONTHS_AGO = (
    (rf"\b{_NUMBER} months? ago\b", None),
    (rf"\b(?:cách đây )?{_NUMBER} tháng (?:về )?trước\b", None),
    (rf"\bcách đây {_NUMBER} tháng\b", None),
    (r"\blast month\b|\btháng (?:trước|rồi)\b", 1),
    (r"\bthis month\b|\btháng này\b", 0),
)
# Vietnamese words typed without accents. Only patterns in which they cannot mean anything else.
_WITHOUT_ACCENTS = (
    (r"\bthang(?= \d)", "tháng"),
    (r"\bngay(?= \d)", "ngày"),
    (r"\bnhung nam\b", "những năm"),
    (r"\bthap (?:nien|ky|ki)\b", "thập niên"),
    (r"\bnam(?= \d)", "năm"),
    (r"\bmua xuan\b", "mùa xuân"),
    (r"\bmua he\b", "mùa hè"),
    (r"\bmua thu\b", "mùa thu"),
    (r"\bmua dong\b", "mùa đông"),
    (r"\bdau(?= (?:năm|tháng|những|thập))", "đầu"),
    (r"\bcuoi(?= (?:năm|tháng|những|thập))", "cuối"),
    (r"\bgiua(?= (?:năm|tháng|những|thập))", "giữa"),
)
_MONTH_NAME = "|".join(name for name in MONTHS if name.isascii())
# A year of two digits at the end, after words that show that it is one. "Thu" alone may be a Thursday. After
# a month alone, only a number that is no day counts as a year.
_BEFORE_SHORT_YEAR = re.compile(
    rf"(?:\b(?:{'|'.join(word for word in PARTS if word != 'thu')}|mùa thu|christmas|noel|giáng sinh|tết)"
    rf"|(?<!những )\bnăm"
    rf"|\b\d{{1,2}}(?:st|nd|rd|th)? (?:of )?(?:{_MONTH_NAME})\.?"
    rf"|\b(?:{_MONTH_NAME})\.? \d{{1,2}}(?:st|nd|rd|th)?"
    rf"|\b(?:{_MONTH_NAME})\.?(?= (?:00|3[2-9]|[4-9]\d)$)) (\d\d)$"
)


def plain_words(typed: str) -> str:
    """Return typed words in lower case with single spaces, without commas, Vietnamese with its accents."""
    plain = " ".join(typed.lower().replace(",", " ").replace("’", "'").split())
    for pattern, accented in _WITHOUT_ACCENTS:
        plain = re.sub(pattern, accented, plain)
    return plain


def recent_day(plain: str, today: date) -> date | None:
    """Return the day that a word such as "yesterday" means; None for other words."""
    return today - timedelta(days=_DAYS_AGO[plain]) if plain in _DAYS_AGO else None


def without_today(typed: str, today: date) -> str:
    """Return typed words with the year (or month and year) in place of "last year" and the like.

    The words are stored, and "last year" would mean another year later.
    """
    if re.search(r"\d{4}", typed):
        return typed
    for pattern, ago, before in _YEARS_AGO:
        if found := re.search(pattern, typed, re.IGNORECASE):
            year = today.year - _count(found, ago)
            return f"{typed[: found.start()]}{before}{year}{typed[found.end() :]}"
    for pattern, ago in _MONTHS_AGO:
        if found := re.search(pattern, typed, re.IGNORECASE):
            year, month_index = divmod(today.year * 12 + today.month - 1 - _count(found, ago), 12)
            words = date_format(date(year, month_index + 1, 1), "YEAR_MONTH_FORMAT")
            return f"{typed[: found.start()]}{words}{typed[found.end() :]}"
    return typed


def _count(found: re.Match[str], ago: int | None) -> int:
    """Return how many years or months ago: `ago`, or else the number that the pattern found."""
    return ago if ago is not None else _NUMBERS.get(found[1].lower()) or int(found[1])


def with_full_year(plain: str, today: date) -> str:
    """Return `plain` with four digits for a two-digit year: "'03", "summer 03", "14 Feb 03", "năm 98"."""
    found = re.search(r"(?<!\w)'(\d\d)\b(?!')", plain) or _BEFORE_SHORT_YEAR.search(plain)
    if not found or re.search(r"\d{4}", plain):
        return plain
    year = 2000 + int(found[1])
    start = found.start() if found[0].startswith("'") else found.start(1)
    return f"{plain[:start]}{year if year <= today.year else year - 100}{plain[found.end() :]}"
