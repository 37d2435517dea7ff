"""The status of a case as a function of facts alone."""

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
    Stage,
    Things,
    Wait,
    Who,
    case_status,
)
from patients.cases.status_words import (
    next_words,
    patient_url,
    patient_words,
    stage_word,
    stands,
    wait_url,
    wait_words,
)

AT = datetime(2030, 2, 13, 20, tzinfo=UTC)
MAP = Map(uuid4(), AT)
SIGNED = Consent(AT, AT + timedelta(hours=72))
FULL = Facts(
    "review",
    subject_named=True,
    things=Things(brought=3, here=3),
    memories=Memories(on_map=2, targets=2),
    storage=SIGNED,
)


def a_night(**fields: object) -> Night:
    night = Night(id=uuid4(), map_id=MAP.id, state="done", starts_at=AT, ends_at=AT + timedelta(hours=8))
    return dataclasses.replace(night, **fields)  # type: ignore[arg-type]


def of(stored: str, **fields: object) -> Facts:
    return dataclasses.replace(FULL, stored=stored, **fields)  # type: ignore[arg-type]


def codes(given_facts: Facts) -> list[tuple[str, Who, int]]:
    return [(wait.code, wait.who, wait.count) for wait in case_status(given_facts).waits]


@pytest.mark.parametrize(
    ("given_facts", "stage", "waits"),
    [
        (Facts("intake"), Stage.INTAKE, [("intake", Who.PATIENT, 0)]),
        (of("intake", storage=None), Stage.INTAKE, [("agree", Who.PATIENT, 0)]),
        (of("bringing"), Stage.BRINGING, [("bring", Who.PATIENT, 3)]),
        (
            of("bringing", things=Things(4, 4, waiting=1, returned=1, unplaced=2)),
            Stage.BRINGING,
            [
                ("returned", Who.PATIENT, 1),
                ("bring", Who.PATIENT, 4),
                ("place", Who.PATIENT, 2),
                ("review", Who.TEAM, 1),
            ],
        ),
        (of("review"), Stage.REVIEW, [("lock", Who.TEAM, 0)]),
        (of("review", memories=Memories()), Stage.REVIEW, [("mapping", Who.TEAM, 0)]),
        (of("review", memories=Memories(2, 2, undated=1)), Stage.REVIEW, [("mapping", Who.TEAM, 0)]),
        (of("review", memories=Memories(2, 2, unrated=1)), Stage.REVIEW, [("mapping", Who.TEAM, 0)]),
        (of("mapped", map=MAP), Stage.MAPPED, [("sign", Who.PATIENT, 0)]),
        (of("consented", map=MAP, consent=SIGNED), Stage.CONSENTED, [("book", Who.DESK, 0)]),
        (
            of("booked", map=MAP, consent=SIGNED, nights=(a_night(state="booked"),)),
            Stage.BOOKED,
            [],
        ),
        (
            of("booked", map=MAP, nights=(a_night(state="booked", fault="unsigned"),)),
            Stage.BOOKED,
            [("held", Who.TEAM, 0)],
        ),
        (
            of("running", map=MAP, consent=SIGNED, nights=(a_night(state="started", run=uuid4()),)),
            Stage.RUNNING,
            [],
        ),
        (
            of(
                "running",
                map=MAP,
                nights=(a_night(state="started", run=uuid4(), decisions=2, called_at=AT),),
            ),
            Stage.RUNNING,
            [("called", Who.DOCTOR, 0), ("decide", Who.DOCTOR, 2)],
        ),
        (
            of("mapped", map=MAP, nights=(a_night(run=uuid4(), run_state="finished", outcome="stopped"),)),
            Stage.STOPPED,
            [("sign", Who.PATIENT, 0)],
        ),
        (
            of(
                "mapped",
                map=dataclasses.replace(MAP, current=False),
                nights=(a_night(run=uuid4(), run_state="finished", outcome="stopped"),),
                remainders=Remainders(2, 1),
            ),
            Stage.STOPPED,
            [("remainder", Who.PATIENT, 1), ("relock", Who.TEAM, 0)],
        ),
        (of("withdrawn", remainders=Remainders(1, 1)), Stage.WITHDRAWN, [("remainder", Who.PATIENT, 1)]),
        (of("closed"), Stage.CLOSED, []),
    ],
)
def test_a_stage_and_what_waits(given_facts: Facts, stage: Stage, waits: list[tuple[str, Who, int]]) -> None:
    assert (case_status(given_facts).stage, codes(given_facts)) == (stage, waits)


def test_while_a_night_is_booked_nothing_is_decided_on_what_another_left() -> None:
    booked = of("booked", map=MAP, nights=(a_night(state="booked"),), remainders=Remainders(1, 1))
    assert codes(booked) == []
    assert "remainder" not in case_status(booked).allowed
    assert "remainder" in case_status(of("mapped", map=MAP, remainders=Remainders(1))).allowed


def test_the_night_shown_is_the_one_that_comes_else_the_last() -> None:
    over = a_night(run=uuid4(), run_state="finished", outcome="stopped")
    booked = a_night(state="booked")
    assert case_status(of("booked", nights=(booked, over))).night == booked
    assert case_status(of("mapped", map=MAP, nights=(over,))).night == over
    assert case_status(of("mapped", map=MAP)).night is None


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
    things=st.builds(Things, *[st.integers(0, 2)] * 5),
    memories=st.builds(Memories, *[st.integers(0, 2)] * 7),
    map=st.none() | st.builds(Map, st.just(MAP.id), moments, st.booleans()),
    storage=st.none() | st.just(SIGNED),
    consent=st.none() | st.just(SIGNED),
    nights=st.lists(nights, max_size=2).map(tuple),
    remainders=st.builds(Remainders, st.integers(1, 2), st.integers(0, 1)) | st.just(Remainders()),
)


@given(some_facts)
def test_whatever_the_facts_the_status_has_its_words_and_its_pages(given_facts: Facts) -> None:
    status = case_status(given_facts)
    assert stage_word(status)
    assert isinstance(stands(status), str)
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


def test_words_count_one_and_many() -> None:
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


def test_a_fact_that_no_case_has_is_refused() -> None:
    with pytest.raises(ValueError, match="a case has no fact named weather"):
        facts("weather")
