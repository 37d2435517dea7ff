"""The stages of the demonstration: each function brings some patients to one stage. STAGES has their order.

A stage calls the functions that views call. A new stage is one more function, and its name in STAGES.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from uuid import uuid4

from django.db import transaction
from django.utils import timezone

from clinic.accounts.models import User
from clinic.audit.record import acting, actor_of
from clinic.calendar.models import Resource
from erasure.demo import other_cases
from erasure.demo.appointments import make_appointments
from erasure.demo.bringing import Decoder, answer_intake, bring, open_with_consent, upload
from erasure.demo.other_cases import StoryCase
from erasure.demo.waitlist import make_waitlist
from erasure.jobs.certifying import certify
from erasure.jobs.worker import next_step, take_turn
from erasure.procedures.booking import book_procedure
from erasure.procedures.models import Procedure
from erasure.runs import control
from erasure.runs.finishing import close_gone_steps, finish
from erasure.runs.lease import claim, release
from erasure.runs.models import Run
from erasure.runs.planning import start_run
from patients.cases.models import Case
from patients.cases.opening import open_case
from patients.consent.models import ConsentText
from patients.consent.signing import current_text, withdraw
from patients.consent_papers.consent_list import list_of
from patients.consent_papers.signing import Seen, sign_what_was_shown
from patients.intake_review.models import IntakeReview
from patients.intake_review.reviewing import record_review
from patients.keepsakes import review
from patients.keepsakes.editing import submit_for_review
from patients.keepsakes.models import Keepsake
from patients.maps.locking import lock_map
from patients.messages.sending import send_message
from patients.requests.decisions import create_request, decide

NIGHT_BEGINS = time(22)
NIGHT = timedelta(hours=8)
# Nights that begin while the demonstration is loaded are short: their people are free for tonight's nights.
SHORT_NIGHT = timedelta(hours=3)
SLOW_PACE = 120.0  # seconds for each memory, in the nights of `slow_nights`
STOPPED_AT_LEVEL = 2  # passes over the second memory, after which the stopped night ends


@dataclass
class DemoContext:
    """What every stage needs. people: users by their key. base: the server's URL, for links in mails."""

    people: dict[str, User]
    base: str
    decoder: Decoder = field(default_factory=Decoder)


@dataclass(frozen=True)
class Team:
    """Who and what a night needs: keys of a doctor and a technician, and the label of a room or kit."""

    doctor: str
    technician: str
    place_label: str

    def resources(self, clinic: DemoContext) -> Sequence[Resource]:
        people = [clinic.people[self.doctor], clinic.people[self.technician]]
        return [*Resource.objects.filter(user__in=people), Resource.objects.get(label=self.place_label)]

    @property
    def place(self) -> str:
        """Return whether the night is at home or in the clinic, as a value of Procedure.Place."""
        return Procedure.Place.HOME if self.place_label.startswith("Home") else Procedure.Place.CLINIC


TEAM_A = Team("mierzwiak", "stan", "Home kit A")
TEAM_B = Team("lull", "patrick", "Night room")
TEAM_C = Team("hush", "wanda", "Home kit B")


# --- What a case goes through ---


def accept_all(case: Case, *, by: User) -> None:
    """The patient hands everything in, and the clinic accepts it."""
    submit_for_review(case, by=case.patient)
    review.accept_rest(case, seen_until=timezone.now(), by=by)
    case.refresh_from_db()


def approve_intake(case: Case, *, by: User, conditions: str = "") -> None:
    """Record that a doctor has read the intake and cleared the patient. conditions: "" for none."""
    outcome = IntakeReview.Outcome.CONDITIONS if conditions else IntakeReview.Outcome.CLEARED
    record_review(case, outcome, conditions, by=by)


def consent(case: Case, *, doctor: User) -> None:
    """The doctor locks the map, and the patient signs for it."""
    mapped = lock_map(case, by=doctor)
    case.refresh_from_db()
    text = current_text(ConsentText.Kind.PROCEDURE)
    sign_what_was_shown(
        case,
        by=case.patient,
        kind=ConsentText.Kind.PROCEDURE,
        seen=Seen(text.digest, mapped.digest, list_of(case, mapped).digest),
        name=case.patient.name,
        may_extend=True,
    )
    case.refresh_from_db()


def book(
    clinic: DemoContext,
    case: Case,
    team: Team,
    starts_at: datetime,
    length: timedelta,
    pace: float | None = None,
) -> Procedure:
    """Book a night for a case. pace: seconds for each memory; None: the clinic's setting."""
    return book_procedure(
        case,
        place=team.place,
        resources=team.resources(clinic),
        starts_at=starts_at,
        ends_at=starts_at + length,
        pace_seconds=pace,
        by=clinic.people[team.doctor],
    )


