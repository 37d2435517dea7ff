"""The pages of both sides: the thread, the form and its draft, refusals that keep what was typed."""

import re
from datetime import timedelta
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from clinic.accounts.models import Role
from clinic.audit.models import Entry
from patients.cases.models import Case
from patients.consent.signing import withdraw
from patients.drafts.models import Draft
from patients.keepsakes.models import Keepsake
from patients.keepsakes.removal import remove_keepsake
from patients.keepsakes.review import return_keepsake
from patients.messages.models import Message, MessageThread
from patients.messages.waiting import assign_thread, thread_mark
from patients.vault.configured import key_store
from tests.factories import make_case, make_doctor, make_keepsake, make_memory, make_technician, make_user
from tests.messages import ANSWER, QUESTION, answer, ask, client_of, thread_of

pytestmark = pytest.mark.django_db
MINE = "/me/messages/"


def page_of(case: Case) -> str:
    return f"/files/{case.pk}/messages/"


def text_of(html: str) -> str:
    """The words of a page with single spaces between."""
    return " ".join(re.sub(r"<[^>]+>", " ", html).split())


def test_a_patient_writes_is_answered_and_reads() -> None:
    case, doctor = make_case(), make_user(Role.DOCTOR, name="Dr. Howard Mierzwiak")
    patient, clinic = client_of(case.patient), client_of(doctor)
    empty = patient.get(MINE).content.decode()
    assert "Nothing was written yet." in empty
    assert "We answer within 2 working days." in empty
    ticket = str(uuid4())
    for _twice in range(2):
        sent = patient.post(MINE, {"words": QUESTION, "message": ticket})
        assert (sent.status_code, sent["Location"]) == (302, f"{MINE}#new")
    assert Message.objects.count() == 1
    mine = patient.get(MINE).content.decode()
    assert "May I bring<br>the skeleton picture too?" in mine
    assert "We answer by" in mine
    assert "read " not in text_of(mine).split("May I bring")[1].split("We answer by")[0]
    for _twice in range(2):
        theirs = clinic.get(page_of(case)).content.decode()
        assert "May I bring<br>the skeleton picture too?" in theirs
        assert case.patient.name in theirs
    assert 'class="thread-new"' not in theirs
    views = Entry.objects.filter(action="file.viewed", details__page="case-messages")
    assert (views.count(), Entry.objects.filter(action="messages.opened").count()) == (2, 1)
    assert "read " in text_of(patient.get(MINE).content.decode())
    done = clinic.post(page_of(case), {"words": ANSWER, "message": str(uuid4())})
    assert done["Location"] == f"{page_of(case)}#new"
    assert Message.objects.get(from_clinic=True).opened_at is None
    home = text_of(patient.get("/me/").content.decode())
    assert "Messages 1 new" in home
    ask(make_case())
    answer(make_case())
    assert "Messages 1 new" in text_of(patient.get("/me/").content.decode())
    asking = make_case()
    ask(asking)
    assert "1 new" not in text_of(client_of(asking.patient).get("/me/").content.decode())
    patient.head(MINE)
    assert Message.objects.get(case=case, from_clinic=True).opened_at is None
    read = patient.get(MINE).content.decode()
    assert ANSWER in read
    assert "Dr. Howard Mierzwiak" in read
    assert 'class="thread-new"' in read
    assert "Messages 1 new" not in text_of(patient.get("/me/").content.decode())
    assert 'class="thread-new"' not in patient.get(MINE).content.decode()


@pytest.mark.parametrize(
    ("words", "sentence"),
    [("", "Please write something first."), (" \0", "Please write"), ("ữ" * 10_001, "at most 10000")],
)
def test_what_cannot_be_sent_stays_in_the_form(words: str, sentence: str) -> None:
    case = make_case()
    ask(case)
    for client, url in ((client_of(case.patient), MINE), (client_of(make_doctor()), page_of(case))):
        refused = client.post(url, {"words": words, "message": "no id"})
        page = refused.content.decode()
        assert (refused.status_code, sentence in page) == (422, True)
        assert f">{words.replace(chr(0), '')}</textarea>" in page
    assert Message.objects.count() == 1


