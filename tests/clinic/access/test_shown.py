"""What pages show to whom, what requests change, and that every refusal is one audit entry."""

import json
import re
import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.apps import apps
from django.conf import settings
from django.db.models import Model
from django.http import HttpResponse
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from clinic.access.policy import TABLE, allowed
from clinic.accounts.models import Role, User
from clinic.audit.models import Entry
from clinic.calendar.models import Resource
from erasure.jobs.supervisor import certify_finished
from erasure.jobs.worker import advance
from erasure.procedures.booking import CannotBook, book_procedure
from erasure.procedures.forms import BookingForm
from erasure.runs.handover import candidates, first_responsible
from erasure.runs.models import Handover, Run
from patients.cases.models import Case
from tests.clinic.access.doors import doors
from tests.erasure.runs.nights import doctor_of, technician_of
from tests.factories import (
    make_case,
    make_doctor,
    make_keepsake,
    make_memory,
    make_room,
    make_run,
    make_signed,
    make_technician,
    make_user,
)

pytestmark = pytest.mark.django_db(transaction=True)

SUBJECT = "Clementine Kruczynski"


def client_of(user: User, **options: Any) -> Client:
    client = Client(**options)
    client.force_login(user, backend=settings.AUTHENTICATION_BACKENDS[0])
    return client


def make_bookable(*roles: str, name: str = "") -> User:
    user = make_user(*roles, name=name)
    Resource.objects.create(kind=Resource.Kind.TECHNICIAN, label=user.name, user=user)
    return user


def denials() -> list[tuple[str, str]]:
    entries = Entry.objects.filter(action="access.denied").order_by("index")
    return [(entry.details["method"], entry.details["because"]) for entry in entries]


def make_named_run() -> Run:
    chapters = [{"name": "Montauk winter", "color": "blue", "from": "2003-01-01", "to": "2003-12-31"}]
    case = make_case(make_user(Role.PATIENT, name="Joel Barish"), subject_name=SUBJECT, chapters=chapters)
    return make_run(1, case=case)


def certify(run: Run) -> None:
    """Run until the certificate is issued."""
    advance(run.pk)
    certify_finished()
    assert Run.objects.get(pk=run.pk).certificate


SECRETS = ("Joel", "Barish", "Kruczynski", "Montauk winter", "Photo 0", "/pictures/")


def test_z2_a_second_role_shows_no_more_than_the_role_that_gives_access() -> None:
    run = make_named_run()
    auditor_and_technician = make_bookable(Role.AUDITOR, Role.TECHNICIAN)
    client = client_of(auditor_and_technician)
    for name in ("session", "state", "replay", "certificate"):
        if name == "replay":
            certify(run)
        answer = client.get(reverse(f"erasure:{name}", args=[run.pk]))
        assert answer.status_code == 200
        shown = answer.content.decode()
        assert [word for word in SECRETS if word in shown] == [], name
    case_page = client.get(reverse("patients:case", args=[run.procedure.case_id])).content.decode()
    custody = client.get(reverse("patients:custody", args=[run.procedure.case_id])).content.decode()
    assert [word for word in SECRETS if word in case_page + custody] == []
    for name in ("json", "statement", "pdf", "signature"):
        assert client.get(reverse(f"erasure:certificate-{name}", args=[run.pk])).status_code == 404


def test_z2_the_same_two_roles_show_names_if_the_person_is_booked() -> None:
    run = make_named_run()
    auditor_and_technician = make_bookable(Role.AUDITOR, Role.TECHNICIAN)
    run.procedure.booking.resources.add(auditor_and_technician.resources.get())
    state = json.loads(client_of(auditor_and_technician).get(reverse("erasure:state", args=[run.pk])).content)
    assert (state["patient"], state["subject"]) == ("Joel Barish", SUBJECT)
    assert "presence" in state["may"]


