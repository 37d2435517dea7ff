"""The hidden inputs of a form, which a browser sends beside what is typed."""

import re
from typing import Any

from django.http import HttpResponse
from django.test import Client
from django.utils.html import escape

FORM = re.compile(r"<form\b(?P<tag>[^>]*)>(?P<inside>.*?)</form>", re.DOTALL)
HIDDEN = re.compile(r'<input type="hidden"\s+name="([\w-]+)"\s+value="([^"]*)"\s*>')
TOKENS = {"csrfmiddlewaretoken", "page_owner"}


def hidden_in(answer: HttpResponse | str, action: str = "", having: str = "") -> dict[str, str]:
    """Return the hidden inputs of a form of a page, without tokens; {} if there is no such form.

    action: the URL that the form is posted to; "": the form has a `based_on`. having: text that it contains
    too. The first such form is chosen.
    """
    page = answer if isinstance(answer, str) else answer.content.decode()
    for form in FORM.finditer(page):
        if action:
            chosen = f'action="{escape(action)}"' in form["tag"]
        else:
            chosen = 'name="based_on"' in form["inside"]
        if chosen and having in form["inside"]:
            return {name: value for name, value in HIDDEN.findall(form["inside"]) if name not in TOKENS}
    return {}


def edit(client: Client, url: str, data: dict[str, Any], **more: Any) -> HttpResponse:
    """Open a page and post its form with `data`, as somebody who opens the page and types."""
    return client.post(url, {**hidden_in(client.get(url)), **data}, **more)
