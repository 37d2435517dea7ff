from collections.abc import Callable
from typing import Any

import pytest
from django.conf import LazySettings
from django.template.loader import render_to_string
from django.test import RequestFactory
from django.utils import translation

from tests.templates.markup import Page


@pytest.fixture
def render(settings: LazySettings) -> Callable[..., Page]:
    """A function that renders a template without a view: render("base.html", lang="vi", nav=[...])."""
    settings.ROOT_URLCONF = "tests.templates.urls"

    def as_page(template: str, lang: str = "en", **context: Any) -> Page:
        request = RequestFactory().get("/somewhere/?page=2")
        with translation.override(lang):
            return Page(render_to_string(template, {"request": request, **context}))

    return as_page
