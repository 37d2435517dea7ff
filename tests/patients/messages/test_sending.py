"""Messages: sealed, sent once, refused with the words kept, and lost with the keys."""

from uuid import uuid4

import pytest

from clinic.accounts.models import Role
from clinic.audit.models import Entry
from patients.cases.models import Case
from patients.keepsakes.removal import remove_keepsake
from patients.messages.models import Message
from patients.messages.sending import MAX_CHARACTERS, MessageRefused, mark_opened, send_message
from patients.vault.configured import key_store
from patients.vault.keys import KeyGone
from patients.vault.sealed import read_many
from tests.factories import make_case, make_keepsake, make_memory, make_user
from tests.messages import ANSWER, QUESTION, answer, ask, thread_of

pytestmark = pytest.mark.django_db


def test_a_message_is_sealed_and_its_sending_is_in_the_log() -> None:
    case, doctor = make_case(), make_user(Role.DOCTOR)
    question, reply = ask(case), answer(case, by=doctor)
    stored = Message.objects.get(pk=question.pk)
    assert b"skeleton" not in bytes(stored.sealed)
    assert stored.read().words == QUESTION
    assert (stored.from_clinic, Message.objects.get(pk=reply.pk).from_clinic) == (False, True)
    entries = Entry.objects.filter(action="message.sent").order_by("index")
    assert [(one.subject, one.actor, one.case, one.details) for one in entries] == [
        (f"message:{question.pk}", f"user:{case.patient_id}", case.pk, {"by": "patient"}),
        (f"message:{reply.pk}", f"user:{doctor.pk}", case.pk, {"by": "clinic"}),
    ]


def test_a_form_that_is_sent_twice_sends_one_message_and_other_words_are_not_lost() -> None:
    case, form = make_case(), uuid4()
    first = send_message(case, QUESTION, message=form, by=case.patient)
    assert send_message(case, QUESTION, message=form, by=case.patient) == first
    with pytest.raises(MessageRefused, match="has sent another message before"):
        send_message(case, "Other words", message=form, by=case.patient)
    other = make_case()
    with pytest.raises(MessageRefused, match="has sent another message before"):
        send_message(other, QUESTION, message=form, by=other.patient)
    with pytest.raises(MessageRefused, match="has sent another message before"):
        send_message(case, QUESTION, message=form, by=make_user(Role.DOCTOR))
    doctor, doctors_form = make_user(Role.DOCTOR), uuid4()
    send_message(case, ANSWER, message=doctors_form, by=doctor)
    with pytest.raises(MessageRefused, match="has sent another message before"):
        send_message(other, ANSWER, message=doctors_form, by=doctor)
    assert Message.objects.filter(from_clinic=False).count() == 1
    assert Message.objects.count() == Entry.objects.filter(action="message.sent").count() == 2


def test_a_form_whose_first_message_was_damaged_is_refused_and_no_error() -> None:
    case, form = make_case(), uuid4()
    send_message(case, QUESTION, message=form, by=case.patient)
    Message.objects.filter(pk=form).update(sealed=b"\x01 damaged")
    with pytest.raises(MessageRefused, match="has sent another message before"):
        send_message(case, QUESTION, message=form, by=case.patient)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("", "Please write something first."),
        (" \n\0 ", "Please write something first."),
        ("w" * (MAX_CHARACTERS + 1), "at most 10000 characters"),
    ],
)
def test_nothing_and_too_much_are_refused(words: str, sentence: str) -> None:
    case = make_case()
    with pytest.raises(MessageRefused, match=sentence):
        ask(case, words)
    assert not Message.objects.exists()


def test_the_longest_message_and_one_with_nul_bytes_are_sent() -> None:
    case = make_case()
    assert len(ask(case, "ữ" * MAX_CHARACTERS).read().words) == MAX_CHARACTERS
    assert ask(case, "a\0b\r\nc").read().words == "ab\nc"