@pytest.mark.parametrize("role", [Role.AUDITOR, Role.ADMINISTRATOR])
@pytest.mark.timeout(180)
def test_z5_auditors_and_administrators_see_no_patient_name_on_any_page(role: str) -> None:
    run = make_named_run()
    client = client_of(make_user(role))
    ids = {"case": run.procedure.case_id, "run": run.pk, "procedure": run.procedure_id}
    ids["keepsake"] = run.procedure.case.keepsakes.get().pk
    seen = 0
    certify(run)
    for door in doors():
        # The style page shows invented people, and an administrator manages the accounts of patients too.
        if door.name in {"style", "people"} or door.name.startswith("account_"):
            continue
        if set(door.keywords) <= ids.keys() and door.name in TABLE:
            path = reverse(door.name, kwargs={word: ids[word] for word in door.keywords})
            for method in ("get", "post"):
                shown = getattr(client, method)(path).content.decode("utf-8", "replace")
                assert [word for word in SECRETS if word in shown] == [], path
                seen += 1
    assert seen > 100


def test_z5_an_auditor_cannot_find_a_case_by_the_patients_name() -> None:
    case = make_case(make_user(Role.PATIENT, name="Joel Barish"))
    auditor = client_of(make_user(Role.AUDITOR))
    assert case.reference in auditor.get("/files/").content.decode()
    assert case.reference not in auditor.get("/files/?name=Barish").content.decode()
    assert case.reference in auditor.get(f"/files/?name={case.reference}").content.decode()


def test_z9_the_subject_cannot_be_booked_and_the_refusal_gives_no_reason() -> None:
    case = make_case(subject_name=SUBJECT)
    make_keepsake(make_memory(case))
    make_signed(case)
    subject_as_staff = make_user(Role.DOCTOR, name="Clémentine  KRUCZYNSKI")
    subject_as_doctor = Resource.objects.create(
        kind=Resource.Kind.DOCTOR, label="Dr. K.", user=subject_as_staff
    )
    subject_as_technician = Resource.objects.create(
        kind=Resource.Kind.TECHNICIAN, label="K.", user=subject_as_staff
    )
    doctor, technician, room = make_doctor().resources.get(), make_technician().resources.get(), make_room()
    form = BookingForm(case=case)
    offered = {row.pk for name in ("doctor", "technicians") for row in form.fields[name].queryset}  # type: ignore[attr-defined]
    assert offered == {doctor.pk, technician.pk}
    start = timezone.now() + timedelta(days=1)
    refusals = set()
    patient_as_technician = Resource.objects.create(
        kind=Resource.Kind.TECHNICIAN, label="own", user=case.patient
    )
    for team in (
        [subject_as_doctor, technician, room],
        [doctor, subject_as_technician, room],
        [doctor, patient_as_technician, room],
    ):
        with pytest.raises(CannotBook) as refused:
            book_procedure(
                case,
                place="clinic",
                resources=team,
                starts_at=start,
                ends_at=start + timedelta(hours=8),
                by=make_user(),
            )
        refusals.add(str(refused.value))
    assert refusals == {"One of these people is not available for this case."}


def test_z9_the_subject_sees_neither_the_case_nor_its_booking() -> None:
    run = make_named_run()
    other = make_case()
    make_keepsake(make_memory(other))
    make_signed(other)
    subject = make_user(Role.DOCTOR, Role.RECEPTIONIST, name=SUBJECT)
    client = client_of(subject)
    booking_page = reverse("erasure:book", args=[other.pk])
    case = run.procedure.case
    for path in (
        "/files/",
        "/files/?name=Barish",
        f"/files/?name={case.reference}",
        "/today/",
        "/today/wall/",
        booking_page,
    ):
        answer = client.get(path)
        assert answer.status_code == 200, path
        shown = answer.content.decode()
        # The search page shows the search words again.
        words = {"Joel", "J. B."} | (set() if "?" in path else {"Barish", case.reference})
        assert [word for word in words if word in shown] == [], path
        assert reverse("patients:case", args=[case.pk]) not in shown
    for name in ("session", "state", "wall", "map-css"):
        assert client.get(reverse(f"erasure:{name}", args=[run.pk])).status_code == 404


