"""Z2, L1: every URL answers as the README says, for every person and method, and denials are recorded."""

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from itertools import combinations
from uuid import UUID, uuid4

import pytest
from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from clinic import urls
from clinic.access import policy
from clinic.access.policy import READING, TABLE, allowed
from clinic.access.relations import Standing, standing_in
from clinic.accounts.models import STAFF_ROLES, Role, User
from clinic.audit.models import Entry
from clinic.calendar.models import Booking, Resource
from erasure.certificates.models import Certificate
from erasure.destructions.models import Destruction
from erasure.procedures.models import Procedure
from erasure.runs.models import Handover, Run
from patients.appointments.desk_tasks import ask_to_call
from patients.cases.models import Case
from patients.consent_papers.models import ConsentPaper
from patients.messages.models import MessageThread
from tests.appointments import make_appointment
from tests.clinic.access.doors import OPEN, Door, doors, empty_refusal
from tests.clinic.access.readme_table import EVERYBODY, README, status_by_readme
from tests.factories import make_case, make_doctor, make_note, make_run, make_technician, make_user
from tests.waitlist import make_offer

pytestmark = pytest.mark.django_db

# Arguments of URLs without a relation: nobody has more access to such an object than others.
UNRELATED = {
    *("pk", "token", "uidb36", "key", "message", "resource", "season"),
    *("booking", "template", "appointment_request", "figure", "place"),
}
ABOUT_A_CASE = {
    *("case", "note", "memory", "keepsake", "picture", "run", "procedure", "form"),
    *("appointment", "desk_task", "waitlist_entry", "waitlist_offer", "work", "destruction"),
    "consent_paper",
}
# These actors send the methods that no page uses. All actors send GET and POST, with and without htmx.
ACTORS_OF_UNUSED_METHODS = {"stranger", "own, and every staff role", "technician"}


@dataclass(frozen=True)
class Actor:
    """A kind of person, with their relations to the case. conflict: the person is its patient or subject."""

    user: User | None
    relations: frozenset[str] = frozenset()
    conflict: bool = False


@dataclass(frozen=True)
class Scene:
    """One case with its run, and the persons and ids that the tests use."""

    case: Case
    run: Run
    canceled: Booking
    actors: dict[str, Actor]
    ids: dict[str, UUID | str]


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> None:
    """Do not log the thousands of expected refusals: their tracebacks would take most of the time."""
    caplog.set_level(logging.CRITICAL, "django.request")


