"""E10: no process that lives on after the certificate remembers the night, or the certificate names it."""

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
from tests.erasure.runs.nights import doctor_of, stopped
from tests.factories import jpeg, make_case, make_keepsake, make_memory, make_procedure
from tests.house import until, until_certified
from tests.serving import Stream, ask, cookie_of

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.processes]


def night() -> tuple[Run, dict[str, bytes]]:
    """A run of two memories, and what nobody may remember of it: words, and a piece of each original."""
    case, words = make_case(), {}
    for i in range(2):
        words[f"title {i}"] = title = f"Montauk {secrets.token_hex(12)}"
        words[f"caption {i}"] = caption = f"Ice {secrets.token_hex(12)}"
        picture = jpeg((400, 300))
        make_keepsake(make_memory(case, title, f"2003-02-{i + 1:02d}"), picture, caption=caption)
        words[f"original {i}"] = picture[len(picture) // 2 :][:48].hex()
    needles = {
        name: bytes.fromhex(word) if name.startswith("original") else word.encode()
        for name, word in words.items()
    }
    return start_run(make_procedure(case, pace=4).pk, by=None), needles


def remembered(pid: int, needles: dict[str, bytes]) -> set[str]:
    """Which of the needles lie in the memory of a process."""
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
    """Every process of the house: the parent, its children and theirs."""
    parents = {}
    for place in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            parents[int(place.name)] = int((place / "stat").read_text().rpartition(")")[2].split()[1])
    mine = {served.process.pid}
    while more := {pid for pid, parent in parents.items() if parent in mine} - mine:
        mine |= more
    return mine


def rememberers(pids: Iterable[int], needles: dict[str, bytes]) -> dict[int, set[str]]:
    found = {}
    for pid in pids:
        with suppress(FileNotFoundError, ProcessLookupError):
            if words := remembered(pid, needles):
                found[pid] = words
    return found


class Visitor(threading.Thread):
    """Asks for a page again and again, each time on a new connection and once more on one that is kept."""

    def __init__(self, port: int, cookie: str, page: str) -> None:
        super().__init__()
        self.port, self.cookie, self.page = port, cookie, page
        self.over, self.failed, self.answered = threading.Event(), list[object](), 0

    def run(self) -> None:
        while not self.over.wait(0.02):
            try:
                answer = ask(self.port, self.page, self.cookie)
                answer.read()
                if answer.status != 200:
                    self.failed.append(answer.status)
                self.answered += 1
            except (OSError, http.client.HTTPException) as error:
                self.failed.append(repr(error))


class Watcher(threading.Thread):
    """Watches a run as a browser does: when its stream is closed, it comes back after its last event."""

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
                    for told in stream.events():
                        if told.id is not None and told.event == "message":
                            self.seqs.append(told.id)
                            self.kinds.append(told.data["kind"])
        except Exception as error:  # reported by the test
            self.failed.append(repr(error))


def test_e10_after_the_certificate_nobody_remembers_the_night() -> None:
    run, needles = night()
    doctor = doctor_of(run)
    cookie = cookie_of(doctor)
    page = reverse("erasure:session", args=[run.pk])
    # The worker stands still for a moment with its first original in its hands: then it can be found there.
    with serve("--workers", "1", LACUNA_POINT="row:1", LACUNA_POINT_SIGNAL="STOP") as served:
        before = served.until_whole()
        until(lambda: stopped(before["work"]), "a worker has seen an original")
        answer = ask(served.port, page, cookie)
        assert answer.status == 200
        assert needles["title 0"] in answer.read()
        known = rememberers(tree_of(served), needles)
        assert "title 0" in known[before["erasure.operations.web"]]
        assert "original 1" in known[before["work"]]
        visitor, watcher = Visitor(served.port, cookie, page), Watcher(served.port, run, doctor)
        visitor.start()
        watcher.start()
        os.kill(before["work"], signal.SIGCONT)
        until_certified(run)
        now = served.until_whole()
        assert rememberers(tree_of(served), needles) == {}
        watcher.join(60)
        visitor.over.set()
        visitor.join(60)
        assert set(now.values()).isdisjoint(before.values())
        assert visitor.failed == watcher.failed == []
        assert visitor.answered > 10
        assert watcher.streams > 1
        assert watcher.seqs == list(range(1, watcher.seqs[-1] + 1))
        assert served.end(signal.SIGTERM) == ""
    place = processes_place(run)
    assert (place["found"], place["why"], place["looked-for"]) == ("clean", "renewed", 3)
    connection.close()


def processes_place(run: Run) -> dict[str, object]:
    run.refresh_from_db()
    places = run.certificate.statement["verification"]["places"]
    return next(place for place in places if place["place"] == "processes")


def test_e10_a_web_server_that_does_not_leave_in_time_is_named() -> None:
    """It stands still, so it neither ends its answers nor leaves: the certificate says so after its time."""
    run, _needles = night()
    with serve("--workers", "1", LACUNA_RENEWAL_SECONDS="3") as served:
        web = served.until_whole()["erasure.operations.web"]
        assert ask(served.port, "/").status == 200
        os.kill(web, signal.SIGSTOP)
        until_certified(run)
        place = processes_place(run)
        assert (place["found"], place["why"]) == ("not-checkable", f"web-{web}")
        assert run.certificate.statement["verification"]["result"] == "clean"
        os.kill(web, signal.SIGCONT)
        until(lambda: not Path(f"/proc/{web}").exists(), "it leaves once it can")
        assert served.end(signal.SIGTERM) == ""


def test_e10_a_frozen_worker_is_ended_before_the_certificate() -> None:
    """There are 26 passes, so one of the two workers at most comes to its fourteenth."""
    run, _needles = night()
    env = {"LACUNA_LEASE_SECONDS": "1", "LACUNA_POINT": "cleared:14", "LACUNA_POINT_SIGNAL": "STOP"}
    with serve("--workers", "2", "--no-web", **env) as served:
        until_certified(run)
        assert processes_place(run)["found"] == "clean"
        served.end(signal.SIGTERM)
