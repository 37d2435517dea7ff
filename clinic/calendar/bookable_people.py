"""Keeps the resources of doctors and technicians: one in use for each of their roles that can be booked."""

from django.db import IntegrityError, transaction

from clinic.accounts.models import Role, User
from clinic.calendar.models import Resource

KINDS = {Role.DOCTOR: Resource.Kind.DOCTOR, Role.TECHNICIAN: Resource.Kind.TECHNICIAN}


def update_resources_of(user: User) -> None:
    """Give `user` a resource for each bookable role, and take those of other roles out of use.

    A closed account has none in use. Bookings are not changed: staff replace the person in them. Call it
    inside the transaction that changes the roles or closes the account.
    """
    rows = {row.kind: row for row in Resource.objects.select_for_update().filter(user=user)}
    for role, kind in KINDS.items():
        wanted = user.is_active and role in user.roles
        row = rows.get(kind)
        if row is None and wanted:
            _create(kind, user)
        elif row is not None and row.in_use != wanted:
            row.in_use = wanted
            row.save(update_fields=["in_use"])


def _create(kind: str, user: User) -> None:
    while True:
        try:
            with transaction.atomic():
                Resource.objects.create(kind=kind, label=_free_label(kind, user.name), user=user)
        except IntegrityError:  # a namesake took the label meanwhile; the next turn finds another
            continue
        return


def _free_label(kind: str, name: str) -> str:
    """Return a label that no resource of this kind has: of two namesakes the second gets a number."""
    longest = Resource._meta.get_field("label").max_length or 0
    taken = set(Resource.objects.filter(kind=kind).values_list("label", flat=True))
    label, number = name[:longest], 1
    while label in taken:
        number += 1
        end = f" ({number})"
        label = name[: longest - len(end)] + end
    return label
