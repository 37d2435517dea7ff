"""Vietnamese date and time formats: the month is the word "tháng" and a number.

`3/4/2003` would be shorter. But people type dates as they see them, and this could be read as March or April.
"""

FIRST_DAY_OF_WEEK = 1  # Monday
DATE_FORMAT = SHORT_DATE_FORMAT = r"j \t\há\n\g n, Y"
TIME_FORMAT = "H:i"
DATETIME_FORMAT = SHORT_DATETIME_FORMAT = r"H:i, j \t\há\n\g n, Y"
PRECISE_DATETIME_FORMAT = r"H:i:s, j \t\há\n\g n, Y"
WEEKDAY_DATE_FORMAT = r"l, j \t\há\n\g n, Y"
MONTH_DAY_FORMAT = r"j \t\há\n\g n"
MONTH_DAY_TIME_FORMAT = r"H:i, j \t\há\n\g n"
YEAR_MONTH_FORMAT = SHORT_YEAR_MONTH_FORMAT = r"\t\há\n\g n, Y"