def test_a_form_with_a_nul_byte_or_without_fields_is_no_error() -> None:
    case = make_case()
    patient = client_of(case.patient)
    assert patient.post(MINE, {}).status_code == 422
    assert patient.post(MINE, {"words": "a\0b", "message": "\0", "keepsake": ""}).status_code == 302
    assert Message.objects.get().read().words == "ab"
    for query in ("?keepsake=%00", "?after=x", "?before=%00", f"?file={uuid4()}", "?file=%00", "?keepsake=7"):
        assert patient.get(MINE + query).status_code == 200
    doctor = client_of(make_doctor())
    for query in ("?keepsake=%00", f"?keepsake={uuid4()}", f"?after={uuid4()}"):
        assert doctor.get(page_of(case) + query).status_code == 200
    for query in ("?show=%00", "?show=mine", "?show=all", f"?after={uuid4()}"):
        assert doctor.get("/messages/" + query).status_code == 200


def test_a_returned_keepsake_is_answered_in_the_thread() -> None:
    case, doctor = make_case(), make_doctor()
    keepsake = make_keepsake(make_memory(case), caption="On the ice")
    untitled = make_keepsake(make_memory(case), caption="")
    Keepsake.objects.filter(pk=keepsake.pk).update(review="waiting")
    return_keepsake(keepsake, "Who is beside you?", by=doctor)
    patient = client_of(case.patient)
    link = f"{MINE}?keepsake={keepsake.pk}"
    for page in (reverse("patients:keepsake", args=[keepsake.pk]), reverse("patients:keepsakes")):
        assert f'{link}#write"' in patient.get(page).content.decode()
    assert f"{MINE}?keepsake={untitled.pk}" not in patient.get("/me/keepsakes/").content.decode()
    form = patient.get(link).content.decode()
    assert f'name="keepsake" value="{keepsake.pk}"' in form
    assert "On the ice" in form
    for row in (keepsake, untitled):
        posted = {"words": f"My sister. {row.pk}", "message": str(uuid4()), "keepsake": str(row.pk)}
        assert patient.post(MINE, posted).status_code == 302
    theirs = text_of(client_of(doctor).get(page_of(case)).content.decode())
    assert "About: On the ice" in theirs
    assert "About: A photograph" in theirs
    about = client_of(doctor).get(f"{page_of(case)}?keepsake={keepsake.pk}").content.decode()
    assert f'name="keepsake" value="{keepsake.pk}"' in about
    remove_keepsake(keepsake, by=case.patient)
    after = text_of(client_of(doctor).get(page_of(case)).content.decode())
    assert "About a thing that is destroyed Its words are destroyed." in after
    assert "On the ice" not in after
    assert (
        "is not here any more"
        in client_of(doctor).get(f"{page_of(case)}?keepsake={keepsake.pk}").content.decode()
    )


def test_a_keepsake_of_another_case_is_refused_and_the_words_stay() -> None:
    case, other = make_case(), make_keepsake(make_memory(make_case()), caption="Not yours")
    patient = client_of(case.patient)
    for named in (str(other.pk), "nonsense"):
        posted = {"words": "About this one", "message": str(uuid4()), "keepsake": named}
        refused = patient.post(MINE, posted)
        page = refused.content.decode()
        assert (refused.status_code, "is not here any more" in page) == (422, True)
        assert ">About this one</textarea>" in page
        assert "Not yours" not in page
    assert not Message.objects.exists()
    assert "Not yours" not in patient.get(f"{MINE}?keepsake={other.pk}").content.decode()


