"""The event stream over HTTP from a real server, while other threads write events."""

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


def emit_started(run_id: UUID, *numbers: int, **data: object) -> int:
    """Emit an event "memory-started" for each of these memories; return the seq of the last."""
    with transaction.atomic():
        return emit(run_id, *(NewEvent("memory-started", {"n": n, **data}) for n in numbers))


def patient_of(run: Run) -> User:
    return run.procedure.case.patient


def make_live(**options: float) -> Live:
    """The streaming application. It checks rights every 0.05 seconds. options: arguments of `Live`."""
    return Live(**{"heartbeat": 60.0, "send_timeout": 60.0, "revoke_every": 0.05, **options})


def write_from_threads(run_id: UUID, writers: int, each: int) -> list[threading.Thread]:
    def write() -> None:
        for number in range(each):
            emit_started(run_id, number)
        connection.close()

    threads = [threading.Thread(target=write) for _ in range(writers)]
    for thread in threads:
        thread.start()
    return threads


def test_a_viewer_who_comes_and_goes_receives_every_event_once_and_in_order() -> None:
    run = make_run()
    cookie, seqs = cookie_of(patient_of(run)), [run.last_seq or 1]
    first = seqs[0]
    with serving(make_live()) as port:
        threads = write_from_threads(run.pk, writers=3, each=25)
        while seqs[-1] < first + 75:
            headers = {"Last-Event-ID": str(seqs[-1])}
            with Stream(port, run.pk, cookie, "?after=0", headers) as stream:
                stay = random.randint(1, 9)  # noqa: S311
                events = stream.events()
                while stay and seqs[-1] < first + 75:
                    received = next(events)
                    assert (received.event, received.id, received.data["seq"]) == (
                        "message",
                        seqs[-1] + 1,
                        received.id,
                    )
                    seqs.append(received.data["seq"])
                    stay -= 1
        for thread in threads:
            thread.join()
    assert seqs == list(range(first, first + 76))


def test_all_viewers_receive_the_same_events() -> None:
    run = make_run()
    cookie = cookie_of(patient_of(run))
    with serving(make_live()) as port:
        streams = [Stream(port, run.pk, cookie, "?after=1").__enter__() for _ in range(5)]
        for thread in write_from_threads(run.pk, writers=2, each=5):
            thread.join()
        received = [[item.id for item in stream.take(10)] for stream in streams]
        for stream in streams:
            stream.answer.close()
    assert received == [list(range(2, 12))] * 5


def test_an_event_has_its_text_and_counts() -> None:
    run = make_run(memories=2)
    with serving(make_live()) as port, Stream(port, run.pk, cookie_of(patient_of(run)), "?after=1") as stream:
        emit_started(run.pk, 2)
        (received,) = stream.take(1)
        protect(run.pk, run.steps.get(memory__number=2).memory_id, by=patient_of(run))
        (kept,) = stream.take(1)
    assert received.data.pop("at")
    assert received.data == {
        "run": str(run.pk),
        "seq": 2,
        "kind": "memory-started",
        "n": 2,
        "text": "Memory 2 “Photo 1” begins to fade.",
        "counts": {"map": 2, "destroyed": 0, "protected": 0, "off": 0},
        "remaining_s": None,
    }
    assert kept.data["counts"] == {"map": 1, "destroyed": 0, "protected": 1, "off": 0}
    assert kept.data["text"] == "Memory 2 “Photo 1” is kept."


def test_a_viewer_without_names_receives_neither_titles_nor_pictures() -> None:
    run = make_run()
    auditor, doctor = cookie_of(make_user(Role.AUDITOR)), cookie_of(make_user(Role.DOCTOR))
    with (
        serving(make_live()) as port,
        Stream(port, run.pk, auditor, "?after=1") as nameless,
        Stream(port, run.pk, doctor, "?wall&after=1") as wall,
        Stream(port, run.pk, doctor, "?after=1") as named,
    ):
        emit_started(run.pk, 1, picture="2b0c8a4e-0000-4000-8000-000000000000")
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
def test_a_client_that_cannot_continue_receives_the_current_state(query: str) -> None:
    run = make_run()
    emit_started(run.pk, *range(1, 10))
    with (
        serving(make_live(ring=4)) as port,
        Stream(port, run.pk, cookie_of(patient_of(run)), query) as stream,
    ):
        (state,) = stream.take(1)
        emit_started(run.pk, 1)
        (received,) = stream.take(1)
    assert (state.event, state.id) == ("state", 10)
    assert (state.data["seq"], state.data["run"]) == (10, str(run.pk))
    assert (received.event, received.id) == ("message", 11)


def test_a_client_behind_by_at_most_the_ring_receives_the_missing_events() -> None:
    run = make_run()
    emit_started(run.pk, *range(1, 10))
    with (
        serving(make_live(ring=4)) as port,
        Stream(port, run.pk, cookie_of(patient_of(run)), "?after=6") as stream,
    ):
        assert [received.id for received in stream.take(4)] == [7, 8, 9, 10]


