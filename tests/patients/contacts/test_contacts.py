"""How a patient is reached: changed by the front desk, without loss, and without values in the log."""

import re
from typing import Any

import pytest
from django.test import Client

from clinic.accounts.models import PersonWord, Role, User
from clinic.audit.models import Entry
from patients.contacts.changes import contact_of
from patients.contacts.models import Contact
from tests.factories import make_case, make_user

pytestmark = pytest.mark.django_db
NEW = {"phone": "+84 90 123 4567", "address": "1 Montauk Road\r\nNew York", "language": "vi", "way": "phone"}


def signed_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def basis(client: Client, url: str) -> str:
    """The hidden field of a form that says which values its page showed."""
    found = re.search(r'name="based_on" value="([^"]+)"', client.get(url).content.decode())
    assert found
    return found[1]


def test_the_front_desk_changes_how_a_patient_is_reached() -> None:
    case = make_case(make_user(Role.PATIENT, name="Joel Barish"))
    url, file, desk = f"/files/{case.pk}/contact/", f"/files/{case.pk}/", make_user(Role.RECEPTIONIST)
    client = signed_in(desk)
    based_on = basis(client, url)
    assert client.post(url, {**NEW, "based_on": based_on})["Location"] == file
    patient = User.objects.get(pk=case.patient_id)
    assert contact_of(patient) == {**NEW, "address": "1 Montauk Road\nNew York"}
    assert patient.mail_language == "vi"
    shown = client.get(file).content.decode()
    for words in ("+84 90 123 4567", "1 Montauk Road<br>New York", "by telephone", case.patient.email):
        assert words in shown
    entry = Entry.objects.get(action="contact.changed")
    assert (entry.actor, entry.subject, entry.case) == (f"user:{desk.pk}", f"case:{case.pk}", case.pk)
    assert entry.details == {"phone": True, "address": True, "language": True, "way": True}
    answer = signed_in(desk).post(url, {**NEW, "based_on": basis(client, url)}, follow=True)
    assert "nothing was changed" in answer.content.decode().lower()
    assert Entry.objects.filter(action="contact.changed").count() == 1
    kinds = PersonWord.objects.filter(user=patient).values_list("kind", flat=True)
    assert {"phone", "digits"} <= set(kinds)


def test_an_older_page_overwrites_nothing_unseen() -> None:
    case = make_case()
    url = f"/files/{case.pk}/contact/"
    mary, stan = (signed_in(make_user(Role.RECEPTIONIST)) for _n in range(2))
    first, second = basis(mary, url), basis(stan, url)
    old: dict[str, Any] = {"phone": "", "address": "", "language": "en", "way": "mail"}
    assert mary.post(url, {**old, "phone": "555 0100", "based_on": first}).status_code == 302
    answer = stan.post(url, {**old, "phone": "555 0199", "address": "Here", "based_on": second})
    assert answer.status_code == 409
    assert "555 0199" in answer.content.decode()
    assert "555 0100" in answer.content.decode()
    assert contact_of(case.patient) == {**old, "phone": "555 0100"}
    assert stan.post(url, {**old, "address": "Here", "based_on": second}).status_code == 302
    assert contact_of(case.patient) == {**old, "phone": "555 0100", "address": "Here"}


def test_bad_input_is_named_and_nobody_else_may_change_it() -> None:
    case = make_case(subject_name="Clementine Kruczynski")
    url, client = f"/files/{case.pk}/contact/", signed_in(make_user(Role.RECEPTIONIST))
    for wrong, words in (
        ({"phone": "call me"}, "Please write the number in digits."),
        ({"way": "phone"}, "It is needed for the way that they prefer."),
        ({"way": "letter"}, "It is needed for the way that they prefer."),
        ({"way": "pigeon"}, "Select a valid choice"),
        ({"language": "xx"}, "Select a valid choice"),
        ({"address": "x" * 401}, "at most 400"),
    ):
        data = {
            "phone": "",
            "address": "",
            "language": "en",
            "way": "mail",
            "based_on": basis(client, url),
            **wrong,
        }
        answer = client.post(url, data)
        assert (answer.status_code, words in answer.content.decode()) == (422, True), wrong
    assert not Contact.objects.exists()
    for person, status in (
        (make_user(Role.DOCTOR), 403),
        (case.patient, 404),
        (make_user(Role.RECEPTIONIST, name="Clementine Kruczynski"), 404),
    ):
        assert signed_in(person).post(url, NEW).status_code == status
    assert not Contact.objects.exists()
    assert "Change it" not in signed_in(make_user(Role.DOCTOR)).get(f"/files/{case.pk}/").content.decode()
