import json
from collections.abc import Callable
from types import SimpleNamespace
from unicodedata import normalize

import pytest
from django.conf import LazySettings
from django.contrib.messages.storage.base import Message
from django.template.loader import get_template

from tests.templates.markup import Page

Render = Callable[..., Page]

MARY = SimpleNamespace(is_authenticated=True, short_name="Mary S.")
NAV = [
    SimpleNamespace(label="Today", url="/today/", current=False),
    SimpleNamespace(label="Audit", url="/audit/", current=True),
]


@pytest.mark.parametrize(("lang", "word"), [("en", "English"), ("vi", "Tiếng Việt")])
def test_the_page_states_its_language_and_offers_the_other(render: Render, lang: str, word: str) -> None:
    page = render("base.html", lang=lang)
    html = page.one("html").attributes
    assert (html["lang"], html["dir"]) == (lang, "ltr")
    assert page.one("span", aria_current="true").attributes["lang"] == lang
    assert [b.attributes["value"] for b in page.all("button", name_="language")] == [
        other for other in ("en", "vi") if other != lang
    ]
    assert word in [normalize("NFC", text) for text in page.text]
    assert page.one("form", class_="languages").attributes["method"] == "post"


def test_the_language_form_comes_back_to_this_page(render: Render) -> None:
    assert render("base.html").one("input", name_="next").attributes["value"] == "/somewhere/?page=2"


def test_a_right_to_left_language_sets_the_direction(render: Render) -> None:
    assert render("base.html", lang="he").one("html").attributes["dir"] == "rtl"


def test_the_skip_link_is_first_and_leads_to_main(render: Render) -> None:
    page = render("base.html", user=MARY, nav=NAV)
    first = page.all("a")[0].attributes
    assert first["href"] == "#main"
    assert page.one("main").attributes["id"] == "main"


def test_navigation_marks_the_current_page(render: Render) -> None:
    page = render("base.html", user=MARY, nav=NAV)
    links = [e.attributes for e in page.all("a") if "nav" in e.ancestors]
    assert [(a["href"], a.get("aria-current")) for a in links] == [("/today/", None), ("/audit/", "page")]


def test_visitors_get_neither_navigation_nor_a_log_out_button(render: Render) -> None:
    page = render("base.html")
    assert page.all("nav") == []
    assert page.all("form", action="/account/logout/") == []


@pytest.mark.parametrize("template", ["base.html", "base_patient.html"])
def test_logging_out_is_a_post_with_a_csrf_token(render: Render, template: str) -> None:
    page = render(template, user=MARY, csrf_token="t0ken")
    assert page.one("form", action="/account/logout/").attributes["method"] == "post"
    tokens = page.all("input", name_="csrfmiddlewaretoken")
    assert [t.attributes["value"] for t in tokens] == ["t0ken", "t0ken"]
    assert "Mary S." in page.text


def test_the_role_follows_the_name(render: Render) -> None:
    assert "Mary S., front desk" in render("base.html", user=MARY, role_name="front desk").text


def test_htmx_is_configured_without_eval_styles_and_history_cache(render: Render) -> None:
    page = render("base.html", csrf_token="t0ken")
    config = json.loads(page.one("meta", name_="htmx-config").attributes["content"])
    assert config["allowEval"] is False
    assert config["includeIndicatorStyles"] is False
    assert config["historyCacheSize"] == 0
    assert json.loads(page.one("body").attributes["hx-headers"]) == {
        "X-CSRFToken": "t0ken",
        "X-Page-Owner": "",
    }


def test_messages_are_announced_and_have_a_class_by_level(render: Render) -> None:
    messages = [Message(25, "Saved."), Message(30, "Held."), Message(40, "Taken.")]
    page = render("base.html", messages=messages)
    assert page.one("div", id_="messages").attributes["role"] == "status"
    assert [p.attributes["class"] for p in page.all("p") if "main" not in p.ancestors] == [
        "notice",
        "notice notice--amber",
        "notice notice--alarm",
    ]


def test_the_patients_page_has_the_telephone_number(render: Render) -> None:
    clinic = {"telephone": "555-0142", "telephone_link": "tel:5550142"}
    call = render("base_patient.html", clinic=clinic).one("a", class_="call")
    assert call.attributes["href"] == "tel:5550142"
    assert render("base_patient.html").all("a", class_="call") == []
    assert render("base_patient.html").one("body").attributes["class"] == "patient"


@pytest.mark.parametrize(
    "template",
    [
        "400.html",
        "403.html",
        "403_csrf.html",
        "404.html",
        "500.html",
        "503.html",
        "account/account_inactive.html",
        "account/login.html",
        "account/logout.html",
        "account/password_change.html",
        "account/password_reset.html",
        "account/password_reset_done.html",
        "account/password_reset_from_key.html",
        "account/password_reset_from_key_done.html",
        "account/password_set.html",
        "account/reauthenticate.html",
        "account/signup_closed.html",
    ],
)
def test_every_page_has_one_heading_a_title_and_unique_ids(render: Render, template: str) -> None:
    page = render(template)
    assert len(page.all("h1")) == 1
    assert len(page.ids) == len(set(page.ids))
    title = " ".join(page.text[:1])
    assert title.endswith("| Lacuna")
    assert title != "| Lacuna"
    assert [f.attributes["method"] for f in page.all("form")] == ["post"] * len(page.all("form"))


def test_the_500_page_needs_no_context_and_no_static_manifest(settings: LazySettings) -> None:
    settings.STORAGES = settings.STORAGES | {
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.ManifestStaticFilesStorage"}
    }
    page = Page(get_template("500.html").render())
    assert page.all("link", rel="stylesheet")[0].attributes["href"] == "/static/tokens.css"
