"""The demonstration opens early: a page that waits, then the clinic, while patients still come in."""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from django.conf import settings as django_settings
from django.test import Client

from erasure.demo import progress
from erasure.demo.people_and_rooms import create_people_and_rooms, patients_to_come
from erasure.demo.waiting_page import PAST_NIGHTS, REFRESH, STYLE, waiting_page
from erasure.operations.process_tree import listen
from erasure.renewal.models import ServerProcess
from erasure.renewal.processes import add_process
from patients.cases.opening import open_case
from tests.erasure.demo.test_absence import URL


def ask(
    port: int, path: str, language: str = "en", method: str = "GET"
) -> tuple[http.client.HTTPResponse, str]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    connection.request(method, path, headers={"Accept-Language": language})
    answer = connection.getresponse()
    return answer, answer.read().decode()


def test_the_waiting_page_says_what_is_done_and_reloads_itself() -> None:
    threads_before = threading.active_count()
    listener = listen("127.0.0.1", 0)
    port = listener.getsockname()[1]
    with waiting_page(listener) as preparation:
        answer, page = ask(port, "/anything/?next=/")
        assert (answer.status, answer.headers["Refresh"]) == (503, str(REFRESH))
        assert "script" not in page.lower()
        assert page.count('aria-current="step"') == 1
        preparation.step = PAST_NIGHTS
        answer, page = ask(port, "/", "xx;q=1, vi;q=0.9, en;q=0.5")
        assert 'lang="vi"' in page
        assert page.count("xong") == PAST_NIGHTS
        answer, _style = ask(port, STYLE)
        assert (answer.status, answer.headers["Content-Type"]) == (200, "text/css; charset=utf-8")
        assert ask(port, "/", method="HEAD")[1] == ""
        assert ask(port, "/account/login/", method="POST")[0].status == 503
        # A browser may connect and send nothing yet. Others are answered meanwhile.
        silent = socket.create_connection(("127.0.0.1", port))
        assert ask(port, "/")[0].status == 503
    assert threading.active_count() == threads_before
    silent.close()
    # A connection made now waits for the clinic's server, which accepts on the same socket.
    waiting = socket.create_connection(("127.0.0.1", port))
    accepted, _address = listener.accept()
    for one in (waiting, accepted, listener):
        one.close()


@pytest.mark.django_db
def test_patients_who_still_come_cannot_be_signed_in(demonstration: None, client: Client) -> None:
    people = create_people_and_rooms()
    open_case(people["joel"], by=people["joel"])
    progress.begin_loading()
    try:
        page = client.get("/account/login/").content.decode()
        assert "some patients still come in" in page
        assert page.count("disabled") == len(patients_to_come()) > 10
        assert {"joel", "stan"}.isdisjoint(patients_to_come())
        refused = client.post(URL, {"person": "sylvia"}, follow=True)
        assert "still being loaded" in refused.content.decode()
        assert "_auth_user_id" not in client.session
        client.post(URL, {"person": "joel"})
        assert client.session["_auth_user_id"] == str(people["joel"].pk)
    finally:
        progress.end_loading()
    page = client.get("/").content.decode()
    assert "some patients still come in" not in page


@pytest.mark.django_db
def test_the_sign_in_page_says_that_loading_was_interrupted(demonstration: None, client: Client) -> None:
    create_people_and_rooms()
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    file = Path(django_settings.LACUNA_DATA_DIR) / progress.FILE
    file.write_text(json.dumps({"pid": ended.pid, "started": "1"}))
    try:
        assert "Loading was interrupted" in client.get("/account/login/").content.decode()
    finally:
        file.unlink()


@pytest.mark.django_db
def test_certificates_wait_for_the_process_that_loads() -> None:
    add_process("demo", ends_by_itself=True)
    assert ServerProcess.objects.get().renewable is True


@pytest.mark.processes
@pytest.mark.timeout(200)
def test_an_interrupted_demonstration_can_be_started_again(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    env = {**os.environ, "LACUNA_DEMO": "1", "LACUNA_DATA_DIR": str(tmp_path)}
    for cleared in (False, True):
        demo = subprocess.Popen(  # noqa: S603 - our own interpreter and command
            [sys.executable, "manage.py", "demo", "--port", str(port)],
            cwd=django_settings.BASE_DIR,
            env={**env, "DJANGO_SETTINGS_MODULE": "clinic.settings"},
            stdout=subprocess.PIPE,
            text=True,
            process_group=0,
        )
        assert demo.stdout is not None
        lines = iter(demo.stdout.readline, "")
        first_line = next(line for line in lines if "database" in line or "Clearing" in line)
        if cleared:
            assert first_line == "Clearing the previous demonstration\n"
            next(line for line in lines if "database" in line)
        assert ask(port, "/")[0].status == 503
        demo.send_signal(signal.SIGINT)
        rest = demo.stdout.read()  # ends when the process that loads has ended too
        assert "begins anew" in rest
        assert demo.wait() == 0
