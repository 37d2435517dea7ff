"""A run on several machines, woken through Redis, is completed although processes die and Redis is away."""

import os
import signal
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from erasure.runs import control
from erasure.runs.models import CallNotice, Event, Run
from patients.requests.tickets import new_ticket
from tests.erasure.operations.served import BY_REDIS, serve
from tests.erasure.runs.nights import check_end, technician_of
from tests.factories import make_run
from tests.mailers import MEMORY
from tests.processes import progress, until, until_certified
from tests.servers import RedisServer, running

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.processes]

MACHINE = ("--no-web", "--workers", "1")


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[RedisServer]:
    with running(server := RedisServer(tmp_path)):
        yield server


def count_passes(run: Run) -> int:
    return Event.objects.filter(run=run, kind="pass").count()


def woken_at(run: Run) -> datetime | None:
    return Run.objects.values_list("woken_at", flat=True).get(pk=run.pk)


def task_descriptions(redis: RedisServer, settings: Settings) -> set[str]:
    """The descriptions of all tasks that Redis has, in any state."""
    from erasure.task_queue.redis_queue import every_job

    settings.REDIS_URL = redis.url
    return {job.description for job in every_job()}


def test_a_run_is_certified_although_workers_and_machines_die(redis: RedisServer, settings: Settings) -> None:
    run = make_run(memories=3, letters=1, pace=1.5, kinds=("recording", "object"))
    env = {"LACUNA_REDIS": redis.url, "LACUNA_LEASE_SECONDS": "2", "LACUNA_SLICE_SECONDS": "1"}
    with serve(*MACHINE, **env) as one, serve(*MACHINE, **env) as other:
        for machine in (one, other):
            assert machine.greeting == "Lacuna works on runs here (Ctrl-C ends it)\n"
            until(lambda machine=machine: BY_REDIS in machine.children(), "each has its worker")
        until(lambda: count_passes(run) > 3, "the fade is under way", progress)
        for machine in (one, other):
            old = machine.children()[BY_REDIS]
            os.kill(old, signal.SIGKILL)
            until(
                lambda machine=machine, old=old: machine.children().get(BY_REDIS, old) != old,
                "it is started again",
            )
        before = count_passes(run)
        until(lambda: count_passes(run) > before + 3, "it goes on", progress)
        one.end(signal.SIGKILL)
        until(one.no_child_left, "no process of that machine is left")
        until_certified(run)
        assert task_descriptions(redis, settings) <= {f"erasure.jobs.tasks.advance_run('{run.pk}')"}
        other.end(signal.SIGTERM)
        assert other.process.returncode == 0
        assert other.no_child_left()
    check_end(run)
    places = Run.objects.get(pk=run.pk).certificate.statement["verification"]
    assert (places["queue"], places["cache"]) == ("clean", "clean")


def test_while_redis_is_away_controls_and_calls_work_and_later_the_run_goes_on(redis: RedisServer) -> None:
    run = make_run(memories=2, pace=2)
    env = {"LACUNA_REDIS": redis.url, "LACUNA_LEASE_SECONDS": "2", "LACUNA_SLICE_SECONDS": "1"}
    env["LACUNA_MAIL_BACKEND"] = MEMORY
    with serve(*MACHINE, **env) as machine:
        until(lambda: count_passes(run) > 2, "the fade is under way", progress)
        redis.stop()
        control.pause(run.pk, by=technician_of(run))
        control.call_doctor(run.pk, by=None)
        sent_notices = CallNotice.objects.filter(call__run=run, sent_at__isnull=False)
        until(sent_notices.exists, "the doctor is called although no worker can be woken")
        control.resume(run.pk, by=technician_of(run))
        for _time in range(2):  # the supervisor tries a second time only after the first has failed
            before = woken_at(run)
            until(lambda before=before: woken_at(run) != before, "the supervisor tries to wake a worker")
        redis.start()
        until_certified(run, "it goes on when Redis is back")
        output = machine.end(signal.SIGTERM)
    check_end(run)
    assert "Redis does not answer as LACUNA_REDIS says" in output
    assert "Traceback" not in output
    assert "is started again" not in output, "the worker waits for Redis and does not exit"


def test_without_redis_forms_are_answered_in_words(client: Client, settings: Settings) -> None:
    settings.CACHES = {
        "default": {
            "BACKEND": "django.core.cache.backends.redis.RedisCache",
            "LOCATION": "redis://127.0.0.1:1/0",
        }
    }
    request_form = {"name": "A visitor", "email": "visitor@lacuna.example", "ticket": new_ticket()}
    sign_in_form = {"login": "visitor@lacuna.example", "password": "whatever it was"}
    for page, sent in ((reverse("account_login"), sign_in_form), (reverse("patients:request"), request_form)):
        answer = client.post(page, sent)
        assert answer.status_code == 503
        assert answer.headers["Retry-After"] == "30"
        assert "Something does not answer." in answer.content.decode()
