"""English date and time formats. Formats that are not here are those of Django."""

DATE_FORMAT = "j F Y"
TIME_FORMAT = "H:i"
DATETIME_FORMAT = "j F Y, H:i"
SHORT_DATE_FORMAT = "j M Y"
SHORT_DATETIME_FORMAT = "j M Y, H:i"
PRECISE_DATETIME_FORMAT = "j M Y, H:i:s"
WEEKDAY_DATE_FORMAT = "l j F Y"
MONTH_DAY_FORMAT = "j M"
MONTH_DAY_TIME_FORMAT = "j M, H:i"
YEAR_MONTH_FORMAT = "F Y"
SHORT_YEAR_MONTH_FORMAT = "M Y"
FIRST_DAY_OF_WEEK = 0  # Sunday
