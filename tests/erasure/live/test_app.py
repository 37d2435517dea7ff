"""The stream as its clients see it: over HTTP, from a real server, with others writing meanwhile."""

import random
import socket
import threading
import time
from collections.abc import Callable
from uuid import UUID

import pytest
from django.contrib.sessions.models import Session
from django.db import connection, transaction
from django.test import Client

from clinic.accounts.models import Role, User
from clinic.audit.models import Entry
from erasure.jobs.worker import advance
from erasure.live.app import Live
from erasure.runs.control import pause, protect
from erasure.runs.events import NewEvent, emit
from erasure.runs.models import Run
from tests.factories import make_run, make_user
from tests.serving import PATIENCE, Stream, ask, cookie_of, serving

pytestmark = pytest.mark.django_db(transaction=True)


def say(run_id: UUID, *numbers: int, **data: object) -> int:
    with transaction.atomic():
        return emit(run_id, *(NewEvent("memory-started", {"n": n, **data}) for n in numbers))


def patient_of(run: Run) -> User:
    return run.procedure.case.patient


def quick(**pacing: float) -> Live:
    return Live(**{"heartbeat": 60.0, "send_timeout": 60.0, "revoke_every": 0.05, **pacing})


def write_from_threads(run_id: UUID, writers: int, each: int) -> list[threading.Thread]:
    def write() -> None:
        for number in range(each):
            say(run_id, number)
        connection.close()

    threads = [threading.Thread(target=write) for _ in range(writers)]
    for thread in threads:
        thread.start()
    return threads


def test_a_viewer_who_comes_and_goes_is_told_everything_once_and_in_order() -> None:
    run = make_run()
    cookie, heard = cookie_of(patient_of(run)), [run.last_seq or 1]
    first = heard[0]
    with serving(quick()) as port:
        threads = write_from_threads(run.pk, writers=3, each=25)
        while heard[-1] < first + 75:
            headers = {"Last-Event-ID": str(heard[-1])}
            with Stream(port, run.pk, cookie, "?after=0", headers) as stream:
                stay = random.randint(1, 9)  # noqa: S311
                events = stream.events()
                while stay and heard[-1] < first + 75:
                    told = next(events)
                    assert (told.event, told.id, told.data["seq"]) == ("message", heard[-1] + 1, told.id)
                    heard.append(told.data["seq"])
                    stay -= 1
        for thread in threads:
            thread.join()
    assert heard == list(range(first, first + 76))


def test_everyone_present_is_told_the_same() -> None:
    run = make_run()
    cookie = cookie_of(patient_of(run))
    with serving(quick()) as port:
        streams = [Stream(port, run.pk, cookie, "?after=1").__enter__() for _ in range(5)]
        for thread in write_from_threads(run.pk, writers=2, each=5):
            thread.join()
        told = [[item.id for item in stream.take(10)] for stream in streams]
        for stream in streams:
            stream.answer.close()
    assert told == [list(range(2, 12))] * 5


def test_an_event_carries_words_and_figures() -> None:
    run = make_run(memories=2)
    with serving(quick()) as port, Stream(port, run.pk, cookie_of(patient_of(run)), "?after=1") as stream:
        say(run.pk, 2)
        (told,) = stream.take(1)
        protect(run.pk, run.steps.get(memory__number=2).memory_id, by=patient_of(run))
        (kept,) = stream.take(1)
    assert told.data.pop("at")
    assert told.data == {
        "seq": 2,
        "kind": "memory-started",
        "n": 2,
        "text": "Memory 2 “Photo 1” begins to fade.",
        "counts": {"map": 2, "destroyed": 0, "protected": 0, "off": 0},
        "remaining_s": None,
    }
    assert kept.data["counts"] == {"map": 1, "destroyed": 0, "protected": 1, "off": 0}
    assert kept.data["text"] == "Memory 2 “Photo 1” is kept."


