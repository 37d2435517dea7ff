"""Compares the name of a case's subject with the name of a person. The subject's name is stored encrypted."""

from clinic.names import name_key


def comparable(name: str) -> str:
    """Return a form of `name` that is equal for all its spellings; "" for a name of one word.

    The order of the words does not count: a family name is written first by some and last by others. Many
    people share a first name.
    """
    words = name_key(name).split()
    return " ".join(sorted(words)) if len(words) > 1 else ""
