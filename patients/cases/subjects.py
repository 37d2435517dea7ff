"""Compares the name of a case's subject with the name of a person. The subject's name is stored encrypted."""

from clinic.names import name_key


def comparable(name: str) -> str:
    """Return what two spellings of a name of at least two words have in common; "" for a single word.

    Many people share a first name.
    """
    key = name_key(name)
    return key if " " in key else ""