def test_z9_a_person_without_access_to_the_session_cannot_be_responsible() -> None:
    case = make_case(subject_name="Somebody Else")
    run = make_run(1, case=case)
    technician = technician_of(run)
    case.write(type(case.read())(subject_name=technician.name))
    case.save(update_fields=["sealed"])
    assert first_responsible(Run.objects.get(pk=run.pk).procedure) is None
    Run.objects.filter(pk=run.pk).update(responsible=None)
    assert technician not in candidates(Run.objects.get(pk=run.pk))


def test_z2_the_teams_access_ends_with_the_certificate() -> None:
    run = make_named_run()
    technician, doctor = technician_of(run), doctor_of(run)
    pages = [
        reverse("erasure:session", args=[run.pk]),
        reverse("erasure:state", args=[run.pk]),
        reverse("patients:case", args=[run.procedure.case_id]),
        reverse("patients:custody", args=[run.procedure.case_id]),
    ]
    technician_client = client_of(technician)
    assert [technician_client.get(page).status_code for page in pages] == [200] * 4
    certify(run)
    assert [technician_client.get(page).status_code for page in pages] == [404] * 4
    assert technician_client.get(reverse("erasure:certificate", args=[run.pk])).status_code == 404
    assert run.procedure.case.reference not in technician_client.get("/files/").content.decode()
    assert [client_of(doctor).get(page).status_code for page in pages] == [200] * 4


def test_z2_who_may_open_the_wall_view_of_a_run() -> None:
    run = make_named_run()
    people: dict[str, User] = {
        "team": technician_of(run),
        "doctor": make_doctor(),
        "auditor": make_user(Role.AUDITOR),
        "desk": make_user(Role.RECEPTIONIST),
        "administrator": make_user(Role.ADMINISTRATOR),
        "technician": make_technician(),
    }
    wall = reverse("erasure:wall", args=[run.pk])
    answers = {who: client_of(user).get(wall).status_code for who, user in people.items()}
    assert answers == {
        "team": 200,
        "doctor": 200,
        "auditor": 200,
        "desk": 403,
        "administrator": 403,
        "technician": 404,
    }


@pytest.mark.parametrize("who", ["doctor", "technician", "receptionist"])
def test_z3_l1_an_object_of_another_case_in_the_url_is_a_denial_with_one_entry(who: str) -> None:
    case, other = make_case(), make_case()
    foreign = make_keepsake(make_memory(other))
    user = {"doctor": make_doctor, "technician": make_technician}.get(who, lambda: make_user(who))()
    client = client_of(user)
    path = reverse("patients:custody-change", kwargs={"case": case.pk, "keepsake": foreign.pk})
    assert client.post(path, {"do": "receive", "shelf": "B-14"}).status_code == 404
    assert denials() == [("post", "no-object")]
    assert not hasattr(foreign, "custody")


def test_z3_l1_a_memory_of_another_run_in_the_form_is_a_denial_with_one_entry() -> None:
    run, other = make_run(1), make_run(1)
    memory = other.steps.get().memory_id
    client = client_of(technician_of(run))
    assert client.post(reverse("erasure:protect", args=[run.pk]), {"memory": memory}).status_code == 404
    assert denials() == [("post", "no-object")]


def test_l1_a_form_without_a_csrf_token_is_a_denial_with_one_entry() -> None:
    case = make_case()
    client = client_of(make_doctor(), enforce_csrf_checks=True)
    path = reverse("patients:map-lock", args=[case.pk])
    assert client.post(path).status_code == 403
    entry = Entry.objects.get(action="access.denied")
    assert (entry.subject, entry.case, entry.details["because"]) == ("url:patients:map-lock", case.pk, "csrf")
    assert Client(enforce_csrf_checks=True).post("/account/login/").status_code == 403
    assert len(denials()) == 1


@pytest.mark.parametrize(
    "url_name", ["patients:case", "erasure:session", "erasure:start", "patients:mapping"]
)
def test_l1_existing_and_missing_objects_are_refused_with_the_same_page(url_name: str) -> None:
    run = make_named_run()
    ids = {"erasure:session": run.pk, "erasure:start": run.procedure_id}
    client = client_of(make_technician())
    answers: list[HttpResponse] = [
        client.get(reverse(url_name, args=[pk]))
        for pk in (ids.get(url_name, run.procedure.case_id), uuid.uuid4())
    ]
    assert [answer.status_code for answer in answers] == [404, 404]
    token = re.compile(r"[A-Za-z0-9]{64}|[0-9a-f-]{36}")
    pages = [token.sub("", answer.content.decode()) for answer in answers]
    assert pages[0] == pages[1]
    assert len(denials()) == 2


