"""Edit forms that never overwrite a value that somebody else has changed since the page was loaded."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast

from django import forms
from django.http import QueryDict
from django.utils.functional import cached_property
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from clinic.edits.basis import CURRENT, FIELD, MINE, Basis, Mark, Outcome, read_basis


@dataclass(frozen=True)
class Conflict:
    """A field that two people changed, and the choice between the two values.

    choice_input: the name of the input for the choice. now: the stored value as text; "" if it is empty.
    answer: the posted choice: MINE, CURRENT or "".
    """

    choice_input: str
    now: str
    answer: str = ""

    @property
    def choices(self) -> list[tuple[str, str]]:
        """The answers with their labels."""
        return [(MINE, _("Keep what stands in the field")), (CURRENT, _("Take what is there now"))]


class EditForm(forms.Form):
    """A form for something that may exist already, based on what its page showed.

    about: the thing, as the audit log names it ("memory:<id>"); "" if the form makes a new one. saved: its
    values as they are now, like `initial`. Read them under the lock under which the form is saved. states:
    for fields that show only a part of what saving them replaces, all of it as text, by the field's name.
    changed_by: returns a sentence on who changed it last; called if there is a conflict.

    After validation `edited` has the fields whose values are to be written. For all others `cleaned_data` has
    what is there now. `conflicts` has the fields that somebody else has changed too; the form is invalid
    then. Show `{{ form.based_on }}` inside the form. If the form shows a draft, set `draft_basis` to what the
    page was based on when the draft was typed. Changes since then count as conflicts too.
    """

    def __init__(
        self,
        *args: Any,
        about: str = "",
        saved: Mapping[str, Any] | None = None,
        states: Mapping[str, str] | None = None,
        changed_by: Callable[[], str] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        # A copy: `saved` is often the form's `initial` too, and a draft is shown by changing that.
        self.about, self.saved, self.states = about, dict(saved or {}), states or {}
        self.changed_by = changed_by
        self.draft_basis = ""
        self.posted_basis: dict[str, Mark] = {}
        self.edited: set[str] = set()
        self.conflicts: dict[str, Conflict] = {}

    @cached_property
    def basis(self) -> Basis:
        """The basis of a page that shows the values as they are now."""
        shown = {name: _comparable(self._saved_texts(name)) for name in sorted(self._changeable())}
        states = {name: state for name, state in self.states.items() if name in shown}
        return Basis(f"{type(self).__name__}:{self.about}", shown, states)

    def _changeable(self) -> set[str]:
        """Return the names of the fields that have a saved value."""
        return self.saved.keys() & self.fields.keys()

    @property
    def based_on(self) -> SafeString:
        """The hidden input that carries what the page is based on; empty for a new thing."""
        if not self.about:
            return SafeString("")
        value = self.draft_basis or self.basis.serialize(self.conflicts)
        return format_html('<input type="hidden" name="{}" value="{}">', self.add_prefix(FIELD), value)

    @cached_property
    def last_change(self) -> str:
        """A sentence on who changed the object last; "" if that is not known."""
        return self.changed_by() if self.changed_by else ""

    def now_words(self, name: str) -> str:
        """Return the saved value of a field as text; "" if it is empty."""
        return in_words(self.fields[name], self._saved_texts(name))

    def posted_texts(self, name: str) -> list[str]:
        """Return the posted value of a field as a list of strings, one for each input."""
        return posted_texts(self, name)

    def _saved_texts(self, name: str) -> list[str]:
        """Return the saved value of a field as a list of strings, one for each input."""
        field, value = self.fields[name], self.saved[name]
        if isinstance(field, forms.BooleanField):
            return ["on"] if value else []
        shown = field.widget.format_value(field.prepare_value(value))
        if isinstance(field, forms.MultipleChoiceField):
            return sorted(shown)
        return [(shown[0] if isinstance(shown, list) else shown) or ""]

    def full_clean(self) -> None:
        if not self.is_bound:
            super().full_clean()
            return
        self.edited, self.conflicts = set(self.fields), {}
        if self.about:
            self._merge()
        super().full_clean()
        for name, conflict in self.conflicts.items():
            self.fields[name].conflict = conflict  # type: ignore[attr-defined]
            self.add_error(name, _("Changed meanwhile. Please choose."))

    def _clean_fields(self) -> None:
        """Clean the fields, without the errors of saved values that stay: the field might refuse them now."""
        super()._clean_fields()  # type: ignore[misc]
        if self.about:
            for name in self._changeable() - self.edited - self.conflicts.keys():
                if any(self._saved_texts(name)):
                    self.errors.pop(name, None)

    def _merge(self) -> None:
        """Compare the posted values with the saved ones; put these into the fields that were not edited."""
        self.posted_basis = read_basis(self.data.get(self.add_prefix(FIELD), ""))
        posted = cast(QueryDict, self.data).copy()  # request.POST is immutable
        self.data = posted
        for name in self._changeable():
            choice_input = self.add_prefix(f"{name}-choice")
            answer = self.data.get(choice_input, "")
            outcome = self.basis.outcome(
                name, _comparable(self.posted_texts(name)), self.posted_basis, answer
            )
            if outcome is not Outcome.WRITE:
                self.edited.discard(name)
            if outcome is Outcome.LEAVE:
                posted.setlist(self.add_prefix(name), self._saved_texts(name))
            elif outcome is Outcome.CONFLICT:
                self.conflicts[name] = Conflict(choice_input, self.now_words(name), answer)

    def refused_status(self) -> int:
        """Return the status for showing the invalid form again: 409 if there is a conflict, else 422."""
        return 409 if self.conflicts else 422


def posted_texts(form: forms.BaseForm, name: str) -> list[str]:
    """Return the posted value of a form's field as a list of strings, one for each input."""
    field = form.fields[name]
    value = field.widget.value_from_datadict(form.data, form.files, form.add_prefix(name))
    if isinstance(field, forms.BooleanField):
        return ["on"] if value else []
    if isinstance(field, forms.MultipleChoiceField):
        return sorted(value)
    return [value or ""]


def in_words(field: forms.Field, texts: list[str]) -> str:
    """Return the value of a field as text, with the labels of choices; "" if it is empty.

    texts: the value as a list of strings, one for each input.
    """
    if isinstance(field, forms.BooleanField):
        return _("yes") if texts else _("no")
    if isinstance(field, forms.ChoiceField):
        choices = [(str(value), str(label)) for value, label in field.choices]  # type: ignore[union-attr,misc]
        return ", ".join(label for value, label in choices if value in texts)
    return texts[0]


def _comparable(texts: list[str]) -> str:
    """Return texts as one string to compare, with their line ends unified and stripped.

    Browsers send other line ends than they were given, and Django strips what it is sent.
    """
    unified = (text.replace("\r\n", "\n").replace("\r", "\n").strip() for text in texts)
    return json.dumps(list(unified))
