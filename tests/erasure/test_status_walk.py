"""Random histories of a case: all pages agree on its status, and the server accepts what they offer.

A history is made of the functions that the views call, with real rows. Before each action the status says
whether it is allowed; the server must decide the same. After each, every page that tells how the case stands
is read, and compared with the status.
"""

import os
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.core.cache import cache
from django.test import Client
from django.utils import timezone
from django.utils.html import escape
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clinic.accounts.models import Role, User
from clinic.calendar.board import board_of
from clinic.calendar.models import Resource
from erasure.jobs.supervisor import end_stopped
from erasure.jobs.worker import advance, next_step
from erasure.procedures.booking import CannotBook, book_procedure, cancel_procedure, move_procedure
from erasure.procedures.models import Procedure
from erasure.remainders import decisions
from erasure.runs import calls, control, handover
from erasure.runs.finishing import close_gone_steps
from erasure.runs.lease import claim
from erasure.runs.models import Hold, Run
from erasure.runs.passes import make_pass
from erasure.runs.planning import CannotStart, start_run
from erasure.runs.resistance import copies_off_the_map, decide, hold
from erasure.runs.run_actions import NotNow
from erasure.session.snapshot import snapshot
from patients.cases.editing import CaseLocked
from patients.cases.facts import status_of
from patients.cases.models import Case
from patients.cases.status import OVER, Stage, Status, Who
from patients.cases.status_words import next_words, patient_words, stage_word, wait_words
from patients.consent.models import ConsentText, Signature
from patients.consent.signing import current_text
from patients.keepsakes.editing import submit_for_review
from patients.keepsakes.models import Keepsake
from patients.keepsakes.review import CannotReview, accept_rest
from patients.maps.locking import CannotLock, lock_map, unlock_map
from patients.memories.models import LockedMap, Memory
from patients.memories.writing import write_memory
from tests.erasure.session.viewing import viewer
from tests.factories import (
    PASSPHRASE,
    jpeg,
    make_case,
    make_doctor,
    make_keepsake,
    make_memory,
    make_room,
    make_text,
    make_user,
)

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(600)]

ROUNDS = int(os.environ.get("LACUNA_TEST_ROUNDS", "6"))
REFUSALS = (CannotBook, CannotStart, CannotLock, CannotReview, CaseLocked, NotNow, decisions.NotNow)
UNDERSTOOD = {"gone": "stays", "stop": "until", "kept": "kept"}


def signed_in(person: User) -> Client:
    client = Client()
    client.force_login(person, backend=django_settings.AUTHENTICATION_BACKENDS[0])
    return client


@dataclass
class House:
    """One case, and the people around it."""

    case: Case
    doctor: User = field(default_factory=make_doctor)
    other: User = field(default_factory=make_doctor)
    technician: User = field(init=False)
    room: Resource = field(default_factory=make_room)
    picture: bytes = field(default_factory=jpeg)
    clients: dict[Any, Client] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.technician = make_user(Role.TECHNICIAN)
        Resource.objects.create(
            kind=Resource.Kind.TECHNICIAN, label=self.technician.name, user=self.technician
        )

    @property
    def patient(self) -> User:
        return self.case.patient

    def status(self) -> Status:
        self.case = Case.objects.select_related("patient").get(pk=self.case.pk)
        return status_of(self.case)

    def client(self, person: User) -> Client:
        return self.clients.setdefault(person.pk, signed_in(person))

    def run(self) -> Run | None:
        return Run.objects.filter(procedure__case=self.case).order_by("started_at").last()

    def procedure(self) -> Procedure | None:
        return Procedure.objects.filter(case=self.case).order_by("booked_at").last()


# --- What changes a case. Each returns whether the server accepted it. ---


def accepted(act: Callable[[], object]) -> bool:
    try:
        act()
    except REFUSALS:
        return False
    return True


