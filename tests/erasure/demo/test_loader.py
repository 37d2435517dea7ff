"""Load the demonstration with a short version of Joel's story, and look at every patient."""

from collections import Counter
from dataclasses import replace
from itertools import pairwise

import pytest
from django.urls import reverse
from django.utils import timezone

from clinic.accounts.models import Invitation, User
from clinic.audit.models import Entry
from clinic.audit.verify import verify_log
from clinic.calendar.models import Booking, Resource
from clinic.configuration.registry import Section
from erasure.certificates.models import Certificate
from erasure.demo import loader, stages, story
from erasure.demo.clinic_settings import CHOSEN
from erasure.demo.people_and_rooms import PASSPHRASE, PEOPLE
from erasure.demo.progress import loading
from erasure.jobs import certifying
from erasure.jobs.worker import advance
from erasure.procedures.models import Procedure
from erasure.runs.models import Hold, Run, Step
from patients.cases.facts import status_of
from patients.cases.models import Case
from patients.keepsakes.models import Keepsake
from patients.maps.configuration import PACE_SECONDS
from patients.memories.models import Memory
from patients.messages.models import Message, MessageThread
from patients.requests.models import AppointmentRequest
from patients.vault.models import StoredObject
from patients.waitlist.models import WaitlistEntry, WaitlistOffer
from tests.appointments import make_first_templates
from tests.erasure.verification.ended import verify_here
from tests.factories import publish_first_texts

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(400)]
# The memories of the short story.
KEYS = {"house-on-the-beach", "glove", "sister-letter", "grandmothers-house", "terms", "machine"}
EXPECTED_STAGES = {
    "joel": "running",
    "clementine": "closed",
    "mary": "closed",
    "sylvia": "running",
    "edgar": "running",
    "ignatius": "booked",
    "felix": "booked",
    "marguerite": "booked",
    "rufus": "booked",
    "cordelia": "booked",
    "agnes": "consented",
    "jasper": "mapped",
    "wilhelmina": "review",
    "hector": "review",
    "imogen": "bringing",
    "oscar": "intake",
    "nadia": "intake",
    "bruno": "stopped",
    "lotte": "withdrawn",
}


