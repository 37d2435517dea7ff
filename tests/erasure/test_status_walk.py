"""Random actions on a case: all pages agree on its status, and the server accepts what they offer.

A sequence calls the functions that the views call, with real rows. Before each action the status says whether
it is allowed, and the server must decide the same. After each action every page that shows the case's status
is read and compared with it.
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
from erasure.procedures.missed import end_missed
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
from patients.appointments.desk_tasks import task_words
from patients.appointments.models import DeskTask
from patients.cases.editing import CaseLocked
from patients.cases.facts import status_of
from patients.cases.models import Case
from patients.cases.status import OVER, Stage, Status, Who
from patients.cases.status_words import next_words, patient_words, stage_word, wait_words
from patients.consent.cooling_off import cooling_off_on
from patients.consent.models import ConsentText, Signature
from patients.consent.signing import current_text
from patients.consent_papers.consent_list import list_of
from patients.intake_review.reviewing import CannotReview as CannotReviewIntake
from patients.intake_review.reviewing import record_review
from patients.keepsakes.editing import submit_for_review
from patients.keepsakes.models import Keepsake
from patients.keepsakes.review import CannotReview, accept_rest
from patients.maps.locking import CannotLock, lock_map, unlock_map
from patients.memories.models import LockedMap, Memory
from patients.memories.writing import write_memory
from patients.vault.keys import KeyGone
from tests.edits import edit
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
    shift_hours,
)

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(600)]

EXAMPLES = int(os.environ.get("LACUNA_TEST_ROUNDS", "6"))
REFUSALS = (
    *(CannotBook, CannotStart, CannotLock, CannotReview, CannotReviewIntake, CaseLocked, NotNow),
    decisions.NotNow,
)
# Answers to the questions of the consent form.
UNDERSTOOD = {"gone": "stays", "stop": "until", "kept": "kept"}


def signed_in(person: User) -> Client:
    client = Client()
    client.force_login(person, backend=django_settings.AUTHENTICATION_BACKENDS[0])
    return client


@dataclass
class Situation:
    """One case and its people."""

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


def is_accepted(action: Callable[[], object]) -> bool:
    try:
        action()
    except REFUSALS:
        return False
    return True


def sign(situation: Situation) -> bool:
    """Send the form of the consent page, as the patient."""
    cache.clear()  # signatures are throttled
    before = Signature.objects.filter(case=situation.case).count()
    locked = LockedMap.objects.filter(case=situation.case, unlocked_at__isnull=True).first()
    kind = ConsentText.Kind.STORAGE if situation.case.map_is_open else ConsentText.Kind.PROCEDURE
    form = {
        "text_seen": current_text(kind).digest,
        "map_seen": locked.digest if locked else "",
        "list_seen": _list_digest(situation.case, locked) if locked else "",
        "hours_seen": cooling_off_on(timezone.localdate()).mark,
        "name": situation.patient.name,
        "passphrase": PASSPHRASE,
        **UNDERSTOOD,
    }
    assert situation.client(situation.patient).post("/me/consent/sign/", form).status_code < 500
    return Signature.objects.filter(case=situation.case).count() > before


def _list_digest(case: Case, locked: LockedMap) -> str:
    """The digest of the list that the consent page shows; "" once the case's key is destroyed."""
    try:
        return list_of(case, locked).digest
    except KeyGone:
        return ""


def withdraw(situation: Situation) -> bool:
    before = Signature.objects.filter(case=situation.case, withdrawn_at__isnull=False).count()
    assert situation.client(situation.patient).post("/me/withdraw/").status_code < 500
    return Signature.objects.filter(case=situation.case, withdrawn_at__isnull=False).count() > before


def add_memory(situation: Situation) -> bool:
    words = {"title": "A day", "day": "2003-02-01"}
    return is_accepted(lambda: write_memory(situation.case, words, {"intensity": 5}, by=situation.patient))


def book(situation: Situation) -> bool:
    people = Resource.objects.filter(user__in=[situation.doctor, situation.technician])
    now = timezone.now()
    return is_accepted(
        lambda: book_procedure(
            situation.case,
            place="clinic",
            resources=[*people, situation.room],
            starts_at=now,
            ends_at=now + timedelta(hours=8),
            pace_seconds=0,
            by=situation.doctor,
        )
    )