def test_who_sees_no_names_is_told_none_and_no_picture() -> None:
    run = make_run()
    auditor, doctor = cookie_of(make_user(Role.AUDITOR)), cookie_of(make_user(Role.DOCTOR))
    with (
        serving(quick()) as port,
        Stream(port, run.pk, auditor, "?after=1") as nameless,
        Stream(port, run.pk, doctor, "?wall&after=1") as wall,
        Stream(port, run.pk, doctor, "?after=1") as named,
    ):
        say(run.pk, 1, picture="2b0c8a4e-0000-4000-8000-000000000000")
        texts = [stream.take(1)[0].data for stream in (nameless, wall, named)]
    assert [text["text"] for text in texts] == [
        "Memory 1 begins to fade.",
        "Memory 1 begins to fade.",
        "Memory 1 “Photo 0” begins to fade.",
    ]
    assert [text["picture"] for text in texts] == [
        None,
        None,
        "/pictures/2b0c8a4e-0000-4000-8000-000000000000",
    ]


@pytest.mark.parametrize("query", ["", "?after=nonsense", "?after=999", "?after=1"])
def test_who_cannot_follow_on_is_given_the_present(query: str) -> None:
    run = make_run()
    say(run.pk, *range(1, 10))
    with (
        serving(quick(ring=4)) as port,
        Stream(port, run.pk, cookie_of(patient_of(run)), query) as stream,
    ):
        (state,) = stream.take(1)
        say(run.pk, 1)
        (told,) = stream.take(1)
    assert (state.event, state.id) == ("state", 10)
    assert (state.data["seq"], state.data["run"]) == (10, str(run.pk))
    assert (told.event, told.id) == ("message", 11)


def test_who_is_behind_within_the_ring_is_given_the_rest() -> None:
    run = make_run()
    say(run.pk, *range(1, 10))
    with (
        serving(quick(ring=4)) as port,
        Stream(port, run.pk, cookie_of(patient_of(run)), "?after=6") as stream,
    ):
        assert [told.id for told in stream.take(4)] == [7, 8, 9, 10]


def test_the_stream_of_a_run_that_is_over_ends() -> None:
    run = make_run(memories=1)
    with serving(quick()) as port, Stream(port, run.pk, cookie_of(patient_of(run)), "?after=1") as stream:
        advance(run.pk)
        told = list(stream.events())
    run.refresh_from_db()
    assert run.certificate
    assert [item.id for item in told[:-1]] == list(range(2, run.last_seq + 1))
    assert (told[-1].event, told[-1].data) == ("end", {"why": "over"})


def test_a_destroyed_memory_has_no_title_any_more_in_what_is_sent_again() -> None:
    run = make_run(memories=1)
    cookie = cookie_of(patient_of(run))
    with serving(quick()) as port:
        with Stream(port, run.pk, cookie, "?after=1") as stream:
            say(run.pk, 1)
            assert "Photo 0" in stream.take(1)[0].data["text"]
        advance(run.pk)
        with Stream(port, run.pk, cookie, "?after=1") as stream:
            again = list(stream.events())
    assert again[0].data["text"] == "Memory 1 begins to fade."
    assert not [told for told in again if "Photo 0" in str(told.data)]


def log_out(user: User) -> None:
    client = Client()
    client.cookies.load(f"sessionid={Session.objects.get().session_key}")
    client.session.flush()


def deactivate(user: User) -> None:
    User.objects.filter(pk=user.pk).update(is_active=False)


def change_role(user: User) -> None:
    user.set_roles({Role.RECEPTIONIST}, by=None)


def change_passphrase(user: User) -> None:
    user.set_password("another quiet beach")
    user.save(update_fields=["password"])


def lose_grant(user: User) -> None:
    user.grants.all().delete()


@pytest.mark.parametrize("revoke", [log_out, deactivate, change_role, change_passphrase, lose_grant])
def test_z8_who_may_watch_no_longer_is_shown_out(revoke: Callable[[User], None]) -> None:
    run, stranger = make_run(), make_user(Role.AUDITOR)
    with serving(quick()) as port, Stream(port, run.pk, cookie_of(stranger), "?after=1") as stream:
        revoke(stranger)
        told = list(stream.events())
    assert [(item.event, item.data) for item in told] == [("end", {"why": "revoked"})]


