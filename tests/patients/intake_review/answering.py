"""Changes the answers of a case in tests, as the patient does."""

import dataclasses
from typing import Any

from patients.cases.models import Case


def answer(case: Case, **answers: Any) -> Case:
    """Write these answers into the case and return it as it is now."""
    fields = case.read()
    case.write(dataclasses.replace(fields, answers={**fields.answers, **answers}))
    case.save(update_fields=["sealed"])
    return Case.objects.get(pk=case.pk)
