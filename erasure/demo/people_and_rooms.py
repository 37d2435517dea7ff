"""The demonstration's people with their sign-in, its rooms and its home kits."""

from dataclasses import dataclass

from django.contrib.auth.hashers import make_password
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from clinic.accounts.models import Role, User
from clinic.calendar.models import Resource
from patients.cases.models import Case

# `make demo` prints it. It opens no other clinic: the demonstration refuses any database but its own.
PASSPHRASE = "spotless mind"  # noqa: S105 - public on purpose


@dataclass(frozen=True)
class Person:
    """One person with an account. try_this: what to try as this person, one line for the sign-in page."""

    name: str
    email: str
    roles: tuple[str, ...]
    try_this: str | Promise

    @property
    def key(self) -> str:
        """The part of the address before the @. It is what a button of the sign-in page sends."""
        return self.email.partition("@")[0]

    @property
    def is_staff_member(self) -> bool:
        return self.roles[0] != Role.PATIENT

    @property
    def role_name(self) -> str | Promise:
        return Role(self.roles[0]).label


def _staff(name: str, key: str, role: str, try_this: str | Promise, *more_roles: str) -> Person:
    return Person(name, f"{key}@lacuna.example", (role, *more_roles), try_this)


def _patient(name: str, try_this: str | Promise) -> Person:
    key = name.partition(" ")[0].lower()
    return Person(name, f"{key}@lacuna.example", (Role.PATIENT,), try_this)


PEOPLE = (
    _staff(
        "Howard Mierzwiak",
        "mierzwiak",
        Role.DOCTOR,
        _("Decide on the copy that is found in Joel's childhood, or take his night over."),
    ),
    _staff(
        "Vera Lull",
        "lull",
        Role.DOCTOR,
        _("Lock Wilhelmina's map: nothing is missing. Watch Sylvia's night."),
    ),
    _staff("Anselm Hush", "hush", Role.DOCTOR, _("Watch Edgar's night, and read how Bruno's was stopped.")),
    _staff(
        "Mary Svevo",
        "mary",
        Role.RECEPTIONIST,
        _("Answer the requests, book a night for Agnes. Then open your own file, which you do not remember."),
        Role.PATIENT,
    ),
    _staff(
        "Stan Fink",
        "stan",
        Role.TECHNICIAN,
        _("Watch Joel's night: pause it, protect a memory, call the doctor."),
    ),
    _staff(
        "Patrick Wertz",
        "patrick",
        Role.TECHNICIAN,
        _("Sylvia's night is yours. Joel's is not: look whether you find it."),
    ),
    _staff(
        "Wanda Ebb", "wanda", Role.TECHNICIAN, _("Run Edgar's night, and review what Hector has brought.")
    ),
    _staff(
        "Ada Ledger",
        "auditor",
        Role.AUDITOR,
        _("Read the record of all that happens tonight, without a name or a picture."),
    ),
    _staff("Ines House", "admin", Role.ADMINISTRATOR, _("Invite somebody, add a room, read the record.")),
    _patient("Joel Barish", _("You are being erased tonight. Watch, keep a memory, or say the safe word.")),
    _patient("Clementine Kruczynski", _("Your night is over. Read your certificate, and check it.")),
    _patient("Sylvia Marsh", _("Your night goes on in the clinic. Pause it.")),
    _patient("Edgar Thimble", _("Your night goes on at home. Say the safe word.")),
    _patient("Ignatius Lamp", _("Your night is booked for this evening.")),
    _patient("Felix Orchard", _("Your night is booked for tomorrow. Withdraw your consent, if you like.")),
    _patient("Marguerite Dune", _("Your night is booked for this week.")),
    _patient("Rufus Lantern", _("Your night is booked for this week.")),
    _patient("Cordelia Pine", _("Your night is booked for this week.")),
    _patient("Agnes Harbor", _("You have signed, and wait for a night.")),
    _patient("Jasper Reed", _("Your map is locked. Read it, and sign.")),
    _patient("Wilhelmina Snow", _("All that you brought is accepted. Next your map is locked.")),
    _patient("Hector Plume", _("One of your keepsakes came back to you. Answer it.")),
    _patient("Imogen Vale", _("Bring more, and place what lies in no memory yet.")),
    _patient("Oscar Tallow", _("You stopped halfway through the questions. Go on.")),
    _patient("Nadia Quill", _("You have just come in. Begin with the questions.")),
    _patient("Bruno Kettle", _("Your night was stopped. Decide on what it left.")),
    _patient("Lotte Brine", _("You have taken your consent back. See what is left of your file.")),
)
RESOURCE_KINDS = {Role.DOCTOR: Resource.Kind.DOCTOR, Role.TECHNICIAN: Resource.Kind.TECHNICIAN}
ROOMS_AND_KITS = (
    ("Consulting 1", Resource.Kind.ROOM),
    ("Mapping lab", Resource.Kind.ROOM),
    ("Night room", Resource.Kind.ROOM),
    ("Night room 2", Resource.Kind.ROOM),
    ("Home kit A", Resource.Kind.HOME_KIT),
    ("Home kit B", Resource.Kind.HOME_KIT),
)


def create_people_and_rooms() -> dict[str, User]:
    """Create the people, rooms and kits. Returns the people by their key."""
    # One hash for all: they share the passphrase, and a hash takes a tenth of a second on purpose.
    hashed = make_password(PASSPHRASE)
    users: dict[str, User] = {}
    for person in PEOPLE:
        user = User.objects.create_user(person.email, None, name=person.name, roles=person.roles)
        users[person.key] = user
        for role in person.roles:
            if kind := RESOURCE_KINDS.get(Role(role)):
                Resource.objects.create(kind=kind, label=person.name, user=user)
    User.objects.filter(pk__in=[user.pk for user in users.values()]).update(password=hashed)
    Resource.objects.bulk_create(Resource(kind=kind, label=label) for label, kind in ROOMS_AND_KITS)
    return users


def people_by_key() -> dict[str, User]:
    """Return the accounts of PEOPLE by their key."""
    known = {person.email: person.key for person in PEOPLE}
    return {known[user.email]: user for user in User.objects.filter(email__in=known)}


def patients_to_come() -> set[str]:
    """Return the keys of the patients who have no case yet, because it is still to be loaded."""
    have_case = set(Case.objects.values_list("patient__email", flat=True))
    return {person.key for person in PEOPLE if not person.is_staff_member and person.email not in have_case}


def person_of(key: str) -> User | None:
    """Return the account of one of PEOPLE; None for any other key, and if the account is closed or gone."""
    known = next((person for person in PEOPLE if person.key == key), None)
    return User.objects.filter(email=known.email, is_active=True).first() if known else None
