"""The replay of a finished session shows what its events say and nothing else."""

import json
import re
from datetime import timedelta
from html import unescape
from typing import Any

import pytest
from django.conf import settings
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from clinic.accounts.models import Role, User
from clinic.audit.models import Entry
from erasure.jobs.certifying import certify
from erasure.jobs.worker import advance
from erasure.procedures.models import Procedure
from erasure.runs import control, resistance
from erasure.runs.finishing import finish
from erasure.runs.models import Event, Hold, Run, Step
from erasure.runs.passes import PASS_COUNT
from erasure.session.replay import Moment, neighbors, replay, snapshot_at
from patients.memories.models import Memory
from tests.factories import jpeg, make_case, make_doctor, make_keepsake, make_memory, make_run, make_user

pytestmark = pytest.mark.django_db(transaction=True)

TITLES = ("Photo", "The bird", "A caption", "The story")


def finish_run(run: Run) -> Run:
    """Do all remaining passes of a run, whatever its pace; return it."""
    Procedure.objects.filter(pk=run.procedure_id).update(pace_seconds=0)
    Run.objects.filter(pk=run.pk).update(next_due_at=timezone.now())
    for _turn in range(50):
        if Run.objects.get(pk=run.pk).state == Run.State.FINISHED:
            break
        advance(run.pk)
    return Run.objects.select_related("procedure__case").get(pk=run.pk)


def memory_of(run: Run, number: int) -> Memory:
    return Memory.objects.get(case=run.procedure.case_id, number=number)


def answer_to(user: User, run: Run, **query: str) -> Any:
    client = Client()
    client.force_login(user, backend=settings.AUTHENTICATION_BACKENDS[0])
    return client.get(reverse("erasure:replay", args=[run.pk]), query)


def page_of(run: Run, **query: str) -> str:
    answer = answer_to(run.procedure.case.patient, run, **query)
    assert answer.status_code == 200
    return answer.content.decode()


def film_of(page: str) -> dict[str, Any]:
    found = re.search(r'<script id="film" type="application/json">(.*?)</script>', page, re.DOTALL)
    assert found is not None
    film: dict[str, Any] = json.loads(found[1])
    return film


def accumulated(film: dict[str, Any]) -> list[dict[str, Any]]:
    """The moments as the page's script builds them: each adds its changes to the one before."""
    now: dict[str, Any] = {}
    fates = dict(film["fates"])
    out = []
    for moment in film["moments"]:
        now = {**now, **moment}
        fates = {**fates, **moment.get("fates", {})}
        out.append({**now, "fates": fates})
    return out


def eventful_run() -> Run:
    """A finished run of three memories: the newest is protected after a pass and a pause."""
    run = make_run(3, pace=600)
    doctor = run.procedure.booked_by
    assert doctor is not None
    advance(run.pk)
    control.pause(run.pk, by=doctor)
    control.resume(run.pk, by=doctor)
    control.protect(run.pk, memory_of(run, 3).pk, by=doctor)
    return finish_run(run)


def test_the_last_moment_is_the_end_of_the_session() -> None:
    run = eventful_run()
    shown = replay(run)
    assert [moment.seq for moment in shown.moments] == list(range(1, run.last_seq + 1))
    last = shown.moments[-1]
    assert last.fates == {1: "destroyed", 2: "destroyed", 3: "protected"}
    assert last.counts() == {"map": 0, "destroyed": 2, "protected": 1, "off": 0}
    assert (last.shown_state(), last.current, last.kind) == ("finished", None, "certificate")


def test_each_moment_shows_the_state_of_that_time() -> None:
    shown = replay(eventful_run())
    story = [
        (moment.kind, moment.shown_state(), moment.current, moment.level) for moment in shown.moments[:8]
    ]
    assert story == [
        ("started", "running", None, 0),
        ("memory-started", "running", 3, 0),
        ("pass", "running", 3, 1),
        ("paused", "paused", 3, 1),
        ("resumed", "running", 3, 1),
        ("protected", "running", None, 1),
        ("memory-started", "running", 2, 0),
        ("pass", "running", 2, 1),
    ]
    assert shown.moments[5].fates == {1: "waiting", 2: "waiting", 3: "protected"}


def test_a_memory_protected_before_the_run_is_protected_from_the_first_moment() -> None:
    case = make_case()
    make_keepsake(make_memory(case, "Kept", "2003-01-01", fate=Memory.Fate.PROTECTED))
    run = finish_run(make_run(1, case=case))
    shown = replay(run)
    assert shown.fates == {1: "protected", 2: "waiting"}
    assert shown.moments[0].counts() == {"map": 1, "destroyed": 0, "protected": 1, "off": 0}


