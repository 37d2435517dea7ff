"""A patient's answers, as a section of what is held about them."""

from collections.abc import Iterator

from django.utils.translation import gettext_lazy as _

from clinic.accounts.models import User
from clinic.personal_data.registry import Record, make_record, register_section
from patients.cases.models import Case
from patients.intake.questions import answers_in_words, given_answers
from patients.vault.sealed import read_many


@register_section(22, _("Your answers"))
def answers(person: User) -> Iterator[Record]:
    cases = list(Case.objects.filter(patient=person).order_by("opened_at"))
    fields_by_id = read_many(cases, skip_damaged=True)
    for case in cases:
        if fields := fields_by_id.get(case.pk):
            for step in answers_in_words(given_answers(fields)):
                if given := [(answer.label, answer.text) for answer in step.answers if answer.text]:
                    yield make_record(step.title, *given)
