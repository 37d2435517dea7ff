"""The steps of the intake, when each question is asked, which answers are alarming, and answers in words.

An answer is stored in `CaseFields.answers` under the name of its form field. An answer whose question is not
asked any more stays stored, but nobody is shown it: the patient may change the earlier answer back.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django import forms
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from clinic.edits.forms import EditForm, in_words
from patients.cases.models import CaseFields
from patients.intake.forms import (
    ChaptersStep,
    CircleStep,
    HealthStep,
    HopeStep,
    MeetingStep,
    MoreOfHealth,
    MoreOfTheCircle,
    MoreOfTheWish,
    SubjectStep,
    WishStep,
)


@dataclass(frozen=True)
class Step:
    """One page of the questionnaire."""

    key: str
    title: str | Promise
    form: type[EditForm]


STEPS = (
    Step("who", _("Whom it is about"), SubjectStep),
    Step("meeting", _("Where you meet"), MeetingStep),
    Step("wish", _("Your wish"), WishStep),
    Step("wish-more", _("More about your wish"), MoreOfTheWish),
    Step("hope", _("Hope and fear"), HopeStep),
    Step("health", _("Your health"), HealthStep),
    Step("health-more", _("More about your health"), MoreOfHealth),
    Step("circle", _("The people around you"), CircleStep),
    Step("circle-more", _("More about the people around you"), MoreOfTheCircle),
    Step("chapters", _("Chapters, if there were any"), ChaptersStep),
)
STEP_BY_KEY = {step.key: step for step in STEPS}
# The key in `answers` for steps that were typed and not submitted, in cases of earlier releases. Drafts are
# rows of their own now (patients/drafts); these are shown until the step is submitted.
DRAFTS = "drafts"
ANYTHING = "*"


@dataclass(frozen=True)
class Branch:
    """An answer after which one more question is asked, or which is alarming, or both.

    question: the name of its field. answer: the value of the choice, or ANYTHING for any answer. more: the
    name of the question that is asked then, "" if none is. alarming: the doctor is shown it first.
    """

    question: str
    answer: str
    more: str = ""
    alarming: bool = True

    def is_taken(self, answers: Mapping[str, Any]) -> bool:
        """Return whether `answers` have this answer."""
        value = answers.get(self.question)
        if self.answer == ANYTHING:
            return bool(value)
        return self.answer in value if isinstance(value, list) else value == self.answer


# In the order in which the doctor reads the alarming ones.
BRANCHES = (
    Branch("despair", "yes", "despair_more"),
    Branch("harm", "yes", "safety"),
    Branch("own_wish", "asked", "who_asks"),
    Branch("own_wish", "unsure", "doubt"),
    Branch("conditions", "pregnancy", "pregnancy_more"),
    Branch("conditions", "breath", "breath_more"),
    Branch("conditions", "heart", "heart_more"),
    Branch("conditions", "seizures", "seizures_more"),
    Branch("conditions", "implant", "implant_more"),
    Branch("sedation", "yes", "sedation_more"),
    Branch("allergy", "yes", "allergies"),
    Branch("child", "yes", "child_more"),
    Branch("must_not", ANYTHING),
    Branch("still", "yes", "meeting", alarming=False),
)
FOLLOW_UPS = frozenset(branch.more for branch in BRANCHES if branch.more)


def upgraded(answers: Mapping[str, Any]) -> dict[str, Any]:
    """Return answers as the questions are asked now.

    Earlier releases asked for allergies and medicines in one field. What was written there is shown with the
    medicines, so that it is read and the question about allergies is asked anew.
    """
    found = {key: value for key, value in answers.items() if key != "medicines"}
    if before := answers.get("medicines"):
        found.setdefault("medication", before)
    return found


def is_asked(question: str, answers: Mapping[str, Any]) -> bool:
    """Return whether a question is asked of a patient with these answers."""
    return question not in FOLLOW_UPS or any(
        branch.more == question and branch.is_taken(answers) for branch in BRANCHES
    )


def steps_for(answers: Mapping[str, Any]) -> list[Step]:
    """Return the steps for this patient: without those of whose questions none is asked."""
    return [
        step
        for step in STEPS
        # The fields of the chapters are made with the form.
        if not step.form.base_fields or any(is_asked(name, answers) for name in step.form.base_fields)
    ]


def step_after(step: Step, answers: Mapping[str, Any]) -> Step | None:
    """Return the next step for this patient, or None after the last."""
    later = STEPS[STEPS.index(step) + 1 :]
    return next((one for one in steps_for(answers) if one in later), None)


def given_answers(fields: CaseFields) -> dict[str, Any]:
    """Return what the patient has answered, by question, as it is stored.

    Only answers to questions that are asked are there: exactly what a reader is shown. The chapters are not,
    because the clinic may rename them on the bench, and they say nothing of the patient.
    """
    answers = upgraded(fields.answers)
    every = {
        **answers,
        "subject_name": fields.subject_name,
        "subject_relation": fields.subject_relation,
    }
    return {
        name: every[name]
        for step in STEPS
        for name in step.form.base_fields
        if every.get(name) and is_asked(name, answers)
    }


@dataclass(frozen=True)
class Answer:
    """One answer in words. text: "" if the question is not answered. before: as it was at an earlier time, in
    words, if it was another. alarming: it has a part that is.
    """

    question: str
    label: str | Promise
    text: str
    before: str | None = None
    alarming: bool = False


@dataclass(frozen=True)
class AnsweredStep:
    """The answers of one step."""

    title: str | Promise
    answers: tuple[Answer, ...]

    @property
    def is_answered(self) -> bool:
        """Whether there is anything to read: an answer now, or one that was taken out."""
        return any(answer.text or answer.before for answer in self.answers)


@dataclass(frozen=True)
class Alarm:
    """One alarming answer. more: what was asked about it, None if nothing is."""

    label: str | Promise
    text: str
    more: Answer | None


_FIELDS: dict[str, forms.Field] = {
    name: field for step in STEPS for name, field in step.form.base_fields.items()
}


def question_names() -> list[str]:
    """Return the names of all questions but those on chapters, in their order."""
    return list(_FIELDS)


def _words(question: str, value: Any) -> str:
    """Return a stored answer in words; "" for none."""
    if not value:
        return ""
    return in_words(_FIELDS[question], value if isinstance(value, list) else [value])


def _answer(question: str, answers: Mapping[str, Any], before: Mapping[str, Any] | None) -> Answer:
    text = _words(question, answers.get(question))
    earlier = _words(question, before.get(question)) if before is not None else text
    return Answer(
        question,
        _FIELDS[question].label or "",
        text,
        earlier if earlier != text else None,
        any(
            branch.alarming and branch.question == question and branch.is_taken(answers)
            for branch in BRANCHES
        ),
    )


def answers_in_words(
    answers: Mapping[str, Any], before: Mapping[str, Any] | None = None
) -> list[AnsweredStep]:
    """Return all questions that are asked, step by step, with the answers in words.

    answers, before: as `given_answers` returns them; before: at an earlier time.
    """
    asked = {name for name in _FIELDS if is_asked(name, answers)}
    return [
        AnsweredStep(
            step.title,
            tuple(_answer(name, answers, before) for name in step.form.base_fields if name in asked),
        )
        for step in STEPS
        if asked & step.form.base_fields.keys()
    ]


def alarms_in(answers: Mapping[str, Any]) -> list[Alarm]:
    """Return the alarming answers, the worst first. answers: as `given_answers` returns them."""
    return [
        Alarm(
            _FIELDS[branch.question].label or "",
            _words(
                branch.question, answers[branch.question] if branch.answer == ANYTHING else [branch.answer]
            ),
            _answer(branch.more, answers, None) if branch.more else None,
        )
        for branch in BRANCHES
        if branch.alarming and branch.is_taken(answers)
    ]
