"""Vietnamese days and times: the month by its number, and named as one.

`3/4/2003` would be shorter, but people type back what they are shown, and there it could be March or April.
"""

DATE_FORMAT = SHORT_DATE_FORMAT = r"j \t\há\n\g n, Y"
TIME_FORMAT = "H:i"
DATETIME_FORMAT = SHORT_DATETIME_FORMAT = r"H:i, j \t\há\n\g n, Y"
PRECISE_DATETIME_FORMAT = r"H:i:s, j \t\há\n\g n, Y"
WEEKDAY_DATE_FORMAT = r"l, j \t\há\n\g n, Y"
MONTH_DAY_FORMAT = r"j \t\há\n\g n"
MONTH_DAY_TIME_FORMAT = r"H:i, j \t\há\n\g n"
YEAR_MONTH_FORMAT = SHORT_YEAR_MONTH_FORMAT = r"\t\há\n\g n, Y"
