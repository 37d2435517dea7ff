"""E10: after the certificate no process has data of the run in its memory, or the certificate names it."""

import http.client
import os
import re
import secrets
import signal
import threading
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import pytest
from django.db import connection
from django.urls import reverse

from clinic.accounts.models import User
from erasure.runs.models import Run
from erasure.runs.planning import start_run
from tests.erasure.operations.served import Served, serve
from tests.erasure.runs.nights import doctor_of, is_stopped
from tests.factories import jpeg, make_case, make_keepsake, make_memory, make_procedure
from tests.processes import until, until_certified
from tests.serving import Stream, ask, cookie_of

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.processes]


def start_run_with_needles() -> tuple[Run, dict[str, bytes]]:
    """A run of two memories, and its needles: texts and pieces of originals that no process may remember."""
    case, texts = make_case(), {}
    for i in range(2):
        texts[f"title {i}"] = title = f"Montauk {secrets.token_hex(12)}"
        texts[f"caption {i}"] = caption = f"Ice {secrets.token_hex(12)}"
        picture = jpeg((400, 300))
        make_keepsake(make_memory(case, title, f"2003-02-{i + 1:02d}"), picture, caption=caption)
        texts[f"original {i}"] = picture[len(picture) // 2 :][:48].hex()
    needles = {
        name: bytes.fromhex(word) if name.startswith("original") else word.encode()
        for name, word in texts.items()
    }
    return start_run(make_procedure(case, pace=4).pk, by=None), needles


def needles_in_memory(pid: int, needles: dict[str, bytes]) -> set[str]:
    """The names of the needles in the memory of a process."""
    found = set()
    with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:  # noqa: PTH123
        for line in maps:
            area = re.match(r"([0-9a-f]+)-([0-9a-f]+) r", line)
            if area is None or line.rstrip().endswith(("[vvar]", "[vsyscall]")):
                continue
            first, last = (int(number, 16) for number in area.groups())
            with suppress(OSError, ValueError, OverflowError):
                memory.seek(first)
                content = memory.read(last - first)
                found |= {name for name, needle in needles.items() if needle in content}
    return found


def tree_of(served: Served) -> set[int]:
    """The ids of all processes of the server: the parent, its children and theirs."""
    parents = {}
    for directory in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            parents[int(directory.name)] = int((directory / "stat").read_text().rpartition(")")[2].split()[1])
    tree = {served.process.pid}
    while more := {pid for pid, parent in parents.items() if parent in tree} - tree:
        tree |= more
    return tree


def processes_with_needles(pids: Iterable[int], needles: dict[str, bytes]) -> dict[int, set[str]]:
    found = {}
    for pid in pids:
        with suppress(FileNotFoundError, ProcessLookupError):
            if texts := needles_in_memory(pid, needles):
                found[pid] = texts
    return found


class Visitor(threading.Thread):
    """Requests a page again and again, each time on a new connection, until `stop` is set."""

    def __init__(self, port: int, cookie: str, page: str) -> None:
        super().__init__()
        self.port, self.cookie, self.page = port, cookie, page
        self.stop, self.failed, self.answered = threading.Event(), list[object](), 0

    def run(self) -> None:
        while not self.stop.wait(0.02):
            try:
                answer = ask(self.port, self.page, self.cookie)
                answer.read()
                if answer.status != 200:
                    self.failed.append(answer.status)
                self.answered += 1
            except (OSError, http.client.HTTPException) as error:
                self.failed.append(repr(error))


class Watcher(threading.Thread):
    """Follows a run's stream as a browser does: it reconnects after its last event."""

    def __init__(self, port: int, run: Run, person: User) -> None:
        super().__init__()
        self.port, self.run_id, self.cookie = port, run.pk, cookie_of(person)
        self.seqs, self.kinds, self.streams = list[int](), list[str](), 0
        self.failed: list[str] = []

    def run(self) -> None:
        try:
            while "certificate" not in self.kinds:
                after = f"?after={self.seqs[-1] if self.seqs else 0}"
                with Stream(self.port, self.run_id, self.cookie, after) as stream:
                    self.streams += 1
                    for event in stream.events():
                        if event.id is not None and event.event == "message":
                            self.seqs.append(event.id)
                            self.kinds.append(event.data["kind"])
        except Exception as error:  # the test asserts that there is none
            self.failed.append(repr(error))


def test_e10_after_the_certificate_no_process_remembers_the_run() -> None:
    run, needles = start_run_with_needles()
    doctor = doctor_of(run)
    cookie = cookie_of(doctor)
    page = reverse("erasure:session", args=[run.pk])
    # The worker is stopped while it has its first original in memory, so that it can be found there.
    with serve("--workers", "1", LACUNA_POINT="row:1", LACUNA_POINT_SIGNAL="STOP") as served:
        before = served.wait_for_children()
        until(lambda: is_stopped(before["work"]), "a worker has seen an original")
        answer = ask(served.port, page, cookie)
        assert answer.status == 200
        assert needles["title 0"] in answer.read()
        found_before = processes_with_needles(tree_of(served), needles)
        assert "title 0" in found_before[before["erasure.operations.web"]]
        assert "original 1" in found_before[before["work"]]
        visitor, watcher = Visitor(served.port, cookie, page), Watcher(served.port, run, doctor)
        visitor.start()
        watcher.start()
        os.kill(before["work"], signal.SIGCONT)
        until_certified(run)
        children_after = served.wait_for_children()
        assert processes_with_needles(tree_of(served), needles) == {}
        watcher.join(60)
        visitor.stop.set()
        visitor.join(60)
        assert set(children_after.values()).isdisjoint(before.values())
        assert visitor.failed == watcher.failed == []
        assert visitor.answered > 10
        assert watcher.streams > 1
        assert watcher.seqs == list(range(1, watcher.seqs[-1] + 1))
        assert served.end(signal.SIGTERM) == ""
    place = processes_place(run)
    assert (place["found"], place["why"], place["looked-for"]) == ("clean", "renewed", 3)
    connection.close()


def processes_place(run: Run) -> dict[str, object]:
    """What the certificate says of the processes, one of the places that the verifier looks at."""
    run.refresh_from_db()
    places = run.certificate.statement["verification"]["places"]
    return next(place for place in places if place["place"] == "processes")


def test_e10_a_web_server_that_does_not_exit_in_time_is_named() -> None:
    """The web server is stopped, so it does not exit. After the time limit the certificate says so."""
    run, _needles = start_run_with_needles()
    with serve("--workers", "1", LACUNA_RENEWAL_SECONDS="3") as served:
        web = served.wait_for_children()["erasure.operations.web"]
        assert ask(served.port, "/").status == 200
        os.kill(web, signal.SIGSTOP)
        until_certified(run)
        place = processes_place(run)
        assert (place["found"], place["why"]) == ("not-checkable", f"web-{web}")
        assert run.certificate.statement["verification"]["result"] == "clean"
        os.kill(web, signal.SIGCONT)
        until(lambda: not Path(f"/proc/{web}").exists(), "it exits as soon as it can")
        assert served.end(signal.SIGTERM) == ""


def test_e10_a_frozen_worker_is_ended_before_the_certificate() -> None:
    """There are 26 passes, so at most one of the two workers reaches its fourteenth and freezes."""
    run, _needles = start_run_with_needles()
    env = {"LACUNA_LEASE_SECONDS": "1", "LACUNA_POINT": "cleared:14", "LACUNA_POINT_SIGNAL": "STOP"}
    with serve("--workers", "2", "--no-web", **env) as served:
        until_certified(run)
        assert processes_place(run)["found"] == "clean", processes_place(run)
        served.end(signal.SIGTERM)
