"""Date and time formats of each language, by the names that `date` and `date_format` take.

Django's `M` and `F` give month names as they are written alone. In Vietnamese these have a capital letter,
which is wrong inside a date.
"""
