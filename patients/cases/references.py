"""Makes file numbers (case references), reads them as people type them, and notices mistyped ones.

A number such as 2026-4837-1591 has the year, random digits, and two check digits by ISO 7064 MOD 97-10: all
its digits, read as one number, leave 1 when divided by 97. One wrong digit, or two neighbours swapped, is
always noticed. The digits are random, so a number tells nothing of how many files there are.

Earlier releases gave the year and four random digits (2004-0219), without check digits. These numbers stay
valid.
"""

import re
import secrets
import unicodedata

OLD_DIGITS = 8
RANDOM_DIGITS = 6
MOST_RANDOM_DIGITS = 14  # the longest number still fits the database column
GROUP = 4  # digits between two dashes: people read numbers aloud in groups
SEPARATORS = re.compile(r"[\s./_\u2010-\u2015\u2212-]")
YEAR = re.compile(r"20\d\d")


def new_reference(year: int, random_digits: int = RANDOM_DIGITS) -> str:
    """Return a random file number of a year. The caller must check that no case has it.

    random_digits: how many random digits, an even number.
    """
    digits = f"{year:04d}{secrets.randbelow(10**random_digits):0{random_digits}d}"
    return _in_groups(f"{digits}{check_digits(digits)}")


def check_digits(digits: str) -> str:
    """Return the two check digits of `digits` (ISO 7064 MOD 97-10)."""
    return f"{98 - int(digits) * 100 % 97:02d}"


def read_reference(text: str) -> str:
    """Return a typed file number in its standard form, such as "2026-4837-1591"; "" if it is none.

    Spaces, dashes and other separators may be anywhere or missing.
    """
    digits = _digits_of(text)
    if len(digits) == OLD_DIGITS or (_may_be_new(digits) and int(digits) % 97 == 1):
        return _in_groups(digits)
    return ""


def is_mistyped(text: str) -> bool:
    """Return whether the text looks like a file number with a wrong or missing digit.

    Always False for eight digits: a number of earlier releases has no check digits.
    """
    digits = _digits_of(text)
    if len(digits) <= OLD_DIGITS or not YEAR.match(digits) or read_reference(text):
        return False
    # Digits of another length may be a telephone number. They count as a file number only if a separator
    # follows the year.
    return len(digits) == OLD_DIGITS + GROUP or bool(SEPARATORS.match(text.strip(), GROUP))


def _digits_of(text: str) -> str:
    """Return the digits of a text that has only digits and separators, else ""."""
    digits = SEPARATORS.sub("", unicodedata.normalize("NFKC", text))
    return digits if digits.isascii() and digits.isdecimal() else ""


def _may_be_new(digits: str) -> bool:
    """Return whether a number has as many digits as `new_reference` may give it."""
    year_digits, checks = 4, 2
    random_digits = len(digits) - year_digits - checks
    return RANDOM_DIGITS <= random_digits <= MOST_RANDOM_DIGITS and random_digits % 2 == 0


def _in_groups(digits: str) -> str:
    return "-".join(digits[start : start + GROUP] for start in range(0, len(digits), GROUP))