@pytest.mark.both_databases
def test_elapsed_time_does_not_count_pauses() -> None:
    run = make_run(1)
    start = timezone.now()
    Event.objects.filter(run=run).delete()
    kinds = ["started", "paused", "doctor-called", "resumed", "finished"]
    for number, kind in enumerate(kinds):
        at = start + timedelta(minutes=10 * number)
        data = {"outcome": "complete", "destroyed": 0, "spared": 0} if kind == "finished" else {"total": 1}
        Event.objects.create(run=run, seq=number + 1, kind=kind, at=at, data=data)
    run.state = Run.State.FINISHED
    moments = replay(run).moments
    assert [moment.passed for moment in moments] == [0, 600, 1200, 1800, 2400]
    assert [moment.elapsed for moment in moments] == [0, 600, 600, 600, 1200]
    assert [moment.shown_state() for moment in moments] == [
        "running", "paused", "paused", "running", "finished",
    ]  # fmt: skip


def run_with_a_copy() -> Run:
    """A finished run whose newest memory has a copy in childhood. The doctor spared it at the end."""
    case, picture = make_case(), jpeg()
    childhood = make_memory(case, "The bird", "1979-05-01", zone=Memory.Zone.CHILDHOOD)
    make_keepsake(childhood, picture)
    make_keepsake(make_memory(case, "Photo 0", "2003-02-01"))
    make_keepsake(make_memory(case, "Photo 1", "2003-02-02"), picture)
    run = make_run(0, case=case)
    advance(run.pk)
    hold = Hold.objects.get(step__run=run)
    resistance.decide(run.pk, hold.pk, extend=False, reason="childhood", by=make_doctor())
    return finish_run(run)


def test_a_copy_off_the_map_is_shown_as_held_until_the_decision() -> None:
    run = run_with_a_copy()
    shown = replay(run)
    childhood = Memory.objects.get(case=run.procedure.case_id, zone=Memory.Zone.CHILDHOOD)
    held = next(moment for moment in shown.moments if moment.kind == "held")
    assert held.held == {2: (str(childhood.pk),)}
    assert (held.fates[2], held.counts()["off"], held.shown_state()) == ("held", 1, "running")
    alone = next(moment for moment in shown.moments if moment.kind == "destroyed")
    assert alone.shown_state() == "held"
    decided = next(moment for moment in shown.moments if moment.kind == "decided")
    assert (decided.held, decided.fates[2]) == ({}, "waiting")
    copied = [m for m in snapshot_at(shown, held)["alarms"] if m["copy"] == str(childhood.pk)]
    assert len(copied) == 1


def stopped_run() -> Run:
    """A run that was aborted after one pass of the newer of two memories."""
    run = make_run(2, pace=600)
    advance(run.pk)
    control.abort(run.pk, by=run.procedure.booked_by, reason="doubt")
    assert finish(run.pk)
    assert certify(run.pk)
    return Run.objects.select_related("procedure__case").get(pk=run.pk)


def test_the_replay_of_a_stopped_run_ends_with_what_was_left() -> None:
    last = replay(stopped_run()).moments[-1]
    assert last.shown_state() == "aborted"
    assert last.fates == {1: "waiting", 2: "fading"}


@pytest.mark.both_databases
def test_the_replay_shows_no_title_no_name_and_no_picture() -> None:
    run = run_with_a_copy()
    case = run.procedure.case
    page = page_of(run)
    assert not [title for title in TITLES if title in page]
    assert "Clementine" not in page
    assert case.patient.name not in page.replace(case.patient.short_name, "")
    assert "/pictures/" not in page
    assert "<img" not in page
    film = json.dumps(film_of(page))
    people = [str(person.pk) for person in User.objects.all()]
    assert not [pk for pk in people if pk in film]


def test_the_replay_of_a_stopped_run_does_not_name_what_is_left() -> None:
    run = stopped_run()
    assert Memory.objects.get(case=run.procedure.case_id, number=1).read().title == "Photo 0"
    page = page_of(run)
    assert not [title for title in TITLES if title in page]
    assert "/pictures/" not in page


def test_the_script_and_the_server_compute_the_same_moments() -> None:
    run = run_with_a_copy()
    shown = replay(run)
    moments = accumulated(film_of(page_of(run)))
    assert len(moments) == len(shown.moments)
    for by_script, moment in zip(moments, shown.moments, strict=True):
        assert by_script["fates"] == {str(n): state for n, state in moment.fates.items()}
        assert by_script["counts"] == moment.counts()
        assert (by_script["state"], by_script["current"]) == (moment.shown_state(), moment.current)
        assert by_script["copies"] == {str(n): list(places) for n, places in moment.held.items()}


