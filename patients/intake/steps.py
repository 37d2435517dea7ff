"""The intake: a short questionnaire in steps. It is saved while the patient types, and stored encrypted."""

import dataclasses
from dataclasses import dataclass
from typing import Any

from django import forms
from django.db import transaction
from django.http import QueryDict
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from clinic.accounts.models import User
from clinic.audit.record import Act, actor_of, record
from patients.cases.editing import LOCKED, CaseLocked
from patients.cases.models import Case, CaseFields
from patients.memories.forms import WhenField

YES_NO = [("yes", _("Yes")), ("no", _("No"))]
COLORS = [
    ("none", _("none")),
    ("green", _("green")),
    ("red", _("red")),
    ("orange", _("orange")),
    ("blue", _("blue")),
]
# Conditions that may rule out an ordinary procedure. The doctor asks more about each.
CONDITIONS = [
    ("pregnancy", _("I am or may be pregnant")),
    ("breath", _("I stop breathing in my sleep, or I was told so")),
    ("heart", _("My heart, or my blood pressure, is being treated")),
    ("seizures", _("I have had seizures")),
    ("implant", _("I have a pacemaker or another implant")),
]
CHAPTERS = range(1, 5)
MAX_DRAFT_LENGTH = 4000  # characters kept of one answer in a draft
DRAFTS = "drafts"  # the key in `answers` for the steps that are typed but not submitted


class SubjectStep(forms.Form):
    subject_name = forms.CharField(label=_("Whom would you like to forget?"), max_length=120)
    subject_relation = forms.CharField(
        label=_("Who are they to you?"), max_length=120, required=False, help_text=_("“we lived together”")
    )
    since = WhenField(
        label=_("Since when have you known them?"),
        max_length=100,
        required=False,
        help_text=_("“May 2001”, “about 2001”"),
    )
    until = WhenField(
        label=_("Until when?"), max_length=100, required=False, help_text=_("Leave it empty if it goes on.")
    )
    still = forms.ChoiceField(
        label=_("Are they still part of your days?"), choices=YES_NO, widget=forms.RadioSelect, required=False
    )


class MeetingStep(forms.Form):
    """Asked only if the patient still meets the subject."""

    meeting = forms.CharField(
        label=_("Where do you meet?"),
        max_length=1000,
        required=False,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text=_("At work, at school, in the family: we plan for it together."),
    )


class HopeStep(forms.Form):
    hope = forms.CharField(
        label=_("What do you hope for, the morning after?"),
        max_length=2000,
        required=False,
        widget=forms.Textarea(attrs={"rows": 4}),
    )
    fear = forms.CharField(
        label=_("What are you afraid of?"),
        max_length=2000,
        required=False,
        widget=forms.Textarea(attrs={"rows": 3}),
    )


class HealthStep(forms.Form):
    conditions = forms.MultipleChoiceField(
        label=_("Does any of this concern you?"),
        choices=CONDITIONS,
        widget=forms.CheckboxSelectMultiple,
        required=False,
        help_text=_("None of it rules anything out; the doctor will talk to you about it."),
    )
    sedation = forms.ChoiceField(
        label=_("Has a sedative ever troubled you?"),
        choices=YES_NO,
        widget=forms.RadioSelect,
        required=False,
    )
    medicines = forms.CharField(label=_("Allergies and medicines"), max_length=500, required=False)


