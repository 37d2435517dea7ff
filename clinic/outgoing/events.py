"""The events about which people get mail. Each package registers its own in mails.py."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from urllib.parse import urljoin

from django.conf import settings
from django.template.loader import render_to_string
from django.utils import translation
from django.utils.functional import Promise
from django.utils.translation import gettext as _

from clinic.configuration.configuration import NAME, TELEPHONE
from clinic.configuration.values import value_of
from clinic.outgoing.models import OutgoingMessage
from clinic.outgoing.recipients import people_of


class MessageOutdated(Exception):
    """The content of a message is no longer true, or its recipient has left. It is not sent."""


@dataclass(frozen=True)
class Letter:
    """The content of one message, in the active language.

    path: the path of its only link, which leads to a page behind sign-in; "" for no link. link: the sentence
    before the link.
    """

    subject: str
    paragraphs: Sequence[str]
    path: str = ""
    link: str = ""


@dataclass(frozen=True)
class MailEvent:
    """One kind of event. title: its name in lists.

    write: returns the content of a message, in the active language, without the name of a case's subject.
    Errors: MessageOutdated. sent: is called in the transaction in which a message is marked as sent. urgent:
    its messages are sent before others.
    """

    title: str | Promise
    write: Callable[[OutgoingMessage], Letter]
    sent: Callable[[OutgoingMessage], None] = field(default=lambda _message: None)
    urgent: bool = False


@dataclass(frozen=True)
class Written:
    """A message as it is handed to the mail server."""

    address: str
    subject: str
    body: str


EVENTS: dict[str, MailEvent] = {}


def register_events(**events: MailEvent) -> None:
    """Register events by name; an underscore in a keyword is a hyphen in the name. Call it in mails.py."""
    EVENTS.update({name.replace("_", "-"): event for name, event in events.items()})


def event_title(name: str) -> str | Promise:
    """Return the title of an event, or its name if only an earlier release had it."""
    return EVENTS[name].title if name in EVENTS else name


def write(message: OutgoingMessage) -> Written:
    """Write a message in its language, to the present name and address of its recipient.

    Errors: MessageOutdated, also if the recipient has left.
    """
    person = people_of([message.recipient]).get(message.recipient)
    if person is None:
        raise MessageOutdated
    with translation.override(message.language):
        letter = EVENTS[message.event].write(message)
        body = render_to_string(
            "clinic/outgoing/letter.txt",
            {
                "name": person.name,
                "clinic": value_of(NAME),
                "paragraphs": [paragraph for paragraph in letter.paragraphs if paragraph],
                "link": letter.link or _("You read more after you have signed in:"),
                "url": urljoin(message.base or settings.LACUNA_ADDRESS, letter.path) if letter.path else "",
                "phone": value_of(TELEPHONE) if message.audience == "patient" else "",
            },
        )
    return Written(person.address, letter.subject, body)