def cancel(situation: Situation) -> bool:
    procedure = situation.procedure()
    return procedure is not None and is_accepted(
        lambda: cancel_procedure(procedure, reason="other", by=situation.doctor)
    )


def move(situation: Situation, *, begins_in: timedelta = timedelta(minutes=15)) -> bool:
    """Move the night. begins_in: from now; a night can be started at once if it is less than the lead."""
    procedure = situation.procedure()
    if procedure is None:
        return False
    begins = timezone.now() + begins_in
    return is_accepted(
        lambda: move_procedure(
            procedure,
            starts_at=begins,
            ends_at=begins + timedelta(hours=8),
            expected_start=procedure.booking.starts_at,
            by=situation.doctor,
        )
    )


def start(situation: Situation) -> bool:
    procedure = situation.procedure()
    return procedure is not None and is_accepted(lambda: start_run(procedure.pk, by=None))


def keep_remainder(situation: Situation) -> bool:
    left = decisions.damaged_steps(run__procedure__case=situation.case)
    return bool(left) and is_accepted(lambda: decisions.keep(left[0].memory_id, by=situation.patient))


def destroy_remainder(situation: Situation) -> bool:
    left = decisions.damaged_steps(run__procedure__case=situation.case)
    return bool(left) and is_accepted(lambda: decisions.destroy(left[0].memory_id, by=situation.patient))


def accept_keepsakes(situation: Situation) -> bool:
    return is_accepted(lambda: accept_rest(situation.case, seen_until=timezone.now(), by=situation.doctor))


def clear_intake(situation: Situation) -> bool:
    return is_accepted(lambda: record_review(situation.case, "cleared", by=situation.doctor))


def refuse_to_clear(situation: Situation) -> bool:
    return is_accepted(lambda: record_review(situation.case, "not_cleared", "Not now.", by=situation.doctor))


def answer_intake(situation: Situation) -> bool:
    """Send another answer to one question, as the patient."""
    words = {"hope": f"To sleep. {os.urandom(4).hex()}"}
    patient, url = situation.client(situation.patient), "/me/intake/?step=hope"
    return bool(edit(patient, url, words).status_code == 302)


# Code of the action in Status.allowed, and how to do it.
ACTIONS: dict[str, tuple[str, Callable[[Situation], bool]]] = {
    "sign": ("", sign),
    "withdraw": ("withdraw", withdraw),
    "add memory": ("map", add_memory),
    "answer": ("answer", answer_intake),
    "clear": ("review-intake", clear_intake),
    "do not clear": ("review-intake", refuse_to_clear),
    "review": ("review", accept_keepsakes),
    "submit": (
        "submit",
        lambda situation: is_accepted(lambda: submit_for_review(situation.case, by=situation.patient)),
    ),
    "lock": ("lock", lambda situation: is_accepted(lambda: lock_map(situation.case, by=situation.doctor))),
    "unlock": (
        "unlock",
        lambda situation: is_accepted(lambda: unlock_map(situation.case, by=situation.doctor)),
    ),
    "book": ("book", book),
    "cancel": ("cancel", cancel),
    "move": ("move", move),
    "move to tomorrow": ("move", lambda situation: move(situation, begins_in=timedelta(days=1))),
    "start": ("start", start),
    "keep remainder": ("remainder", keep_remainder),
    "destroy remainder": ("remainder", destroy_remainder),
}

# --- Controls of the session page: key, the attribute of Situation that presses it, and its function. ---


def _decide(situation: Situation, run: Run) -> object:
    item = Hold.objects.filter(step__run=run).order_by("found_at").last()
    if item is None:
        raise NotNow
    try:
        return decide(run.pk, item.pk, extend=False, reason="childhood", by=situation.doctor)
    except ValueError as error:
        raise NotNow from error


