"""An event for the tests of the queue, which needs no other package."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from django.db import transaction

from clinic.outgoing.events import EVENTS, Letter, MailEvent
from clinic.outgoing.models import OutgoingMessage
from clinic.outgoing.queue import cancel, queue
from clinic.outgoing.recipients import Recipient

ABOUT = "thing:1"


def write_note(message: OutgoingMessage) -> Letter:
    """A letter that tells event, object and version, so that a test knows what arrived."""
    return Letter(f"{message.event} {message.about} {message.version}", ["Something happened."], "/me/")


@contextmanager
def note_events(*names: str) -> Iterator[None]:
    """Register events of these names for the time of a test."""
    with pytest.MonkeyPatch.context() as patch:
        for name in names:
            patch.setitem(EVENTS, name, MailEvent(name.capitalize(), write_note))
        yield


def trigger(recipient: Recipient, event: str = "note", about: str = ABOUT, version: int | None = 1) -> int:
    with transaction.atomic():
        return queue(event, about, to=[recipient], version=version)


def stop(about: str = ABOUT, *events: str) -> None:
    with transaction.atomic():
        cancel(about, *events)
