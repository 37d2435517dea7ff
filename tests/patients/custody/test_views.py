"""The custody page of a case, and what the patient sees of it."""

import pytest
from django.test import Client

from clinic.accounts.models import Role, User
from clinic.audit.models import Entry
from patients.cases.models import Case
from patients.custody.models import Custody
from patients.custody.transfers import custody_mark, receive
from patients.keepsakes.models import Keepsake
from tests.factories import make_case, make_keepsake, make_memory, make_other, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def thing() -> Keepsake:
    return make_other(make_memory(make_case()), "object")


def signed_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def do(client: Client, thing: Keepsake, what: str, **more: str) -> str:
    """Press a button on a page that shows the present state; return the page that follows."""
    mark = custody_mark(thing, Custody.objects.filter(keepsake=thing).first())
    data = {"seen": mark, "do": what, **more}
    answer = client.post(f"/files/{thing.case_id}/custody/{thing.pk}/", data, follow=True)
    assert answer.status_code in {200, 409}
    return answer.content.decode()


def test_one_person_reports_a_return_and_another_witnesses_it(thing: Keepsake) -> None:
    mary, stan = signed_in(make_user(Role.RECEPTIONIST)), signed_in(make_user(Role.DOCTOR))
    where = f"/files/{thing.case_id}/custody/"
    first = mary.get(where).content.decode()
    assert thing.tag in first
    assert "Still with the patient" in first
    assert "Written down" in do(mary, thing, "receive", shelf="b-14")
    page = do(mary, thing, "returned")
    assert "waiting for a second witness" in page
    assert "Somebody else has to witness this." in page
    assert 'value="witness"' not in page
    assert 'value="witness"' in stan.get(where).content.decode()
    assert "given back before two witnesses" in do(stan, thing, "witness")
    assert Custody.objects.get().closed


@pytest.mark.parametrize(
    ("what", "message"),
    [("", "Choose what happened"), ("burn", "Choose what happened"), ("hand", "No night is booked")],
)
def test_an_impossible_action_is_explained(thing: Keepsake, what: str, message: str) -> None:
    receive(thing, "A1", by=make_user(Role.RECEPTIONIST))
    assert message in do(signed_in(make_user(Role.RECEPTIONIST)), thing, what)
    assert Custody.objects.get().state == "received"


def test_the_page_shows_no_content_and_viewing_it_is_recorded(thing: Keepsake) -> None:
    make_keepsake(thing.memory, caption="The skeleton she drew")
    page = signed_in(make_user(Role.RECEPTIONIST)).get(f"/files/{thing.case_id}/custody/").content.decode()
    assert "skeleton" not in page
    assert "/pictures/" not in page
    assert Entry.objects.get(action="file.viewed").details == {"page": "custody"}


def test_an_auditor_only_reads_and_an_object_of_another_case_is_not_found(thing: Keepsake) -> None:
    auditor = signed_in(make_user(Role.AUDITOR))
    page = auditor.get(f"/files/{thing.case_id}/custody/")
    assert page.status_code == 200
    assert 'name="do"' not in page.content.decode()
    assert auditor.post(f"/files/{thing.case_id}/custody/{thing.pk}/", {"do": "receive"}).status_code == 403
    other = make_case()
    doctor = signed_in(make_user(Role.DOCTOR))
    assert doctor.post(f"/files/{other.pk}/custody/{thing.pk}/", {"do": "receive"}).status_code == 404


def test_the_patient_sees_where_the_object_is(thing: Keepsake) -> None:
    patient = signed_in(thing.case.patient)
    before = patient.get(f"/me/keepsakes/{thing.pk}/").content.decode()
    assert thing.tag in before
    assert "bring it to the front desk" in before
    receive(thing, "B-14", by=make_user(Role.RECEPTIONIST))
    after = patient.get(f"/me/keepsakes/{thing.pk}/").content.decode()
    assert "on our shelf" in after
    assert "B-14" not in after
    Case.objects.filter(pk=thing.case_id).update(stage=Case.Stage.MAPPED)
    assert "on our shelf" in patient.get(f"/me/keepsakes/{thing.pk}/").content.decode()
