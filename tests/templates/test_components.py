from collections.abc import Callable
from types import SimpleNamespace

import pytest
from django.core.paginator import Paginator
from django.template import engines
from django.test import RequestFactory

from tests.templates.markup import Page

Render = Callable[..., Page]


def test_a_button_with_href_is_a_link(render: Render) -> None:
    button = render("components/button.html", label="Abort", kind="danger", mark="stop", key="hold 2 s")
    assert button.one("button").attributes == {"class": "button button--danger", "type": "submit"}
    assert button.text == ["Abort", "hold 2 s"]
    link = render("components/button.html", label="Open", href="/x/?a=1&b=2", kind="primary")
    assert link.one("a").attributes == {"class": "button button--primary", "href": "/x/?a=1&b=2"}
    assert link.all("button") == []


def test_marks_are_hidden_from_screen_readers(render: Render) -> None:
    for template in ("components/button.html", "components/state.html"):
        page = render(template, label="Paused", mark="paused")
        assert page.one("i").attributes["aria-hidden"] == "true"
        assert page.text == ["Paused"]


@pytest.mark.parametrize(("kind", "role"), [("alarm", "alert"), ("amber", None), ("", None)])
def test_only_an_alarm_has_the_role_alert(render: Render, kind: str, role: str | None) -> None:
    notice = render("components/notice.html", kind=kind, title="Held", text="Nothing is being destroyed.")
    assert notice.all("div")[0].attributes.get("role") == role
    assert notice.text == ["Held", "Nothing is being destroyed."]


def test_a_lacuna_has_its_number_and_a_text_for_screen_readers(render: Render) -> None:
    page = render("components/lacuna.html", number=143)
    assert page.text == ["Memory 143, destroyed", "143"]
    assert page.one("span", aria_hidden="true").ancestors == ("div",)


def test_rows_mark_numbers_as_figures(render: Render) -> None:
    page = render("components/rows.html", rows=[("Memories", 200), ("State", "Erasing", "text")])
    assert [dd.attributes.get("class") for dd in page.all("dd")] == ["figure", None]
    assert page.text == ["Memories", "200", "State", "Erasing"]


def test_the_timeline_marks_the_current_step(render: Render) -> None:
    items = [
        SimpleNamespace(when="9 Feb", text="Intake.", state="done", url="/papers/1/"),
        SimpleNamespace(when="13 Feb", text="Erasure.", state="now"),
        SimpleNamespace(when="21 Feb", text="Call.", state="next"),
    ]
    page = render("components/timeline.html", items=items)
    assert [(li.attributes["class"], li.attributes.get("aria-current")) for li in page.all("li")] == [
        ("is-done", None),
        ("is-now", "step"),
        ("is-next", None),
    ]
    assert page.text == ["9 Feb", "Intake.", "13 Feb", "Erasure.", "21 Feb", "still to come", "Call."]


def test_pagination_links_keep_the_filters(render: Render) -> None:
    request = RequestFactory().get("/audit/?who=mary&page=2")
    template = engines["django"].from_string('{% include "components/pagination.html" with page=page %}')
    page = Page(template.render({"request": request, "page": Paginator(range(45), 20).page(2)}))
    assert [a.attributes["href"] for a in page.all("a")] == ["?who=mary&page=1", "?who=mary&page=3"]
    assert "21 to 40 of 45" in page.text
    single = template.render({"request": request, "page": Paginator(range(3), 20).page(1)})
    assert Page(single).elements == []


def test_a_share_is_a_progress_element(render: Render) -> None:
    page = render("components/share.html", label="Pass", value=5, max=8, figure="5 of 8")
    assert page.one("progress").attributes == {
        "class": "share",
        "value": "5",
        "max": "8",
        "aria-label": "Pass",
    }


@pytest.mark.parametrize(("context", "tag"), [({"href": "/"}, "a"), ({}, "span")])
def test_the_wordmarks_accessible_name_has_the_visible_text_and_the_name(
    render: Render, context: dict[str, str], tag: str
) -> None:
    page = render("components/wordmark.html", **context)
    seen, name = "".join(page.text), page.one(tag).attributes["aria-label"]
    assert seen == "Lac[ ]na"
    assert name == f"{seen}, Lacuna"
