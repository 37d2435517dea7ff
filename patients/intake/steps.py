"""The intake: a short questionnaire in steps, saved as it is typed, all of it sealed."""

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
from patients.cases.editing import LOCKED, NotTaken
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
# What keeps somebody from an ordinary night: each is a question the doctor asks further about.
CONDITIONS = [
    ("pregnancy", _("I am or may be pregnant")),
    ("breath", _("I stop breathing in my sleep, or I was told so")),
    ("heart", _("My heart, or my blood pressure, is being treated")),
    ("seizures", _("I have had seizures")),
    ("implant", _("I have a pacemaker or another implant")),
]
CHAPTERS = range(1, 5)
LONGEST = 4000  # characters of one answer that are kept while it is typed
DRAFTS = "drafts"  # the key in `answers` under which unfinished steps are kept, as typed


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
    """Asked only where they still meet."""

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
    """Up to four spans the patient names, for the map's strip of time."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for n in CHAPTERS:
            self.fields[f"name_{n}"] = forms.CharField(label=_("Its name"), max_length=60, required=False)
            self.fields[f"from_{n}"] = _day_field(_("First day"))
            self.fields[f"to_{n}"] = _day_field(_("Last day"))
            self.fields[f"color_{n}"] = forms.ChoiceField(label=_("Color"), choices=COLORS, required=False)

    def rows(self) -> list[list[forms.BoundField]]:
        """The fields of each span that has any, and of one more, for the page."""
        return [self._row(n) for n in CHAPTERS if n <= self._filled() + 1]

    def further(self) -> list[list[forms.BoundField]]:
        """Those of the others."""
        return [self._row(n) for n in CHAPTERS if n > self._filled() + 1]

    def _row(self, n: int) -> list[forms.BoundField]:
        return [self[f"{part}_{n}"] for part in ("name", "color", "from", "to")]

    def _filled(self) -> int:
        """The last span in which something stands."""
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
        """The spans that were named, in time order."""
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


def _day_field(label: Any) -> forms.DateField:
    # Browsers send and expect a date in this form alone, whatever the page's language.
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
    """The steps that concern this patient: who no longer meets the person is not asked where."""
    return [step for step in STEPS if step.key != "meeting" or answers.get("still") == "yes"]


def initial_of(case: Case, step: Step) -> dict[str, Any]:
    """What was typed before, on whatever device, finished or not."""
    paper: CaseFields = case.read()
    initial: dict[str, Any] = {
        **paper.answers,
        "subject_name": paper.subject_name,
        "subject_relation": paper.subject_relation,
    }
    for n, chapter in zip(CHAPTERS, paper.chapters, strict=False):
        initial |= {f"{part}_{n}": chapter[part] for part in ("name", "color", "from", "to")}
    initial |= paper.answers.get(DRAFTS, {}).get(step.key, {})
    return {name: value for name, value in initial.items() if name in step.form().fields}


def _open(case: Case) -> Case:
    row = Case.objects.select_for_update().get(pk=case.pk)
    if not row.takes_keepsakes:
        raise NotTaken(str(LOCKED))
    return row


def _seal(row: Case, paper: CaseFields) -> None:
    row.write(paper)
    row.save(update_fields=["sealed"])


def _without_draft(answers: dict[str, Any], step: Step) -> dict[str, Any]:
    drafts = {key: value for key, value in answers.get(DRAFTS, {}).items() if key != step.key}
    return {key: value for key, value in answers.items() if key != DRAFTS} | (
        {DRAFTS: drafts} if drafts else {}
    )


@transaction.atomic
def keep_draft(case: Case, step: Step, typed: QueryDict) -> None:
    """Keep a step as it stands, whether it can be read yet or not, so that no typing is lost.

    Typing makes no entry in the log; the button does. Errors: NotTaken once the map is locked.
    """
    row = _open(case)
    paper: CaseFields = row.read()
    draft: dict[str, Any] = {}
    for name, field in step.form().fields.items():
        if isinstance(field, forms.MultipleChoiceField):
            draft[name] = [value[:80] for value in typed.getlist(name)[: len(CONDITIONS)]]
        else:
            draft[name] = typed.get(name, "").replace("\0", "")[:LONGEST]
    drafts = paper.answers.get(DRAFTS, {}) | {step.key: draft}
    _seal(row, dataclasses.replace(paper, answers={**paper.answers, DRAFTS: drafts}))


@transaction.atomic
def save_step(case: Case, step: Step, form: forms.Form, *, by: User) -> None:
    """Take a step's answers. Errors: NotTaken once the map is locked."""
    row = _open(case)
    paper: CaseFields = row.read()
    answers = _without_draft(paper.answers, step)
    if isinstance(form, ChaptersStep):
        paper = dataclasses.replace(paper, chapters=form.chapters(), answers=answers)
    else:
        said = {
            key: value.field_value if hasattr(value, "field_value") else value
            for key, value in form.cleaned_data.items()
        }
        named = {key: said.pop(key) for key in ("subject_name", "subject_relation") if key in said}
        answers = {key: value for key, value in {**answers, **said}.items() if value not in ("", [])}
        paper = dataclasses.replace(paper, answers=answers, **named)
    _seal(row, paper)
    record(
        Act(
            "intake.answered",
            f"case:{row.pk}",
            actor=actor_of(by),
            case=row.pk,
            details={"step": step.key},
        )
    )
