"""Notes of the staff: added, struck out by their writer with a reason, and lost with the case's key."""

from uuid import uuid4

import pytest
from django.test import Client

from clinic.accounts.models import Role, User
from clinic.audit.models import Entry
from patients.notes.models import CaseNote
from patients.notes.writing import NoteRefused, notes_of, strike_note, write_note
from patients.vault.configured import key_store
from tests.factories import make_case, make_note, make_user

pytestmark = pytest.mark.django_db
WORDS = "She rings at noon.\nDo not leave a message."


def signed_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def test_a_note_is_written_read_and_struck_out() -> None:
    case, desk, doctor = make_case(), make_user(Role.RECEPTIONIST, name="Mary Svevo"), make_user(Role.DOCTOR)
    url, ticket = f"/files/{case.pk}/notes/", str(uuid4())
    client = signed_in(desk)
    for _twice in range(2):
        assert client.post(url, {"words": WORDS, "note": ticket})["Location"] == url
    note = CaseNote.objects.get()
    assert b"noon" not in bytes(note.sealed)
    for reader in (desk, doctor):
        for address in (url, f"/files/{case.pk}/"):
            shown = signed_in(reader).get(address).content.decode()
            assert "She rings at noon.<br>Do not leave a message." in shown
            assert "Mary Svevo" in shown
    assert "noon" not in signed_in(make_user(Role.AUDITOR)).get(f"/files/{case.pk}/").content.decode()
    patient = signed_in(case.patient)
    assert patient.get(url).status_code == 404
    assert "noon" not in patient.get("/me/").content.decode()
    strike = f"{url}{note.pk}/strike/"
    mark = notes_of(case, reader=desk)[0].seen
    assert notes_of(case, reader=doctor)[0].seen == ""
    answer = signed_in(doctor).post(strike, {"reason": "No.", "seen": mark}, follow=True)
    assert "Only who wrote a note can strike it out." in answer.content.decode()
    empty = client.post(strike, {"reason": " ", "seen": mark})
    assert (empty.status_code, "Please say why" in empty.content.decode()) == (409, True)
    stale = client.post(strike, {"reason": "Typed words", "seen": "older"})
    assert (stale.status_code, "Typed words" in stale.content.decode()) == (409, True)
    assert CaseNote.objects.get().struck_at is None
    assert client.post(strike, {"reason": "Wrong patient.", "seen": mark})["Location"] == url
    shown = signed_in(doctor).get(url).content.decode()
    assert "<s>She rings at noon." in shown
    assert "Wrong patient." in shown
    again = client.post(strike, {"reason": "x", "seen": mark}, follow=True)
    assert "struck out already" in again.content.decode()
    entries = Entry.objects.filter(subject=f"note:{note.pk}").order_by("index")
    assert [(entry.action, entry.actor, entry.details, entry.case) for entry in entries] == [
        ("note.written", f"user:{desk.pk}", {}, case.pk),
        ("note.struck", f"user:{desk.pk}", {}, case.pk),
    ]


def test_invalid_notes_are_refused_and_their_words_stay_in_the_form() -> None:
    case, desk = make_case(), make_user(Role.RECEPTIONIST)
    client = signed_in(desk)
    for words, message in (("  ", "Please write something first."), ("w" * 2001, "at most 2000 characters")):
        answer = client.post(f"/files/{case.pk}/notes/", {"words": words, "note": "x"})
        assert (answer.status_code, message in answer.content.decode()) == (409, True)
    assert "w" * 2000 in answer.content.decode()
    other = make_note(make_case())
    with pytest.raises(NoteRefused, match="used before"):
        write_note(case, "Words", note=other.pk, by=desk)
    assert client.post(f"/files/{case.pk}/notes/{other.pk}/strike/", {"reason": "x"}).status_code == 404
    assert CaseNote.objects.get() == other


def test_notes_are_lost_with_the_key_of_the_case() -> None:
    case, desk = make_case(), make_user(Role.RECEPTIONIST)
    note = write_note(case, WORDS, note=uuid4(), by=desk)
    key_store().destroy(case.pk)
    shown = signed_in(desk).get(f"/files/{case.pk}/notes/").content.decode()
    assert "noon" not in shown
    assert "Its words are destroyed." in shown
    with pytest.raises(NoteRefused, match="destroyed"):
        write_note(case, "More", note=uuid4(), by=desk)
    with pytest.raises(NoteRefused, match="destroyed"):
        strike_note(note, "Why", by=desk)


def test_whoever_is_the_subject_neither_reads_nor_writes() -> None:
    case = make_case(subject_name="Clementine Kruczynski")
    note = make_note(case)
    subject = signed_in(make_user(Role.RECEPTIONIST, Role.DOCTOR, name="Clementine Kruczynski"))
    assert subject.get(f"/files/{case.pk}/notes/").status_code == 404
    assert subject.post(f"/files/{case.pk}/notes/", {"words": "x"}).status_code == 404
    assert subject.post(f"/files/{case.pk}/notes/{note.pk}/strike/", {"reason": "x"}).status_code == 404
    assert CaseNote.objects.count() == 1
