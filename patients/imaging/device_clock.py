"""Decide whether a time that a device stored can be the time at which a picture or recording was taken.

This runs in the decoder process too, so it imports nothing that opens files.
"""

from datetime import date, datetime, timedelta

# Where a clock begins that was never set: 1904 on a Mac and in MP4, 1970 on Unix, 1980 in DOS. West
# of Greenwich the first two are shown as the day before.
_FIRST_DAYS = frozenset({(1904, 1, 1), (1903, 12, 31), (1970, 1, 1), (1969, 12, 31), (1980, 1, 1)})
_FIRST_PHOTOGRAPH = 1826
AHEAD = timedelta(hours=14)  # no clock on earth is further ahead of UTC


def is_possible(time: datetime, latest: datetime) -> bool:
    """Return whether something can have been taken at `time`; False if it is where a clock begins.

    latest: the latest time that is possible. Both are without time zone. A clock without battery often begins
    at midnight of 1 January of the year in which it was made. Programs that know only a year store the same
    time.
    """
    if time.year < _FIRST_PHOTOGRAPH or time > latest:
        return False
    if (time.year, time.month, time.day) in _FIRST_DAYS:
        return False
    return (time.month, time.day, time.hour, time.minute) != (1, 1, 0, 0)


def believable_day(taken: str, today: date) -> str:
    """Return the day in `taken` as ISO text; empty if nothing can have been taken then.

    taken: a day or a time as ISO text.
    """
    day, is_time = taken[:10], len(taken) > 10
    if day > today.isoformat() or (is_time and not is_possible(datetime.fromisoformat(taken), datetime.max)):
        return ""
    return day