def test_a_message_is_about_a_keepsake_of_its_own_case_that_is_there() -> None:
    case = make_case()
    keepsake, gone = make_keepsake(make_memory(case)), make_keepsake(make_memory(case))
    assert ask(case, keepsake=keepsake).keepsake == keepsake
    remove_keepsake(gone, by=case.patient)
    for other in (make_keepsake(make_memory(make_case())), gone):
        with pytest.raises(MessageRefused, match="is not here any more"):
            ask(case, keepsake=other)
    assert Message.objects.count() == 1


def test_what_was_said_of_a_keepsake_is_lost_with_it_and_all_else_with_the_case() -> None:
    case = make_case()
    keepsake = make_keepsake(make_memory(case))
    about_it, other = ask(case, "The one from the ice", keepsake=keepsake), ask(case)
    assert {row.words for row in read_many([about_it, other]).values()} == {"The one from the ice", QUESTION}
    remove_keepsake(keepsake, by=case.patient)
    assert list(read_many([about_it, other])) == [other.pk]
    with pytest.raises(KeyGone):
        about_it.read()
    key_store().destroy(case.pk)
    assert read_many([about_it, other]) == {}
    with pytest.raises(MessageRefused, match="are destroyed"):
        ask(case)


def test_one_key_of_two_opens_nothing() -> None:
    case = make_case()
    keepsake = make_keepsake(make_memory(case))
    row = ask(case, keepsake=keepsake)
    key_store().destroy(case.pk)
    assert key_store().get(keepsake.pk)
    assert read_many([row]) == {}


@pytest.mark.parametrize("stage", [Case.Stage.CLOSED, Case.Stage.WITHDRAWN])
def test_nobody_writes_to_a_case_that_is_over(stage: str) -> None:
    case, form = make_case(), uuid4()
    send_message(case, QUESTION, message=form, by=case.patient)
    Case.objects.filter(pk=case.pk).update(stage=stage)
    with pytest.raises(MessageRefused, match="nothing more can be sent"):
        answer(case)
    with pytest.raises(MessageRefused, match="consent" if stage == Case.Stage.WITHDRAWN else "Your file is"):
        ask(case)
    # A form that was sent in time and is sent once more has not failed.
    assert send_message(case, QUESTION, message=form, by=case.patient).pk == form


def test_opening_marks_only_what_the_other_side_wrote_and_is_logged_once_for_the_staff() -> None:
    case, doctor = make_case(), make_user(Role.DOCTOR)
    rows = [ask(case), ask(case, "And when?"), answer(case, ANSWER)]
    for _twice in range(2):
        mark_opened(case, list(Message.objects.all()), by=doctor)
    assert [Message.objects.get(pk=row.pk).opened_at is not None for row in rows] == [True, True, False]
    entry = Entry.objects.get(action="messages.opened")
    assert (entry.actor, entry.subject, entry.details) == (f"user:{doctor.pk}", f"case:{case.pk}", {"n": 2})
    before = Message.objects.get(pk=rows[0].pk).opened_at
    mark_opened(case, rows, by=make_user(Role.DOCTOR))  # a page that was loaded before the first opening
    assert Message.objects.get(pk=rows[0].pk).opened_at == before
    mark_opened(case, rows, by=case.patient)
    assert not Message.objects.filter(opened_at=None).exists()
    assert Entry.objects.filter(action="messages.opened").count() == 1
    ask(case, "One more")
    mark_opened(case, list(Message.objects.all()), by=doctor)
    assert Entry.objects.filter(action="messages.opened").count() == 2


def test_the_first_question_begins_the_wait_and_an_answer_ends_it() -> None:
    case = make_case()
    first = ask(case)
    begun = thread_of(case)
    assert begun.waits_since == first.written_at
    ask(case, "And when?")
    again = thread_of(case)
    assert (again.answer_by, again.waits_since) == (begun.answer_by, begun.waits_since)
    assert again.last_at > begun.last_at
    answer(case)
    assert (thread_of(case).answer_by, thread_of(case).waits_since) == (None, None)
    ask(case, "Thank you")
    later = thread_of(case)
    assert later.answer_by is not None
    assert begun.answer_by is not None
    assert later.answer_by > begun.answer_by