CONTROLS: dict[str, tuple[str, Callable[[Situation, Run], object]]] = {
    "pause": ("technician", lambda situation, run: control.pause(run.pk, by=situation.technician)),
    "resume": ("technician", lambda situation, run: control.resume(run.pk, by=situation.technician)),
    "protect": (
        "technician",
        lambda situation, run: control.protect(
            run.pk, run.steps.get(position=0).memory_id, by=situation.technician
        ),
    ),
    "doctor": ("technician", lambda situation, run: control.call_doctor(run.pk, by=situation.technician)),
    "safe_word": ("technician", lambda situation, run: control.safe_word(run.pk, by=situation.technician)),
    "acknowledge": ("doctor", lambda situation, run: calls.acknowledge(run.pk, by=situation.doctor)),
    "abort": (
        "technician",
        lambda situation, run: control.pause(run.pk, by=situation.technician, why=Run.Why.ABORT),
    ),
    "abort_finish": (
        "technician",
        lambda situation, run: control.abort(run.pk, by=situation.technician, reason="medical"),
    ),
    "decide": ("doctor", _decide),
    "take_over": ("other", lambda situation, run: handover.take_over(run.pk, by=situation.other)),
    "hand_back": ("other", lambda situation, run: handover.hand_back(run.pk, by=situation.other)),
    "handover": (
        "technician",
        lambda situation, run: handover.offer(run.pk, situation.technician.pk, by=situation.technician),
    ),
}
# Controls that are offered although their function may refuse: that depends on the memory, copy or person.
MAY_REFUSE = {"protect", "decide", "handover"}


def press(situation: Situation, key: str) -> None:
    """Press a control of the newest session. Assert that a control that is not offered changes nothing."""
    run = situation.run()
    if run is None:
        return
    who, action = CONTROLS[key]
    person: User = getattr(situation, who)
    offered = snapshot(run.pk, viewer(run, person))["controls"][key] is not None
    before = Run.objects.get(pk=run.pk).last_seq
    accepted = is_accepted(lambda: action(situation, run))
    if not offered:
        assert Run.objects.get(pk=run.pk).last_seq == before, f"{key} is not offered, and changed something"
    elif key not in MAY_REFUSE:
        assert accepted, f"{key} is offered, and refused"


# --- Events without a person ---


def one_pass(situation: Situation) -> None:
    run = situation.run()
    fence = claim(run.pk) if run else None
    if run is None or fence is None:
        return
    step = next_step(run.pk)
    if step and not (step.level == 0 and hold(fence, step, copies_off_the_map(step))):
        make_pass(fence, step, due=run.next_due_at)
    Run.objects.filter(pk=run.pk).update(lease_until=None)
    close_gone_steps(run.pk)


def advance_to_the_end(situation: Situation) -> None:
    if run := situation.run():
        advance(run.pk)


def upload_photo(situation: Situation) -> None:
    """The patient uploads a photo. It waits for review."""
    if not situation.status().allows("bring"):
        return
    memory = make_memory(situation.case, "Another day", "2003-03-01")
    keepsake = make_keepsake(memory)
    Keepsake.objects.filter(pk=keepsake.pk).update(review=Keepsake.Review.WAITING)
    Case.objects.filter(pk=situation.case.pk, stage="intake").update(stage="bringing")


def let_the_hours_pass(situation: Situation) -> None:
    """The hours of the night end. A night that has begun goes on; one that has not is missed."""
    if procedure := situation.procedure():
        shift_hours(procedure, timezone.now() - procedure.booking.ends_at - timedelta(minutes=1))


def supervise(_situation: Situation) -> None:
    end_stopped()
    end_missed()


EVENTS: dict[str, Callable[[Situation], object]] = {
    "a pass": one_pass,
    "the end": advance_to_the_end,
    "the supervisor": supervise,
    "the hours pass": let_the_hours_pass,
    "bring": upload_photo,
}

# --- What the pages show ---


def text_of(page: str) -> str:
    main = page.partition("<main")[2].partition("</main>")[0]
    return " ".join(re.sub(r"<script.*?</script>|<[^>]+>", " ", main, flags=re.DOTALL).split())


def check_pages(situation: Situation) -> None:
    """Assert that every page with the case's status shows it and offers the actions it allows."""
    status = situation.status()
    assert status.stage == situation.case.stage or (status.stage, situation.case.stage) in {
        ("stopped", "mapped"),
        ("missed", "booked"),
    }
    check_file(situation, status)
    check_board(situation, status)
    check_portal(situation, status)
    if run := situation.run():
        check_session(situation, status, run)