@pytest.mark.parametrize("path", ["/audit/", "/people/", "/outbox/", "/files/", "/nowhere/", "/files/x/"])
def test_h3_browsers_store_no_page_and_no_error_page(path: str) -> None:
    client = client_of(make_user(Role.ADMINISTRATOR, Role.DOCTOR))
    assert "no-store" in client.get(path)["Cache-Control"]
    assert "private" in client.get(path)["Cache-Control"]


def test_h3_browsers_do_not_store_the_map_of_a_run() -> None:
    run = make_named_run()
    answer = client_of(doctor_of(run)).get(reverse("erasure:map-css", args=[run.pk]))
    assert answer.status_code == 200
    assert "no-store" in answer["Cache-Control"]


def database_rows() -> dict[str, list[Any]]:
    """Every row of the database, except the audit log and sessions."""
    models: list[type[Model]] = [
        model
        for model in apps.get_models()
        if model.__name__ not in {"Entry", "TreeHead", "Session", "Subtree"}
    ]
    return {model.__name__: sorted(map(str, model._default_manager.values_list())) for model in models}


@pytest.mark.parametrize("who", ["doctor", "receptionist", "auditor", "administrator", "patient"])
@pytest.mark.timeout(180)
def test_z4_get_and_head_change_no_row(who: str) -> None:
    run = make_named_run()
    case = run.procedure.case
    makers: dict[str, Callable[[], User]] = {
        "doctor": lambda: doctor_of(run),
        "patient": lambda: case.patient,
    }
    client = client_of(makers.get(who, lambda: make_user(who))())
    ids: dict[str, Any] = {"case": case.pk, "run": run.pk, "procedure": run.procedure_id}
    ids |= {"keepsake": case.keepsakes.get().pk, "memory": case.memories.get().pk}
    before, asked = database_rows(), 0
    for door in doors():
        if set(door.keywords) <= ids.keys() and door.name in TABLE and door.name != "set_language":
            path = reverse(door.name, kwargs={word: ids[word] for word in door.keywords})
            for method in (client.get, client.head):
                method(path)
                asked += 1
    assert asked > 100
    assert database_rows() == before


def test_z6_posted_fields_that_the_form_does_not_have_change_nothing() -> None:
    patient = make_case().patient
    victim, client = make_case(), client_of(patient)
    roles = patient.roles
    form = {
        "title": "A day",
        "day": "2003-02-01",
        "intensity": "5",
        "case": str(victim.pk),
        "owner": str(victim.pk),
    }
    client.post(
        reverse("patients:memory-new"), form | {"role": "doctor", "roles": "doctor", "stage": "closed"}
    )
    assert victim.memories.count() == 0
    assert User.objects.get(pk=patient.pk).roles == roles
    assert Case.objects.get(patient=patient).stage == Case.Stage.BRINGING


def test_z7_access_to_a_picture_follows_access_to_its_case() -> None:
    run = make_run(1)
    keepsake = run.procedure.case.keepsakes.get()
    people = [technician_of(run), make_technician(), make_user(Role.RECEPTIONIST), make_user(Role.AUDITOR)]
    assert len(people) == 4
    for user in people:
        picture = allowed(user, "patients:picture", {"picture": keepsake.picture_id}, "GET")
        session = allowed(user, "erasure:session", {"run": run.pk}, "GET")
        assert picture.allowed == (session.allowed and session.content)


def test_a_handover_offer_gives_the_subject_no_access() -> None:
    run = make_named_run()
    subject = make_bookable(Role.TECHNICIAN, name=SUBJECT)
    Handover.objects.create(
        run=run, offered_by=technician_of(run), offered_to=subject, offered_at=timezone.now()
    )
    assert not allowed(subject, "erasure:handover-accept", {"run": run.pk}, "POST").allowed
