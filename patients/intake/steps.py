"""The intake: a questionnaire in steps, stored encrypted. patients/intake/questions.py has the questions."""

import dataclasses
import json
from collections.abc import Callable
from typing import Any

from django.db import transaction
from django.http import QueryDict

from clinic.accounts.models import User
from clinic.audit.record import Act, actor_of, record
from clinic.edits.forms import EditForm
from patients.cases.editing import open_case_of
from patients.cases.models import Case, CaseFields
from patients.intake.forms import CHAPTERS, ChaptersStep
from patients.intake.questions import DRAFTS, Step, is_asked, upgraded

# The audit actions by which the answers change, to say who did it last.
CHANGES = ("intake.answered", "map.chapters")


def form_of(
    case: Case,
    step: Step,
    typed: QueryDict | None = None,
    *,
    changed_by: Callable[[], str] | None = None,
) -> EditForm:
    """Return a step's form, based on the saved answers, with an earlier release's draft if there is one.

    It has the questions that are asked, and those that were posted: a page that was open while an earlier
    answer changed loses nothing. typed: what was posted; then lock the case before. changed_by: as in
    EditForm.
    """
    fields: CaseFields = case.read()
    saved = _saved(fields, step)
    states: dict[str, str] = {}
    for n in CHAPTERS:
        # A chapter is one thing. If the clinic puts another in its place, each of its fields is another.
        row = json.dumps(fields.chapters[n - 1 : n], sort_keys=True)
        states |= {f"{part}_{n}": row for part in ("name", "color", "from", "to")}
    form = step.form(
        typed,
        initial=initial_of(case, step),
        about=f"case:{case.pk}",
        # A browser sends the first color of the list for a chapter that has none.
        saved={name: saved.get(name, "none" if "color_" in name else None) for name in step.form().fields},
        states=states,
        changed_by=changed_by,
    )
    for name in [name for name in form.fields if not is_asked(name, fields.answers)]:
        if typed is None or name not in typed:
            del form.fields[name]
    return form


def _saved(fields: CaseFields, step: Step) -> dict[str, Any]:
    """Return the saved answers of a step, by the names of its form's fields."""
    saved: dict[str, Any] = {
        **upgraded(fields.answers),
        "subject_name": fields.subject_name,
        "subject_relation": fields.subject_relation,
    }
    for n, chapter in zip(CHAPTERS, fields.chapters, strict=False):
        saved |= {f"{part}_{n}": chapter[part] for part in ("name", "color", "from", "to")}
    return {name: value for name, value in saved.items() if name in step.form().fields}


def initial_of(case: Case, step: Step) -> dict[str, Any]:
    """Return the initial values of a step's form: the saved answers, or an earlier release's draft of it."""
    fields: CaseFields = case.read()
    draft = upgraded(fields.answers.get(DRAFTS, {}).get(step.key, {}))
    return _saved(fields, step) | {name: value for name, value in draft.items() if name in step.form().fields}


def _save_fields(row: Case, fields: CaseFields) -> None:
    row.write(fields)
    row.save(update_fields=["sealed"])


def _without_draft(answers: dict[str, Any], step: Step) -> dict[str, Any]:
    drafts = {key: value for key, value in answers.get(DRAFTS, {}).items() if key != step.key}
    return {key: value for key, value in answers.items() if key != DRAFTS} | (
        {DRAFTS: drafts} if drafts else {}
    )


@transaction.atomic
def save_step(case: Case, step: Step, form: EditForm, *, by: User) -> None:
    """Save the edited answers of a valid form.

    The form was made under the lock under which this is called. Errors: CaseLocked once the map is locked.
    """
    row = open_case_of(case.pk)
    fields: CaseFields = row.read()
    answers = _without_draft(upgraded(fields.answers), step)
    if isinstance(form, ChaptersStep):
        # The clinic may have named more chapters than this form has room for.
        chapters = form.chapters() + fields.chapters[len(CHAPTERS) :]
        if form.edited:
            fields = dataclasses.replace(fields, chapters=sorted(chapters, key=lambda span: span["from"]))
        fields = dataclasses.replace(fields, answers=answers)
    else:
        values = {
            key: value.field_value if hasattr(value, "field_value") else value
            for key, value in form.cleaned_data.items()
            if key in form.edited
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
