"""Messages of patients and of the clinic, for tests."""

from uuid import uuid4

from django.conf import settings
from django.test import Client

from clinic.accounts.models import Role, User
from patients.cases.models import Case
from patients.keepsakes.models import Keepsake
from patients.messages.models import Message, MessageThread
from patients.messages.sending import send_message
from tests.factories import make_user

QUESTION = "May I bring\nthe skeleton picture too?"
ANSWER = "Yes, please bring it on Thursday."


def ask(case: Case, words: str = QUESTION, *, keepsake: Keepsake | None = None) -> Message:
    """Send a message as the patient, and return it."""
    about = keepsake.pk if keepsake else None
    return send_message(case, words, message=uuid4(), keepsake=about, by=case.patient)


def answer(case: Case, words: str = ANSWER, *, by: User | None = None) -> Message:
    """Send a message as the clinic, and return it. by: a new doctor by default."""
    return send_message(case, words, message=uuid4(), by=by or make_user(Role.DOCTOR))


def thread_of(case: Case) -> MessageThread:
    """The thread of a case as it is now."""
    return MessageThread.objects.get(case=case)


def client_of(user: User) -> Client:
    """A client that is signed in."""
    client = Client()
    client.force_login(user, backend=settings.AUTHENTICATION_BACKENDS[0])
    return client