def sign(house: House) -> bool:
    """Send the form of the consent page, as the patient."""
    cache.clear()  # signatures are throttled
    before = Signature.objects.filter(case=house.case).count()
    locked = LockedMap.objects.filter(case=house.case, unlocked_at__isnull=True).first()
    kind = ConsentText.Kind.STORAGE if house.case.map_is_open else ConsentText.Kind.PROCEDURE
    form = {
        "text_seen": current_text(kind).digest,
        "map_seen": locked.digest if locked else "",
        "name": house.patient.name,
        "passphrase": PASSPHRASE,
        **UNDERSTOOD,
    }
    assert house.client(house.patient).post("/me/consent/sign/", form).status_code < 500
    return Signature.objects.filter(case=house.case).count() > before


def withdraw(house: House) -> bool:
    before = Signature.objects.filter(case=house.case, withdrawn_at__isnull=False).count()
    assert house.client(house.patient).post("/me/withdraw/").status_code < 500
    return Signature.objects.filter(case=house.case, withdrawn_at__isnull=False).count() > before


def add_memory(house: House) -> bool:
    words = {"title": "A day", "day": "2003-02-01"}
    return accepted(lambda: write_memory(house.case, words, {"intensity": 5}, by=house.patient))


def book(house: House) -> bool:
    people = Resource.objects.filter(user__in=[house.doctor, house.technician])
    now = timezone.now()
    return accepted(
        lambda: book_procedure(
            house.case,
            place="clinic",
            resources=[*people, house.room],
            starts_at=now,
            ends_at=now + timedelta(hours=8),
            pace_seconds=0,
            by=house.doctor,
        )
    )


def cancel(house: House) -> bool:
    procedure = house.procedure()
    return procedure is not None and accepted(lambda: cancel_procedure(procedure, by=house.doctor))


def move(house: House) -> bool:
    procedure = house.procedure()
    if procedure is None:
        return False
    booking, later = procedure.booking, timedelta(minutes=15)
    return accepted(
        lambda: move_procedure(
            procedure,
            starts_at=booking.starts_at + later,
            ends_at=booking.ends_at + later,
            expected_start=booking.starts_at,
            by=house.doctor,
        )
    )


def start(house: House) -> bool:
    procedure = house.procedure()
    return procedure is not None and accepted(lambda: start_run(procedure.pk, by=None))


def keep_remainder(house: House) -> bool:
    left = decisions.damaged_steps(run__procedure__case=house.case)
    return bool(left) and accepted(lambda: decisions.keep(left[0].memory_id, by=house.patient))


def destroy_remainder(house: House) -> bool:
    left = decisions.damaged_steps(run__procedure__case=house.case)
    return bool(left) and accepted(lambda: decisions.destroy(left[0].memory_id, by=house.patient))


def review(house: House) -> bool:
    return accepted(lambda: accept_rest(house.case, seen_until=timezone.now(), by=house.doctor))


# Code of the action in Status.allowed, and how to do it.
ACTIONS: dict[str, tuple[str, Callable[[House], bool]]] = {
    "sign": ("", sign),
    "withdraw": ("withdraw", withdraw),
    "add memory": ("map", add_memory),
    "review": ("review", review),
    "submit": ("submit", lambda h: accepted(lambda: submit_for_review(h.case, by=h.patient))),
    "lock": ("lock", lambda h: accepted(lambda: lock_map(h.case, by=h.doctor))),
    "unlock": ("unlock", lambda h: accepted(lambda: unlock_map(h.case, by=h.doctor))),
    "book": ("book", book),
    "cancel": ("cancel", cancel),
    "move": ("move", move),
    "start": ("start", start),
    "keep remainder": ("remainder", keep_remainder),
    "destroy remainder": ("remainder", destroy_remainder),
}

# --- What people press in a session: key of the control, who presses, and the function behind it. ---


def _decide(house: House, run: Run) -> object:
    item = Hold.objects.filter(step__run=run).order_by("found_at").last()
    if item is None:
        raise NotNow
    try:
        return decide(run.pk, item.pk, extend=False, reason="childhood", by=house.doctor)
    except ValueError as error:
        raise NotNow from error


