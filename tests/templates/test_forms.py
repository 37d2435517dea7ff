from collections.abc import Callable

from django import forms
from django.template import engines

from tests.templates.markup import Page

Render = Callable[..., Page]


class Visit(forms.Form):
    title = forms.CharField(label="What is it?", help_text="A few words.")
    story = forms.CharField(label="What happened?", required=False, widget=forms.Textarea)
    strength = forms.ChoiceField(
        label="How strong?",
        choices=[(n, n) for n in range(1, 6)],
        widget=forms.RadioSelect(attrs={"class": "scale"}),
        help_text="As of today.",
    )
    kept = forms.BooleanField(label="Keep it", required=False, help_text="It stays on the map.")
    token = forms.CharField(widget=forms.HiddenInput)

    def clean(self) -> None:
        raise forms.ValidationError("The room is taken from 13:00 to 16:30.")


def as_page(form: forms.Form) -> Page:
    return Page(engines["django"].from_string("{{ form }}").render({"form": form}))


def test_each_field_has_one_label_that_is_tied_to_it(render: Render) -> None:
    page = as_page(Visit(initial={"token": "t"}))
    controls = [e for e in page.elements if e.name in {"input", "textarea"}]
    named = {e.attributes["name"]: e.attributes for e in controls}
    assert list(named) == ["title", "story", "strength", "kept", "token"]
    labels = [e.attributes for e in page.all("label") if "fieldset" not in e.ancestors]
    assert [label.get("for") for label in labels] == [
        "id_title",
        "id_story",
        None,
    ]
    in_labels = [e.attributes for e in controls if "label" in e.ancestors]
    assert [attributes for attributes in in_labels if attributes["type"] == "checkbox"] == [named["kept"]]
    assert len(page.all("legend")) == 1
    assert len(page.all("input", type="hidden")) == 1
    assert page.text.count("Keep it") == 1


def test_optional_fields_are_marked(render: Render) -> None:
    page = as_page(Visit())
    assert len(page.all("span", class_="optional")) == 1
    assert page.text[page.text.index("What happened?") + 1] == "optional"


def test_help_is_tied_to_its_field(render: Render) -> None:
    page = as_page(Visit())
    assert page.one("input", name_="title").attributes["aria-describedby"] == "id_title_helptext"
    assert page.one("fieldset").attributes["aria-describedby"] == "id_strength_helptext"
    assert {"id_title_helptext", "id_strength_helptext", "id_kept_helptext"} <= set(page.ids)


def test_errors_are_tied_to_their_fields_and_listed_above(render: Render) -> None:
    page = as_page(Visit({"strength": "9"}))
    title = page.one("input", name_="title").attributes
    assert title["aria-invalid"] == "true"
    assert title["aria-describedby"].split() == ["id_title_helptext", "id_title_error"]
    assert {"id_title_error", "id_strength_error"} <= set(page.ids)
    summary = page.one("div", class_="error-summary").attributes
    # It takes the focus, which reads it out; an alert would read it out a second time.
    assert ("role" in summary, summary["tabindex"], "autofocus" in summary) == (False, "-1", True)
    assert "4 things need another look." in page.text
    assert "The room is taken from 13:00 to 16:30." in page.text
    links = [e.attributes["href"] for e in page.all("a")]
    assert links == ["#id_title", "#id_strength"]
    assert {link[1:] for link in links} <= set(page.ids)
    assert len(page.ids) == len(set(page.ids))


def test_an_error_of_a_hidden_field_is_shown(render: Render) -> None:
    page = as_page(Visit({"title": "a", "strength": "4"}))
    assert page.text.count("This field is required.") == 1


def test_a_form_without_errors_has_no_summary(render: Render) -> None:
    assert as_page(Visit()).all("div", class_="error-summary") == []


def test_a_single_field_is_rendered_in_the_same_way(render: Render) -> None:
    alone = engines["django"].from_string("{{ form.title.as_field_group }}").render({"form": Visit()})
    source = '{% include "components/field.html" with field=form.title only %}'
    included = engines["django"].from_string(source).render({"form": Visit()})
    assert alone.split() == included.split()
    assert alone.split()[:2] == ["<div", 'class="field">']


def test_a_scale_keeps_its_class_and_its_choices(render: Render) -> None:
    page = as_page(Visit(initial={"strength": 4}))
    assert page.one("div", id_="id_strength").attributes["class"] == "options scale"
    radios = page.all("input", type="radio")
    assert [("checked" in r.attributes, r.attributes["value"]) for r in radios] == [
        (n == 4, str(n)) for n in range(1, 6)
    ]


def test_submitted_values_are_escaped(render: Render) -> None:
    page = as_page(Visit({"title": "<b>bold</b>", "strength": "<i>"}))
    assert page.one("input", name_="title").attributes["value"] == "<b>bold</b>"
    assert page.all("b") + page.all("i") == []
