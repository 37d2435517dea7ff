"""Typed text and names, brought into one form before they are stored or compared."""

import unicodedata


def normalize_text(text: str) -> str:
    """Return typed text with composed characters (NFC) and single spaces. It looks as it was typed."""
    return " ".join(unicodedata.normalize("NFC", text).split())


def name_key(name: str) -> str:
    """Return what two spellings of a name have in common: no accents, no case, single spaces.

    It is for matching only: people write the same name in many ways.
    """
    letters = unicodedata.normalize("NFKD", name.casefold())
    return " ".join("".join(char for char in letters if not unicodedata.combining(char)).split())
