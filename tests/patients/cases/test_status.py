"""case_status: computes the stage of a case and what it waits for, from facts only."""

import dataclasses
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from patients.cases.facts import facts
from patients.cases.status import (
    OPEN,
    OVER,
    Consent,
    Facts,
    Map,
    Memories,
    Night,
    Remainders,
    Review,
    Stage,
    Things,
    Wait,
    Who,
    case_status,
    review_fault,
)
from patients.cases.status_words import (
    next_words,
    patient_url,
    patient_words,
    stage_text,
    stage_word,
    wait_url,
    wait_words,
)

AT = datetime(2030, 2, 13, 20, tzinfo=UTC)
MAP = Map(uuid4(), AT)
OLD_MAP = dataclasses.replace(MAP, needs_review=False)
REFUSED, OUTDATED = Review("not_cleared", AT), Review("cleared", AT, current=False)
SIGNED = Consent(AT, AT + timedelta(hours=72))
FULL = Facts(
    "review",
    subject_named=True,
    review=Review("cleared", AT),
    things=Things(brought=3, here=3),
    memories=Memories(on_map=2, targets=2),
    storage=SIGNED,
)


def make_night(**fields: object) -> Night:
    night = Night(id=uuid4(), map_id=MAP.id, state="done", starts_at=AT, ends_at=AT + timedelta(hours=8))
    return dataclasses.replace(night, **fields)  # type: ignore[arg-type]


def facts_in(stored: str, **fields: object) -> Facts:
    """FULL with another stored stage, and with these fields changed."""
    return dataclasses.replace(FULL, stored=stored, **fields)  # type: ignore[arg-type]


def waits_of(given_facts: Facts) -> list[tuple[str, Who, int]]:
    return [(wait.code, wait.who, wait.count) for wait in case_status(given_facts).waits]


