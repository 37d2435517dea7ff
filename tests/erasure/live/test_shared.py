"""Several runs over one connection: each is allowed, followed, ended and refused by itself."""

import random
import time
from urllib.parse import urlencode

import pytest
from django.db import OperationalError
from django.test import Client

from clinic.access.page_owner import owner_mark
from clinic.accounts.models import Role, User
from clinic.audit.models import Entry
from clinic.calendar.models import Resource
from erasure.jobs.worker import advance
from erasure.live import app as live_app
from erasure.live.app import MAX_RUNS
from erasure.runs.models import Run
from tests.erasure.live.test_app import deactivate, emit_started, make_live, write_from_threads
from tests.erasure.runs.nights import technician_of
from tests.factories import make_run, make_user
from tests.serving import PATIENCE, ServerSentEvent, Stream, ask, cookie_of, serving

pytestmark = pytest.mark.django_db(transaction=True)


def query_of(owner: User | None, after: dict[Run, int], *, wall: bool = False) -> str:
    """The query of a page of `owner` that follows several runs. after: run -> the last seq it has."""
    runs = [("run", f"{run.pk}.{seq}") for run, seq in after.items()]
    return "?" + urlencode([("owner", owner_mark(owner)), *runs, *([("wall", "1")] if wall else [])])


def summary_of(received: ServerSentEvent) -> tuple[str, str, int | str]:
    """Kind, run, and the seq or the reason of the end."""
    return received.event, received.data["run"], received.data.get("seq", received.data.get("why"))


def test_a_viewer_who_comes_and_goes_receives_every_event_of_each_run_once_and_in_order() -> None:
    doctor, runs = make_user(Role.DOCTOR), [make_run(1) for _ in range(3)]
    cookie, seqs_of = cookie_of(doctor), {str(run.pk): [1] for run in runs}
    whole = list(range(1, 22))
    with serving(make_live()) as port:
        threads = [thread for run in runs for thread in write_from_threads(run.pk, writers=2, each=10)]
        while any(seqs != whole for seqs in seqs_of.values()):
            query = query_of(doctor, {run: seqs_of[str(run.pk)][-1] for run in runs})
            with Stream(port, None, cookie, query, {"Last-Event-ID": "1"}) as stream:
                events, stay = stream.events(), random.randint(1, 15)  # noqa: S311
                while stay and any(seqs != whole for seqs in seqs_of.values()):
                    received = next(events)
                    assert received.event == "message"
                    seqs_of[received.data["run"]].append(received.data["seq"])
                    stay -= 1
        for thread in threads:
            thread.join()
    assert seqs_of == {str(run.pk): whole for run in runs}


def test_a_client_far_behind_in_one_run_receives_its_state_and_the_events_of_the_other() -> None:
    doctor, far, near = make_user(Role.DOCTOR), make_run(1), make_run(1)
    emit_started(far.pk, *range(1, 10))
    emit_started(near.pk, 1)
    with (
        serving(make_live(ring=4)) as port,
        Stream(port, None, cookie_of(doctor), query_of(doctor, {far: 1, near: 1})) as stream,
    ):
        received = {summary_of(item) for item in stream.take(2)}
    assert received == {("state", str(far.pk), 10), ("message", str(near.pk), 2)}


def test_z8_a_run_that_is_refused_ends_and_the_others_go_on() -> None:
    own, foreign = make_run(1), make_run(1)
    technician = technician_of(own)
    with (
        serving(make_live()) as port,
        Stream(port, None, cookie_of(technician), query_of(technician, {foreign: 1, own: 1})) as stream,
    ):
        (refused,) = stream.take(1)
        emit_started(foreign.pk, 1)
        emit_started(own.pk, 1)
        (received,) = stream.take(1)
    assert summary_of(refused) == ("end", str(foreign.pk), "revoked")
    assert summary_of(received) == ("message", str(own.pk), 2)
    denied = Entry.objects.get(action="access.denied")
    assert (denied.actor, denied.run) == (f"user:{technician.pk}", foreign.pk)


def test_z8_a_viewer_who_loses_one_run_still_receives_the_other() -> None:
    lost, kept = make_run(1), make_run(1)
    technician = technician_of(lost)
    kept.procedure.booking.resources.add(Resource.objects.get(user=technician))
    with (
        serving(make_live()) as port,
        Stream(port, None, cookie_of(technician), query_of(technician, {lost: 1, kept: 1})) as stream,
    ):
        emit_started(lost.pk, 1)
        events = stream.events()
        assert summary_of(next(events)) == ("message", str(lost.pk), 2)
        lost.procedure.booking.resources.remove(Resource.objects.get(user=technician))
        assert summary_of(next(events)) == ("end", str(lost.pk), "revoked")
        emit_started(lost.pk, 1)
        emit_started(kept.pk, 1)
        assert summary_of(next(events)) == ("message", str(kept.pk), 2)


def test_z8_every_run_ends_for_a_viewer_who_loses_all_access() -> None:
    auditor, runs = make_user(Role.AUDITOR), [make_run(1), make_run(1)]
    with (
        serving(make_live()) as port,
        Stream(port, None, cookie_of(auditor), query_of(auditor, dict.fromkeys(runs, 1))) as stream,
    ):
        deactivate(auditor)
        received = {summary_of(item) for item in stream.events()}
    assert received == {("end", str(run.pk), "revoked") for run in runs}


