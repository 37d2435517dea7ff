"""WCAG 2.2 AA for every pair of text and ground that the stylesheets make."""

import re
from pathlib import Path

import pytest
from django.conf import settings

STATIC = Path(settings.BASE_DIR) / "static"
SHEETS = sorted(STATIC.glob("*.css"))
TEXT, SIGN = 4.5, 3.0  # WCAG 2.2: 1.4.3 for text, 1.4.11 for what is not text

# What text inherits rather than says: ink on a ground set further out, and so on.
INHERITED = [
    ("ink", "paper", TEXT),
    ("ink", "form", TEXT),
    ("ink", "white", TEXT),
    ("ink", "desk", TEXT),
    ("ink-2", "paper", TEXT),
    ("ink-2", "form", TEXT),
    ("ink-2", "white", TEXT),
    ("teal", "paper", TEXT),
    ("teal", "form", TEXT),
    ("teal", "white", TEXT),
    ("teal", "teal-wash", TEXT),
    ("alarm", "paper", TEXT),
    ("alarm", "white", TEXT),
    ("alarm", "alarm-wash", TEXT),
    ("amber", "paper", TEXT),
    ("amber", "amber-wash", TEXT),
    ("white", "sea", TEXT),
    ("white", "sea-deep", TEXT),
    ("foam", "sea", TEXT),
    ("childhood-text", "childhood", TEXT),
    *((f"chapter-{name}-text", "paper", TEXT) for name in ("green", "red", "orange", "blue")),
    ("rule-strong", "paper", SIGN),
    ("rule-strong", "white", SIGN),
    ("teal", "paper", SIGN),
]


def tokens() -> dict[str, str]:
    """The colors of tokens.css by name, as #rrggbb."""
    return dict(re.findall(r"--([\w-]+):\s*(#[0-9a-f]{6});", (STATIC / "tokens.css").read_text()))


def luminance(color: str) -> float:
    """Relative luminance, 0 to 1 (WCAG 2.2, definition)."""
    channels = [int(color[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """Contrast ratio, 1 to 21, of two colors as #rrggbb."""
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def stated_pairs() -> list[tuple[str, str, str]]:
    """Rules that set both a text color and a ground from tokens: (sheet and selector, text, ground)."""
    pairs = []
    for sheet in SHEETS:
        css = re.sub(r"/\*.*?\*/", "", sheet.read_text(), flags=re.DOTALL)
        for selector, body in re.findall(r"([^{};]+)\{([^{}]*)\}", css):
            text = re.search(r"(?<![\w-])color:\s*var\(--([\w-]+)\)", body)
            ground = re.search(r"(?<![\w-])background(?:-color)?:\s*var\(--([\w-]+)\)", body)
            if text and ground:
                where = f"{sheet.name} {' '.join(selector.split())}"
                pairs.append((where, text.group(1), ground.group(1)))
    return pairs


def test_the_formula_gives_the_known_extremes() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#767676", "#ffffff") == pytest.approx(4.54, abs=0.005)


@pytest.mark.parametrize(("text", "ground", "least"), INHERITED)
def test_inherited_pairs(text: str, ground: str, least: float) -> None:
    assert contrast(tokens()[text], tokens()[ground]) >= least


def test_stated_pairs() -> None:
    pairs = stated_pairs()
    assert len(pairs) >= 15  # the reader found the rules at all
    named = tokens()
    assert [(w, t, g) for w, t, g in pairs if contrast(named[t], named[g]) < TEXT] == []


def test_every_token_that_is_used_exists() -> None:
    text = "\n".join(sheet.read_text() for sheet in SHEETS)
    defined = set(re.findall(r"(--[\w-]+):", text))
    used = set(re.findall(r"var\((--[\w-]+)\)", text))  # var(--x, fallback) may be left unset on purpose
    assert used - defined == set()
