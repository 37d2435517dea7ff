"""One mail for each stretch of unread answers. It names nothing, and none is sent to who has read them."""

import pytest
from django.core import mail

from clinic.outgoing.models import OutgoingMessage
from patients.messages.models import Message
from patients.messages.sending import mark_opened
from patients.vault.models import StoredObject
from patients.vault.objects import mark_for_destruction
from tests.factories import make_case
from tests.messages import ANSWER, QUESTION, answer, ask
from tests.outgoing import deliver, due_now, queued

pytestmark = pytest.mark.django_db


def test_one_mail_tells_of_all_unread_answers_and_names_nothing() -> None:
    case = make_case(subject_name="Clementine Kruczynski")
    ask(case)
    assert queued() == []
    answer(case)
    answer(case, "And bring the mug.")
    assert queued() == ["message-answered"]
    assert deliver() == 0  # who reads it within minutes needs no mail
    due_now()
    assert deliver() == 1
    (sent,) = mail.outbox
    assert sent.to == [case.patient.email]
    assert "/me/messages/" in sent.body
    assert sent.body.count("http") == 1
    for words in (QUESTION, ANSWER, "mug", "Clementine", case.reference):
        assert words not in sent.subject + sent.body
    answer(case, "And the photograph.")
    assert queued() == []  # the stretch goes on
    mark_opened(case, list(Message.objects.all()), by=case.patient)
    answer(case, "See you.")
    assert queued() == ["message-answered"]


def test_an_answer_that_was_read_before_the_mail_cancels_it() -> None:
    case = make_case()
    rows = [answer(case), answer(case, "And the mug.")]
    mark_opened(case, rows[:1], by=case.patient)
    assert queued() == ["message-answered"]
    mark_opened(case, rows, by=case.patient)
    assert OutgoingMessage.objects.get().status == "cancelled"
    due_now()
    assert deliver() == 0


def test_a_mail_that_is_not_true_any_more_is_not_sent() -> None:
    read, destroyed = make_case(), make_case()
    answer(read)
    answer(destroyed)
    Message.objects.filter(case=read).update(opened_at="2027-01-01T00:00Z")
    mark_for_destruction(StoredObject.objects.filter(pk=destroyed.pk), "case:destroyed")
    due_now()
    assert deliver() == 0
    assert set(OutgoingMessage.objects.values_list("status", flat=True)) == {"cancelled"}