CONTROLS: dict[str, tuple[str, Callable[[House, Run], object]]] = {
    "pause": ("technician", lambda h, run: control.pause(run.pk, by=h.technician)),
    "resume": ("technician", lambda h, run: control.resume(run.pk, by=h.technician)),
    "protect": (
        "technician",
        lambda h, run: control.protect(run.pk, run.steps.get(position=0).memory_id, by=h.technician),
    ),
    "doctor": ("technician", lambda h, run: control.call_doctor(run.pk, by=h.technician)),
    "safe_word": ("technician", lambda h, run: control.safe_word(run.pk, by=h.technician)),
    "acknowledge": ("doctor", lambda h, run: calls.acknowledge(run.pk, by=h.doctor)),
    "abort": ("technician", lambda h, run: control.pause(run.pk, by=h.technician, why=Run.Why.ABORT)),
    "abort_finish": ("technician", lambda h, run: control.abort(run.pk, by=h.technician, reason="medical")),
    "decide": ("doctor", _decide),
    "take_over": ("other", lambda h, run: handover.take_over(run.pk, by=h.other)),
    "hand_back": ("other", lambda h, run: handover.hand_back(run.pk, by=h.other)),
    "handover": ("technician", lambda h, run: handover.offer(run.pk, h.technician.pk, by=h.technician)),
}
# Offered as long as it may be pressed at all; what it is about may refuse it.
ABOUT_SOMETHING = {"protect", "decide", "handover"}


def press(house: House, key: str) -> None:
    """Press a control of the newest session. What is not offered changes nothing."""
    run = house.run()
    if run is None:
        return
    who, act = CONTROLS[key]
    person: User = getattr(house, who)
    offered = snapshot(run.pk, viewer(run, person))["controls"][key] is not None
    before = Run.objects.get(pk=run.pk).last_seq
    went = accepted(lambda: act(house, run))
    if not offered:
        assert Run.objects.get(pk=run.pk).last_seq == before, f"{key} is not offered, and changed something"
    elif key not in ABOUT_SOMETHING:
        assert went, f"{key} is offered, and refused"


# --- What happens by itself ---


def one_pass(house: House) -> None:
    run = house.run()
    fence = claim(run.pk) if run else None
    if run is None or fence is None:
        return
    step = next_step(run.pk)
    if step and not (step.level == 0 and hold(fence, step, copies_off_the_map(step))):
        make_pass(fence, step, due=run.next_due_at)
    Run.objects.filter(pk=run.pk).update(lease_until=None)
    close_gone_steps(run.pk)


def to_the_end(house: House) -> None:
    if run := house.run():
        advance(run.pk)


def bring(house: House) -> None:
    """The patient brings a photo; it waits for review, or is a copy of one that lies off the map."""
    if not house.status().allows("bring"):
        return
    memory = make_memory(house.case, "Another day", "2003-03-01")
    keepsake = make_keepsake(memory)
    Keepsake.objects.filter(pk=keepsake.pk).update(review=Keepsake.Review.WAITING)
    Case.objects.filter(pk=house.case.pk, stage="intake").update(stage="bringing")


EVENTS: dict[str, Callable[[House], object]] = {
    "a pass": one_pass,
    "the end": to_the_end,
    "the supervisor": lambda _house: end_stopped(),
    "bring": bring,
}

# --- What the pages say ---


def text_of(page: str) -> str:
    main = page.partition("<main")[2].partition("</main>")[0]
    return " ".join(re.sub(r"<script.*?</script>|<[^>]+>", " ", main, flags=re.DOTALL).split())


def check_pages(house: House) -> None:
    """Every page that tells how the case stands says what its status says, and offers what it allows."""
    status = house.status()
    assert status.stage == house.case.stage or (status.stage, house.case.stage) == ("stopped", "mapped")
    check_file(house, status)
    check_board(house, status)
    check_portal(house, status)
    if run := house.run():
        check_session(house, status, run)


