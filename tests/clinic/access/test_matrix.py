"""Z2, L1: every URL is answered as the table says, whoever asks by whatever method; denials are recorded."""

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from uuid import UUID, uuid4

import pytest
from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.test import Client
from django.urls import reverse

from clinic import urls
from clinic.access import policy
from clinic.access.policy import PUBLIC, READING, SIGNED_IN, TABLE, Rule, Who, allowed
from clinic.access.relations import Standing, standing_in
from clinic.accounts.models import STAFF_ROLES, Role, User
from clinic.audit.models import Entry
from erasure.runs.models import Run
from patients.cases.models import Case
from tests.clinic.access.doors import OPEN, Door, doors, refused
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
    return House(case, run, actors, ids)


def expected(actor: Actor, name: str, keywords: tuple[str, ...], method: str) -> int:
    """What the table says, read apart from the code that enforces it: OPEN, 302, 403, 404 or 405."""
    row = TABLE[name]
    who, other = (row.read, row.write) if method in READING else (row.write, row.read)
    if not who and told(actor, other, keywords) == OPEN:
        return 405
    return told(actor, who, keywords)


def told(actor: Actor, who: Who, keywords: tuple[str, ...]) -> int:
    """The answer to a person for whom the rules are these."""
    if who == PUBLIC:
        return OPEN
    if actor.user is None:
        return 302
    if who == SIGNED_IN:
        return OPEN
    assert not isinstance(who, str)
    near = ABOUT_A_CASE.intersection(keywords)
    roles = set(actor.user.roles)
    refusal = 403 if roles - {Role.PATIENT} or not keywords else 404
    if not roles.intersection(rule.role for rule in who if isinstance(rule, Rule)):
        return refusal  # before any object is looked at
    if near and actor.conflict:
        roles &= {Role.PATIENT}
    relations = actor.relations if near else frozenset()
    for rule in who:
        assert isinstance(rule, Rule)
        if rule.role in roles and (not rule.relations or rule.relations & relations):
            return OPEN
    return 404 if keywords else 403  # for an object that exists as for one that does not


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


@pytest.mark.timeout(180)  # up to 1,339 requests
@pytest.mark.parametrize("htmx", [False, True], ids=["page", "fragment"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_every_url_is_answered_as_the_table_says(
    method: str, htmx: bool, house: House, settings: settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, "tests.clinic.access.doors.Open"]
    for status in (403, 404):
        monkeypatch.setattr(urls, f"handler{status}", partial(refused, status=status), raising=False)
    wrong = []
    seen = Entry.objects.count()
    cells = 0
    kinds = FRAGMENTS if htmx else house.actors.keys()
    for kind in kinds:
        actor = house.actors[kind]
        client = visitor(actor, settings, **{"HX-Request": "true"} if htmx else {})
        for door, path in paths(house):
            want = expected(actor, door.name, door.keywords, method)
            got = client.generic(method, path).status_code
            # A closed URL of allauth's sends nobody to sign in; the table turns them away with a 403.
            if actor.user is None and got == 403 and TABLE[door.name].read == TABLE[door.name].write == ():
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
