"""Closing an account for good: what has to be done before, and the closing.

Closing destroys nothing that needs a certificate of its destruction. So the person first takes their consent
back and has everything destroyed (erasure/destructions). Then only the account is left to be forgotten.
"""

from dataclasses import dataclass

from django.db import transaction
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from clinic.accounts.models import User
from clinic.audit.record import Act, actor_of, record
from clinic.personal_data.forgetting import forget_person
from erasure.destructions.models import Destruction
from erasure.destructions.orders import belongings_of, unfinished_destruction
from erasure.runs.models import Run
from patients.appointments.models import Appointment
from patients.cases.models import Case


@dataclass(frozen=True)
class Obstacle:
    """What has to be done before an account can be closed. page: the URL name of where; "" if nowhere."""

    words: str | Promise
    page: str = ""


WORKS_HERE = Obstacle(_("You work here too. Ask an administrator to end that first."))
OPEN_FILE = Obstacle(_("Your file is open. Take back your consent first."), "patients:consent")
BELONGINGS_LEFT = Obstacle(
    _("Something of yours is still here. Have it destroyed, or take it back, first."), "erasure:belongings"
)
DESTROYING = Obstacle(
    _("Something of yours is being destroyed. Wait until that is done."), "erasure:belongings"
)
UNCERTIFIED = Obstacle(_("A certificate of yours is being made. Wait until you have it."), "patients:portal")
APPOINTMENT = Obstacle(_("An appointment is booked for you. Cancel it first."), "patients:portal")


class CannotClose(Exception):
    """The account is not closed: there are obstacles."""


def obstacles_of(person: User) -> list[Obstacle]:
    """Return what has to be done before the account of a patient can be closed, in the order to do it."""
    cases = list(Case.objects.filter(patient=person))
    runs = Run.objects.filter(procedure__case__patient=person)
    certified = Destruction.objects.filter(case__patient=person, items__state="destroyed")
    found = {
        WORKS_HERE: person.is_staff_member,
        OPEN_FILE: any(not case.is_over for case in cases),
        APPOINTMENT: Appointment.objects.unsettled().filter(case__patient=person).exists(),
        DESTROYING: any(unfinished_destruction(case) for case in cases),
        BELONGINGS_LEFT: any(belongings_of(case) for case in cases),
        UNCERTIFIED: runs.filter(certificate=None).exists() or certified.filter(certificate=None).exists(),
    }
    return [obstacle for obstacle, stands in found.items() if stands]


@transaction.atomic
def close_account(person: User) -> None:
    """Close the account of a patient for good, and forget what its rows say. They asked for it themselves.

    The caller has asked for the passphrase. Errors: CannotClose if there are obstacles.
    """
    row = User.objects.select_for_update().get(pk=person.pk)
    # The lock also makes the opening of a case wait, because its row refers to this one.
    if row.forgotten_at or obstacles_of(row):
        raise CannotClose
    actor = actor_of(row)
    forget_person(row)
    record(Act("person.forgotten", f"user:{row.pk}", actor=actor))
