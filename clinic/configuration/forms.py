"""The form of one page of settings."""

from collections.abc import Callable, Mapping
from typing import Any

from django import forms
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from clinic.configuration.registry import Section, Setting, Value, settings_in
from clinic.edits.forms import EditForm


class SettingsForm(EditForm):
    """The settings of a section, and the reason of the change. saved: the present values, by key."""

    def __init__(
        self,
        *args: Any,
        section: Section,
        saved: Mapping[str, Value],
        changed_by: Callable[[], str] | None = None,
    ) -> None:
        super().__init__(
            *args, about=f"settings:{section}", saved=saved, initial=dict(saved), changed_by=changed_by
        )
        self.settings: list[Setting[Any]] = list(settings_in(section))
        self.fields.update({one.key: one.field() for one in self.settings})
        self.fields["reason"] = forms.CharField(
            label=_("Why?"),
            help_text=_("It stands in the history. Needed if something changes."),
            max_length=300,
            required=False,
        )

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        if self.edited & self.saved.keys() and not data.get("reason") and "reason" not in self.errors:
            self.add_error("reason", gettext("Please say why."))
        return data

    def chosen(self) -> dict[str, Value]:
        """Return the values that the user has changed, by key. Call it on a valid form."""
        return {
            one.key: one.to_stored(self.cleaned_data[one.key])
            for one in self.settings
            if one.key in self.edited
        }
