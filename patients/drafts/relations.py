"""A user's relation to a form that keeps drafts: they fill it in if the policy lets them save it."""

from clinic.access.policy import allowed
from clinic.access.relations import CONFLICT, Standing, relation, standing_in
from clinic.accounts.models import User
from patients.drafts.forms import find_form

FILLS_IN = "writing"


@relation("form")
def relations_to_form(user: User, value: str) -> Standing | None:
    """Return FILLS_IN if the user may save the form, and a conflict with its case. value: the form's name.

    None if there is no such form. Other relations, such as being the patient, do not matter here.
    """
    found = find_form(user, value)
    if found is None:
        return None
    _form, place = found
    standing = standing_in(user, place.kwargs)
    if standing is None:
        return None
    may_save = allowed(user, place.page, place.kwargs, "POST").allowed
    return Standing(standing.relations & {CONFLICT} | ({FILLS_IN} if may_save else set()), place.case)
