"""Reads drafts and shows them in their forms. The caller has checked that the person may open the page."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from django import forms
from django.http import HttpRequest, QueryDict

from clinic.accounts.models import User
from clinic.edits.basis import FIELD as BASED_ON
from clinic.edits.forms import EditForm
from clinic.http.requests import request_user
from patients.drafts.models import REVISION, Draft
from patients.vault.configured import key_store
from patients.vault.keys import KeyGone
from patients.vault.stream import Tampered


@dataclass(frozen=True)
class FormDraft:
    """What a page needs to know of the draft of one form. at: when it was kept; None if there is no draft."""

    form: str
    revision: str = ""
    at: datetime | None = None
    values: dict[str, list[str]] = field(default_factory=dict)

    @property
    def words(self) -> dict[str, str]:
        """The last value of each field, as a form reads it."""
        return {name: found[-1] for name, found in self.values.items() if found}

    def posted(self) -> QueryDict:
        """Return the values as if the form had been posted."""
        data = QueryDict(mutable=True)
        for name, found in self.values.items():
            data.setlist(name, found)
        return data

    def fill(self, *forms_of_page: forms.BaseForm) -> None:
        """Put the draft into the initial values of unbound forms; do nothing if there is no draft.

        An `EditForm` also gets the draft's basis (clinic/edits): the saved values that the page showed when
        the draft was typed.
        """
        if self.at is None:
            return
        data = self.posted()
        for form in forms_of_page:
            if isinstance(form, EditForm):
                form.draft_basis = data.get(form.add_prefix(BASED_ON), "")
            for name, form_field in form.fields.items():
                key, widget = form.add_prefix(name), form_field.widget
                if not widget.value_omitted_from_data(data, {}, key):
                    form.initial[name] = widget.value_from_datadict(data, {}, key)


def drafts_of(person: User, names: Iterable[str]) -> dict[str, FormDraft]:
    """Return the drafts of `person` by the names of their forms, also for forms without a draft.

    A draft that can't be opened any more is left out. The database and the key store are asked once each.
    """
    found = {name: FormDraft(name) for name in names}
    rows = list(Draft.objects.live().filter(person=person, form__in=found)) if found else []
    keys = key_store().get_many({key for row in rows for key in (row.pk, row.about)}) if rows else {}
    for row in rows:
        try:
            fields = row.read_with(keys)
        except (KeyGone, Tampered):
            continue
        found[row.form] = FormDraft(row.form, str(row.revision), row.saved_at, fields.values)
    return found


def draft_of(person: User, name: str) -> FormDraft:
    """Return the draft of one form, or a FormDraft without words."""
    return drafts_of(person, [name])[name]


def draft_on_page(request: HttpRequest, name: str, *forms_of_page: forms.BaseForm) -> FormDraft:
    """Return the draft of a form on a page, and put it into the Django forms of which it consists.

    If one of these is bound, the page shows what was posted and not the draft. The result then has only the
    posted revision.
    """
    if any(form.is_bound for form in forms_of_page):
        return FormDraft(name, request.POST.get(REVISION, ""))
    draft = draft_of(request_user(request), name)
    draft.fill(*forms_of_page)
    return draft
