"""The answer to a form whose object was deleted: a sentence, and the text that was typed, to be copied."""

from django import forms
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from clinic.edits.forms import in_words, posted_texts


class Gone(Exception):
    """The object of a form was deleted, or cannot be changed any more. The message is for the user.

    status: 410, or 409 if the object still exists.
    """

    def __init__(self, message: str, status: int = 410) -> None:
        super().__init__(message)
        self.status = status


def typed_words(form: forms.BaseForm) -> list[tuple[str, str]]:
    """Return the label and the posted text of each text field that is not empty."""
    found = []
    for field in form.visible_fields():
        if isinstance(field.field, forms.BooleanField | forms.ChoiceField):
            continue
        if text := in_words(field.field, posted_texts(form, field.name)).strip():
            found.append((str(field.label), text))
    return found


def gone_page(
    request: HttpRequest,
    gone: Gone,
    typed: list[tuple[str, str]],
    *,
    back: str,
    back_label: str,
    layout: str,
) -> HttpResponse:
    """Return the page that says what happened to the object, and shows what was typed.

    typed: as `typed_words` returns it. back, back_label: where the link below leads. layout: base template.
    """
    context = {
        "sentence": str(gone),
        "typed": typed,
        "back": back,
        "back_label": back_label,
        "layout": layout,
    }
    return render(request, "clinic/edits/gone.html", context, status=gone.status)