def test_the_stream_of_a_run_that_is_over_ends() -> None:
    run = make_run(memories=1)
    with serving(make_live()) as port, Stream(port, run.pk, cookie_of(patient_of(run)), "?after=1") as stream:
        advance(run.pk)
        received = list(stream.events())
    run.refresh_from_db()
    assert run.certificate
    assert [item.id for item in received[:-1]] == list(range(2, run.last_seq + 1))
    assert (received[-1].event, received[-1].data) == ("end", {"run": str(run.pk), "why": "over"})


def test_a_destroyed_memory_has_no_title_when_its_events_are_sent_again() -> None:
    run = make_run(memories=1)
    cookie = cookie_of(patient_of(run))
    with serving(make_live()) as port:
        with Stream(port, run.pk, cookie, "?after=1") as stream:
            emit_started(run.pk, 1)
            assert "Photo 0" in stream.take(1)[0].data["text"]
        advance(run.pk)
        with Stream(port, run.pk, cookie, "?after=1") as stream:
            again = list(stream.events())
    assert again[0].data["text"] == "Memory 1 begins to fade."
    assert not [received for received in again if "Photo 0" in str(received.data)]


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
def test_z8_the_stream_ends_when_its_viewer_loses_access(revoke: Callable[[User], None]) -> None:
    run, auditor = make_run(), make_user(Role.AUDITOR)
    with serving(make_live()) as port, Stream(port, run.pk, cookie_of(auditor), "?after=1") as stream:
        revoke(auditor)
        received = list(stream.events())
    assert [(item.event, item.data) for item in received] == [("end", {"run": str(run.pk), "why": "revoked"})]


def test_watching_extends_no_session_and_leaves_others_alone() -> None:
    run = make_run()
    cookie = cookie_of(patient_of(run))
    before = Session.objects.values().get()
    leaver = make_user(Role.AUDITOR)
    with serving(make_live()) as port, Stream(port, run.pk, cookie, "?after=1") as stream:
        with Stream(port, run.pk, cookie_of(leaver), "?after=1") as other:
            deactivate(leaver)
            assert [received.event for received in other.events()] == ["end"]
        emit_started(run.pk, 1)
        assert [received.event for received in stream.take(1)] == ["message"]
    assert Session.objects.values().get(pk=before["session_key"]) == before


def test_silence_is_filled_with_comments() -> None:
    run = make_run()
    with (
        serving(make_live(heartbeat=0.05)) as port,
        Stream(port, run.pk, cookie_of(patient_of(run)), "?after=1") as stream,
    ):
        lines = stream.lines()
        assert [next(lines) for _ in range(6)] == ["retry: 1000", "", ": still here", "", ": still here", ""]


def test_a_client_that_reads_nothing_is_disconnected_and_others_are_not() -> None:
    run = make_run()
    cookie, live = cookie_of(patient_of(run)), make_live(send_timeout=0.2)
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
            last = emit_started(run.pk, *range(1, 9), padding="x" * 2000)
            while next(reading).id != last:
                pass
        emit_started(run.pk, 1)
        assert next(reading).id == last + 1
        stalled.close()


@pytest.mark.parametrize(
    ("role", "status"), [(Role.PATIENT, 404), (Role.RECEPTIONIST, 403), (Role.TECHNICIAN, 404)]
)
def test_a_viewer_without_access_is_refused_and_the_denial_is_recorded(role: str, status: int) -> None:
    run, stranger = make_run(), make_user(role)
    with serving(make_live()) as port:
        assert ask(port, f"/live/{run.pk}/", cookie_of(stranger)).status == status
    entry = Entry.objects.get(action="access.denied")
    assert (entry.actor, entry.subject, entry.run) == (f"user:{stranger.pk}", "url:erasure:live", run.pk)


def test_invalid_requests_are_refused() -> None:
    run = make_run()
    cookie = cookie_of(patient_of(run))
    with serving(make_live()) as port:
        assert ask(port, f"/live/{run.pk}/").status == 401
        assert ask(port, f"/live/{run.pk}/", "sessionid=invented").status == 401
        assert ask(port, f"/live/{run.pk}/", cookie, method="POST").status == 405
        assert ask(port, f"/live/{run.pk}/", cookie, Host="elsewhere.example").status == 400
        assert ask(port, f"/live/{run.pk}/x", cookie).status == 404
        assert ask(port, f"/live/{UUID(int=0)}/", cookie).status == 404


def test_no_channel_is_left_after_its_viewers_left() -> None:
    run = make_run()
    cookie, live = cookie_of(patient_of(run)), make_live()
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


def test_a_pause_is_sent_with_its_reason() -> None:
    run = make_run()
    with serving(make_live()) as port, Stream(port, run.pk, cookie_of(patient_of(run)), "?after=1") as stream:
        pause(run.pk, by=patient_of(run), why=Run.Why.SAFE_WORD)
        (received,) = stream.take(1)
    assert (received.data["kind"], received.data["why"]) == ("paused", "safe-word")
    assert received.data["text"] == "The safe word was said. Everything has stopped."