@transaction.atomic
def book_and_start(
    clinic: DemoContext, case: Case, team: Team, length: timedelta, pace: float | None = None
) -> Run:
    """Book a night from now on and start it, in one transaction: no supervisor can start it in between."""
    night = book(clinic, case, team, timezone.now(), length, pace)
    return start_run(night.pk, by=clinic.people[team.technician])


def bring_to_consent(clinic: DemoContext, story: StoryCase, team: Team) -> Case:
    """Bring a story, accept it, approve the intake, lock the map and sign, with the doctor of `team`."""
    doctor = clinic.people[team.doctor]
    case = bring(story, clinic.people[story.patient], decoder=clinic.decoder)
    accept_all(case, by=doctor)
    approve_intake(case, by=doctor)
    consent(case, doctor=doctor)
    return case


def erase_at_once(
    clinic: DemoContext, story: StoryCase, team: Team, *, stop_when: Callable[[Run], bool]
) -> Run:
    """Start a run without pauses and do its passes, as a worker does. Return it.

    It stops when `stop_when(run)` is true, or when no step is left. Errors: RuntimeError if a pass makes no
    progress.
    """
    case = bring_to_consent(clinic, story, team)
    with transaction.atomic():  # so that no worker of a clinic that is open already claims it first
        run = book_and_start(clinic, case, team, SHORT_NIGHT, pace=0)
        lease = claim(run.pk)
    while lease and next_step(run.pk) and not stop_when(run):
        if not take_turn(lease):
            raise RuntimeError(f"the run of {story.patient} makes no progress")
    if lease:
        release(lease)
    return run


def at_ten(days: int) -> datetime:
    """Return `NIGHT_BEGINS` of the day that is `days` from today."""
    day = timezone.localdate() + timedelta(days=days)
    return timezone.make_aware(datetime.combine(day, NIGHT_BEGINS))


# --- The stages ---


def visitor_requests(clinic: DemoContext) -> None:
    """Two new requests, one on hold, one declined, and one accepted: that visitor is invited."""
    desk = clinic.people["mary"]
    for name, message, decision, reason in REQUESTS:
        row = create_request(
            ticket=uuid4(),
            name=name,
            email=f"{name.partition(' ')[0].lower()}@lacuna.example",
            phone="",
            message=message,
            language="en",
        )
        if decision:
            decide(row, decision, reason=reason, by=desk, base=clinic.base)


def erased_already(clinic: DemoContext) -> None:
    """Two finished nights. The memories are really destroyed, so the certificates are true.

    `certify` destroys what is left and asks this process to end, because its memory may have what was erased.
    Once it has ended, a supervisor verifies the nights and issues the certificates.
    """
    for story, team in ((other_cases.CLEMENTINE, TEAM_A), (other_cases.MARY, TEAM_B)):
        run = erase_at_once(clinic, story, team, stop_when=lambda _run: False)
        finish(run.pk)
        certify(run.pk)


def stopped(clinic: DemoContext) -> None:
    """A night that was ended while its second memory faded. The patient decides about that memory."""

    def second_fades(run: Run) -> bool:
        return run.steps.filter(position=1, level__gte=STOPPED_AT_LEVEL).exists()

    run = erase_at_once(clinic, other_cases.BRUNO, TEAM_C, stop_when=second_fades)
    control.abort(run.pk, by=clinic.people["hush"], reason="equipment")
    close_gone_steps(run.pk)
    finish(run.pk)
    certify(run.pk)


def withdrawn(clinic: DemoContext) -> None:
    """A patient who has taken the consent back."""
    patient = clinic.people["lotte"]
    case = bring(other_cases.LOTTE, patient, decoder=clinic.decoder)
    withdraw(case, by=patient)


def intake_not_begun(clinic: DemoContext) -> None:
    """A patient who has just accepted the invitation."""
    open_case(clinic.people["nadia"], by=clinic.people["nadia"])


def intake_half_done(clinic: DemoContext) -> None:
    """A patient who has answered the first questions."""
    patient = clinic.people["oscar"]
    with acting(actor_of(patient)):
        case = open_with_consent(patient)
        answer_intake(case, other_cases.OSCAR, ("who",), [], by=patient)


def still_bringing(clinic: DemoContext) -> None:
    """A patient who still uploads keepsakes. One of them is in no memory yet."""
    patient = clinic.people["imogen"]
    case = bring(other_cases.IMOGEN, patient, decoder=clinic.decoder)
    with acting(actor_of(patient)):
        upload(case, None, other_cases.UNPLACED_LETTER, decoder=clinic.decoder, by=patient)


def in_review(clinic: DemoContext) -> None:
    """A case in review: one keepsake accepted, one returned with a reason, one waiting."""
    technician = clinic.people["wanda"]
    case = bring(other_cases.HECTOR, clinic.people["hector"], decoder=clinic.decoder)
    submit_for_review(case, by=case.patient)
    first, second, *_rest = case.keepsakes.order_by("added_at")
    review.return_keepsake(first, "Whose house is this? Please tell us who lives there.", by=technician)
    review.accept(second, by=technician)