def check_file(house: House, status: Status) -> None:
    doctor, case = house.client(house.doctor), house.case
    row = text_of(doctor.get(f"/files/?name={case.reference}").content.decode())
    assert f" {stage_word(status)} " in row
    page = doctor.get(f"/files/{case.pk}/").content.decode()
    text = text_of(page)
    assert f"{case.reference} , {stage_word(status)}." in text
    assert next_words(status) in text
    for wait in status.waits:
        assert wait_words(wait) in text
    assert (f"/files/{case.pk}/book/" in page) == status.allows("book")
    procedure = house.procedure()
    if procedure:
        assert (f"/procedures/{procedure.pk}/cancel/" in page) == status.allows("cancel")
        assert (f"/procedures/{procedure.pk}/move/" in page) == status.allows("move")
        assert (f"/procedures/{procedure.pk}/start/" in page) == status.allows("start")
    answer = doctor.get(f"/files/{case.pk}/map/")
    if answer.status_code == 200:
        bench = answer.content.decode()
        assert ("/map/lock/" in bench) == status.allows("lock")
        assert ("/map/unlock/" in bench) == status.allows("unlock")
    else:
        assert (answer.status_code, status.stage) == (410, Stage.CLOSED)


def check_board(house: House, status: Status) -> None:
    board = board_of(timezone.localdate(), house.doctor)
    name = house.patient.short_name
    told = {str(need.text) for need in board.needs if need.who == name}
    expected = {wait_words(wait) for wait in status.waits if wait.code not in {"called", "decide", "held"}}
    nightly = {text for text in told if text.startswith(("Tonight is held", "Was to begin"))}
    if status.stage in OVER | {Stage.INTAKE, Stage.BOOKED, Stage.RUNNING}:
        expected = set()
    assert told - nightly == expected - {""}
    assert bool(nightly) <= (status.stage == Stage.BOOKED)
    under_way = [night for night in board.under_way if night.name == name]
    assert len(under_way) == any(night.under_way for night in status.facts.nights)
    alarm = any(night.alarm for night in board.progress if night.name == name)
    assert alarm == any(night.called_at or night.decisions for night in status.facts.nights)


def check_portal(house: House, status: Status) -> None:
    patient = house.client(house.patient)
    answer = patient.get("/me/")
    assert answer.context["status"] == status
    page, text = answer.content.decode(), text_of(answer.content.decode())
    waits = status.waits_for(Who.PATIENT)
    if status.stage not in OVER:
        assert ("/me/withdraw/" in page) == status.allows("withdraw")
        assert ("Nothing is asked of you now." in text) <= (not waits)
        if waits:
            assert answer.context["next"].url
        for wait in waits:
            assert escape(patient_words(wait.code, wait.count)) in page
        form = patient.get("/me/consent/").content.decode()
        assert ("/me/consent/sign/" in form) == (status.allows("sign") or status.allows("agree"))
    left = patient.get("/me/left/").content.decode()
    assert ("/destroy/" in left) == status.allows("remainder")
    undecided = status.facts.remainders.undecided
    notice = "half gone" in page
    assert notice == (bool(undecided) and status.stage not in {Stage.BOOKED, Stage.RUNNING})


def check_session(house: House, status: Status, run: Run) -> None:
    (night,) = [night for night in status.facts.nights if night.run == run.pk]
    present = snapshot(run.pk, viewer(run, house.doctor))
    kinds = [alarm["kind"] for alarm in present["alarms"]]
    assert kinds.count("off-map") == present["counts"]["off"] == night.decisions
    assert kinds.count("doctor") == bool(night.called_at)
    page = house.client(house.doctor).get(f"/sessions/{run.pk}/").content.decode()
    in_charge = run.taken_over_by_id in {None, house.doctor.pk}
    assert page.count("It is held until the doctor decides.") == night.decisions
    assert (f"/sessions/{run.pk}/decide/" in page.partition('id="present"')[0]) == (
        bool(night.decisions) and in_charge
    )
    gone = run.steps.filter(state="destroyed").count()
    assert f'<span data-count="destroyed">{gone}</span> of {run.expected_steps} destroyed' in page