@pytest.fixture
def scene() -> Scene:
    """One case whose run has started, and one person of every kind."""
    run = make_run(memories=1)
    case = run.procedure.case
    keepsake = case.keepsakes.get()
    people = {user.roles: user for user in User.objects.filter(resources__bookings=run.procedure.booking)}
    patient_and_doctor = make_case(make_user(Role.PATIENT, Role.DOCTOR)).patient
    patient = case.patient
    own_staff = make_user(*STAFF_ROLES, Role.PATIENT)
    Case.objects.filter(pk=case.pk).update(patient=own_staff)
    formerly_assigned, assigned_auditor, auditor_and_technician = (
        make_bookable(Role.TECHNICIAN),
        make_bookable(Role.TECHNICIAN, Role.AUDITOR),
        make_bookable(Role.TECHNICIAN, Role.AUDITOR),
    )
    canceled = Booking.objects.create(
        kind=Booking.Kind.ERASURE,
        starts_at=run.procedure.booking.starts_at,
        ends_at=run.procedure.booking.ends_at,
        made_by=patient_and_doctor,
        canceled_at=timezone.now(),
    )
    canceled.resources.add(formerly_assigned.resources.get())
    Procedure.objects.create(
        case=case,
        map=run.procedure.map,
        consent=run.procedure.consent,
        booking=canceled,
        place="clinic",
        pace_seconds=0,
        booked_by=patient_and_doctor,
        state="canceled",
    )
    run.procedure.booking.resources.add(assigned_auditor.resources.get())
    actors = {
        "nobody": Actor(None),
        "without a role": Actor(make_user()),
        "stranger": Actor(patient),
        "stranger and doctor": Actor(patient_and_doctor),
        "own, and every staff role": Actor(own_staff, frozenset({"own"}), conflict=True),
        "subject, and every staff role": Actor(
            make_user(*STAFF_ROLES, name="Clémentine Kruczynski"), conflict=True
        ),
        "doctor": Actor(people[frozenset({Role.DOCTOR})], frozenset({"assigned"})),
        "another doctor": Actor(make_doctor()),
        "technician": Actor(people[frozenset({Role.TECHNICIAN})], frozenset({"assigned"})),
        "another technician": Actor(make_technician()),
        "receptionist": Actor(make_user(Role.RECEPTIONIST)),
        "formerly assigned": Actor(formerly_assigned),
        "auditor and technician of another night": Actor(auditor_and_technician),
        "auditor and technician, assigned": Actor(assigned_auditor, frozenset({"assigned"})),
        "administrator": Actor(make_user(Role.ADMINISTRATOR)),
        "auditor": Actor(make_user(Role.AUDITOR)),
    }
    appointment = make_appointment(case, starts_at=timezone.now() + timedelta(days=30))
    ask_to_call(appointment)
    offer = make_offer(case)
    paper = ConsentPaper(signature=run.procedure.consent)
    paper.write(b"%PDF-1.7", [case.pk])
    paper.save()
    fields = case.read()
    case.write(type(fields)(subject_name="clementine  kruczynski"))
    case.save(update_fields=["sealed"])
    ids: dict[str, UUID | str] = {
        "case": case.pk,
        "memory": keepsake.memory_id,
        "keepsake": keepsake.pk,
        "picture": keepsake.picture_id,
        "run": run.pk,
        "work": run.pk,
        "destruction": Destruction.objects.create(case=case).pk,
        "procedure": run.procedure_id,
        "form": f"review:{keepsake.pk}",
        "consent_paper": paper.pk,
        "note": make_note(case).pk,
        "appointment": appointment.pk,
        "desk_task": appointment.desk_tasks.get().pk,
        "waitlist_entry": offer.entry_id,
        "waitlist_offer": offer.pk,
        "template": uuid4(),
        "season": uuid4(),
        "resource": run.procedure.booking.resources.order_by("pk")[0].pk,
        "booking": run.procedure.booking_id,
        "pk": uuid4(),
        "token": "a-token",
        "uidb36": "1z",
        "key": "a-key",
        "figure": "procedures",
        "message": uuid4(),
        "place": "home-drawers",
        "appointment_request": uuid4(),
    }
    return Scene(case, run, canceled, actors, ids)


def expected(actor: Actor, name: str, keywords: tuple[str, ...], method: str) -> int:
    """The status by the README: OPEN, 302, 403, 404 or 405."""
    if actor.user is None:
        read, write = README[name]
        spec, other = (read, write) if method in READING else (write, read)
        if spec == EVERYBODY:
            return OPEN
        # A URL without this method answers 405 to those who may use its other method.
        return 405 if not spec and other == EVERYBODY else 302
    about_case = bool(ABOUT_A_CASE.intersection(keywords))
    relations = actor.relations | {"subject" if actor.conflict else "consented"}
    if "assigned" in relations and not actor.conflict:
        relations |= {"entrusted"}
    return status_by_readme(
        name, method, actor.user.roles, relations, about_case=about_case, has_arguments=bool(keywords)
    )


def make_bookable(*roles: str) -> User:
    """A user with roles who can be booked as a technician."""
    user = make_user(*roles)
    Resource.objects.create(kind=Resource.Kind.TECHNICIAN, label=user.name, user=user)
    return user


def doors_in_table() -> Iterator[Door]:
    return (door for door in doors() if door.name in TABLE)


def paths(scene: Scene) -> list[tuple[Door, str]]:
    """Every URL of the table, with the ids of this scene."""
    return [
        (door, reverse(door.name, kwargs={word: scene.ids[word] for word in door.keywords}))
        for door in doors_in_table()
    ]


def client_of(actor: Actor, settings: settings, **headers: str) -> Client:
    """A client that is signed in as `actor`."""
    client = Client(headers=headers)
    if actor.user:
        client.force_login(actor.user, backend=settings.AUTHENTICATION_BACKENDS[0])
    return client


