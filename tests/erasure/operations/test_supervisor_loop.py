"""The supervisor's loops go on when one of their steps fails."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta

import pytest
from django.contrib.sessions.models import Session
from django.db import OperationalError
from django.utils import timezone
from pytest_django import Settings

from clinic.outgoing.models import OutgoingMessage
from erasure.operations import supervisor_loop
from erasure.operations.supervisor_loop import (
    SLOW_INTERVAL,
    MailLoop,
    Supervision,
    UpkeepLoop,
    keys_used_elsewhere,
    supervise,
)
from erasure.runs.control import call_doctor
from erasure.runs.models import CallNotice, Run
from patients.keepsakes.models import Upload
from patients.vault.models import StoredObject
from patients.vault.objects import mark_for_destruction
from tests.factories import make_case, make_keepsake, make_memory, make_request, make_run
from tests.mailers import MEMORY, SMTP, send_mail_through
from tests.outgoing import deliver, pass_time
from tests.processes import until

pytestmark = pytest.mark.django_db(transaction=True)


def test_the_wait_grows_with_each_failure_and_shrinks_after_a_success(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    supervision, failing = Supervision(interval=0.2), [True]

    def tick() -> int:
        if failing[0]:
            raise OperationalError("the database is away")
        return 0

    monkeypatch.setattr(supervisor_loop, "tick", tick)
    assert [supervision.once() for _ in range(5)] == [0.4, 0.8, 1.6, 2.0, 2.0]
    failing[0] = False
    assert supervision.once() == 0.2
    failing[0] = True
    assert supervision.once() == 0.4


def test_an_error_in_the_code_is_not_swallowed(monkeypatch: pytest.MonkeyPatch) -> None:
    def tick() -> int:
        raise LookupError

    monkeypatch.setattr(supervisor_loop, "tick", tick)
    with pytest.raises(LookupError):
        Supervision().once()


def test_upkeep_sweeps_the_vault_once_per_slow_interval() -> None:
    first, second = (make_keepsake(make_memory(make_case())) for _ in range(2))
    upkeep = UpkeepLoop()
    mark_for_destruction(StoredObject.objects.filter(keepsake=first), "test")
    upkeep.once()
    assert not StoredObject.objects.filter(keepsake=first).remaining().exists()
    mark_for_destruction(StoredObject.objects.filter(keepsake=second), "test")
    upkeep.once()
    assert StoredObject.objects.filter(keepsake=second).doomed().exists()
    upkeep.slow_due -= SLOW_INTERVAL
    upkeep.once()
    assert not StoredObject.objects.filter(keepsake=second).remaining().exists()


def test_the_slow_round_deletes_expired_sessions() -> None:
    now = timezone.now()
    for key, expires in [("ended", now - timedelta(seconds=1)), ("live", now + timedelta(minutes=1))]:
        Session.objects.create(session_key=key, session_data="", expire_date=expires)
    Supervision().once()
    assert set(Session.objects.values_list("session_key", flat=True)) == {"live"}


def test_keys_of_uploads_and_requests_are_used_elsewhere() -> None:
    case = make_case()
    upload = Upload.objects.create(
        case=case, by=case.patient, length=10, expires_at=timezone.now() + timedelta(hours=1)
    )
    request = make_request()
    assert keys_used_elsewhere() == {upload.pk, request.pk}


def test_supervision_ends_when_it_is_stopped() -> None:
    stopping = threading.Event()
    stopping.set()
    before = threading.enumerate()
    Supervision().run(stopping)
    assert set(threading.enumerate()) <= set(before)


@contextmanager
def silent_mail_server(settings: Settings, timeout: float) -> Iterator[threading.Event]:
    """A mail server that never answers. Yields an event that is set by the first connection.

    timeout: seconds after which the sender must give up.
    """
    connected = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:
        host, port = server.getsockname()
        send_mail_through(settings, SMTP, host=host, port=port, timeout=timeout)

        def listen() -> None:
            taken = []
            with suppress(OSError):
                while True:
                    taken.append(server.accept())
                    connected.set()

        threading.Thread(target=listen, daemon=True).start()
        try:
            yield connected
        finally:
            server.shutdown(socket.SHUT_RDWR)


def test_a_silent_mail_server_delays_neither_the_loops_nor_the_next_try(settings: Settings) -> None:
    run = make_run(memories=1)
    call_doctor(run.pk, by=None)
    stopping = threading.Event()
    with silent_mail_server(settings, timeout=60) as connected:
        loops = threading.Thread(target=supervise, args=[0.01, stopping])
        loops.start()
        assert connected.wait(60), "nobody tried to send the message"
        # While the sender waits for an answer, the run is woken.
        until(lambda: Run.objects.get(pk=run.pk).woken_at is not None, "the run is woken")
        stopping.set()
        loops.join(60)
    assert not loops.is_alive()
    assert not OutgoingMessage.objects.filter(status="sent").exists()
    pass_time(timedelta(minutes=10))
    with silent_mail_server(settings, timeout=0.2):
        assert deliver() == 0
    send_mail_through(settings, MEMORY)
    pass_time(timedelta(minutes=10))
    assert deliver() > 0
    assert OutgoingMessage.objects.get(event="doctor-wanted").status == "sent"


def test_a_long_verification_delays_no_doctor_call(monkeypatch: pytest.MonkeyPatch) -> None:
    run = make_run(memories=1)
    verifying, verified, stopping = threading.Event(), threading.Event(), threading.Event()

    def certify_slowly() -> int:
        verifying.set()
        assert verified.wait(60)
        return 0

    monkeypatch.setattr(supervisor_loop, "certify_finished", certify_slowly)
    supervisor = threading.Thread(target=supervise, args=[0.01, stopping])
    supervisor.start()
    assert verifying.wait(60)
    call_doctor(run.pk, by=None)
    until(lambda: CallNotice.objects.get().sent_at is not None, "the doctor is told")
    until(lambda: Run.objects.get(pk=run.pk).woken_at is not None, "the night is woken")
    stopping.set()
    supervisor.join(0.5)
    assert supervisor.is_alive(), "the current step of upkeep is completed"
    verified.set()
    supervisor.join(60)
    assert not supervisor.is_alive()


def test_an_unexpected_error_in_one_loop_stops_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor_loop, "deliver_due", lambda: 1 / 0)
    stopping = threading.Event()
    with pytest.raises(ZeroDivisionError):
        MailLoop().run(stopping)
    assert stopping.is_set()