# --- Histories ---


def begin(start_at: str) -> House:
    """A case that is brought, locked, booked, in its night, or in a night with a copy off the map."""
    make_text(ConsentText.Kind.STORAGE)
    make_text(ConsentText.Kind.PROCEDURE)
    house = House(make_case(agreed=start_at != "new"))
    if start_at == "new":
        return house
    make_keepsake(make_memory(house.case, "Montauk", "2003-02-01"), house.picture)
    make_keepsake(make_memory(house.case, "The ice", "2003-02-02"))
    if start_at == "copy":
        make_keepsake(make_memory(house.case, "A toy", zone=Memory.Zone.CHILDHOOD), house.picture)
    names = {"brought": 0, "locked": 1, "signed": 2, "booked": 3}.get(start_at, 4)
    for code in ("lock", "sign", "book", "start")[:names]:
        status = house.status()
        assert status.allows(ACTIONS[code][0] or "sign"), code
        assert ACTIONS[code][1](house), code
    if start_at in {"night", "copy"}:
        house.status()
        for _pass in range(15):
            one_pass(house)
    house.status()
    return house


BEGINNINGS = ("new", "brought", "locked", "signed", "booked", "night", "copy")
MOVES = [*ACTIONS, *(f"press {key}" for key in CONTROLS), *EVENTS]


def do(house: House, step: str) -> None:
    status = house.status()
    if step in EVENTS:
        EVENTS[step](house)
    elif step.startswith("press "):
        press(house, step.removeprefix("press "))
    else:
        code, act = ACTIONS[step]
        allowed = status.allows(code) if code else status.allows("sign") or status.allows("agree")
        assert act(house) == allowed, f"{step} in {status.stage}, allowed: {sorted(status.allowed)}"


@settings(max_examples=ROUNDS, suppress_health_check=[*HealthCheck], database=None)
@given(st.sampled_from(BEGINNINGS), st.lists(st.sampled_from(MOVES), min_size=3, max_size=6))
def test_all_pages_agree_over_random_histories(beginning: str, steps: list[str]) -> None:
    house = begin(beginning)
    check_pages(house)
    for step in steps:
        do(house, step)
        check_pages(house)


@pytest.mark.parametrize("beginning", BEGINNINGS)
def test_the_server_accepts_exactly_what_is_allowed_at_the_beginning(beginning: str) -> None:
    """Everything that is refused here changes nothing, so it can be tried one after another."""
    house = begin(beginning)
    for step, (code, _act) in ACTIONS.items():
        status = house.status()
        if not (status.allows(code) if code else status.allows("sign") or status.allows("agree")):
            do(house, step)
            assert house.status() == status
    check_pages(house)


# A beginning, and steps separated by commas.
TOLD = {
    "aborted with a copy": (
        "copy",
        "press abort_finish, the supervisor, sign, book, cancel, unlock, lock, sign, book",
    ),
    "half gone": (
        "night",
        (
            "a pass, a pass, press abort_finish, the supervisor, keep remainder, unlock, lock, sign, book,"
            " keep remainder, start, a pass, press abort_finish, the supervisor, destroy remainder, withdraw"
        ),
    ),
    "withdrawn in the night": ("night", "a pass, withdraw, the supervisor, destroy remainder"),
    "called and taken over": (
        "night",
        (
            "press safe_word, press take_over, press abort, press resume, press hand_back,"
            " press acknowledge, press resume, the end"
        ),
    ),
    "decided": ("copy", "press decide, the end, press acknowledge"),
}


@pytest.mark.parametrize("story", TOLD)
def test_all_pages_agree_in_a_story(story: str) -> None:
    beginning, steps = TOLD[story]
    assert steps
    house = begin(beginning)
    for step in steps.split(", "):
        do(house, step)
        check_pages(house)
