"""Marks of the state that a page showed. A page with a button carries one.

An action without text, such as a decision, is refused if the state is no longer the one that the page showed.
"""

import json
from typing import Any

from django.utils.crypto import constant_time_compare

from clinic.keyed_digests import keyed_digest, keyed_digests

FIELD = "seen"
SALT = "clinic.edits.seen"
DIGITS = 20  # hexadecimal digits


def seen_mark(about: str, *state: Any) -> str:
    """Return the mark of a state.

    about: the object, as "keepsake:<id>". state: values that JSON can hold, or that str() tells apart.
    """
    return keyed_digest(SALT, _text_of(about, *state))[:DIGITS]


def is_seen(posted: str, about: str, *state: Any) -> bool:
    """Return whether `posted` is the mark of this state. If so, the page showed the present state."""
    marks = keyed_digests(SALT, _text_of(about, *state))
    return any(constant_time_compare(posted, mark[:DIGITS]) for mark in marks)


def _text_of(about: str, *state: Any) -> str:
    return json.dumps([about, *state], default=str, sort_keys=True)
