"""Withdrawn cases that still have belongings, and destructions that are carried out in the test's process."""

from clinic.accounts.models import Role
from erasure.destructions.models import Destruction
from erasure.jobs.destroying import advance_destruction
from erasure.verification.places import FOUND
from patients.cases.models import Case
from patients.consent.signing import withdraw
from tests.erasure.verification.ended import verify_here
from tests.factories import make_case, make_keepsake, make_memory, make_other, make_user


def make_withdrawn(memories: int = 2) -> Case:
    """A withdrawn case. memories: how many have one photo each. One more, of childhood, has a recording."""
    case = make_case(make_user(Role.PATIENT, name="Joel Barish"), subject_name="Clementine Kruczynski")
    for number in range(memories):
        make_keepsake(make_memory(case, f"Memory {number}", f"2003-0{number + 1}-01"), caption="On the ice")
    make_other(make_memory(case, "The kitchen table", "1978-05-01", zone="childhood"), "recording")
    withdraw(case, by=case.patient)
    case.refresh_from_db()
    return case


def carry_out(destruction: Destruction) -> Destruction:
    """Work on a destruction for one time slice, which is enough for all of it. Return it as saved."""
    advance_destruction(destruction.pk)
    return Destruction.objects.get(pk=destruction.pk)


def places_found(destruction: Destruction) -> set[str]:
    """The names of the places where the verifier still finds something that was to be destroyed."""
    return {place.name for place in verify_here(destruction.pk).places if place.result == FOUND}