def test_the_front_desk_and_others_do_not_read_the_words() -> None:
    case = make_case(subject_name="Clementine Kruczynski")
    ask(case)
    readers = [make_doctor(), make_technician()]
    others = [make_user(role) for role in (Role.RECEPTIONIST, Role.ADMINISTRATOR, Role.AUDITOR)]
    others += [make_user(Role.PATIENT), make_user(Role.DOCTOR, name="Clementine Kruczynski")]
    for person in readers:
        assert "skeleton" in client_of(person).get(page_of(case)).content.decode()
    for person in others:
        client = client_of(person)
        assert client.get(page_of(case)).status_code in {403, 404}
        assert client.post(page_of(case), {"words": "x"}).status_code in {403, 404}
        for page in ("/messages/", "/messages/?show=all", f"/files/{case.pk}/"):
            assert "skeleton" not in client.get(page).content.decode()
    assert Message.objects.count() == 1
    desk = client_of(others[0])
    assert case.patient.name in desk.get("/messages/").content.decode()
    assert page_of(case) not in desk.get("/messages/").content.decode()
    assert page_of(case) not in desk.get(f"/files/{case.pk}/").content.decode()
    assert page_of(case) in client_of(readers[0]).get(f"/files/{case.pk}/").content.decode()


def test_after_a_withdrawal_the_patient_reads_and_nobody_else_and_the_page_says_why() -> None:
    case, technician = make_case(), make_technician()
    ask(case)
    assign_thread(case.pk, technician.pk, seen=thread_mark(thread_of(case)), by=make_doctor())
    patient = client_of(case.patient)
    typed = {"words": "Still here?", "message": str(uuid4())}
    withdraw(case, by=case.patient)
    for person in (make_doctor(), technician):
        assert client_of(person).get(page_of(case)).status_code == 404
        assert client_of(person).post(page_of(case), typed).status_code == 404
    page = patient.get(MINE).content.decode()
    assert "skeleton picture" in page
    assert "nobody at the clinic reads this any more" in page
    assert "<textarea" not in page
    answered = patient.post(MINE, typed).content.decode()
    assert "Still here?" in answered
    assert Message.objects.count() == 1


def test_a_closed_case_is_read_until_its_key_is_destroyed() -> None:
    case, doctor = make_case(), make_doctor()
    ask(case)
    Case.objects.filter(pk=case.pk).update(stage=Case.Stage.CLOSED)
    patient, clinic = client_of(case.patient), client_of(doctor)
    assert "Your file is closed, so nothing more" in patient.get(MINE).content.decode()
    page = clinic.get(page_of(case)).content.decode()
    assert "The file is closed, so nothing more can be sent." in page
    assert "skeleton picture" in page
    refused = clinic.post(page_of(case), {"words": "Too late", "message": str(uuid4())})
    assert (refused.status_code, "Too late" in refused.content.decode()) == (422, True)
    assert Message.objects.count() == 1
    key_store().destroy(case.pk)
    for client, url in ((patient, MINE), (clinic, page_of(case))):
        page = client.get(url).content.decode()
        assert "Its words are destroyed." in page
        assert "skeleton" not in page


def test_the_messages_of_an_earlier_file_are_read_too_and_those_of_others_are_not() -> None:
    earlier = make_case()
    ask(earlier, "Of the first file")
    Case.objects.filter(pk=earlier.pk).update(stage=Case.Stage.CLOSED)
    case, other = make_case(earlier.patient), make_case()
    ask(case, "Of the second file")
    ask(other, "Of somebody else")
    patient = client_of(case.patient)
    page = patient.get(MINE).content.decode()
    assert ("Of the second file" in page, "Of the first file" in page) == (True, False)
    assert f"{MINE}?file={earlier.pk}" in page
    assert "Of the first file" in patient.get(f"{MINE}?file={earlier.pk}").content.decode()
    assert "Of somebody else" not in patient.get(f"{MINE}?file={other.pk}").content.decode()
    nobody = client_of(make_user(Role.PATIENT))
    assert "You have no file yet" in nobody.get(MINE).content.decode()


