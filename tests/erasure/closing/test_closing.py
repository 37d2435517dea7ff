"""Closing an account for good: what stands in its way, and that nothing names the person afterwards."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.apps import apps
from django.conf import settings
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from clinic.accounts.models import Invitation, Role, User
from clinic.audit.models import Entry
from clinic.outgoing.models import OutgoingMessage
from clinic.people.changes import NotYours, set_active
from clinic.personal_data.forgetting import forget_person
from erasure.certificates.models import Certificate
from erasure.closing import closing
from erasure.closing.closing import CannotClose, Obstacle, close_account, obstacles_of
from erasure.destructions.orders import order
from erasure.operations.supervisor_loop import keys_used_elsewhere
from patients.cases.models import Case
from patients.consent.signing import withdraw
from patients.contacts.models import Contact
from patients.repeats.former_patients import refused_former_patient
from patients.repeats.limits import nights_of
from patients.requests.models import AppointmentRequest
from tests.appointments import make_appointment
from tests.configuration import configure
from tests.erasure.destructions.orders import carry_out, make_withdrawn
from tests.erasure.procedures.test_limits import night_before
from tests.factories import (
    PASSPHRASE,
    make_case,
    make_keepsake,
    make_memory,
    make_request,
    make_run,
    make_user,
)
from tests.waitlist import in_days

pytestmark = pytest.mark.django_db(transaction=True)

# What names the person in the rows before the account is closed.
NAMES = ("Barish", "joel@lacuna.example", "555 0100", "Rockville Centre", "Soon, please.")


def client_of(user: User) -> Client:
    client = Client()
    client.force_login(user, backend=settings.AUTHENTICATION_BACKENDS[0])
    return client


def close(user: User, passphrase: str = PASSPHRASE) -> Any:
    return client_of(user).post(reverse("erasure:close-account"), {"passphrase": passphrase})


@pytest.fixture
def joel() -> User:
    """A patient who asked, was invited, and left contact data; they have no case."""
    person = make_user(Role.PATIENT, name="Joel Barish", email="joel@lacuna.example")
    request = make_request(phone="555 0100")
    now = timezone.now()
    request.invitation = Invitation.objects.create(
        email=person.email,
        name=person.name,
        role=Role.PATIENT,
        token_digest="0" * 64,
        expires_at=now,
        used_at=now,
        used_by=person,
    )
    request.save(update_fields=["invitation"])
    Contact.objects.create(
        patient=person, phone="555 0100", address="159 South Village Avenue, Rockville Centre"
    )
    return person


def stored_words() -> str:
    """Every value of every row, as text."""
    return "\n".join(
        str([bytes(value) if isinstance(value, memoryview) else value for value in row])
        for model in apps.get_models()
        for row in model._default_manager.values_list()
    )


def test_a_closed_account_is_named_nowhere(joel: User) -> None:
    assert [name for name in NAMES if name not in stored_words()] == ["Soon, please."], "that is sealed"
    request = AppointmentRequest.objects.get()
    assert request.pk in keys_used_elsewhere()
    answer = close(joel)
    assert "Only your certificates name you now." in answer.content.decode()
    assert [name for name in NAMES if name in stored_words()] == []
    assert request.pk not in keys_used_elsewhere(), "so the sweep destroys its key"
    request.refresh_from_db()
    assert request.read().message == ""
    assert not Contact.objects.exists()
    entry = Entry.objects.get(action="person.forgotten")
    assert entry.actor == entry.subject == f"user:{joel.pk}"


def test_only_a_certificate_still_has_the_name(joel: User) -> None:
    case = make_case(joel)
    make_keepsake(make_memory(case))
    withdraw(case, by=joel)
    carry_out(order(case, by=joel, everything=True))
    close(joel)
    certificate = Certificate.objects.get()
    assert json.loads(certificate.body)["patient"] == "Joel Barish"
    certificate.delete()
    assert [name for name in NAMES if name in stored_words()] == []


def test_an_invitation_that_another_one_replaced_is_forgotten_too(joel: User) -> None:
    used = Invitation.objects.get()
    unused = {"email": joel.email, "name": joel.name, "role": Role.PATIENT, "used_at": None, "used_by": None}
    now, later = timezone.now(), timezone.now() + timedelta(days=9)
    expired = Invitation.objects.create(token_digest="1" * 64, expires_at=now - timedelta(days=9), **unused)
    still_open = Invitation.objects.create(token_digest="2" * 64, expires_at=later, **unused)
    other = Invitation.objects.create(
        token_digest="3" * 64, expires_at=now, **unused | {"email": "clementine@lacuna.example", "name": "C."}
    )
    close(joel)
    for row in (used, expired, still_open):
        row.refresh_from_db()
        assert (row.name, row.email) == ("—", f"{joel.pk}@closed.invalid")
        assert not row.is_open(timezone.now())
    assert expired.expires_at == now - timedelta(days=9), "reports count it there"
    other.refresh_from_db()
    assert (other.name, other.email) == ("C.", "clementine@lacuna.example")


def test_every_request_from_the_address_is_forgotten_and_none_waits(joel: User) -> None:
    other = make_request("Somebody Else", email="Joel@Lacuna.example", phone="555 0177")
    kept = make_request("Mary Svevo", email="mary@lacuna.example", phone="555 0188")
    close(joel)
    other.refresh_from_db()
    assert (other.name, other.phone, other.state) == ("—", "", "declined")
    assert not OutgoingMessage.objects.filter(about=f"request:{other.pk}", status="queued").exists()
    kept.refresh_from_db()
    assert (kept.name, kept.state) == ("Mary Svevo", "new")


def test_nobody_signs_in_afterwards_and_open_sessions_end(joel: User) -> None:
    elsewhere = client_of(joel)
    close(joel)
    assert elsewhere.get("/me/").status_code == 302
    answer = Client().post("/account/login/", {"login": "joel@lacuna.example", "password": PASSPHRASE})
    assert answer.status_code == 200
    assert not User.objects.at_address("joel@lacuna.example").exists()


def test_the_passphrase_is_asked_for(joel: User) -> None:
    answer = close(joel, "wrong")
    assert answer.status_code == 422
    joel.refresh_from_db()
    assert joel.name == "Joel Barish"


def with_open_file(joel: User) -> None:
    make_case(joel)


def with_belongings(joel: User) -> None:
    withdraw(make_case(joel), by=joel)


def with_destruction(joel: User) -> None:
    with_belongings(joel)
    order(Case.objects.get(), by=joel, everything=True)


def with_appointment(joel: User) -> None:
    make_appointment(make_case(joel), starts_at=in_days(3))


def with_work(joel: User) -> None:
    joel.set_roles({Role.PATIENT, Role.RECEPTIONIST}, by=None)


def with_uncertified_night(joel: User) -> None:
    make_run(1, case=make_case(joel))


@pytest.mark.parametrize(
    ("prepare", "obstacle"),
    [
        (with_work, closing.WORKS_HERE),
        (with_open_file, closing.OPEN_FILE),
        (with_appointment, closing.APPOINTMENT),
        (with_destruction, closing.DESTROYING),
        (with_belongings, closing.BELONGINGS_LEFT),
        (with_uncertified_night, closing.UNCERTIFIED),
    ],
)
def test_what_has_to_be_done_before_is_named_and_nothing_is_closed(
    joel: User, prepare: Callable[[User], None], obstacle: Obstacle
) -> None:
    assert obstacles_of(joel) == []
    prepare(joel)
    joel = User.objects.get(pk=joel.pk)
    assert obstacle in obstacles_of(joel)
    answer = close(joel)
    assert answer.status_code == 409
    assert str(obstacle.words) in answer.content.decode()
    with pytest.raises(CannotClose):
        close_account(joel)
    joel.refresh_from_db()
    assert (joel.name, joel.is_active) == ("Joel Barish", True)
    assert not Entry.objects.filter(action="person.forgotten").exists()


def test_after_everything_is_destroyed_and_certified_it_can_be_closed() -> None:
    case = make_withdrawn(1)
    patient = case.patient
    ordered = order(case, by=patient, everything=True)
    assert obstacles_of(patient) == [closing.DESTROYING, closing.BELONGINGS_LEFT]
    carry_out(ordered)
    assert obstacles_of(patient) == []
    Certificate.objects.all().delete()
    assert obstacles_of(patient) == [closing.UNCERTIFIED]


def test_a_closed_account_is_closed_once_and_never_opened_again(joel: User) -> None:
    close(joel)
    joel.refresh_from_db()
    with pytest.raises(CannotClose):
        close_account(joel)
    administrator = make_user(Role.ADMINISTRATOR)
    with pytest.raises(NotYours):
        set_active(joel, True, by=administrator)
    page = client_of(administrator).get(reverse("person", kwargs={"pk": joel.pk})).content.decode()
    assert "This account was closed for good." in page
    assert 'value="open"' not in page
    assert "closed.invalid" not in page


def test_the_limit_on_nights_holds_for_whoever_comes_back(joel: User) -> None:
    configure(repeat_months=12)
    night_before(joel, 30)
    case = Case.objects.get(patient=joel)
    forget_person(joel)
    joel.refresh_from_db()
    assert "joel" not in joel.former_address
    found = refused_former_patient("Joel@Lacuna.example ")
    assert found
    assert found.case == case
    assert refused_former_patient("clementine@lacuna.example") is None
    again = make_user(Role.PATIENT, name="Joel Barish", email="joel@lacuna.example")
    assert len(nights_of(again)) == 1
    assert nights_of(make_user(Role.PATIENT)) == []
