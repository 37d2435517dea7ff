"""Z2, L1: every URL is answered as the README says, whoever asks by whatever method; denials are recorded."""

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
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
from erasure.procedures.models import Procedure
from erasure.runs.models import Handover, Run
from patients.cases.models import Case
from tests.clinic.access.doors import OPEN, Door, doors, refused
from tests.clinic.access.readme_table import EVERYBODY, README, answer
from tests.factories import make_case, make_doctor, make_run, make_technician, make_user

pytestmark = pytest.mark.django_db

# What a URL may name that no room has taught a relation for: there is nobody nearer to it than others.
UNRELATED = {"pk", "token", "uidb36", "key"}
ABOUT_A_CASE = {"case", "memory", "keepsake", "picture", "run", "procedure"}
# Those of whom a fragment is asked too: the header must change nothing, for whoever it is.
FRAGMENTS = {"stranger", "own, and every staff role", "technician"}


@dataclass(frozen=True)
class Actor:
    """A kind of person: who they are, and how they stand to the case by the way they were made."""

    user: User | None
    relations: frozenset[str] = frozenset()
    conflict: bool = False


@dataclass(frozen=True)
class House:
    case: Case
    run: Run
    canceled: Booking
    actors: dict[str, Actor]
    ids: dict[str, UUID | str]


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> None:
    """Thousands of refusals are no news here; their traces would take longer than the crawl."""
    caplog.set_level(logging.CRITICAL, "django.request")


@pytest.fixture
def house() -> House:
    """One case in its night, and one of every kind of person around it."""
    run = make_run(memories=1)
    case = run.procedure.case
    keepsake = case.keepsakes.get()
    people = {user.roles: user for user in User.objects.filter(resources__bookings=run.procedure.booking)}
    both = make_case(make_user(Role.PATIENT, Role.DOCTOR)).patient
    patient = case.patient
    own_staff = make_user(*STAFF_ROLES, Role.PATIENT)
    Case.objects.filter(pk=case.pk).update(patient=own_staff)
    former, inside, both_roles = (
        seated(Role.TECHNICIAN),
        seated(Role.TECHNICIAN, Role.AUDITOR),
        seated(Role.TECHNICIAN, Role.AUDITOR),
    )
    canceled = Booking.objects.create(
        kind=Booking.Kind.ERASURE,
        starts_at=run.procedure.booking.starts_at,
        ends_at=run.procedure.booking.ends_at,
        made_by=both,
        canceled_at=timezone.now(),
    )
    canceled.resources.add(former.resources.get())
    Procedure.objects.create(
        case=case,
        map=run.procedure.map,
        consent=run.procedure.consent,
        booking=canceled,
        place="clinic",
        pace_seconds=0,
        booked_by=both,
        state="canceled",
    )
    run.procedure.booking.resources.add(inside.resources.get())
    actors = {
        "nobody": Actor(None),
        "without a role": Actor(make_user()),
        "stranger": Actor(patient),
        "stranger and doctor": Actor(both),
        "own, and every staff role": Actor(own_staff, frozenset({"own"}), conflict=True),
        "subject, and every staff role": Actor(
            make_user(*STAFF_ROLES, name="Clémentine Kruczynski"), conflict=True
        ),
        "doctor": Actor(people[frozenset({Role.DOCTOR})], frozenset({"assigned"})),
        "another doctor": Actor(make_doctor()),
        "technician": Actor(people[frozenset({Role.TECHNICIAN})], frozenset({"assigned"})),
        "another technician": Actor(make_technician()),
        "receptionist": Actor(make_user(Role.RECEPTIONIST)),
        "formerly assigned": Actor(former),
        "auditor and technician of another night": Actor(both_roles),
        "auditor and technician, assigned": Actor(inside, frozenset({"assigned"})),
        "administrator": Actor(make_user(Role.ADMINISTRATOR)),
        "auditor": Actor(make_user(Role.AUDITOR)),
    }
    paper = case.read()
    case.write(type(paper)(subject_name="clementine  kruczynski"))
    case.save(update_fields=["sealed"])
    ids: dict[str, UUID | str] = {
        "case": case.pk,
        "memory": keepsake.memory_id,
        "keepsake": keepsake.pk,
        "picture": keepsake.picture_id,
        "run": run.pk,
        "procedure": run.procedure_id,
        "pk": uuid4(),
        "token": "a-token",
        "uidb36": "1z",
        "key": "a-key",
    }
    return House(case, run, canceled, actors, ids)