class ChaptersStep(forms.Form):
    """Up to four named periods ("chapters"), for the time strip of the map."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for n in CHAPTERS:
            self.fields[f"name_{n}"] = forms.CharField(label=_("Its name"), max_length=60, required=False)
            self.fields[f"from_{n}"] = _date_field(_("First day"))
            self.fields[f"to_{n}"] = _date_field(_("Last day"))
            self.fields[f"color_{n}"] = forms.ChoiceField(label=_("Color"), choices=COLORS, required=False)

    def rows(self) -> list[list[forms.BoundField]]:
        """Return the fields of the chapters up to the last filled one, and of one empty chapter."""
        return [self._row(n) for n in CHAPTERS if n <= self._last_filled() + 1]

    def further(self) -> list[list[forms.BoundField]]:
        """Return the fields of the other chapters, which the page shows on demand."""
        return [self._row(n) for n in CHAPTERS if n > self._last_filled() + 1]

    def _row(self, n: int) -> list[forms.BoundField]:
        return [self[f"{part}_{n}"] for part in ("name", "color", "from", "to")]

    def _last_filled(self) -> int:
        """Return the number of the last chapter with an entry; 0 if there is none."""
        return max(
            (n for n in CHAPTERS for part in ("name", "from", "to") if self[f"{part}_{n}"].value()), default=0
        )

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        for n in CHAPTERS:
            if {f"from_{n}", f"to_{n}"} & set(self.errors):
                continue
            name, first, last = data.get(f"name_{n}"), data.get(f"from_{n}"), data.get(f"to_{n}")
            if name and not (first and last and first <= last):
                self.add_error(f"to_{n}", _("A chapter needs a first and a last day, in this order."))
            if (first or last) and not name:
                self.add_error(f"name_{n}", _("Please give this chapter a name."))
        return data

    def chapters(self) -> list[dict[str, str]]:
        """Return the named chapters in the format of CaseFields.chapters, sorted by their first day."""
        data = self.cleaned_data
        spans = [
            {
                "name": data[f"name_{n}"],
                "color": data[f"color_{n}"] or "none",
                "from": data[f"from_{n}"].isoformat(),
                "to": data[f"to_{n}"].isoformat(),
            }
            for n in CHAPTERS
            if data.get(f"name_{n}")
        ]
        return sorted(spans, key=lambda span: span["from"])


def _date_field(label: Any) -> forms.DateField:
    # Browsers use only this date format, whatever the language of the page.
    form = "%Y-%m-%d"
    widget = forms.DateInput(attrs={"type": "date"}, format=form)
    return forms.DateField(label=label, required=False, widget=widget, input_formats=[form])


@dataclass(frozen=True)
class Step:
    """One page of the questionnaire."""

    key: str
    title: str | Promise
    form: type[forms.Form]


STEPS = (
    Step("who", _("Whom it is about"), SubjectStep),
    Step("meeting", _("Where you meet"), MeetingStep),
    Step("hope", _("Hope and fear"), HopeStep),
    Step("health", _("Your health"), HealthStep),
    Step("chapters", _("Chapters, if there were any"), ChaptersStep),
)


def steps_for(answers: dict[str, Any]) -> list[Step]:
    """Return the steps for this patient: without "meeting" unless they still meet the subject."""
    return [step for step in STEPS if step.key != "meeting" or answers.get("still") == "yes"]


def initial_of(case: Case, step: Step) -> dict[str, Any]:
    """Return the initial values of a step's form: the saved answers, or the draft if there is one."""
    fields: CaseFields = case.read()
    initial: dict[str, Any] = {
        **fields.answers,
        "subject_name": fields.subject_name,
        "subject_relation": fields.subject_relation,
    }
    for n, chapter in zip(CHAPTERS, fields.chapters, strict=False):
        initial |= {f"{part}_{n}": chapter[part] for part in ("name", "color", "from", "to")}
    initial |= fields.answers.get(DRAFTS, {}).get(step.key, {})
    return {name: value for name, value in initial.items() if name in step.form().fields}


def _lock_open_case(case: Case) -> Case:
    row = Case.objects.select_for_update().get(pk=case.pk)
    if not row.map_is_open:
        raise CaseLocked(str(LOCKED))
    return row


def _save_fields(row: Case, fields: CaseFields) -> None:
    row.write(fields)
    row.save(update_fields=["sealed"])


def _without_draft(answers: dict[str, Any], step: Step) -> dict[str, Any]:
    drafts = {key: value for key, value in answers.get(DRAFTS, {}).items() if key != step.key}
    return {key: value for key, value in answers.items() if key != DRAFTS} | (
        {DRAFTS: drafts} if drafts else {}
    )


@transaction.atomic
def save_draft(case: Case, step: Step, typed: QueryDict) -> None:
    """Save what is typed in a step as a draft, without validation, so that nothing is lost.

    It makes no audit entry; `save_step` does. Errors: CaseLocked once the map is locked.
    """
    row = _lock_open_case(case)
    fields: CaseFields = row.read()
    draft: dict[str, Any] = {}
    for name, field in step.form().fields.items():
        if isinstance(field, forms.MultipleChoiceField):
            draft[name] = [value[:80] for value in typed.getlist(name)[: len(CONDITIONS)]]
        else:
            draft[name] = typed.get(name, "").replace("\0", "")[:MAX_DRAFT_LENGTH]
    drafts = fields.answers.get(DRAFTS, {}) | {step.key: draft}
    _save_fields(row, dataclasses.replace(fields, answers={**fields.answers, DRAFTS: drafts}))


@transaction.atomic
def save_step(case: Case, step: Step, form: forms.Form, *, by: User) -> None:
    """Save the answers of a valid form and delete its draft. Errors: CaseLocked once the map is locked."""
    row = _lock_open_case(case)
    fields: CaseFields = row.read()
    answers = _without_draft(fields.answers, step)
    if isinstance(form, ChaptersStep):
        fields = dataclasses.replace(fields, chapters=form.chapters(), answers=answers)
    else:
        values = {
            key: value.field_value if hasattr(value, "field_value") else value
            for key, value in form.cleaned_data.items()
        }
        subject = {key: values.pop(key) for key in ("subject_name", "subject_relation") if key in values}
        answers = {key: value for key, value in {**answers, **values}.items() if value not in ("", [])}
        fields = dataclasses.replace(fields, answers=answers, **subject)
    _save_fields(row, fields)
    record(
        Act(
            "intake.answered",
            f"case:{row.pk}",
            actor=actor_of(by),
            case=row.pk,
            details={"step": step.key},
        )
    )
