"""Typesets papers as PDF/A-3, with the fonts of the site."""

import json
import re
from collections.abc import Collection, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, Literal
from unicodedata import category, name

import typst

from clinic.names import compose

TEMPLATES = Path(__file__).resolve().parents[2] / "templates"
PAPERS = TEMPLATES / "clinic" / "papers"
# Libre Caslon Text and Courier Prime have no Vietnamese letters (docs/look.md). An English PDF takes only the
# missing letters from the second font, a Vietnamese PDF uses that font for everything.
# Names may have other letters: the typesetter brings fonts with Greek, Cyrillic, Hebrew, Armenian, Georgian
# and more Latin letters.
OTHER_LETTERS = ["Libertinus Serif", "New Computer Modern", "DejaVu Sans Mono"]
FONTS = {
    language: {
        "serif": [*serif, *OTHER_LETTERS],
        "mono": [*mono, *reversed(OTHER_LETTERS)],
        "sans": ["Libre Franklin", *OTHER_LETTERS],
    }
    for language, serif, mono in [
        ("en", ["Libre Caslon Text", "Newsreader"], ["Courier Prime", "IBM Plex Mono"]),
        ("vi", ["Newsreader", "Libre Caslon Text"], ["IBM Plex Mono", "Courier Prime"]),
    ]
}
# All characters except those that our own fonts can draw in every style. PDF/A allows no missing glyphs.
UNDRAWABLE = re.compile(
    "[^\u0020-\u007e\u00a0-\u00ac\u00ae-\u017e\u01a0\u01a1\u01af\u01b0\u0218-\u021b\u1ea0-\u1ef9"
    "\u2013\u2014\u2018-\u201a\u201c-\u201e\u2026]"
)
# Each trial takes 6 ms. If both halves of more letters than this fail, all of them count as missing: a text
# in a script that no font has would take hundreds of trials.
MOST_TRIED = 32


def fonts_for(language: str) -> dict[str, list[str]]:
    """Return the fonts of a paper in `language`, by style: serif, mono, sans."""
    return FONTS.get(language, FONTS["en"])


def can_draw(text: str, language: str) -> bool:
    """Return whether the fonts have every letter of a text. Where our own may lack one, a trial decides."""
    if not UNDRAWABLE.search(text):
        return True
    try:
        _compile(PAPERS / "trial.typ", {"text": text, "fonts": fonts_for(language)}, ["a-3a"])
    except typst.TypstError:
        return False
    return True


def drawable(value: Any, language: str) -> Any:
    """Return `value` with its characters composed, and "?" for those that no font has.

    value: a text, or lists and dicts of texts.
    """
    return without_letters(value, missing_letters(value, language))


def missing_letters(value: Any, language: str) -> set[str]:
    """Return the letters in the texts of `value` that no font has. It typesets trials, which take time.

    value: as for `drawable`.
    """
    foreign = {letter for text in _texts(value) for letter in _foreign_letters(_composed(text))}
    scripts: dict[str, list[str]] = {}
    for letter in sorted(foreign):
        scripts.setdefault(name(letter[0], "").split(" ")[0], []).append(letter)
    return {letter for script in scripts.values() for letter in _missing_of_script(script, language)}


def without_letters(value: Any, missing: Collection[str]) -> Any:
    """Return `value` with its characters composed, and "?" for each of the `missing` letters.

    value: as for `drawable`.
    """
    if isinstance(value, str):
        return "".join("?" if letter in missing else letter for letter in _letters(_composed(value)))
    if isinstance(value, list | tuple):
        return [without_letters(inner, missing) for inner in value]
    if isinstance(value, dict):
        return {key: without_letters(inner, missing) for key, inner in value.items()}
    return value


def typeset(template: str, data: dict[str, Any], moment: datetime) -> bytes:
    """Return the paper that a template makes of `data`, as PDF/A-3. The same content gives the same bytes.

    template: path in the folder of templates. moment: when the paper was made.
    """
    return _compile(TEMPLATES / template, data, ["a-3a", "ua-1"], moment)


def _compile(
    template: Path,
    data: dict[str, Any],
    standards: list[Literal["a-3a", "ua-1"]],
    moment: datetime | None = None,
) -> bytes:
    return typst.compile(
        template,
        root=TEMPLATES,
        font_paths=[PAPERS / "fonts"],
        ignore_system_fonts=True,
        format="pdf",
        sys_inputs={"data": json.dumps(data)},
        pdf_standards=[*standards],
        timestamp=int(moment.timestamp()) if moment else None,
    )


def _composed(text: str) -> str:
    return compose(text.replace("\u202f", "\u00a0"))


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list | tuple | dict):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _texts(inner)


def _letters(text: str) -> list[str]:
    """Return the letters of a text, each with the combining marks that follow it."""
    found: list[str] = []
    for char in text:
        if found and category(char).startswith("M"):
            found[-1] += char
        else:
            found.append(char)
    return found


def _foreign_letters(text: str) -> set[str]:
    """Return the letters of a text that our own fonts may lack."""
    if not UNDRAWABLE.search(text):
        return set()
    return {letter for letter in _letters(text) if UNDRAWABLE.search(letter)}


def _missing_of_script(letters: list[str], language: str) -> list[str]:
    """Return those of `letters` that no font has, found by halving; see `MOST_TRIED`."""
    if can_draw(" ".join(letters), language):
        return []
    if len(letters) == 1:
        return letters
    halves = letters[: len(letters) // 2], letters[len(letters) // 2 :]
    if len(letters) > MOST_TRIED and not any(can_draw(" ".join(half), language) for half in halves):
        return letters
    return [letter for half in halves for letter in _missing_of_script(half, language)]
