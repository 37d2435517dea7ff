"""In any order of triggers, cancellations and failures, an event arrives once and not after cancellation."""

from dataclasses import dataclass, field
from datetime import timedelta
from smtplib import SMTPRecipientsRefused, SMTPServerDisconnected

import pytest
from django.core.mail import EmailMessage
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from clinic.accounts.models import Role, User
from clinic.outgoing import delivery
from clinic.outgoing.models import OutgoingMessage
from clinic.outgoing.recipients import to_patient
from tests.clinic.outgoing.notes import note_events, stop, trigger
from tests.factories import make_user
from tests.outgoing import deliver, pass_time

pytestmark = pytest.mark.django_db

Sent = tuple[str, int, str]  # object, version, address
THINGS = ("thing:1", "thing:2")
SERVERS = ("up", "down", "refuses", "claimed", "answered")


class Killed(BaseException):
    """The sender is killed: nothing in it runs any more."""


@dataclass
class World:
    """A mail server, two objects, two recipients, and what the test knows of them.

    server: "up", "down", "refuses" (for good), or how far a sender comes before it is killed: "claimed", or
    "answered" by the server. newest: the newest version of each object. cancelled: messages that must not
    arrive any more. repeated: those that may arrive once more, because their sender was killed after the
    server's answer. refused: those that the server refused for good.
    """

    people: list[User]
    server: str = "up"
    newest: dict[str, int] = field(default_factory=dict)
    cancelled: set[Sent] = field(default_factory=set)
    arrived: list[Sent] = field(default_factory=list)
    repeated: set[Sent] = field(default_factory=set)
    refused: set[Sent] = field(default_factory=set)

    def to_all(self, about: str, newest: int) -> set[Sent]:
        """Return the messages of all versions up to `newest` to all people."""
        return {(about, version, user.email) for user in self.people for version in range(1, newest + 1)}

    def trigger(self, about: str) -> None:
        """Trigger the event of an object's newest version. A second call triggers the same event."""
        version = self.newest.setdefault(about, 1)
        for user in self.people:
            trigger(to_patient(user), about=about, version=version)

    def move(self, about: str) -> None:
        """Trigger a newer version, which cancels the older ones."""
        before = self.newest.get(about, 0)
        self.newest[about] = before + 1
        self.cancelled |= self.to_all(about, before)
        self.trigger(about)

    def cancel(self, about: str) -> None:
        self.cancelled |= self.to_all(about, self.newest.get(about, 0))
        stop(about)

    def mail_server(self, message: EmailMessage) -> int:
        _event, about, version = message.subject.split()
        sent = (about, int(version), message.to[0])
        if self.server == "down":
            raise SMTPServerDisconnected
        if self.server == "refuses":
            self.refused.add(sent)
            raise SMTPRecipientsRefused({message.to[0]: (550, b"nobody")})
        assert sent not in self.cancelled, "it was cancelled before"
        assert sent not in self.arrived or sent in self.repeated, "it has arrived before"
        self.arrived.append(sent)
        if self.server == "answered":
            self.repeated.add(sent)
        return 1

    def hit(self, point: str) -> None:
        if {"mail-claimed": "claimed", "mail-sent": "answered"}[point] == self.server:
            raise Killed

    def deliver(self, server: str) -> None:
        self.server = server
        killed = False
        try:
            deliver()
        except Killed:
            killed = True
        assert not killed or server in {"claimed", "answered"}

    def check_end(self) -> None:
        """Check that all that is true and was not refused arrives, once the server is up for some days."""
        for _round in range(4):
            pass_time(timedelta(days=2))
            self.deliver("up")
        rows = OutgoingMessage.objects.values_list("status", flat=True)
        assert set(rows) <= {"sent", "failed", "cancelled"}
        addresses = {f"user:{user.pk}": user.email for user in self.people}
        failed = {
            (about, version, addresses[recipient])
            for about, version, recipient in OutgoingMessage.objects.filter(status="failed").values_list(
                "about", "version", "recipient"
            )
        }
        wanted = {
            (about, version, user.email) for about, version in self.newest.items() for user in self.people
        }
        assert wanted - self.cancelled - failed - set(self.arrived) == set()
        # A message fails only if the server refused it, or after all attempts.
        given_up = OutgoingMessage.objects.filter(status="failed", attempts__gt=len(delivery.RETRIES))
        assert len(failed) == len(failed & self.refused) + given_up.count()


# "trigger" and "deliver" are listed twice so that they are drawn twice as often.
ACTS = ("trigger", "trigger", "move", "cancel", "deliver", "deliver", "minute", "hours")
STEPS = st.lists(
    st.tuples(st.sampled_from(ACTS), st.sampled_from(THINGS), st.sampled_from(SERVERS)),
    min_size=3,
    max_size=16,
)


@hypothesis_settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(steps=STEPS)
def test_each_event_arrives_once_and_none_after_its_cancellation(steps: list[tuple[str, str, str]]) -> None:
    OutgoingMessage.objects.all().delete()
    world = World([make_user(Role.PATIENT), make_user(Role.PATIENT)])
    with pytest.MonkeyPatch.context() as patch, note_events("note"):
        patch.setattr(EmailMessage, "send", lambda message: world.mail_server(message))
        patch.setattr(delivery, "hit", world.hit)
        for act, about, server in steps:
            if act == "deliver":
                world.deliver(server)
            elif act in {"minute", "hours"}:
                pass_time(timedelta(minutes=3) if act == "minute" else timedelta(hours=7))
            else:
                getattr(world, act)(about)
        world.check_end()