def test_watching_extends_no_session_and_leaves_others_alone() -> None:
    run = make_run()
    cookie = cookie_of(patient_of(run))
    before = Session.objects.values().get()
    leaver = make_user(Role.AUDITOR)
    with serving(quick()) as port, Stream(port, run.pk, cookie, "?after=1") as stream:
        with Stream(port, run.pk, cookie_of(leaver), "?after=1") as other:
            deactivate(leaver)
            assert [told.event for told in other.events()] == ["end"]
        say(run.pk, 1)
        assert [told.event for told in stream.take(1)] == ["message"]
    assert Session.objects.values().get(pk=before["session_key"]) == before


def test_silence_is_filled_with_comments() -> None:
    run = make_run()
    with (
        serving(quick(heartbeat=0.05)) as port,
        Stream(port, run.pk, cookie_of(patient_of(run)), "?after=1") as stream,
    ):
        lines = stream.lines()
        assert [next(lines) for _ in range(6)] == ["retry: 1000", "", ": still here", "", ": still here", ""]


def test_a_client_that_takes_nothing_is_cut_and_others_are_not() -> None:
    run = make_run()
    cookie, live = cookie_of(patient_of(run)), quick(send_timeout=0.2)
    with serving(live, send_buffer=4096) as port, Stream(port, run.pk, cookie, "?after=1") as reader:
        stalled = socket.socket()
        stalled.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        stalled.connect(("127.0.0.1", port))
        stalled.sendall(
            f"GET /live/{run.pk}/?after=1 HTTP/1.1\r\nHost: localhost\r\nCookie: {cookie}\r\n\r\n".encode()
        )
        reading, last = reader.events(), 1
        while sum(len(channel.subscribers) for channel in live.channels.values()) < 2:
            time.sleep(0.01)
        deadline = time.monotonic() + PATIENCE
        while live.watching()[1:]:
            assert time.monotonic() < deadline, "the stalled client was not cut"
            last = say(run.pk, *range(1, 9), padding="x" * 2000)
            while next(reading).id != last:
                pass
        say(run.pk, 1)
        assert next(reading).id == last + 1
        stalled.close()


@pytest.mark.parametrize(
    ("role", "status"), [(Role.PATIENT, 404), (Role.RECEPTIONIST, 403), (Role.TECHNICIAN, 404)]
)
def test_who_may_not_watch_is_refused_and_it_is_recorded(role: str, status: int) -> None:
    run, stranger = make_run(), make_user(role)
    with serving(quick()) as port:
        assert ask(port, f"/live/{run.pk}/", cookie_of(stranger)).status == status
    entry = Entry.objects.get(action="access.denied")
    assert (entry.actor, entry.subject, entry.run) == (f"user:{stranger.pk}", "url:erasure:live", run.pk)


def test_other_requests_are_refused() -> None:
    run = make_run()
    cookie = cookie_of(patient_of(run))
    with serving(quick()) as port:
        assert ask(port, f"/live/{run.pk}/").status == 401
        assert ask(port, f"/live/{run.pk}/", "sessionid=invented").status == 401
        assert ask(port, f"/live/{run.pk}/", cookie, method="POST").status == 405
        assert ask(port, f"/live/{run.pk}/", cookie, Host="elsewhere.example").status == 400
        assert ask(port, f"/live/{run.pk}/x", cookie).status == 404
        assert ask(port, f"/live/{UUID(int=0)}/", cookie).status == 404


def test_nothing_is_left_of_viewers_who_went() -> None:
    run = make_run()
    cookie, live = cookie_of(patient_of(run)), quick()
    with serving(live) as port:
        for _turn in range(3):
            with Stream(port, run.pk, cookie, "?after=0") as stream:
                stream.take(1)
        deadline = time.monotonic() + PATIENCE
        while live.channels:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        assert live.tailer is not None
        assert live.tailer.channels == frozenset()


def test_a_pause_is_told() -> None:
    run = make_run()
    with serving(quick()) as port, Stream(port, run.pk, cookie_of(patient_of(run)), "?after=1") as stream:
        pause(run.pk, by=patient_of(run), why=Run.Why.SAFE_WORD)
        (told,) = stream.take(1)
    assert (told.data["kind"], told.data["why"]) == ("paused", "safe-word")
    assert told.data["text"] == "The safe word was said. Everything has stopped."