def test_a_file_that_was_opened_again_comes_before_a_newer_one_that_is_over() -> None:
    reopened = make_case()
    Case.objects.filter(pk=reopened.pk).update(stage=Case.Stage.WITHDRAWN)
    newer = make_case(reopened.patient)
    ask(newer, "Of the newer file")
    Case.objects.filter(pk=newer.pk).update(stage=Case.Stage.WITHDRAWN)
    Case.objects.filter(pk=reopened.pk).update(stage=Case.Stage.BRINGING)
    ask(reopened, "Of the open file")
    page = client_of(reopened.patient).get(MINE).content.decode()
    assert ("Of the open file" in page, "Of the newer file" in page) == (True, False)


def test_a_page_of_the_staff_that_is_only_asked_for_its_headers_opens_nothing() -> None:
    case = make_case()
    ask(case)
    client_of(make_doctor()).head(page_of(case))
    assert Message.objects.get().opened_at is None


def test_own_messages_that_the_other_side_has_not_opened_move_no_page() -> None:
    case = make_case()
    for n in range(60):
        ask(case, f"Number {n:03d}")
    page = client_of(case.patient).get(MINE).content.decode()
    assert [int(n) for n in re.findall(r"Number (\d+)", page)] == list(range(10, 60))


def test_what_is_typed_is_kept_by_both_sides_and_ends_when_it_is_sent() -> None:
    case, doctor = make_case(), make_doctor()
    keepsake = make_keepsake(make_memory(case))
    ask(case)
    for person, url, form in (
        (case.patient, MINE, "message"),
        (case.patient, f"{MINE}?keepsake={keepsake.pk}", f"message:{keepsake.pk}"),
        (doctor, page_of(case), f"answer:{case.pk}"),
        (doctor, f"{page_of(case)}?keepsake={keepsake.pk}", f"answer:{keepsake.pk}"),
    ):
        client = client_of(person)
        words = f"Half a sentence in {form}"
        kept = client.post(f"/drafts/{form}/", {"words": words, "message": str(uuid4()), "draft": ""})
        assert kept.status_code == 200, kept.content
        revision = kept.json()["revision"]
        page = client.get(url).content.decode()
        assert f">{words}</textarea>" in page
        assert f'name="draft"\n       value="{revision}"' in page
        assert Draft.objects.live().get().about == (keepsake.pk if "keepsake" in url else case.pk)
        posted = {"words": words, "message": str(uuid4()), "draft": revision}
        if "keepsake" in url:
            posted["keepsake"] = str(keepsake.pk)
        assert client.post(url, posted).status_code == 302
        assert not Draft.objects.live().exists()
    assert Message.objects.filter(keepsake=keepsake).count() == 2
    stranger = client_of(make_user(Role.PATIENT))
    for form in ("message", f"message:{keepsake.pk}", f"answer:{case.pk}", "message:x", "answer:x"):
        assert stranger.post(f"/drafts/{form}/", {"words": "x", "draft": ""}).status_code in {403, 404}
    other = make_case()
    assert client_of(other.patient).post(f"/drafts/message:{keepsake.pk}/", {"draft": ""}).status_code == 404
    patient = client_of(case.patient)
    assert patient.post(f"/drafts/message:{uuid4()}/", {"words": "x", "draft": ""}).status_code == 404
    remove_keepsake(keepsake, by=case.patient)
    assert patient.post(f"/drafts/message:{keepsake.pk}/", {"words": "x", "draft": ""}).status_code == 404
    Case.objects.filter(pk=case.pk).update(stage=Case.Stage.CLOSED)
    assert client_of(case.patient).post("/drafts/message/", {"words": "x", "draft": ""}).status_code == 404


def test_a_draft_of_a_closed_case_is_not_kept_under_its_lock(monkeypatch: pytest.MonkeyPatch) -> None:
    """The case is closed after the policy was asked."""
    from patients.messages import drafts

    case = make_case()
    monkeypatch.setattr(drafts, "why_closed", lambda case, for_patient: f"Closed. {for_patient}")
    answer = client_of(case.patient).post("/drafts/message/", {"words": "x", "draft": ""})
    assert (answer.status_code, answer.json()["text"]) == (409, "Not kept: Closed. True")
    assert not Draft.objects.exists()