def expected(actor: Actor, name: str, keywords: tuple[str, ...], method: str) -> int:
    """What the README says: OPEN, 302, 403, 404 or 405."""
    if actor.user is None:
        read, write = README[name]
        spec, other = (read, write) if method in READING else (write, read)
        if spec == EVERYBODY:
            return OPEN
        return 405 if not spec and other == EVERYBODY else 302
    about = bool(ABOUT_A_CASE.intersection(keywords))
    relations = actor.relations | ({"subject"} if actor.conflict else set())
    return answer(name, method, actor.user.roles, relations, about=about, keywords=bool(keywords))


def seated(*roles: str) -> User:
    """A person with roles, who can be booked as a technician."""
    user = make_user(*roles)
    Resource.objects.create(kind=Resource.Kind.TECHNICIAN, label=user.name, user=user)
    return user


def crawl() -> Iterator[Door]:
    return (door for door in doors() if door.name in TABLE)


def paths(house: House) -> list[tuple[Door, str]]:
    """Every URL of the table, about the objects of this house."""
    return [
        (door, reverse(door.name, kwargs={word: house.ids[word] for word in door.keywords}))
        for door in crawl()
    ]


def visitor(actor: Actor, settings: settings, **headers: str) -> Client:
    """A client that is signed in as `actor`, once for all that it asks."""
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
def test_z2_l1_every_url_is_answered_as_the_readme_says(
    method: str, htmx: bool, house: House, settings: settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, "tests.clinic.access.doors.Open"]
    for status in (403, 404):
        monkeypatch.setattr(urls, f"handler{status}", partial(refused, status=status), raising=False)
    wrong = []
    seen = Entry.objects.count()
    cells = 0
    kinds = house.actors.keys() if method in {"GET", "POST"} and not htmx else FRAGMENTS
    for kind in kinds:
        actor = house.actors[kind]
        client = visitor(actor, settings, **{"HX-Request": "true"} if htmx else {})
        for door, path in paths(house):
            want = expected(actor, door.name, door.keywords, method)
            got = client.generic(method, path).status_code
            # A closed URL of allauth's sends nobody to sign in; the table turns them away with a 403.
            if actor.user is None and got == 403 and README[door.name] == ("", ""):
                got = 302
            written = list(Entry.objects.filter(index__gte=seen).values_list("action", flat=True))
            seen += len(written)
            cells += 1
            denied = ["access.denied"] if want in {403, 404} else []
            if got != want or written != denied:
                wrong.append(f"{method} {door.name} for {kind}: {got} {written}, not {want} {denied}")
    assert not wrong, "\n".join(wrong)
    assert cells == len(kinds) * len(list(crawl())) > 300


def test_whoever_is_refused_reads_a_page_that_says_so(house: House, settings: settings) -> None:
    """What the matrix leaves out: its thousands of refusals are answered without a page."""
    read = set()
    for kind, actor in house.actors.items():
        client = visitor(actor, settings)
        for door, path in paths(house):
            status = expected(actor, door.name, door.keywords, "GET")
            if status in {403, 404} and (kind, status) not in read:
                read.add((kind, status))
                answer = client.get(path)
                assert (kind, door.name, answer.status_code) == (kind, door.name, status)
                assert f"{status}.html" in {template.name for template in answer.templates}
    assert {kind for kind, _status in read} == house.actors.keys() - {"nobody"}
    assert {status for _kind, status in read} == {403, 404}


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_routes_beside_the_resolver_obey_the_same_table(method: str, house: House) -> None:
    routes = {
        "patients:picture": ("picture",),
        "patients:playback": ("picture",),
        "erasure:live": ("run",),
        "patients:upload": (),
        "patients:upload-form": (),
    }
    wanted, found = {}, {}
    for kind, actor in house.actors.items():
        if actor.user is None:
            continue
        for name, keywords in routes.items():
            wanted[kind, name] = expected(actor, name, keywords, method)
            decision = allowed(actor.user, name, {word: house.ids[word] for word in keywords}, method)
            found[kind, name] = OPEN if decision.allowed else decision.status
    assert found == wanted
    assert len(found) == (len(house.actors) - 1) * len(routes)


RELATIONS = ("none", "own", "subject", "assigned", "formerly", "offered", "mapping", "certified")
METHODS = ("GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE", "QUERY")
ROLE_SETS = [(), *((role,) for role in Role), *combinations(Role, 2)]