@pytest.mark.parametrize(
    ("given_facts", "stage", "waits"),
    [
        (Facts("intake"), Stage.INTAKE, [("intake", Who.PATIENT, 0)]),
        (
            Facts("intake", alarming=True),
            Stage.INTAKE,
            [("alarming", Who.DOCTOR, 0), ("intake", Who.PATIENT, 0)],
        ),
        (
            facts_in("intake", alarming=True, review=OUTDATED),
            Stage.INTAKE,
            [("alarming", Who.DOCTOR, 0), ("bring", Who.PATIENT, 3)],
        ),
        # A doctor has read it, or is asked to review all answers anyway.
        (facts_in("intake", alarming=True), Stage.INTAKE, [("bring", Who.PATIENT, 3)]),
        (
            facts_in("bringing", alarming=True, review=None),
            Stage.BRINGING,
            [("bring", Who.PATIENT, 3), ("unreviewed", Who.DOCTOR, 0)],
        ),
        (facts_in("intake", storage=None), Stage.INTAKE, [("agree", Who.PATIENT, 0)]),
        (facts_in("bringing"), Stage.BRINGING, [("bring", Who.PATIENT, 3)]),
        (
            facts_in("bringing", things=Things(4, 4, waiting=1, returned=1, unplaced=2)),
            Stage.BRINGING,
            [
                ("returned", Who.PATIENT, 1),
                ("bring", Who.PATIENT, 4),
                ("place", Who.PATIENT, 2),
                ("review", Who.TEAM, 1),
            ],
        ),
        (facts_in("review"), Stage.REVIEW, [("lock", Who.TEAM, 0)]),
        (facts_in("review", memories=Memories()), Stage.REVIEW, [("mapping", Who.TEAM, 0)]),
        (facts_in("review", memories=Memories(2, 2, undated=1)), Stage.REVIEW, [("mapping", Who.TEAM, 0)]),
        (facts_in("review", memories=Memories(2, 2, unrated=1)), Stage.REVIEW, [("mapping", Who.TEAM, 0)]),
        (
            facts_in("bringing", review=None),
            Stage.BRINGING,
            [("bring", Who.PATIENT, 3), ("unreviewed", Who.DOCTOR, 0)],
        ),
        (facts_in("review", review=None), Stage.REVIEW, [("unreviewed", Who.DOCTOR, 0)]),
        (
            facts_in("review", review=None, memories=Memories()),
            Stage.REVIEW,
            [("unreviewed", Who.DOCTOR, 0), ("mapping", Who.TEAM, 0)],
        ),
        (facts_in("review", review=OUTDATED), Stage.REVIEW, [("outdated", Who.DOCTOR, 0)]),
        (facts_in("mapped", map=MAP, review=REFUSED), Stage.MAPPED, [("not-cleared", Who.DOCTOR, 0)]),
        (facts_in("mapped", map=MAP, review=None), Stage.MAPPED, [("unreviewed", Who.DOCTOR, 0)]),
        (facts_in("mapped", map=OLD_MAP, review=None), Stage.MAPPED, [("sign", Who.PATIENT, 0)]),
        (
            facts_in("consented", map=MAP, consent=SIGNED, review=OUTDATED),
            Stage.CONSENTED,
            [("outdated", Who.DOCTOR, 0)],
        ),
        (facts_in("mapped", map=MAP), Stage.MAPPED, [("sign", Who.PATIENT, 0)]),
        (facts_in("consented", map=MAP, consent=SIGNED), Stage.CONSENTED, [("book", Who.DESK, 0)]),
        (
            facts_in("booked", map=MAP, consent=SIGNED, nights=(make_night(state="booked"),)),
            Stage.BOOKED,
            [],
        ),
        (
            facts_in("booked", map=MAP, nights=(make_night(state="booked", fault="unsigned"),)),
            Stage.BOOKED,
            [("held", Who.TEAM, 0)],
        ),
        (
            facts_in("running", map=MAP, consent=SIGNED, nights=(make_night(state="started", run=uuid4()),)),
            Stage.RUNNING,
            [],
        ),
        (
            facts_in(
                "running",
                map=MAP,
                nights=(make_night(state="started", run=uuid4(), decisions=2, called_at=AT),),
            ),
            Stage.RUNNING,
            [("called", Who.DOCTOR, 0), ("decide", Who.DOCTOR, 2)],
        ),
        (
            facts_in(
                "mapped", map=MAP, nights=(make_night(run=uuid4(), run_state="finished", outcome="stopped"),)
            ),
            Stage.STOPPED,
            [("sign", Who.PATIENT, 0)],
        ),
        (
            facts_in(
                "mapped",
                map=dataclasses.replace(MAP, current=False),
                nights=(make_night(run=uuid4(), run_state="finished", outcome="stopped"),),
                remainders=Remainders(2, 1),
            ),
            Stage.STOPPED,
            [("remainder", Who.PATIENT, 1), ("relock", Who.TEAM, 0)],
        ),
        (
            facts_in("withdrawn", remainders=Remainders(1, 1)),
            Stage.WITHDRAWN,
            [("remainder", Who.PATIENT, 1)],
        ),
        (facts_in("closed"), Stage.CLOSED, []),
    ],
)
def test_the_facts_decide_the_stage_and_the_waits(
    given_facts: Facts, stage: Stage, waits: list[tuple[str, Who, int]]
) -> None:
    assert (case_status(given_facts).stage, waits_of(given_facts)) == (stage, waits)


@pytest.mark.parametrize(
    ("review", "needed", "fault"),
    [
        (None, True, "unreviewed"),
        (None, False, ""),
        (OUTDATED, True, "outdated"),
        (OUTDATED, False, ""),
        (REFUSED, True, "not-cleared"),
        (REFUSED, False, "not-cleared"),
        (dataclasses.replace(REFUSED, current=False), True, "outdated"),
        (Review("cleared", AT), True, ""),
        (Review("cleared_with_conditions", AT), True, ""),
    ],
)
def test_a_review_that_does_not_clear_blocks_signing_booking_and_locking(
    review: Review | None, needed: bool, fault: str
) -> None:
    assert review_fault(review, needed=needed) == fault
    locked = facts_in("mapped", map=MAP if needed else OLD_MAP, review=review)
    assert ("sign" in case_status(locked).allowed) == (not fault)
    signed = facts_in("consented", map=locked.map, review=review, consent=SIGNED)
    assert ("book" in case_status(signed).allowed) == (not fault)
    if needed:
        assert ("lock" in case_status(facts_in("review", review=review)).allowed) == (not fault)