@pytest.fixture
def short_story(transactional_db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(CHOSEN[Section.POLICIES], PACE_SECONDS.key, 0)
    chosen = [memory for memory in story.MEMORIES if memory.key in KEYS]
    trimmed = [replace(memory, links=tuple(key for key in memory.links if key in KEYS)) for memory in chosen]
    monkeypatch.setattr(loader, "MEMORIES", tuple(trimmed))
    # Migrations make the texts and templates, but the flush after another test may have removed them.
    publish_first_texts()
    make_first_templates()


def case_of(key: str) -> Case:
    return Case.objects.get(patient__email=f"{key}@lacuna.example")


def test_joels_night_starts_and_is_held_at_the_copy(
    short_story: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stages, "PAST_NIGHTS", ())
    monkeypatch.setattr(stages, "STAGES", ())
    progress: list[str] = []
    run = loader.load_demonstration(progress.append)
    assert Entry.objects.order_by("index").first().action == "demo.loaded"  # type: ignore[union-attr]
    assert {user.email for user in User.objects.all()} == {person.email for person in PEOPLE}
    assert all(user.check_password(PASSPHRASE) for user in User.objects.all()[:2])
    assert Memory.objects.filter(case=run.procedure.case, zone="childhood").count() == 1
    assert Memory.objects.filter(case=run.procedure.case, fate="protected").count() == 1
    assert Keepsake.objects.filter(case=run.procedure.case).count() == 7
    assert any("7 of 7" in line for line in progress)
    assert any(reverse("erasure:session", args=[run.pk]) in line for line in progress)
    assert loading() is None
    taken = Counter(row.read().taken for row in Keepsake.objects.filter(kind="photo"))
    assert taken == {"2003-12-06T16:40:17": 2, "1979-08-01T12:00:00": 1}
    assert Keepsake.objects.get(kind="recording").read().seconds > 8
    assert [row.read().pages for row in Keepsake.objects.filter(kind="letter") if row.form == "pages"] == [2]

    assert verify_log().problems == []  # the log agrees with the rows
    while advance(run.pk):
        pass
    hold = Hold.objects.get()
    assert hold.step.memory.read().title == "The house that was nobody's"
    assert hold.step.state == Step.State.HELD
    run.refresh_from_db()
    assert run.state == Run.State.RUNNING
    assert set(run.steps.exclude(pk=hold.step_id).values_list("state", flat=True)) == {Step.State.DESTROYED}


def test_the_week_has_a_patient_at_every_stage(short_story: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(certifying, "verify_in_subprocess", verify_here)
    loader.load_demonstration(lambda _line: None)
    assert {key: status_of(case_of(key)).stage.value for key in EXPECTED_STAGES} == EXPECTED_STAGES
    assert Case.objects.count() == len(EXPECTED_STAGES)
    assert_requests()
    assert_nights()
    assert_finished_nights()
    assert_states_before_the_lock()
    assert_mary_is_hidden()
    assert_waitlist()
    assert_messages()
    assert verify_log().problems == []


def assert_requests() -> None:
    """Two wait, one is on hold, one declined; the accepted one has an invitation that nobody has used."""
    states = Counter(AppointmentRequest.objects.values_list("state", flat=True))
    assert states == {"new": 2, "held": 1, "declined": 1, "accepted": 1}
    assert Invitation.objects.get().used_at is None


def assert_messages() -> None:
    waiting = MessageThread.objects.waiting().get()
    assert waiting.case.patient == User.objects.get(email__startswith="hector")
    assert Message.objects.filter(case=waiting.case).get().keepsake is not None
    (answered,) = MessageThread.objects.filter(answer_by=None)
    assert answered.case.messages.filter(from_clinic=True).count() == 1


def assert_waitlist() -> None:
    """Three wait: for a mapping visit, for a night, and for an earlier time, of which one is offered."""
    waiting = WaitlistEntry.objects.waiting().select_related("case__patient")
    assert {(row.case.patient.email.partition("@")[0], row.kind) for row in waiting} == {
        ("nadia", "appointment"),
        ("agnes", "night"),
        ("wilhelmina", "earlier"),
    }
    offer = WaitlistOffer.objects.open().select_related("booking", "entry__appointment__booking").get()
    assert offer.entry.kind == "earlier"
    assert offer.booking.ends_at <= offer.entry.appointment.booking.starts_at


def assert_nights() -> None:
    """Three run at once, five are booked from this evening on, and no person or place is in two at a time."""
    running = Run.objects.filter(state=Run.State.RUNNING)
    assert running.count() == 3
    assert {run.procedure.case.patient.name for run in running} == {
        "Joel Barish",
        "Sylvia Marsh",
        "Edgar Thimble",
    }
    booked = Booking.objects.filter(procedure__state=Procedure.State.BOOKED).order_by("starts_at")
    assert booked.count() == 5
    assert booked[0].starts_at > timezone.now()
    assert len({timezone.localdate(booking.starts_at) for booking in booked[1:]}) == 4
    for resource in Resource.objects.all():
        spans = [
            (booking.starts_at, booking.occupied_until)
            for booking in resource.bookings.filter(procedure__state__in=["booked", "started"])
        ]
        assert all(end <= start for (_, end), (start, _) in pairwise(sorted(spans))), resource.label


def assert_finished_nights() -> None:
    """Three are over and certified; of the two complete ones nothing can be opened any more."""
    # This process has no ServerProcess row, so no certificate waited for its end.
    outcomes = {
        one.run.procedure.case.patient.name: one.run.outcome
        for one in Certificate.objects.select_related("run__procedure__case__patient")
    }
    assert outcomes == {
        "Clementine Kruczynski": "complete",
        "Mary Svevo": "complete",
        "Bruno Kettle": "stopped",
    }
    for key in ("clementine", "mary"):
        gone = StoredObject.objects.filter(case=case_of(key))
        assert gone.exists()
        assert not gone.exclude(state="destroyed").exists()
    steps = Step.objects.filter(run__procedure__case=case_of("bruno")).order_by("position")
    assert [(step.state, step.level) for step in steps][1:] == [("spared", 2), ("spared", 0)]
    assert steps[0].state == Step.State.DESTROYED
    assert loader.certify_finished_nights() == 0


def assert_states_before_the_lock() -> None:
    review = Counter(case_of("hector").keepsakes.values_list("review", flat=True))
    assert review == {"returned": 1, "accepted": 1, "waiting": 1}
    assert case_of("imogen").keepsakes.filter(memory=None).count() == 1
    assert (case_of("oscar").read().subject_name, case_of("oscar").read().answers) == ("Delphine Rook", {})
    assert case_of("nadia").read().subject_name == ""
    assert "lock" in str(status_of(case_of("wilhelmina")).allowed)


def assert_mary_is_hidden() -> None:
    """At the front desk she does not find her own file. The doctor whom she forgot was not in her night."""
    mary = User.objects.get(email="mary@lacuna.example")
    assert case_of("mary") not in Case.objects.visible_to(mary, roles=["receptionist"])
    assert case_of("mary") in Case.objects.visible_to(mary, "patients:keepsake", roles=["patient"])
    team = Booking.objects.get(procedure__case=case_of("mary")).resources.filter(user__isnull=False)
    assert set(team.values_list("label", flat=True)) == {"Vera Lull", "Patrick Wertz"}