def test_a_run_that_is_over_ends_and_the_others_go_on() -> None:
    doctor, over, other = make_user(Role.DOCTOR), make_run(1), make_run(1)
    with (
        serving(make_live()) as port,
        Stream(port, None, cookie_of(doctor), query_of(doctor, {over: 1, other: 1})) as stream,
    ):
        advance(over.pk)
        events = stream.events()
        seqs = []
        while (received := next(events)).event == "message":
            seqs.append(received.data["seq"])
        over.refresh_from_db()
        assert seqs == list(range(2, over.last_seq + 1))
        assert summary_of(received) == ("end", str(over.pk), "over")
        emit_started(other.pk, 1)
        assert summary_of(next(events)) == ("message", str(other.pk), 2)


def test_on_the_public_screen_no_run_has_names() -> None:
    doctor, runs = make_user(Role.DOCTOR), [make_run(1), make_run(1)]
    with (
        serving(make_live()) as port,
        Stream(port, None, cookie_of(doctor), query_of(doctor, dict.fromkeys(runs, 1), wall=True)) as wall,
        Stream(port, None, cookie_of(doctor), query_of(doctor, dict.fromkeys(runs, 1))) as named,
    ):
        for run in runs:
            emit_started(run.pk, 1)
        texts = [{received.data["text"] for received in stream.take(2)} for stream in (wall, named)]
    assert texts == [{"Memory 1 begins to fade."}, {"Memory 1 “Photo 0” begins to fade."}]


@pytest.mark.parametrize("who", ["nobody", "another", "signed out", "no mark"])
def test_w4_a_page_that_another_person_left_open_gets_nothing(who: str) -> None:
    run, first, second = make_run(1), make_user(Role.DOCTOR), make_user(Role.DOCTOR)
    owner: User | None = None if who == "no mark" else first
    cookie = "" if who == "nobody" else cookie_of(second if who == "another" else first)
    if who == "signed out":
        client = Client()
        client.cookies.load(cookie)
        client.session.flush()
    before = Entry.objects.count()
    with serving(make_live()) as port, Stream(port, None, cookie, query_of(owner, {run: 0})) as stream:
        assert [summary_of(received) for received in stream.events()] == [("end", str(run.pk), "revoked")]
    assert Entry.objects.count() == before, "it is neither a look nor a denial of whoever is signed in"


RUN = "2b0c8a4e-0000-4000-8000-000000000000"


@pytest.mark.parametrize(
    "query",
    [
        "",
        "?run=",
        f"?run={RUN}",
        f"?run={RUN}.",
        f"?run={RUN}.-1",
        f"?run={RUN}.1234567890",
        f"?run={RUN}.%D9%A1",
        f"?run={RUN}.1%0a",
        f"?run={RUN}.1&run=nonsense",
        "?run=%00%ff.1",
        "?" + "&".join(f"run={RUN[:-2]}{i:02d}.1" for i in range(MAX_RUNS + 1)),
    ],
)
def test_a_malformed_query_is_refused(query: str) -> None:
    doctor = make_user(Role.DOCTOR)
    with serving(make_live()) as port:
        answer = ask(port, f"/live/{query}", cookie_of(doctor))
        assert answer.status == 400
        assert answer.read().endswith(b".")


def test_each_run_is_answered_once_with_as_many_runs_as_are_allowed_and_one_twice() -> None:
    doctor, run = make_user(Role.DOCTOR), make_run(1)
    emit_started(run.pk, 1)
    others = [f"{RUN[:-2]}{i:02d}" for i in range(MAX_RUNS - 3)]
    asked = [f"{run.pk}.2", f"{run.pk}.1", f"{run.pk}.2", *(f"{other}.1" for other in others)]
    query = "?" + urlencode([("owner", owner_mark(doctor)), *(("run", one) for one in asked)])
    with serving(make_live()) as port, Stream(port, None, cookie_of(doctor), query) as stream:
        received = [summary_of(item) for item in stream.take(len(others) + 1)]
    assert sorted(received[:-1]) == [("end", other, "revoked") for other in others]
    assert received[-1] == ("message", str(run.pk), 2)


def test_a_shared_stream_allows_only_get() -> None:
    with serving(make_live()) as port:
        assert ask(port, f"/live/?run={RUN}.1", method="POST").status == 405
        assert ask(port, f"/live/?run={RUN}.1", Host="elsewhere.example").status == 400


def test_a_database_error_in_one_run_delays_no_event_of_another(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    doctor, near, far = make_user(Role.DOCTOR), make_run(1), make_run(1)
    emit_started(far.pk, *range(1, 10))
    real_state_event, failed = live_app.state_event, []

    def failing_once(*arguments: object) -> tuple[bytes, int]:
        if not failed:
            failed.append(emit_started(near.pk, 1))  # while the other run's state cannot be read
            raise OperationalError("gone for a moment")
        return real_state_event(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(live_app, "state_event", failing_once)
    with (
        serving(make_live(ring=4, heartbeat=600.0)) as port,
        Stream(port, None, cookie_of(doctor), query_of(doctor, {near: 1, far: 1})) as stream,
    ):
        received = {summary_of(item) for item in stream.take(2)}
    assert received == {("message", str(near.pk), 2), ("state", str(far.pk), 10)}


def test_no_channel_is_left_after_a_viewer_of_several_runs_left() -> None:
    doctor, runs, live = make_user(Role.DOCTOR), [make_run(1), make_run(1)], make_live()
    cookie = cookie_of(doctor)
    with serving(live) as port:
        for _turn in range(3):
            with Stream(port, None, cookie, query_of(doctor, dict.fromkeys(runs, 0))) as stream:
                stream.take(2)
        deadline = time.monotonic() + PATIENCE
        while live.channels:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        assert live.tailer is not None
        assert live.tailer.channels == frozenset()