def ready_to_lock(clinic: DemoContext) -> None:
    """A case whose map lacks nothing."""
    case = bring(other_cases.WILHELMINA, clinic.people["wilhelmina"], decoder=clinic.decoder)
    accept_all(case, by=clinic.people["lull"])
    approve_intake(case, by=clinic.people["lull"])


def locked(clinic: DemoContext) -> None:
    """A locked map that the patient has not signed for."""
    case = bring(other_cases.JASPER, clinic.people["jasper"], decoder=clinic.decoder)
    accept_all(case, by=clinic.people["mierzwiak"])
    approve_intake(case, by=clinic.people["mierzwiak"])
    lock_map(case, by=clinic.people["mierzwiak"])


def consented(clinic: DemoContext) -> None:
    """A signed map without a night. The demonstration's cooling-off time is 0, so it may be booked."""
    bring_to_consent(clinic, other_cases.AGNES, TEAM_C)


def booked_this_week(clinic: DemoContext) -> None:
    """A night on each of the next evenings, with one team after the other."""
    teams = (TEAM_B, TEAM_C, TEAM_A)
    for day, story in enumerate(other_cases.CASES_OF_NEXT_EVENINGS, start=1):
        team = teams[day % len(teams)]
        book(clinic, bring_to_consent(clinic, story, team), team, at_ten(day), NIGHT)


def booked_tonight(clinic: DemoContext) -> None:
    """A night that begins this evening, at ten, or later if it is late already."""
    case = bring_to_consent(clinic, other_cases.IGNATIUS, TEAM_B)
    # TEAM_B also has one of the `slow_nights`.
    team_is_free = timezone.now() + SHORT_NIGHT + timedelta(minutes=30)
    book(clinic, case, TEAM_B, max(at_ten(0), team_is_free), NIGHT)


def slow_nights(clinic: DemoContext) -> None:
    """Two nights at the same time as Joel Barish's (loader.py), that run slowly."""
    for story, team in ((other_cases.SYLVIA, TEAM_B), (other_cases.EDGAR, TEAM_C)):
        book_and_start(clinic, bring_to_consent(clinic, story, team), team, SHORT_NIGHT, pace=SLOW_PACE)


def appointments_this_week(clinic: DemoContext) -> None:
    """Visits of this week: most are over, two patients did not come, some are ahead."""
    make_appointments(clinic.people, by=clinic.people["mary"])


def on_the_waitlist(clinic: DemoContext) -> None:
    """Three patients wait for a time; one of them has an offer."""
    make_waitlist(clinic.people, by=clinic.people["mary"])


def messages(clinic: DemoContext) -> None:
    """Two threads: a question that was answered, and an answer to a returned keepsake that waits."""
    imogen, hector, wanda = (clinic.people[key] for key in ("imogen", "hector", "wanda"))
    case = imogen.cases.get()
    send_message(case, IMOGEN_ASKS, message=uuid4(), by=imogen)
    send_message(case, WANDA_ANSWERS, message=uuid4(), by=wanda)
    case = hector.cases.get()
    returned = case.keepsakes.get(review=Keepsake.Review.RETURNED)
    send_message(case, HECTOR_ANSWERS, message=uuid4(), keepsake=returned.pk, by=hector)


IMOGEN_ASKS = "There is a tin of tickets in my mother's kitchen. Some are his, some mine. Shall I bring it?"
WANDA_ANSWERS = "Bring the tin as it is. We go through it together, and yours stay yours."
HECTOR_ANSWERS = "It is the firm's house by the lake. Nobody lives there. We all had a key."

# Name, message, the decision ("" if it waits), and the words that are sent with it.
REQUESTS = (
    (
        "Theodora Lint",
        "My dog died in spring. His things are still in the hall. I cannot walk past them.",
        "",
        "",
    ),
    ("Basil Wren", "It is about a colleague. I would rather say it in person.", "", ""),
    (
        "Cornelius Ash",
        "I would like to forget the year 2002.",
        "hold",
        "Please tell us whether there is one person it is about.",
    ),
    (
        "Petra Moth",
        "Can you make my sister forget me?",
        "decline",
        "We erase only what the person who asks remembers.",
    ),
    ("Linus Fable", "A friend of mine was with you, and recommends it. She did not say why.", "accept", ""),
)
Stage = Callable[[DemoContext], None]
# The nights that are over come first. Then their people, rooms and kits are free for tonight's nights, and no
# process of the clinic has begun yet, so none has seen what they erased.
PAST_NIGHTS: tuple[Stage, ...] = (erased_already, stopped)
# These are loaded while the clinic is open already.
STAGES: tuple[Stage, ...] = (
    slow_nights,
    visitor_requests,
    withdrawn,
    intake_not_begun,
    intake_half_done,
    still_bringing,
    in_review,
    ready_to_lock,
    locked,
    consented,
    booked_tonight,
    booked_this_week,
    appointments_this_week,
    on_the_waitlist,
    messages,
)
