"""Letters that are kept as text: their words, and what of them the page that fades does not show."""

from patients.imaging.letter_page import undrawn
from patients.keepsakes.models import Keepsake, KeepsakeFields
from patients.vault.keys import KeyGone
from patients.vault.objects import read
from patients.vault.stream import Tampered


def letter_text(row: Keepsake) -> str:
    """Return the current text of a letter; empty if it is not stored as text.

    Errors: KeyGone, Tampered, OSError from the vault.
    """
    if row.form != Keepsake.Form.TEXT or row.picture is None:
        return ""
    return read(row.picture).decode()


def undrawn_letters(row: Keepsake, fields: KeepsakeFields) -> int:
    """Return how many letters of its text the page does not show; 0 if it is no text or cannot be read.

    `fields` are those of `row`. A letter that was brought before they were counted is read for it.
    """
    if fields.undrawn is not None or not fields.words:
        return fields.undrawn or 0
    try:
        return undrawn(letter_text(row))
    except (KeyGone, Tampered, OSError):
        return 0
