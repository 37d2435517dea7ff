"""The recipients of messages. The reference is stored; name and address are looked up when needed."""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from uuid import UUID

from clinic.accounts.models import User
from clinic.outgoing.models import OutgoingMessage

Audience = OutgoingMessage.Audience


@dataclass(frozen=True)
class Recipient:
    """The recipient of a message. reference: "<noun>:<id>", with a noun of `register_recipients`."""

    reference: str
    audience: str
    language: str


@dataclass(frozen=True)
class Person:
    """The person of a reference, as of now. number: shown instead of the name where names are hidden."""

    name: str
    address: str
    number: str = ""


People = Callable[[Collection[str]], Mapping[str, Person]]
_people: dict[str, People] = {}
# Functions of the apps above that return the file numbers of cases by their ids.
file_numbers_of: list[Callable[[Collection[UUID]], Mapping[UUID, str]]] = []


def register_recipients(noun: str, people: People) -> None:
    """Register the function that returns the people of "<noun>:<id>" by id, without those who have left."""
    _people[noun] = people


def people_of(references: Iterable[str]) -> dict[str, Person]:
    """Return the people of `references`, without those who have left. One query for each noun."""
    ids: dict[str, set[str]] = {}
    for reference in references:
        noun, _colon, pk = reference.partition(":")
        ids.setdefault(noun, set()).add(pk)
    return {
        f"{noun}:{pk}": person
        for noun, wanted in ids.items()
        if noun in _people
        for pk, person in _people[noun](wanted).items()
    }


def file_numbers(cases: Collection[UUID]) -> dict[UUID, str]:
    """Return the file numbers of cases by their ids."""
    return {pk: number for find in file_numbers_of for pk, number in find(cases).items()}


def to_patient(user: User) -> Recipient:
    """Return the recipient for a patient with an account."""
    return Recipient(f"user:{user.pk}", Audience.PATIENT, user.mail_language)


def to_staff(user: User) -> Recipient:
    """Return the recipient for a member of staff."""
    return Recipient(f"user:{user.pk}", Audience.STAFF, user.mail_language)


def _users(ids: Collection[str]) -> dict[str, Person]:
    """Return the people with an open account: nobody else can open the link in a message."""
    return {
        str(user.pk): Person(user.name, user.email)
        for user in User.objects.filter(pk__in=ids, is_active=True)
    }


register_recipients("user", _users)
