"""The style page: it shows every component, variant, class and token, rendered by the real templates."""

import re
from pathlib import Path

import pytest
from django.conf import settings
from django.template.response import TemplateResponse
from django.test import Client
from django.urls import reverse

from clinic.accounts.models import STAFF_ROLES, Role
from clinic.style.tokens import contrast, defined, read_tokens
from tests.factories import make_user
from tests.templates.markup import Page

pytestmark = pytest.mark.django_db

ROOT = Path(settings.BASE_DIR)
SHEETS = [ROOT / "static" / f"{name}.css" for name in ("base", "forms", "components", "board")]
# Classes that the page cannot show: the frame of a whole page, a board of twelve hours, positions on a board.
FRAMES = {"door", "board--48q"}
POSITIONS = re.compile(r"(at|for)-\d+")


@pytest.fixture
def answer(client: Client) -> TemplateResponse:
    """The response that a receptionist gets."""
    client.force_login(make_user(Role.RECEPTIONIST))
    return client.get(reverse("style"))


@pytest.fixture
def page(answer: TemplateResponse) -> Page:
    return Page(answer.content.decode())


def classes(page: Page) -> set[str]:
    """All CSS classes of the page's elements."""
    return {name for element in page.elements for name in element.attributes.get("class", "").split()}


def test_staff_may_open_the_page_and_patients_may_not(client: Client) -> None:
    for role in Role:
        client.force_login(make_user(role))
        assert client.get(reverse("style")).status_code == (200 if role in STAFF_ROLES else 403)


def test_every_fragment_of_the_components_is_shown(answer: TemplateResponse) -> None:
    components = {f"components/{path.name}" for path in (ROOT / "templates" / "components").glob("*.html")}
    assert components - {template.name for template in answer.templates} == set()


def test_every_variant_in_the_style_sheets_is_shown(page: Page) -> None:
    """Each `block--kind` class of the shared style sheets: a new kind of button needs an example here."""
    variants = {
        name
        for sheet in SHEETS
        for name in re.findall(
            r"\.([a-z-]+--[a-z-]+)\b(?!\d)", re.sub(r"/\*.*?\*/", "", sheet.read_text(), flags=re.S)
        )
    }
    assert len(variants) > 30
    assert variants - classes(page) == set()


def test_every_class_that_docs_look_names_is_shown(page: Page) -> None:
    """Each class that docs/look.md names and one of our style sheets styles."""
    styled = {
        name
        for sheet in SHEETS
        for name in re.findall(r"\.([a-z][\w-]*)", re.sub(r"/\*.*?\*/", "", sheet.read_text(), flags=re.S))
    }
    guide = (ROOT / "docs" / "look.md").read_text()
    words = {word for code in re.findall(r"`([^`\n]+)`", guide) for word in re.findall(r"[a-z][\w-]*", code)}
    named = {word for word in words & styled if not POSITIONS.fullmatch(word)} - FRAMES
    assert len(named) > 50
    assert named - classes(page) == set()


def test_every_token_is_shown_with_its_value(page: Page) -> None:
    css = (ROOT / "static" / "tokens.css").read_text()
    tokens = read_tokens()
    shown = (
        {color.name for color in tokens.colors}
        | tokens.type.keys()
        | tokens.space.keys()
        | tokens.motion.keys()
    )
    # Not shown: typefaces, measures, and transparent colors.
    not_shown = {"sans", "serif", "mono", "gutter", "radius", "target", "header", "measure"}
    not_shown |= {"veil", "sea-veil", "paper-veil", "lacuna", "lacuna-over"}
    not_shown |= {"print-line", "print-shadow", "map-end", "childhood-open"}
    assert defined(css).keys() - shown == not_shown
    assert {f"type-{name}" for name in tokens.type} | {f"motion-{name}" for name in tokens.motion} <= classes(
        page
    )
    assert [e.attributes["fill"] for e in page.all("rect") if e.attributes.get("height") == "44"] == [
        color.value for color in tokens.colors
    ]
    ink = next(color for color in tokens.colors if color.name == "ink")
    assert ink.on_paper == contrast(ink.value, "#f7f9f8")
    assert "on paper 15.2, white on it 16.1" in page.text


def test_each_class_of_style_css_is_named_after_a_token() -> None:
    css = (ROOT / "static" / "style.css").read_text()
    tokens = read_tokens()
    assert dict(re.findall(r"\.type-([\w-]+) \{ font: var\(--([\w-]+)\)", css)) == {n: n for n in tokens.type}
    motions = re.findall(r"\.motion-([\w-]+) \{ transition-[\w-]+: var\(--([\w-]+)\)", css)
    assert dict(motions) == {name: name for name in tokens.motion}


def test_each_state_of_a_field_is_shown(page: Page) -> None:
    assert len(page.ids) == len(set(page.ids))
    named = {e.attributes["id"]: e.attributes for e in page.elements if "id" in e.attributes}
    assert named["empty_title"].get("value") is None
    assert named["filled_title"]["value"] == "Montauk"
    assert named["error_title"]["aria-invalid"] == "true"
    assert "disabled" in named["disabled_title"]
    assert [e.attributes["id"] for e in page.all("input") if "autofocus" in e.attributes] == []
    assert page.one("div", class_="error-summary").attributes.get("autofocus") is None
    assert "disabled" in page.one("button", class_="button button--alarm", disabled="").attributes


def test_the_page_exists_in_vietnamese(client: Client) -> None:
    client.force_login(make_user(Role.TECHNICIAN))
    client.cookies[settings.LANGUAGE_COOKIE_NAME] = "vi"
    assert client.get(reverse("style")).status_code == 200
