"""How each language writes days and times: the names that `date` and `date_format` are given.

Django's `M` and `F` are the names of months as they stand alone, which Vietnamese writes with a capital and
never so inside a date.
"""
