"""The relations of a user to an appointment and to a task of the desk: the same as to its case."""

from uuid import UUID

from clinic.access.relations import Standing, relation
from clinic.accounts.models import User
from patients.appointments.models import Appointment, DeskTask
from patients.cases.relations import case_standing


@relation("appointment")
def relations_to_appointment(user: User, value: UUID) -> Standing | None:
    return case_standing(user, Appointment.objects.filter(pk=value).values_list("case_id", flat=True).first())


@relation("desk_task")
def relations_to_desk_task(user: User, value: UUID) -> Standing | None:
    return case_standing(user, DeskTask.objects.filter(pk=value).values_list("case_id", flat=True).first())
