"""Who works in the demonstration, who comes, and how each signs in."""

from dataclasses import dataclass

from clinic.calendar.models import Resource
from clinic.people.models import Role, User

# Printed by `make demo` and worth nothing elsewhere: the demonstration refuses any database but its own.
PASSPHRASE = "spotless mind"  # noqa: S105 - said aloud on purpose


@dataclass(frozen=True)
class Part:
    """One person of the demonstration."""

    name: str
    email: str
    roles: tuple[str, ...]
    what: str


CAST = (
    Part("Howard Mierzwiak", "mierzwiak@lacuna.example", (Role.DOCTOR,), "doctor: reviews, decides at night"),
    Part("Mary Svevo", "mary@lacuna.example", (Role.RECEPTIONIST,), "front desk: requests, calendar"),
    Part("Stan Fink", "stan@lacuna.example", (Role.TECHNICIAN,), "technician: maps, watches the session"),
    Part("Patrick Wertz", "patrick@lacuna.example", (Role.TECHNICIAN,), "technician, not on Joel's case"),
    Part(
        "Ada Ledger", "auditor@lacuna.example", (Role.AUDITOR,), "auditor: reads the record, sees no keepsake"
    ),
    Part("Ines House", "admin@lacuna.example", (Role.ADMINISTRATOR,), "administrator: people and roles"),
    Part("Joel Barish", "joel@lacuna.example", (Role.PATIENT,), "patient: being erased tonight"),
    Part(
        "Nadia Quill",
        "nadia@lacuna.example",
        (Role.PATIENT,),
        "patient: has just come in, nothing brought yet",
    ),
)
RESOURCE_OF = {Role.DOCTOR: Resource.Kind.DOCTOR, Role.TECHNICIAN: Resource.Kind.TECHNICIAN}
PLACES = (
    ("Consulting 1", Resource.Kind.ROOM),
    ("Mapping lab", Resource.Kind.ROOM),
    ("Night room", Resource.Kind.ROOM),
    ("Home kit A", Resource.Kind.HOME_KIT),
    ("Home kit B", Resource.Kind.HOME_KIT),
)


def engage() -> dict[str, User]:
    """Create the people, rooms and kits; return people by the first word of their address."""
    people: dict[str, User] = {}
    for part in CAST:
        user = User.objects.create_user(part.email, PASSPHRASE, name=part.name, roles=part.roles)
        people[part.email.partition("@")[0]] = user
        for role in part.roles:
            if kind := RESOURCE_OF.get(Role(role)):
                Resource.objects.create(kind=kind, label=part.name, user=user)
    Resource.objects.bulk_create(Resource(kind=kind, label=label) for label, kind in PLACES)
    return people
