"""Find the encoding of a letter, and clean its text, so that it can be shown and stored."""

from __future__ import annotations

import codecs
import re
import unicodedata

BINARY_CONTROLS = re.compile(r"[\x00-\x06\x0e-\x1a\x1c-\x1f\x7f\ufffe\uffff]")
_MIN_ZEROS = 0.4  # of the upper bytes of UTF-16: English and Vietnamese have more that are zero
_MAX_ACCENTED = 0.3  # of a letter typed on Windows: accented letters and typographic signs


def text_encoding(data: bytes) -> str | None:
    """Return Python's name of a text's encoding: UTF-8, UTF-16 or Windows-1252; None if it is none of them.

    An incomplete last character is accepted. UTF-16 without a byte order mark, as Notepad wrote it, is
    recognized by its zero bytes. Windows-1252 is accepted only if most of the text is ASCII. Otherwise the
    bytes may be another alphabet, which would be read as wrong letters, or no text at all.
    """
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16" if _decodes(data, "utf-16") else None
    if _decodes(data, "utf-8-sig") and b"\0" not in data:
        return "utf-8-sig"
    for encoding, upper in (("utf-16-le", data[1::2]), ("utf-16-be", data[::2])):
        zeros = upper.count(0)
        # A zero among the lower bytes would be no character of a letter.
        if zeros == data.count(0) and zeros > _MIN_ZEROS * len(upper) and _decodes(data, encoding):
            return encoding
    accented = sum(byte >= 0x80 for byte in data)
    # A byte order mark inside is no text of Windows, but a piece of UTF-16.
    if accented > _MAX_ACCENTED * len(data) or b"\xff\xfe" in data or b"\xfe\xff" in data:
        return None
    return (
        "cp1252" if _decodes(data, "cp1252") and not BINARY_CONTROLS.search(data.decode("cp1252")) else None
    )


def _decodes(data: bytes, encoding: str) -> bool:
    try:
        codecs.getincrementaldecoder(encoding)().decode(data)
    except UnicodeDecodeError:
        return False
    return True


# Characters that reverse the text around them could make the page that shows a letter misleading.
_DIRECTION_MARKS = re.compile("[\u202a-\u202e\u2066-\u2069]")


def clean_text(raw: str) -> str:
    """Return text with composed characters (NFC) and line feeds as line ends.

    Characters are removed that are control characters, surrogates, private, unassigned or overrides of
    direction.
    """
    lines = re.sub(r"\r\n?|[\v\f\x85\u2028\u2029]", "\n", unicodedata.normalize("NFC", raw))
    kept = "".join(
        char for char in lines if char in "\n\t" or unicodedata.category(char) not in ("Cc", "Cs", "Co", "Cn")
    )
    return _DIRECTION_MARKS.sub("", kept).strip("\n")
