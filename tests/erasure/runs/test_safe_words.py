"""A safe word stands until a doctor, who has spoken with the patient, lifts it. No other action ends it."""

from collections.abc import Callable

import pytest
from django.db import IntegrityError, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clinic.accounts.models import Role, User
from clinic.audit.models import Entry
from erasure.jobs import supervisor
from erasure.jobs.worker import advance
from erasure.runs import control, handover, presence
from erasure.runs.models import DoctorCall, Event, Run, SafeWord, Step
from erasure.runs.run_actions import NotNow
from erasure.session.safe_words import what_was_said
from patients.vault.configured import key_store
from patients.vault.keys import KeyGone
from tests.configuration import configure
from tests.erasure.runs.nights import (
    actors_of,
    doctor_of,
    event_kinds,
    leave_unattended,
    make_check_overdue,
    technician_of,
)
from tests.factories import make_doctor, make_run, make_technician, make_user
from tests.schema import Schema

pytestmark = pytest.mark.django_db(transaction=True)

WORDS = "She said: go on, but slower."
SAFE_WORD_SAID = r"^The safe word was said\. Only a doctor lets the night go on"


def patient_of(run: Run) -> User:
    return run.procedure.case.patient


def say_safe_word(run: Run) -> Run:
    """Say the safe word as the patient. Returns the run with its new state."""
    assert control.safe_word(run.pk, by=patient_of(run)).changed
    return Run.objects.select_related("procedure__case").get(pk=run.pk)


def lift(run: Run, by: User, words: str = WORDS) -> bool:
    return control.lift_safe_word(run.pk, by=by, words=words).changed


@pytest.mark.parametrize("who", ["technician", "doctor", "doctor in charge", "patient"])
def test_a_run_is_not_resumed_while_a_safe_word_stands(who: str) -> None:
    run = say_safe_word(make_run(1))
    by = {"technician": technician_of, "patient": patient_of}.get(who, doctor_of)(run)
    if who == "doctor in charge":
        handover.take_over(run.pk, by=by)
    with pytest.raises(NotNow, match=SAFE_WORD_SAID):
        control.resume(run.pk, by=by, patient_agrees=True)
    row = Run.objects.get()
    assert (row.state, row.why, row.safe_word) == (
        Run.State.PAUSED,
        Run.Why.SAFE_WORD,
        SafeWord.objects.get(),
    )


@pytest.mark.parametrize("who", ["technician", "stranger", "patient who is a doctor"])
def test_only_a_doctor_can_lift_a_safe_word(who: str) -> None:
    run = say_safe_word(make_run(1))
    by = {"technician": technician_of(run), "stranger": make_user()}.get(who)
    if by is None:
        patient_of(run).grants.create(role=Role.DOCTOR)
        by = User.objects.get(pk=patient_of(run).pk)
    with pytest.raises(NotNow, match=SAFE_WORD_SAID):
        lift(run, by)
    assert Run.objects.get().safe_word is not None
    assert actors_of(run, "run.safe-word-lifted") == []


@pytest.mark.parametrize("words", ["", "  \n ", "x" * 2001])
def test_lifting_needs_a_text_of_what_was_said(words: str) -> None:
    run = say_safe_word(make_run(1))
    with pytest.raises(ValueError, match=r"^Write what the patient said\."):
        lift(run, doctor_of(run), words)
    assert (Run.objects.get().state, SafeWord.objects.get().lifted_at) == (Run.State.PAUSED, None)


def test_lifting_resumes_the_run_and_the_log_contains_only_ids() -> None:
    run, other = say_safe_word(make_run(1)), say_safe_word(make_run(1))
    doctor = doctor_of(run)
    assert lift(run, doctor, f" {WORDS} ")
    row, word = Run.objects.get(pk=run.pk), SafeWord.objects.get(run=run)
    assert (row.state, row.why, row.held_by, row.safe_word) == (Run.State.RUNNING, "", None, None)
    assert row.paused_seconds > 0
    assert (word.said_by, word.lifted_by, word.read().words) == (patient_of(run), doctor, WORDS)
    assert event_kinds(run)[-2:] == ["doctor-acknowledged", "resumed"]
    assert Event.objects.get(run=run, kind="resumed").data == {
        "by": str(doctor.pk),
        "safe_word": str(word.pk),
    }
    (entry,) = Entry.objects.filter(run=run.pk, action="run.safe-word-lifted")
    assert (entry.actor, entry.details, entry.reason) == (
        f"user:{doctor.pk}",
        {"safe_word": str(word.pk)},
        "",
    )
    assert WORDS.encode() not in bytes(word.sealed)
    assert DoctorCall.objects.get(run=run).acknowledged_by == doctor
    assert DoctorCall.objects.get(run=other).acknowledged_at is None
    assert Run.objects.get(pk=other.pk).safe_word is not None
    assert not lift(run, doctor), "a second press changes nothing"


