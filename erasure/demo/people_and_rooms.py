"""The demonstration's people with their sign-in, its rooms and its home kits."""

from dataclasses import dataclass

from clinic.accounts.models import Role, User
from clinic.calendar.models import Resource

# Printed by `make demo`. It opens nothing else: the demonstration refuses any database but its own.
PASSPHRASE = "spotless mind"  # noqa: S105 - public on purpose


@dataclass(frozen=True)
class Person:
    """One person of the demonstration. description: printed by `make demo` beside the address."""

    name: str
    email: str
    roles: tuple[str, ...]
    description: str


PEOPLE = (
    Person(
        "Howard Mierzwiak", "mierzwiak@lacuna.example", (Role.DOCTOR,), "doctor: reviews, decides at night"
    ),
    Person("Mary Svevo", "mary@lacuna.example", (Role.RECEPTIONIST,), "front desk: requests, calendar"),
    Person("Stan Fink", "stan@lacuna.example", (Role.TECHNICIAN,), "technician: maps, watches the session"),
    Person("Patrick Wertz", "patrick@lacuna.example", (Role.TECHNICIAN,), "technician, not on Joel's case"),
    Person(
        "Ada Ledger", "auditor@lacuna.example", (Role.AUDITOR,), "auditor: reads the record, sees no keepsake"
    ),
    Person("Ines House", "admin@lacuna.example", (Role.ADMINISTRATOR,), "administrator: people and roles"),
    Person("Joel Barish", "joel@lacuna.example", (Role.PATIENT,), "patient: being erased tonight"),
    Person(
        "Nadia Quill",
        "nadia@lacuna.example",
        (Role.PATIENT,),
        "patient: has just come in, nothing brought yet",
    ),
)
RESOURCE_KINDS = {Role.DOCTOR: Resource.Kind.DOCTOR, Role.TECHNICIAN: Resource.Kind.TECHNICIAN}
ROOMS_AND_KITS = (
    ("Consulting 1", Resource.Kind.ROOM),
    ("Mapping lab", Resource.Kind.ROOM),
    ("Night room", Resource.Kind.ROOM),
    ("Home kit A", Resource.Kind.HOME_KIT),
    ("Home kit B", Resource.Kind.HOME_KIT),
)


def create_people_and_rooms() -> dict[str, User]:
    """Create the people, rooms and kits. Returns the people by the part of their address before the @."""
    users: dict[str, User] = {}
    for person in PEOPLE:
        user = User.objects.create_user(person.email, PASSPHRASE, name=person.name, roles=person.roles)
        users[person.email.partition("@")[0]] = user
        for role in person.roles:
            if kind := RESOURCE_KINDS.get(Role(role)):
                Resource.objects.create(kind=kind, label=person.name, user=user)
    Resource.objects.bulk_create(Resource(kind=kind, label=label) for label, kind in ROOMS_AND_KITS)
    return users