def check_file(situation: Situation, status: Status) -> None:
    doctor, case = situation.client(situation.doctor), situation.case
    row = text_of(doctor.get(f"/files/?name={case.reference}").content.decode())
    assert f" {stage_word(status)} " in row
    page = doctor.get(f"/files/{case.pk}/").content.decode()
    text = text_of(page)
    assert f"{case.reference} , {stage_word(status)}." in text
    assert next_words(status) in text
    for wait in status.waits:
        assert wait_words(wait) in text
    assert (f"/files/{case.pk}/book/" in page) == status.allows("book")
    procedure = situation.procedure()
    if procedure:
        assert (f"/procedures/{procedure.pk}/cancel/" in page) == status.allows("cancel")
        assert (f"/procedures/{procedure.pk}/move/" in page) == status.allows("move")
        assert (f"/procedures/{procedure.pk}/start/" in page) == status.allows("start")
        start_page = text_of(doctor.get(f"/procedures/{procedure.pk}/start/").content.decode())
        assert ("Start now" in start_page) == status.allows("start")
        assert ("This night was missed" in start_page) == (status.stage == Stage.MISSED)
    intake = doctor.get(f"/files/{case.pk}/intake/")
    assert ('name="outcome"' in intake.content.decode()) == status.allows("review-intake")
    answer = doctor.get(f"/files/{case.pk}/map/")
    # Once the consent to keep it is taken back, what was brought is closed to all but the team of a night,
    # and to them with its certificate.
    ending = any(not night.certified for night in status.facts.nights)
    expected = {Stage.CLOSED: 410, Stage.WITHDRAWN: 200 if ending else 404}.get(status.stage, 200)
    assert answer.status_code == expected
    if expected == 200:
        bench = answer.content.decode()
        assert ("/map/lock/" in bench) == status.allows("lock")
        assert ("/map/unlock/" in bench) == status.allows("unlock")


def check_board(situation: Situation, status: Status) -> None:
    board = board_of(timezone.localdate(), situation.doctor)
    name = situation.patient.short_name
    names = {name, f"{name}, {situation.case.reference}"}  # the second beside a patient with a similar name
    shown = {str(need.text) for need in board.needs if need.who in names}
    tasks = {task_words(task) for task in DeskTask.objects.open().filter(case=situation.case)}
    assert tasks <= shown
    shown -= tasks
    expected = {wait_words(wait) for wait in status.waits if wait.code not in {"called", "decide", "held"}}
    tonight = {text for text in shown if text.startswith(("Tonight is held", "Was to begin"))}
    missed = {text for text in shown if re.match("The night of .* was missed", text)}
    if status.stage in OVER | {Stage.INTAKE, Stage.BOOKED, Stage.MISSED, Stage.RUNNING}:
        expected = set()
    assert shown - tonight - missed == expected - {""}
    assert len(missed) == (status.stage == Stage.MISSED)
    assert not tonight or status.stage == Stage.BOOKED
    under_way = [night for night in board.under_way if night.name in names]
    assert len(under_way) == any(night.under_way for night in status.facts.nights)
    alarm = any(night.alarm for night in board.progress if night.name in names)
    assert alarm == any(night.called_at or night.decisions for night in status.facts.nights)


def check_portal(situation: Situation, status: Status) -> None:
    patient = situation.client(situation.patient)
    answer = patient.get("/me/")
    assert answer.context["status"] == status
    page, text = answer.content.decode(), text_of(answer.content.decode())
    assert ("Your night did not take place." in text) == (status.stage == Stage.MISSED)
    assert ("The night is booked:" in text) == (status.stage == Stage.BOOKED)
    waits = status.waits_for(Who.PATIENT)
    if status.stage not in OVER:
        assert ("/me/withdraw/" in page) == status.allows("withdraw")
        assert "Nothing is asked of you now." not in text or not waits
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


def check_session(situation: Situation, status: Status, run: Run) -> None:
    (night,) = [night for night in status.facts.nights if night.run == run.pk]
    session_state = snapshot(run.pk, viewer(run, situation.doctor))
    kinds = [alarm["kind"] for alarm in session_state["alarms"]]
    assert kinds.count("off-map") == session_state["counts"]["off"] == night.decisions
    assert kinds.count("doctor") == bool(night.called_at)
    page = situation.client(situation.doctor).get(f"/sessions/{run.pk}/").content.decode()
    in_charge = run.taken_over_by_id in {None, situation.doctor.pk}
    assert page.count("It is held until the doctor decides.") == night.decisions
    assert (f"/sessions/{run.pk}/decide/" in page.partition('id="present"')[0]) == (
        bool(night.decisions) and in_charge
    )
    gone = run.steps.filter(state="destroyed").count()
    assert f'<span data-count="destroyed">{gone}</span> of {run.expected_steps} destroyed' in page