def stand(person: User, relation: str, house: House) -> None:
    """Put `person` into this relation to the case of the house, and into no other."""
    User.objects.filter(pk=person.pk).update(name="Somebody Other")
    stranger = make_user(Role.PATIENT)
    stage = Case.Stage.REVIEW if relation == "mapping" else Case.Stage.RUNNING
    patient = person if relation == "own" else stranger
    Case.objects.filter(pk=house.case.pk).update(patient=patient, stage=stage)
    seat = person.resources.get()
    house.run.procedure.booking.resources.remove(seat)
    house.canceled.resources.remove(seat)
    Handover.objects.all().delete()
    Certificate.objects.all().delete()
    if relation == "subject":
        User.objects.filter(pk=person.pk).update(name="Clémentine Kruczynski")
    if relation in {"assigned", "certified"}:
        house.run.procedure.booking.resources.add(seat)
    if relation == "formerly":
        house.canceled.resources.add(seat)
    if relation == "offered":
        Handover.objects.create(
            run=house.run, offered_by=stranger, offered_to=person, offered_at=timezone.now()
        )
    if relation == "certified":
        Certificate.objects.create(run=house.run, body="{}", digest="0" * 64, issued_at=timezone.now())


@pytest.mark.timeout(400)
@pytest.mark.parametrize("relation", RELATIONS)
def test_z2_every_role_and_pair_of_roles_in_every_relation_by_every_method(
    relation: str, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Decisions, without pages: the test above shows that each is the answer, with one entry for a denial."""
    standings: dict[tuple[object, ...], Standing | None] = {}

    def standing_once(user: User, ids: Mapping[str, UUID]) -> Standing | None:
        key = (user.pk, *ids.items())
        if key not in standings:
            standings[key] = standing_in(user, ids)
        return standings[key]

    monkeypatch.setattr(policy, "standing_in", standing_once)
    meant = frozenset({relation} & {"own", "subject", "assigned", "offered", "mapping"})
    wrong, cells = [], 0
    for held in ROLE_SETS:
        person = seated(*held)
        stand(person, relation, house)
        person = User.objects.get(pk=person.pk)
        for door in crawl():
            ids = {word: house.ids[word] for word in door.keywords}
            about = bool(ABOUT_A_CASE.intersection(door.keywords))
            # As staff alone a person is the subject: a patient of the same name is another person.
            near = meant if relation != "subject" or person.is_staff_member else frozenset()
            if "offered" in near and "run" not in door.keywords:
                near = frozenset()
            for method in METHODS:
                decision = allowed(person, door.name, ids, method)
                got = OPEN if decision.allowed else decision.status
                want = answer(door.name, method, person.roles, near, about=about, keywords=bool(ids))
                cells += 1
                if got != want:
                    wrong.append(f"{method} {door.name} for {held}, {relation}: {got}, not {want}")
    assert not wrong, "\n".join(wrong)
    assert cells == len(ROLE_SETS) * len(METHODS) * len(list(crawl())) > 15_000


def test_z1_the_readme_s_table_has_every_url_and_no_other() -> None:
    named = {door.name for door in doors()} | {
        *("patients:picture", "patients:picture-blurred", "patients:playback", "erasure:live")
    }
    assert README.keys() == TABLE.keys()
    assert named - README.keys() <= {"", "patients:upload", "patients:upload-form"}


@pytest.mark.timeout(180)  # 10,712 decisions
def test_other_methods_are_as_reading_or_as_writing(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    standings: dict[tuple[object, ...], Standing | None] = {}

    def standing_once(user: User, ids: Mapping[str, UUID]) -> Standing | None:
        """How somebody stands to an object has no method: it is asked once for all eight."""
        key = (user.pk, *ids.items())
        if key not in standings:
            standings[key] = standing_in(user, ids)
        return standings[key]

    monkeypatch.setattr(policy, "standing_in", standing_once)
    cells = 0
    for kind, actor in house.actors.items():
        for door in crawl():
            ids = {word: house.ids[word] for word in door.keywords}
            answers = {
                method: allowed(actor.user or AnonymousUser(), door.name, ids, method)
                for method in ("GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE", "QUERY")
            }
            assert answers["HEAD"] == answers["OPTIONS"] == answers["GET"], (kind, door.name)
            writing = {answers[method] for method in ("POST", "PUT", "PATCH", "DELETE", "QUERY")}
            assert len(writing) == 1, (kind, door.name)
            cells += 1
    assert cells == len(house.actors) * len(list(crawl()))


def test_the_crawl_reaches_every_kind_of_object(house: House) -> None:
    named = {word for door in doors() for word in door.keywords}
    assert named - UNRELATED <= ABOUT_A_CASE
    assert {"case", "keepsake", "run", "procedure"} <= named