def test_the_intake_is_reviewed_neither_during_the_night_nor_after_the_end() -> None:
    stored = set(Stage) - {Stage.STOPPED}
    open_ones = {one for one in stored if "review-intake" in case_status(facts_in(one)).allowed}
    assert open_ones == stored - OVER - {Stage.RUNNING}
    assert "review-intake" not in case_status(facts_in("bringing", subject_named=False)).allowed


def test_remainders_cannot_be_decided_while_a_procedure_is_booked() -> None:
    booked = facts_in("booked", map=MAP, nights=(make_night(state="booked"),), remainders=Remainders(1, 1))
    assert waits_of(booked) == []
    assert "remainder" not in case_status(booked).allowed
    assert "remainder" in case_status(facts_in("mapped", map=MAP, remainders=Remainders(1))).allowed


def test_the_night_of_a_status_is_the_booked_one_else_the_last() -> None:
    last = make_night(run=uuid4(), run_state="finished", outcome="stopped")
    booked = make_night(state="booked")
    assert case_status(facts_in("booked", nights=(booked, last))).night == booked
    assert case_status(facts_in("mapped", map=MAP, nights=(last,))).night == last
    assert case_status(facts_in("mapped", map=MAP)).night is None


moments = st.just(AT)
nights = st.builds(
    Night,
    id=st.uuids(),
    map_id=st.sampled_from([MAP.id, uuid4()]),
    state=st.sampled_from(["booked", "started", "done"]),
    starts_at=moments,
    ends_at=moments,
    fault=st.sampled_from(["", "unsigned"]),
    run=st.none() | st.uuids(),
    run_state=st.sampled_from(["", "running", "paused", "stopping", "finished"]),
    outcome=st.sampled_from(["", "stopped", "complete"]),
    decisions=st.integers(0, 2),
    called_at=st.none() | moments,
    certified=st.booleans(),
)
some_facts = st.builds(
    Facts,
    stored=st.sampled_from([stage for stage in Stage if stage != Stage.STOPPED]),
    subject_named=st.booleans(),
    alarming=st.booleans(),
    things=st.builds(Things, *[st.integers(0, 2)] * 5),
    memories=st.builds(Memories, *[st.integers(0, 2)] * 7),
    map=st.none() | st.builds(Map, st.just(MAP.id), moments, st.booleans(), st.booleans()),
    review=st.none()
    | st.builds(
        Review,
        st.sampled_from(["cleared", "cleared_with_conditions", "not_cleared"]),
        moments,
        st.booleans(),
    ),
    storage=st.none() | st.just(SIGNED),
    consent=st.none() | st.just(SIGNED),
    nights=st.lists(nights, max_size=2).map(tuple),
    remainders=st.builds(Remainders, st.integers(1, 2), st.integers(0, 1)) | st.just(Remainders()),
)


@given(some_facts)
def test_every_status_has_words_and_urls(given_facts: Facts) -> None:
    status = case_status(given_facts)
    assert stage_word(status)
    assert isinstance(stage_text(status), str)
    assert (next_words(status) == "") == (status.next is None)
    for wait in status.waits:
        if wait.who == Who.PATIENT:
            assert patient_words(wait.code, wait.count)
            assert patient_url(wait.code)
        else:
            assert wait_words(wait)
            assert wait_url(wait, uuid4(), status)
    assert not (status.stage in OVER and status.allowed - {"remainder"})
    assert not (status.stage not in OPEN and status.allowed & {"bring", "lock", "review", "map"})
    assert len(status.allowed & {"agree", "sign", "book", "start"}) <= 1


def test_words_have_singular_and_plural() -> None:
    assert [wait_words(Wait("review", Who.TEAM, n)) for n in (1, 2)] == [
        "1 keepsake waits for review.",
        "2 keepsakes wait for review.",
    ]
    assert [patient_words("bring", n) for n in (0, 1, 2)] == [
        "Bring your keepsakes",
        "Bring your keepsakes: 1 so far",
        "Bring your keepsakes: 2 so far",
    ]
    assert [patient_words("remainder", n) for n in (1, 2)] == [
        "Say what becomes of 1 memory that is left half gone",
        "Say what becomes of 2 memories that are left half gone",
    ]


def test_an_unknown_fact_is_refused() -> None:
    with pytest.raises(ValueError, match="a case has no fact named weather"):
        facts("weather")