def test_only_the_patient_and_doctors_read_what_was_said_until_its_key_is_destroyed() -> None:
    run = say_safe_word(make_run(1))
    lift(run, doctor_of(run))
    for reader in (patient_of(run), doctor_of(run), make_doctor()):
        assert [one.words for one in what_was_said(run, reader)] == [WORDS]
    for other in (technician_of(run), make_user(Role.AUDITOR)):
        assert what_was_said(run, other) == []
    assert not advance(run.pk)
    assert Run.objects.get().outcome == Run.Outcome.COMPLETE
    assert what_was_said(run, patient_of(run)) == []
    with pytest.raises(KeyGone):
        SafeWord.objects.get().read()
    assert run.procedure.case_id not in set(key_store().ids())


def test_a_safe_word_survives_an_abandoned_abort() -> None:
    run = say_safe_word(make_run(1))
    assert not control.pause(run.pk, by=technician_of(run), why=Run.Why.ABORT).changed
    with pytest.raises(NotNow, match=SAFE_WORD_SAID):
        control.resume(run.pk, by=technician_of(run))


def test_an_abort_after_a_safe_word_has_the_safe_word_as_its_reason() -> None:
    run = say_safe_word(make_run(2))
    assert control.abort(run.pk, by=technician_of(run), reason="patient-asked").changed
    with pytest.raises(NotNow, match=r"^This session is being stopped\.$"):
        lift(run, doctor_of(run))
    supervisor.end_stopped()
    run.refresh_from_db()
    assert (run.state, run.outcome, run.why) == (Run.State.FINISHED, Run.Outcome.STOPPED, Run.Why.SAFE_WORD)
    assert set(Step.objects.values_list("state", "spared_because")) == {("spared", "safe-word")}
    with pytest.raises(NotNow, match=r"^This session is over\.$"):
        lift(run, doctor_of(run))


def test_without_a_safe_word_nothing_is_lifted() -> None:
    run = make_run(1)
    assert not lift(run, doctor_of(run))
    control.pause(run.pk, by=technician_of(run))
    with pytest.raises(NotNow, match=r"^No safe word stands\."):
        lift(run, doctor_of(run))
    assert Run.objects.get().state == Run.State.PAUSED


def test_after_a_takeover_only_that_doctor_can_lift_a_safe_word() -> None:
    run, in_charge = say_safe_word(make_run(1)), make_doctor()
    handover.take_over(run.pk, by=in_charge)
    with pytest.raises(NotNow, match="has taken over"):
        lift(run, doctor_of(run))
    assert lift(run, in_charge)


def test_a_safe_word_is_not_lifted_without_a_responsible_person() -> None:
    run = say_safe_word(make_run(1))
    Run.objects.update(responsible=None)
    with pytest.raises(NotNow, match=r"^Nobody answers for this night"):
        lift(run, doctor_of(run))
    assert (SafeWord.objects.get().lifted_at, bytes(SafeWord.objects.get().sealed)) == (None, b"")


def test_the_database_refuses_a_running_run_with_a_safe_word() -> None:
    run = say_safe_word(make_run(1))
    with pytest.raises(IntegrityError), transaction.atomic():
        Run.objects.filter(pk=run.pk).update(state=Run.State.RUNNING)
    with pytest.raises(IntegrityError), transaction.atomic():
        SafeWord.objects.create(run=run, case=run.procedure.case)
    with pytest.raises(IntegrityError), transaction.atomic():
        SafeWord.objects.update(lifted_by=doctor_of(run))


def test_a_pause_of_the_patient_ends_only_if_the_patient_agrees() -> None:
    run = make_run(1)
    control.pause(run.pk, by=technician_of(run))
    control.pause(run.pk, by=patient_of(run), why=Run.Why.PATIENT)
    for by in (technician_of(run), doctor_of(run)):
        with pytest.raises(NotNow, match=r"^The patient paused\. Ask them first"):
            control.resume(run.pk, by=by)
    assert not control.pause(run.pk, by=doctor_of(run), why=Run.Why.ABORT).changed
    assert control.resume(run.pk, by=technician_of(run), patient_agrees=True).changed


def test_after_a_missed_check_only_an_attending_person_can_resume() -> None:
    configure(presence_minutes=20)
    run = make_run(1)
    doctor = doctor_of(run)
    leave_unattended(run)
    assert presence.ask_due() == 1
    make_check_overdue(run)
    assert presence.miss_due() == 1
    with pytest.raises(NotNow, match=r"^Nobody of the team has answered\."):
        control.resume(run.pk, by=doctor)
    assert Run.objects.get().state == Run.State.PAUSED
    handover.take_over(run.pk, by=doctor)
    assert control.resume(run.pk, by=doctor).changed