def test_the_page_begins_with_the_first_new_message_and_is_fifty_long() -> None:
    case, doctor = make_case(), make_doctor()
    at = timezone.now() - timedelta(days=9)
    rows = [answer(case, f"Number {n:03d}", by=doctor) for n in range(120)]
    for n, row in enumerate(rows):
        Message.objects.filter(pk=row.pk).update(written_at=at + timedelta(minutes=n))
    patient = client_of(case.patient)

    def numbers(query: str = "") -> list[int]:
        return [int(n) for n in re.findall(r"Number (\d+)", patient.get(MINE + query).content.decode())]

    assert numbers() == list(range(50))
    assert numbers() == list(range(50, 100))
    assert numbers() == list(range(70, 120))
    assert numbers() == list(range(70, 120))
    page = patient.get(MINE).content.decode()
    assert "Later messages" not in page
    before = re.search(r"before=([0-9a-f-]+)", page)
    assert before
    assert numbers(f"?before={before[1]}") == list(range(20, 70))
    assert numbers(f"?after={rows[9].pk}") == list(range(10, 60))


def test_a_long_thread_takes_as_many_queries_as_a_short_one() -> None:
    case, doctor = make_case(), make_doctor()
    client, counts = client_of(doctor), []
    keepsakes = [make_keepsake(make_memory(case)) for _ in range(3)]
    for number in (3, 30):
        for n in range(number):
            ask(case, f"Number {n}", keepsake=keepsakes[n % 3])
        client.get(page_of(case))
        with CaptureQueriesContext(connection) as asked:
            client.get(page_of(case))
        counts.append(len(asked))
    assert counts[0] == counts[1]


def test_the_buttons_of_the_thread() -> None:
    case, doctor, colleague = make_case(), make_doctor(), make_technician()
    ask(case)
    client = client_of(doctor)

    def seen() -> str:
        mark = re.search(r'name="seen" value="(\w+)"', client.get(page_of(case)).content.decode())
        assert mark
        return mark[1]

    def press(what: str, **data: str) -> str:
        answer = client.post(f"{page_of(case)}{what}/", {"seen": seen(), **data}, follow=True)
        assert answer.status_code == 200
        return text_of(answer.content.decode())

    assert "The messages of this file are assigned." in press("assign", person="me")
    assert thread_of(case).assigned_to == doctor
    assert "are assigned" in press("assign", person=str(colleague.pk))
    assert "Choose a colleague first." in press("assign", person="somebody")
    assert "is not available for this file" in press("assign", person=str(uuid4()))
    assert thread_of(case).assigned_to == colleague
    assert "Nobody is asked to answer now." in press("assign", person="")
    assert "No answer needed, says" in press("settle")
    assert "An answer is promised by" in press("unsettle")
    assert "while your page was open" in press("settle", seen="an older page")
    assert thread_of(case).answer_by is not None


def test_who_gives_a_thread_away_that_they_cannot_open_then_comes_to_the_inbox() -> None:
    case, doctor, technician = make_case(), make_doctor(), make_technician()
    ask(case)
    assign_thread(case.pk, technician.pk, seen=thread_mark(thread_of(case)), by=doctor)
    Case.objects.filter(pk=case.pk).update(stage=Case.Stage.BOOKED)
    posted = {"seen": thread_mark(thread_of(case)), "person": str(doctor.pk)}
    answer = client_of(technician).post(f"{page_of(case)}assign/", posted)
    assert (thread_of(case).assigned_to, answer["Location"]) == (doctor, "/messages/")


def test_a_late_answer_is_said_to_the_patient() -> None:
    case = make_case()
    ask(case)
    past = timezone.now() - timedelta(hours=1)
    MessageThread.objects.filter(case=case).update(answer_by=past)
    assert "and are late. We are sorry." in client_of(case.patient).get(MINE).content.decode()
    assert "overdue" in client_of(make_doctor()).get(page_of(case)).content.decode()
