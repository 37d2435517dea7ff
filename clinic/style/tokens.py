"""The design tokens of static/tokens.css, read from the file so that the style page always shows them."""

import re
from dataclasses import dataclass
from pathlib import Path

from django.contrib.staticfiles import finders

STYLE_SHEET = "tokens.css"


@dataclass(frozen=True)
class Color:
    """A color token. value: #rrggbb.

    on_paper: contrast of text in this color on the paper color. white_on_it: contrast of white text on this
    color. Both are from 1 to 21.
    """

    name: str
    value: str
    on_paper: float
    white_on_it: float


@dataclass(frozen=True)
class Tokens:
    """The tokens of the style sheet by kind. Names are without the leading dashes."""

    colors: list[Color]
    type: dict[str, str]
    space: dict[str, int]
    motion: dict[str, str]


def luminance(color: str) -> float:
    """Return the relative luminance of #rrggbb, 0 to 1 (as WCAG 2.2 defines it)."""
    channels = [int(color[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """Return the contrast ratio, 1 to 21, of two colors as #rrggbb (as WCAG 2.2 defines it)."""
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def defined(css: str) -> dict[str, str]:
    """Return the custom properties of the first :root of a style sheet, in order.

    Later rules, which change them for media or languages, are not read.
    """
    body = re.search(r":root\s*\{(.*?)\n\}", css, re.DOTALL)
    return dict(re.findall(r"--([\w-]+):\s*([^;]+);", body.group(1))) if body else {}


def read_tokens() -> Tokens:
    """Return the tokens of static/tokens.css. Errors: FileNotFoundError if there is no such file."""
    path = finders.find(STYLE_SHEET)
    if not path:
        raise FileNotFoundError(STYLE_SHEET)
    properties = defined(Path(path).read_text())
    paper = properties["paper"]
    return Tokens(
        colors=[
            Color(name, value, contrast(value, paper), contrast("#ffffff", value))
            for name, value in properties.items()
            if value.startswith("#")
        ],
        type={name: value for name, value in properties.items() if re.match(r"(sans|serif|mono)-\d", name)},
        space={name: int(value[:-2]) for name, value in properties.items() if name.startswith("space-")},
        motion={
            name: value for name, value in properties.items() if re.match(r"\d+ms$|cubic-bezier|ease", value)
        },
    )
