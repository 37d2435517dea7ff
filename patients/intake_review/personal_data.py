"""The doctors' reviews of a patient's answers, as a section of what is held about them."""

from collections.abc import Iterator

from django.utils.translation import gettext_lazy as _

from clinic.accounts.models import User
from clinic.personal_data.registry import Record, make_record, register_section
from patients.intake.questions import answers_in_words
from patients.intake_review.models import IntakeReview
from patients.vault.sealed import with_fields


@register_section(24, _("What our doctors said of your answers"))
def reviews(person: User) -> Iterator[Record]:
    made = IntakeReview.objects.filter(case__patient=person).select_related("reviewed_by")
    rows = made.order_by("case__opened_at", "number")
    for row, fields in with_fields(rows):
        yield make_record(
            row.get_outcome_display(),
            (_("When"), row.reviewed_at),
            (_("By"), row.reviewed_by.name),
            (_("Words"), fields.words),
            *(
                (answer.label, answer.text)
                for step in answers_in_words(fields.answers)
                for answer in step.answers
                if answer.text
            ),
        )