def test_after_a_missed_check_any_action_of_the_technician_allows_resuming() -> None:
    configure(presence_minutes=20)
    run = make_run(1)
    leave_unattended(run)
    presence.ask_due()
    make_check_overdue(run)
    presence.miss_due()
    control.call_doctor(run.pk, by=technician_of(run))
    handover.offer(run.pk, make_technician().pk, by=technician_of(run))
    assert control.resume(run.pk, by=doctor_of(run)).changed


def test_the_migration_makes_earlier_safe_words_stand(schema: Schema) -> None:
    runs = [make_run(1) for _night in range(3)]
    standing, lifted, staff = runs
    for run in (standing, lifted):
        say_safe_word(run)
    lift(lifted, doctor_of(lifted))
    for run in (lifted, staff):
        control.pause(run.pk, by=technician_of(run))
    # As the earlier code did when an abort was begun: it replaced the reason.
    Run.objects.filter(pk=standing.pk).update(why=Run.Why.ABORT)
    schema.undo_after(("erasure", "0004_certificates_have_numbers"))
    schema.redo()
    assert Run.objects.get(safe_word__isnull=False).pk == standing.pk
    word = SafeWord.objects.get()
    assert (word.said_by, word.case_id) == (patient_of(standing), standing.procedure.case_id)


ACTIONS: dict[str, Callable[[Run, User], object]] = {
    "safe word": lambda run, by: control.safe_word(run.pk, by=by),
    "resume": lambda run, by: control.resume(run.pk, by=by),
    "resume, agreed": lambda run, by: control.resume(run.pk, by=by, patient_agrees=True),
    "lift": lambda run, by: lift(run, by),
    "lift without words": lambda run, by: lift(run, by, " "),
    "pause": lambda run, by: control.pause(run.pk, by=by),
    "begin to abort": lambda run, by: control.pause(run.pk, by=by, why=Run.Why.ABORT),
    "abort": lambda run, by: control.abort(run.pk, by=by, reason="patient-asked"),
    "take over": lambda run, by: handover.take_over(run.pk, by=by),
    "hand back": lambda run, by: handover.hand_back(run.pk, by=by),
    "present": lambda run, by: presence.answer(run.pk, by=by),
    "round": lambda run, by: [presence.release_absent(), presence.miss_due(), presence.ask_due()],
}
PEOPLE: dict[str, Callable[[Run], User]] = {
    "technician": technician_of,
    "doctor": doctor_of,
    "patient": patient_of,
}


ACTIONS_OF_PEOPLE = st.tuples(
    st.sampled_from([*ACTIONS, "resume", "lift", "lift", "safe word"]), st.sampled_from(sorted(PEOPLE))
)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    st.lists(ACTIONS_OF_PEOPLE, max_size=3),
    st.sampled_from(sorted(PEOPLE)),
    st.lists(ACTIONS_OF_PEOPLE, min_size=4, max_size=10),
)
def test_in_any_order_of_actions_only_a_doctor_ends_a_safe_word(
    actions_before: list[tuple[str, str]], speaker: str, actions_after: list[tuple[str, str]]
) -> None:
    actions = [*actions_before, ("safe word", speaker), *actions_after]
    run, other_doctor = make_run(1, pace=600), make_doctor()
    people = {who: find_person(run) for who, find_person in PEOPLE.items()} | {"other": other_doctor}
    stands = False
    for action, who in actions:
        before = Run.objects.get(pk=run.pk)
        refused = False
        try:
            ACTIONS[action](run, people[who])
        except NotNow:
            refused = True
        except ValueError:
            assert action == "lift without words"
            refused = True
        if action == "lift" and who == "doctor" and before.state == Run.State.PAUSED and stands:
            assert not refused
        row = Run.objects.get(pk=run.pk)
        if action == "safe word" and not refused:
            stands = True
        elif action == "lift" and who == "doctor" and not refused:
            stands = False
        assert (row.safe_word_id is not None) == stands, (action, who)
        if stands:
            assert row.state != Run.State.RUNNING, (action, who)
            assert row.next_due_at == before.next_due_at or action == "safe word"
        if stands and row.state == Run.State.STOPPING:
            assert row.why == Run.Why.SAFE_WORD
    lifted = SafeWord.objects.filter(run=run, lifted_at__isnull=False)
    assert all(word.read().words == WORDS and word.lifted_by == people["doctor"] for word in lifted)
    assert actors_of(run, "run.safe-word-lifted") == [f"user:{people['doctor'].pk}"] * len(lifted)