@pytest.mark.timeout(240)  # up to 1,700 requests
@pytest.mark.parametrize(
    ("method", "htmx"),
    [
        *(
            (method, False)
            for method in ("GET", "POST", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS", "QUERY")
        ),
        *((method, True) for method in ("GET", "POST")),
    ],
)
def test_z2_l1_every_url_answers_as_the_readme_says(
    method: str, htmx: bool, scene: Scene, settings: settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, "tests.clinic.access.doors.AnswerWithoutView"]
    for status in (403, 404):
        monkeypatch.setattr(urls, f"handler{status}", partial(empty_refusal, status=status), raising=False)
    wrong = []
    seen = Entry.objects.count()
    cells = 0
    kinds = scene.actors.keys() if method in {"GET", "POST"} else ACTORS_OF_UNUSED_METHODS
    for kind in kinds:
        actor = scene.actors[kind]
        client = client_of(actor, settings, **{"HX-Request": "true"} if htmx else {})
        for door, path in paths(scene):
            want = expected(actor, door.name, door.keywords, method)
            got = client.generic(method, path).status_code
            # W1: a fragment is never answered by a redirect to the sign-in page.
            if want == 302 and htmx:
                want = 401
            # A visitor gets 403 from a URL that is closed to everyone, instead of the sign-in page.
            if actor.user is None and got == 403 and README[door.name] == ("", ""):
                got = want
            written = list(Entry.objects.filter(index__gte=seen).values_list("action", flat=True))
            seen += len(written)
            cells += 1
            denied = ["access.denied"] if want in {403, 404} else []
            if got != want or written != denied:
                wrong.append(f"{method} {door.name} for {kind}: {got} {written}, not {want} {denied}")
    assert not wrong, "\n".join(wrong)
    assert cells == len(kinds) * len(list(doors_in_table())) > 300


def test_every_refusal_shows_its_error_page(scene: Scene, settings: settings) -> None:
    """Tests the refusal pages, which the matrix above replaces by empty responses."""
    tested = set()
    for kind, actor in scene.actors.items():
        client = client_of(actor, settings)
        for door, path in paths(scene):
            status = expected(actor, door.name, door.keywords, "GET")
            if status in {403, 404} and (kind, status) not in tested:
                tested.add((kind, status))
                response = client.get(path)
                assert (kind, door.name, response.status_code) == (kind, door.name, status)
                assert f"{status}.html" in {template.name for template in response.templates}
    assert {kind for kind, _status in tested} == scene.actors.keys() - {"nobody"}
    assert {status for _kind, status in tested} == {403, 404}


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_asgi_routes_outside_the_resolver_use_the_same_table(method: str, scene: Scene) -> None:
    routes = {
        "patients:picture": ("picture",),
        "patients:playback": ("picture",),
        "erasure:live": ("run",),
        "erasure:bed-live": ("procedure",),
        "patients:upload": (),
        "patients:upload-form": (),
    }
    wanted, found = {}, {}
    for kind, actor in scene.actors.items():
        if actor.user is None:
            continue
        for name, keywords in routes.items():
            wanted[kind, name] = expected(actor, name, keywords, method)
            decision = allowed(actor.user, name, {word: scene.ids[word] for word in keywords}, method)
            found[kind, name] = OPEN if decision.allowed else decision.status
    assert found == wanted
    assert len(found) == (len(scene.actors) - 1) * len(routes)


RELATIONS = (
    *("none", "own", "subject", "assigned", "formerly", "offered", "mapping", "answering", "certified"),
    "withdrawn",
)
METHODS = ("GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE", "QUERY")
ROLE_SETS = [(), *((role,) for role in Role), *combinations(Role, 2)]


def give_relation(person: User, relation: str, scene: Scene) -> None:
    """Give `person` this relation to the scene's case, and no other."""
    User.objects.filter(pk=person.pk).update(name="Somebody Other")
    stranger = make_user(Role.PATIENT)
    stages = {"mapping": Case.Stage.REVIEW, "withdrawn": Case.Stage.WITHDRAWN}
    stage = stages.get(relation, Case.Stage.RUNNING)
    patient = person if relation == "own" else stranger
    Case.objects.filter(pk=scene.case.pk).update(patient=patient, stage=stage)
    resource = person.resources.get()
    scene.run.procedure.booking.resources.remove(resource)
    scene.canceled.resources.remove(resource)
    Handover.objects.all().delete()
    MessageThread.objects.all().delete()
    Certificate.objects.all().delete()
    if relation == "subject":
        User.objects.filter(pk=person.pk).update(name="Clémentine Kruczynski")
    if relation in {"assigned", "certified"}:
        scene.run.procedure.booking.resources.add(resource)
    if relation == "answering":
        MessageThread.objects.create(case=scene.case, assigned_to=person)
    if relation == "formerly":
        scene.canceled.resources.add(resource)
    if relation == "offered":
        Handover.objects.create(
            run=scene.run, offered_by=stranger, offered_to=person, offered_at=timezone.now()
        )
    if relation == "certified":
        Certificate.objects.create(run=scene.run, body="{}", digest="0" * 64, issued_at=timezone.now())


@pytest.mark.timeout(400)
@pytest.mark.parametrize("relation", RELATIONS)
def test_z2_every_role_and_pair_of_roles_in_every_relation_by_every_method(
    relation: str, scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tests decisions only: the matrix above shows that responses follow them, with an entry per denial."""
    standings: dict[tuple[object, ...], Standing | None] = {}

    def standing_once(user: User, ids: Mapping[str, UUID]) -> Standing | None:
        key = (user.pk, *ids.items())
        if key not in standings:
            standings[key] = standing_in(user, ids)
        return standings[key]

    monkeypatch.setattr(policy, "standing_in", standing_once)
    relations_with_access = frozenset({relation} & {"own", "subject", "assigned", "offered", "mapping"})
    wrong, cells = [], 0
    for roles in ROLE_SETS:
        person = make_bookable(*roles)
        give_relation(person, relation, scene)
        person = User.objects.get(pk=person.pk)
        for door in doors_in_table():
            ids = {word: scene.ids[word] for word in door.keywords}
            about_case = bool(ABOUT_A_CASE.intersection(door.keywords))
            # Only a member of staff can be the subject: a patient of the same name counts as another person.
            relations = (
                relations_with_access if relation != "subject" or person.is_staff_member else frozenset()
            )
            if "offered" in relations and "run" not in door.keywords:
                relations = frozenset()
            if relation != "withdrawn" and not relations & {"own", "subject"}:
                relations |= {"consented"}
            if relation in {"assigned", "mapping", "answering"}:
                relations |= {"entrusted"}
            for method in METHODS:
                decision = allowed(person, door.name, ids, method)
                got = OPEN if decision.allowed else decision.status
                want = status_by_readme(
                    door.name, method, person.roles, relations, about_case=about_case, has_arguments=bool(ids)
                )
                cells += 1
                if got != want:
                    wrong.append(f"{method} {door.name} for {roles}, {relation}: {got}, not {want}")
    assert not wrong, "\n".join(wrong)
    assert cells == len(ROLE_SETS) * len(METHODS) * len(list(doors_in_table())) > 15_000


def test_z1_the_readme_s_table_has_every_url_and_no_other() -> None:
    named = {door.name for door in doors()} | {
        *("patients:picture", "patients:picture-blurred", "patients:playback", "erasure:live"),
        "erasure:bed-live",
    }
    assert README.keys() == TABLE.keys()
    assert named - README.keys() <= {"", "patients:upload", "patients:upload-form"}


@pytest.mark.timeout(180)  # 10,712 decisions
def test_all_reading_methods_and_all_writing_methods_are_treated_alike(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    standings: dict[tuple[object, ...], Standing | None] = {}

    def standing_once(user: User, ids: Mapping[str, UUID]) -> Standing | None:
        """Cached: a relation does not depend on the method."""
        key = (user.pk, *ids.items())
        if key not in standings:
            standings[key] = standing_in(user, ids)
        return standings[key]

    monkeypatch.setattr(policy, "standing_in", standing_once)
    cells = 0
    for kind, actor in scene.actors.items():
        for door in doors_in_table():
            ids = {word: scene.ids[word] for word in door.keywords}
            answers = {
                method: allowed(actor.user or AnonymousUser(), door.name, ids, method)
                for method in ("GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE", "QUERY")
            }
            assert answers["HEAD"] == answers["OPTIONS"] == answers["GET"], (kind, door.name)
            writing = {answers[method] for method in ("POST", "PUT", "PATCH", "DELETE", "QUERY")}
            assert len(writing) == 1, (kind, door.name)
            cells += 1
    assert cells == len(scene.actors) * len(list(doors_in_table()))


def test_the_urls_name_every_kind_of_object(scene: Scene) -> None:
    named = {word for door in doors() for word in door.keywords}
    assert named - UNRELATED <= ABOUT_A_CASE
    assert {"case", "keepsake", "run", "procedure"} <= named