def test_without_a_script_each_line_is_a_link_to_its_moment() -> None:
    run = eventful_run()
    shown = replay(run)
    page = page_of(run)
    linked = [int(seq) for seq in re.findall(r'<a href="\?at=(\d+)" (?:aria-current="step")?><time', page)]
    assert linked == [moment.seq for moment in shown.logged]
    gone = next(moment for moment in shown.moments if moment.kind == "destroyed")
    then = page_of(run, at=str(gone.seq))
    names = [unescape(name) for name in re.findall(r'data-n="\d+"|aria-label="(Memory [^"]*)"', then) if name]
    assert names == ["Memory 1, waiting", "Memory 2, destroyed", "Memory 3, protected"]
    assert f'<a href="?at={gone.seq}" aria-current="step">' in then


@pytest.mark.both_databases
def test_a_memory_links_to_the_moment_when_its_fade_began() -> None:
    run = eventful_run()
    began = next(m for m in replay(run).moments if m.kind == "memory-started" and m.current == 2)
    page = page_of(run, memory=str(memory_of(run, 2).pk))
    assert f'<a href="?at={began.seq}" aria-current="step">' in page


@pytest.mark.parametrize(
    "query",
    [{"at": "0"}, {"at": "x"}, {"at": "-3"}, {"memory": "nobody"}, {"memory": "\0"}, {"at": "9" * 40}],
)
def test_an_invalid_query_shows_the_beginning(query: dict[str, str]) -> None:
    run = finish_run(make_run(1))
    assert '<a href="?at=1" aria-current="step">' in page_of(run, **query)


def test_a_moment_after_the_end_shows_the_end() -> None:
    run = finish_run(make_run(1))
    assert f'<a href="?at={run.last_seq}" aria-current="step">' in page_of(
        Run.objects.get(pk=run.pk), at="99999"
    )


def test_the_replay_of_a_running_session_redirects_to_the_session() -> None:
    run = make_run(1, pace=600)
    answer = answer_to(run.procedure.case.patient, run)
    assert (answer.status_code, answer.headers["Location"]) == (302, f"/sessions/{run.pk}/")
    with pytest.raises(ValueError, match="not over"):
        replay(run)


def test_the_replay_has_the_same_access_rules_as_the_session() -> None:
    run = finish_run(make_run(1))
    doctor = run.procedure.booked_by
    assert doctor is not None
    statuses = {
        "patient": answer_to(run.procedure.case.patient, run).status_code,
        "doctor": answer_to(doctor, run).status_code,
        "auditor": answer_to(make_user(Role.AUDITOR), run).status_code,
        "desk": answer_to(make_user(Role.RECEPTIONIST), run).status_code,
        "technician of other nights": answer_to(make_user(Role.TECHNICIAN), run).status_code,
        "another patient": answer_to(make_user(Role.PATIENT), run).status_code,
    }
    assert statuses == {
        "patient": 200,
        "doctor": 200,
        "auditor": 200,
        "desk": 403,
        "technician of other nights": 404,
        "another patient": 404,
    }


def test_each_replay_is_recorded() -> None:
    run = finish_run(make_run(1))
    patient = run.procedure.case.patient
    answer_to(patient, run)
    answer_to(make_user(Role.PATIENT), run)
    entry = Entry.objects.get(action="run.replayed")
    assert (entry.actor, entry.subject, entry.run) == (f"user:{patient.pk}", f"run:{run.pk}", run.pk)


def test_a_longer_run_needs_no_more_queries() -> None:
    few, many = finish_run(make_run(1)), finish_run(make_run(3))
    counted = []
    for run in (few, many):
        with CaptureQueriesContext(connection) as queries:
            page_of(run)
        counted.append(len(queries))
    assert counted[0] == counted[1]


def test_neighbors_of_a_moment_are_the_logged_ones_before_and_after_it() -> None:
    logged = [Moment(seq=seq, at=timezone.now(), kind="", text="") for seq in (1, 4, 9)]
    assert neighbors(logged, logged[1]) == (1, 9)
    between = Moment(seq=6, at=timezone.now(), kind="", text="")
    assert neighbors(logged, between) == (4, 9)
    assert neighbors(logged, logged[0]) == (None, 4)
    assert neighbors(logged, logged[2]) == (4, None)


@pytest.mark.both_databases
def test_the_session_and_the_certificate_link_to_the_replay() -> None:
    run = finish_run(make_run(1))
    client = Client()
    client.force_login(run.procedure.case.patient, backend=settings.AUTHENTICATION_BACKENDS[0])
    replay_url = reverse("erasure:replay", args=[run.pk])
    for name in ("session", "certificate"):
        assert (
            f'href="{replay_url}"' in client.get(reverse(f"erasure:{name}", args=[run.pk])).content.decode()
        )
    assert Step.objects.filter(run=run, level=PASS_COUNT).count() == 1
