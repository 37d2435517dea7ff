"""The source of every form and of every title in the templates."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.template.loader import render_to_string

from patients.requests.forms import RequestForm
from tests.clinic.access.forms_walk import ROOT, template_forms

POSTED = [(path, form) for path, form in template_forms() if 'method="post"' in form]
# Where people sign in, or write their own name and address: their browser may help them.
MAY_BE_REMEMBERED = {
    "templates/account/login.html",
    "templates/account/password_change.html",
    "templates/account/password_reset.html",
    "templates/account/password_reset_from_key.html",
    "templates/account/password_set.html",
    "templates/account/reauthenticate.html",
    "templates/clinic/access/signed_out.html",
    "templates/clinic/people/invitation.html",
    "templates/patients/requests/request.html",
}
# Inputs into which nobody types text, except passphrases, which browsers keep by rules of their own.
WITHOUT_TEXT = r'type="(?:hidden|checkbox|radio|file|password|submit)"'
RENDERED = r"as_field_group|{{ (?:form|field)\b|_fields\.html|_chapter\.html"
TEXT_FIELD = re.compile(f"<textarea|<input(?![^>]*{WITHOUT_TEXT})|{RENDERED}", re.S)
# What a title may say: a file number, a day, the number of a memory, the name of a step.
IN_TITLES = {
    "case.reference",
    "present.case_ref",
    "ref",
    "number",
    "board.day",
    "shown.title",
    "day",
    "step.title",
}
TITLE = re.compile(r"{% block (?:head_)?title %}(.*?){% endblock", re.S)


def titles() -> Iterator[tuple[str, str]]:
    for path in sorted((ROOT / "templates").rglob("*.html")):
        for title in TITLE.findall(path.read_text()):
            yield str(path.relative_to(ROOT)), title


def tag_of(form: str) -> str:
    """Return the source of a form up to the hidden fields with its tokens, which come first."""
    return form.partition("form_tokens")[0]


def test_w1_every_posted_form_carries_its_tokens() -> None:
    assert len(POSTED) > 60
    # The check of a certificate changes nothing, and a program may post it: that URL needs no token.
    without = [path for path, form in POSTED if "{% form_tokens %}" not in form]
    assert without == ["templates/erasure/certificates/verify.html"]
    pages = (path for path in Path(ROOT / "templates").rglob("*.html"))
    assert [path for path in pages if "{% csrf_token %}" in path.read_text()] == []


def test_w4_no_browser_remembers_what_is_typed_about_somebody() -> None:
    """It is offered neither to the next person who types, nor to somebody who goes back to the page."""
    typed = [
        (path, form) for path, form in POSTED if TEXT_FIELD.search(form) and path not in MAY_BE_REMEMBERED
    ]
    assert len(typed) > 15
    assert [path for path, form in typed if 'autocomplete="off"' not in tag_of(form)] == []
    assert {path for path, _form in POSTED} >= MAY_BE_REMEMBERED
    message = str(RequestForm()["message"])
    assert 'autocomplete="off"' in message


def test_w4_no_title_names_anybody() -> None:
    """A title stays in the browser's history after signing out."""
    found = list(titles())
    assert len(found) > 30
    variables = {
        (path, name)
        for path, title in found
        for names in re.findall(r"{{ ?([\w.]+)|with \w+=([\w.]+)", title)
        for name in names
        if name
    }
    assert {name for _path, name in variables} <= IN_TITLES, variables


@pytest.mark.parametrize(
    "source", ["<textarea>", '<input name="a" type="text">', "{{ form }}", "{{ field }}"]
)
def test_the_search_finds_fields_for_text(source: str) -> None:
    assert TEXT_FIELD.search(source)


@pytest.mark.parametrize("source", ['<input name="a"\n type="hidden">', '<input type="password" name="b">'])
def test_the_search_leaves_out_other_fields(source: str) -> None:
    assert not TEXT_FIELD.search(source)


def test_w4_a_form_that_is_sent_once_more_is_not_remembered_either() -> None:
    page = render_to_string("clinic/access/send_again.html", {"path": "/x/", "fields": [("a", '"b" & c')]})
    form = page.partition("<form ")[2].partition(">")[0].split()
    assert {'method="post"', 'action="/x/"', 'autocomplete="off"'} <= set(form)
    assert '<input type="hidden" name="a" value="&quot;b&quot; &amp; c">' in page
