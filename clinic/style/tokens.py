"""The tokens of static/tokens.css, read from the sheet itself so that the style page cannot say otherwise."""

import re
from dataclasses import dataclass
from pathlib import Path

from django.contrib.staticfiles import finders

SHEET = "tokens.css"


@dataclass(frozen=True)
class Color:
    """A color token: `value` is #rrggbb; its contrast as text on paper, and of white text on it, 1 to 21."""

    name: str
    value: str
    on_paper: float
    white_on_it: float


@dataclass(frozen=True)
class Tokens:
    """What the sheet defines, by kind: names without their dashes, values as they stand there."""

    colors: list[Color]
    type: dict[str, str]
    space: dict[str, int]
    motion: dict[str, str]


def luminance(color: str) -> float:
    """Relative luminance of #rrggbb, 0 to 1 (WCAG 2.2, definition)."""
    channels = [int(color[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """Contrast ratio, 1 to 21, of two colors as #rrggbb (WCAG 2.2, definition)."""
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def defined(css: str) -> dict[str, str]:
    """Custom properties of a sheet's first :root, in order, without what media and languages change."""
    body = re.search(r":root\s*\{(.*?)\n\}", css, re.DOTALL)
    return dict(re.findall(r"--([\w-]+):\s*([^;]+);", body.group(1))) if body else {}


def read_tokens() -> Tokens:
    """Read the sheet. Errors: FileNotFoundError where the house has no static/tokens.css."""
    path = finders.find(SHEET)
    if not path:
        raise FileNotFoundError(SHEET)
    found = defined(Path(path).read_text())
    paper = found["paper"]
    return Tokens(
        colors=[
            Color(name, value, contrast(value, paper), contrast("#ffffff", value))
            for name, value in found.items()
            if value.startswith("#")
        ],
        type={name: value for name, value in found.items() if re.match(r"(sans|serif|mono)-\d", name)},
        space={name: int(value[:-2]) for name, value in found.items() if name.startswith("space-")},
        motion={name: value for name, value in found.items() if re.match(r"\d+ms$|cubic-bezier|ease", value)},
    )
