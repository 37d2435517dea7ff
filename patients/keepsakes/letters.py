"""Letters that are stored as text: the text, and how much of it the drawn page does not show."""

from patients.imaging.letter_page import count_undrawn
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


def count_undrawn_characters(row: Keepsake, fields: KeepsakeFields) -> int:
    """Return how many characters of a letter its page does not show; 0 if it is no text or cannot be read.

    `fields` are those of `row`. Older letters have no count there. For them the text is read and counted.
    """
    if fields.undrawn is not None or not fields.words:
        return fields.undrawn or 0
    try:
        return count_undrawn(letter_text(row))
    except (KeyGone, Tampered, OSError):
        return 0