# --- Sequences ---


def make_situation(start_at: str) -> Situation:
    """A case in one of the states of BEGINNINGS."""
    make_text(ConsentText.Kind.STORAGE)
    make_text(ConsentText.Kind.PROCEDURE)
    situation = Situation(make_case(agreed=start_at != "new", reviewed=start_at != "new"))
    if start_at == "new":
        return situation
    make_keepsake(make_memory(situation.case, "Montauk", "2003-02-01"), situation.picture)
    make_keepsake(make_memory(situation.case, "The ice", "2003-02-02"))
    if start_at == "copy":
        make_keepsake(make_memory(situation.case, "A toy", zone=Memory.Zone.CHILDHOOD), situation.picture)
    done = {"brought": 0, "locked": 1, "signed": 2, "booked": 3}.get(start_at, 4)
    for code in ("lock", "sign", "book", "start")[:done]:
        status = situation.status()
        assert status.allows(ACTIONS[code][0] or "sign"), code
        assert ACTIONS[code][1](situation), code
    if start_at in {"night", "copy"}:
        situation.status()
        for _pass in range(15):
            one_pass(situation)
    situation.status()
    return situation


# "night" and "copy": the run has begun. "copy": and a copy of a target is off the map.
BEGINNINGS = ("new", "brought", "locked", "signed", "booked", "night", "copy")
MOVES = [*ACTIONS, *(f"press {key}" for key in CONTROLS), *EVENTS]


def do(situation: Situation, name: str) -> None:
    """Do one of MOVES. An action must be accepted if and only if the status allows it."""
    status = situation.status()
    if name in EVENTS:
        EVENTS[name](situation)
    elif name.startswith("press "):
        press(situation, name.removeprefix("press "))
    else:
        code, action = ACTIONS[name]
        allowed = status.allows(code) if code else status.allows("sign") or status.allows("agree")
        assert action(situation) == allowed, f"{name} in {status.stage}, allowed: {sorted(status.allowed)}"


@settings(max_examples=EXAMPLES, suppress_health_check=[*HealthCheck], database=None)
@given(st.sampled_from(BEGINNINGS), st.lists(st.sampled_from(MOVES), min_size=3, max_size=6))
def test_all_pages_agree_after_random_actions(beginning: str, names: list[str]) -> None:
    situation = make_situation(beginning)
    check_pages(situation)
    for name in names:
        do(situation, name)
        check_pages(situation)


@pytest.mark.parametrize("beginning", BEGINNINGS)
def test_the_server_refuses_what_the_status_does_not_allow(beginning: str) -> None:
    """Refused actions change nothing, so all of them are tried on one case."""
    situation = make_situation(beginning)
    for name, (code, _action) in ACTIONS.items():
        status = situation.status()
        if not (status.allows(code) if code else status.allows("sign") or status.allows("agree")):
            do(situation, name)
            assert situation.status() == status
    check_pages(situation)


# A beginning, and actions separated by commas.
STORIES = {
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
    "answers changed": (
        "brought",
        (
            "submit, answer, lock, clear, answer, do not clear, lock, clear, lock, do not clear, sign, clear,"
            " sign, do not clear, book, clear, book, do not clear, start, clear, start, clear, answer"
        ),
    ),
    "never reviewed": ("new", "sign, add memory, bring, submit, review, lock, clear, lock, sign"),
    "missed": (
        "booked",
        (
            "the hours pass, start, the supervisor, start, do not clear, move, clear, move, start,"
            " the hours pass, a pass, the end"
        ),
    ),
    "missed twice, then cancelled": (
        "booked",
        (
            "move to tomorrow, start, the hours pass, the supervisor, move to tomorrow, the hours pass,"
            " the supervisor, the supervisor, start, cancel, start, book, start"
        ),
    ),
    "missed and withdrawn": ("booked", "the hours pass, the supervisor, withdraw, move, cancel"),
    "decided": ("copy", "press decide, the end, press acknowledge"),
}


@pytest.mark.parametrize("story", STORIES)
def test_all_pages_agree_in_a_story(story: str) -> None:
    beginning, names = STORIES[story]
    assert names
    situation = make_situation(beginning)
    for name in names.split(", "):
        do(situation, name)
        check_pages(situation)
