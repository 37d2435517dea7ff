"""Compares the name of a case's subject with the name of a person. The subject's name is stored encrypted."""

import unicodedata


def normalized(name: str) -> str:
    """Return a name without accents, case and extra spaces: people write the same name in many ways."""
    letters = unicodedata.normalize("NFKD", name.casefold())
    return " ".join("".join(char for char in letters if not unicodedata.combining(char)).split())


def comparable(name: str) -> str:
    """Return a normalized name of at least two words, or "": many people share a first name."""
    short = normalized(name)
    return short if " " in short else ""
