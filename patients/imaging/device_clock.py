"""Decides which times that a device stored can be when something was taken.

This runs in the decoder process too, so it imports nothing that opens files.
"""

from datetime import date, datetime, timedelta

# The days on which clocks begin that were never set: 1904 on a Mac and in MP4, 1970 on Unix, 1980 in DOS.
# West of Greenwich the first two are still the day before.
_FIRST_DAYS = frozenset({(1904, 1, 1), (1903, 12, 31), (1970, 1, 1), (1969, 12, 31), (1980, 1, 1)})
_FIRST_PHOTOGRAPH = 1826
AHEAD = timedelta(hours=14)  # no clock on earth is further ahead of UTC


def is_possible(time: datetime, latest: datetime) -> bool:
    """Return whether something can have been taken at `time`, and not only a clock stood there.

    Both times are without time zone. A clock without battery often begins at midnight of 1 January of the
    year in which it was made, and programs store a year alone in the same way.
    """
    if time.year < _FIRST_PHOTOGRAPH or time > latest:
        return False
    if (time.year, time.month, time.day) in _FIRST_DAYS:
        return False
    return (time.month, time.day, time.hour, time.minute) != (1, 1, 0, 0)


def believable_day(taken: str, today: date) -> str:
    """Return the ISO day of `taken` (ISO text, a day or a time); empty if it cannot be the day of taking."""
    day, is_time = taken[:10], len(taken) > 10
    if day > today.isoformat() or (is_time and not is_possible(datetime.fromisoformat(taken), datetime.max)):
        return ""
    return day
