"""WCAG 2.2 AA contrast for every pair of text and background color in the style sheets."""

import re
from pathlib import Path

import pytest
from django.conf import settings

from clinic.style.tokens import contrast

STATIC = Path(settings.BASE_DIR) / "static"
SHEETS = sorted(STATIC.glob("*.css"))
TEXT, SIGN = 4.5, 3.0  # least contrast by WCAG 2.2: 1.4.3 for text, 1.4.11 for other things

# Pairs that no single rule sets, because one color is inherited: (color, background, least contrast).
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


def stated_pairs() -> list[tuple[str, str, str]]:
    """Rules that set both a text color and a background: (sheet and selector, text, background)."""
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


def test_contrast_has_the_known_values() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#767676", "#ffffff") == pytest.approx(4.54, abs=0.005)


@pytest.mark.parametrize(("text", "ground", "least"), INHERITED)
def test_inherited_pairs_have_enough_contrast(text: str, ground: str, least: float) -> None:
    assert contrast(tokens()[text], tokens()[ground]) >= least


def test_stated_pairs_have_enough_contrast() -> None:
    pairs = stated_pairs()
    assert len(pairs) >= 15  # the search works
    colors = tokens()
    too_weak = [
        (where, text, ground)
        for where, text, ground in pairs
        if contrast(colors[text], colors[ground]) < TEXT
    ]
    assert too_weak == []


def test_every_token_that_is_used_exists() -> None:
    text = "\n".join(sheet.read_text() for sheet in SHEETS)
    defined = set(re.findall(r"(--[\w-]+):", text))
    used = set(re.findall(r"var\((--[\w-]+)\)", text))  # var(--x, fallback) may be left unset on purpose
    assert used - defined == set()


RAW_VALUE = re.compile(
    r"#[0-9a-fA-F]{3,8}\b|\b(?:rgba?|hsla?|lab|lch|oklab|oklch|hwb)\(|\bcubic-bezier\(|\b[\d.]+m?s\b"
)
# Sheets that may contain such values: the tokens themselves, and fonts.
EXEMPT = {"tokens.css", "fonts.css"}


def raw_values(sheet: Path) -> list[str]:
    """Return the colors, timing curves and durations that a sheet writes as values instead of tokens."""
    css = re.sub(r"/\*.*?\*/", "", sheet.read_text(), flags=re.DOTALL)
    css = re.sub(r"(?:transition|animation)-duration: 0s !important", "", css)  # switching off is allowed
    return [f"{sheet.name}: {found}" for found in RAW_VALUE.findall(css)]


def test_the_search_finds_raw_values(tmp_path: Path) -> None:
    sheet = tmp_path / "a.css"
    sheet.write_text(
        "a { color: #fff; background: rgb(1 2 3); transition: top 1.4s cubic-bezier(0,0,1,1) 20ms }"
    )
    found = ["#fff", "rgb(", "1.4s", "cubic-bezier(", "20ms"]
    assert raw_values(sheet) == [f"a.css: {figure}" for figure in found]


@pytest.mark.parametrize(
    "sheet",
    [sheet for sheet in [*SHEETS, STATIC / "upload" / "upload.css"] if sheet.name not in EXEMPT],
    ids=lambda sheet: sheet.name,
)
def test_sheets_use_tokens_for_colors_and_motion(sheet: Path) -> None:
    # In print, the paper token is redefined as white, and drawings use it.
    printed = ["#ffffff", "#ffffff", "#f7f9f8"] if sheet.name == "print.css" else []
    assert raw_values(sheet) == [f"print.css: {color}" for color in printed]


@pytest.mark.parametrize(
    "path", sorted((STATIC.parent / "templates").rglob("*.html")), ids=lambda path: path.name
)
def test_drawings_use_only_token_colors(path: Path) -> None:
    """SVG attributes contain colors as values, because drawings are also used without our style sheets."""
    figures = set(re.findall(r"(?:fill|stroke|content)=\"(#[0-9a-f]{6})", path.read_text()))
    assert figures - set(tokens().values()) == set()
