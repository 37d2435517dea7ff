"""The stream of the page for the bed: a token opens it, it has no names, and it ends with the token."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

import pytest
from django.conf import settings
from django.contrib.sessions.models import Session
from django.db import transaction
from django.utils import timezone

from clinic.accounts.models import Role, User
from clinic.people.changes import set_active
from erasure.bedside.models import BedToken
from erasure.bedside.tokens import MAX_TOKEN_AGE, cookie_name, end_tokens
from erasure.live.app import Live
from erasure.procedures.models import Procedure
from erasure.runs.events import NewEvent, emit
from erasure.runs.models import Run
from patients.consent.signing import withdraw
from tests.erasure.bedside.beds import open_bed
from tests.erasure.runs.nights import technician_of
from tests.factories import make_case, make_keepsake, make_memory, make_procedure, make_run, make_user
from tests.serving import Stream, ask, cookie_of, serving

pytestmark = pytest.mark.django_db(transaction=True)


@dataclass
class BedStream(Stream):
    """The stream that the page for the bed opens. Its field `run` holds the id of the procedure instead."""

    def __enter__(self) -> "BedStream":
        self.answer = ask(self.port, f"/bed/live/{self.run}/{self.query}", self.cookie, **self.headers)
        assert self.answer.status == 200, self.answer.read()
        return self


def bed_cookie(procedure: Procedure) -> str:
    """The Cookie header of a browser with a token of the night, and no session."""
    return f"{cookie_name()}={open_bed(procedure).cookies[cookie_name()].value}"


def emit_started(run: Run, number: int) -> None:
    with transaction.atomic():
        emit(run.pk, NewEvent("memory-started", {"n": number}))


def patient_of(run: Run) -> User:
    patient: User = run.procedure.case.patient
    return patient


def test_the_token_alone_opens_the_stream_and_it_has_no_names() -> None:
    run = make_run(1)
    cookie = bed_cookie(run.procedure)
    with serving(Live()) as port, BedStream(port, run.procedure_id, cookie, "?after=1") as stream:
        emit_started(run, 1)
        (received,) = stream.take(1)
    assert received.data["text"] == "Memory 1 begins to fade."


def test_a_page_without_a_last_seq_receives_the_state_without_names_and_controls() -> None:
    run = make_run(1)
    cookie = bed_cookie(run.procedure)
    with serving(Live()) as port, BedStream(port, run.procedure_id, cookie) as stream:
        (received,) = stream.take(1)
    assert received.event == "state"
    assert (received.data["patient"], received.data["subject"], received.data["people"]) == (None, None, None)
    assert set(received.data["controls"].values()) == {None}
    assert {memory["title"] for memory in received.data["memories"]} == {None}


def test_the_token_opens_no_other_stream() -> None:
    mine, other = make_run(1), make_run(1)
    cookie = bed_cookie(mine.procedure)
    with serving(Live()) as port:
        statuses = [
            ask(port, path, cookie).status
            for path in (
                f"/live/{mine.pk}/",
                f"/live/{mine.pk}/?wall",
                f"/bed/live/{other.procedure_id}/",
                f"/bed/live/{mine.pk}/",
            )
        ]
        shared = ask(port, f"/live/?run={mine.pk}.1&owner=", cookie).read()
    assert statuses == [401, 401, 401, 401]
    assert b'"revoked"' in shared


def test_before_the_night_there_is_no_stream() -> None:
    case = make_case()
    make_keepsake(make_memory(case))
    procedure = make_procedure(case)
    with serving(Live()) as port:
        assert ask(port, f"/bed/live/{procedure.pk}/", bed_cookie(procedure)).status == 404


def test_the_patient_follows_it_with_a_session_and_nobody_else_does() -> None:
    run = make_run(1)
    people = [patient_of(run), technician_of(run), make_user(Role.AUDITOR), make_user(Role.PATIENT)]
    with serving(Live()) as port:
        statuses = []
        for person in people:
            answer = ask(port, f"/bed/live/{run.procedure_id}/", cookie_of(person))
            statuses.append(answer.status)
            answer.close()
    assert statuses == [200, 403, 403, 404]


ENDS: dict[str, Callable[[Run], object]] = {
    "closed by staff": lambda run: end_tokens(BedToken.objects.all(), "staff", by=technician_of(run)),
    "signed out everywhere": lambda run: patient_of(run).end_sessions(),
    "account closed": lambda run: set_active(patient_of(run), False, by=make_user(Role.ADMINISTRATOR)),
    "withdrawn": lambda run: withdraw(run.procedure.case, by=patient_of(run)),
    "too old": lambda run: BedToken.objects.update(opened_at=timezone.now() - MAX_TOKEN_AGE - timedelta(1)),
    "another passphrase": lambda run: new_passphrase(patient_of(run)),
}


def new_passphrase(user: User) -> None:
    user.set_password("a quiet river under stones")
    user.save(update_fields=["password"])


@pytest.mark.parametrize("way", ENDS)
def test_z8_a_stream_opened_by_the_token_ends_within_five_seconds_after_it_is_revoked(way: str) -> None:
    """With the intervals of production."""
    run = make_run(1)
    cookie = bed_cookie(run.procedure)
    with serving(Live()) as port, BedStream(port, run.procedure_id, cookie, "?after=1") as stream:
        emit_started(run, 1)
        stream.take(1)
        began = time.monotonic()
        ENDS[way](run)
        events = [event for event in stream.events() if event.event == "end"]
        assert [event.data["why"] for event in events] == ["revoked"]
        assert time.monotonic() - began < 5
        assert ask(port, f"/bed/live/{run.procedure_id}/", cookie).status == 401


def test_the_stream_goes_on_after_the_session_has_ended() -> None:
    run = make_run(1)
    cookie = bed_cookie(run.procedure)
    assert settings.SESSION_COOKIE_NAME not in cookie
    with (
        serving(Live(revoke_every=0.05)) as port,
        BedStream(port, run.procedure_id, cookie, "?after=1") as stream,
        BedStream(port, run.procedure_id, cookie_of(patient_of(run)), "?after=1") as by_session,
    ):
        Session.objects.all().delete()
        assert [event.event for event in by_session.events()] == ["end"]
        emit_started(run, 1)
        (received,) = stream.take(1)
    assert received.event == "message"
