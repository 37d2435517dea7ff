"""Functions of the verifier: how they recognise leftovers, and which reports are refused. No process."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from erasure.verification import confine
from erasure.verification.checks import EVERY
from erasure.verification.confine import StillWrites
from erasure.verification.machine import _is_dump
from erasure.verification.places import CLEAN, FOUND, may_be_text
from erasure.verification.process import NotVerified, read_report, verify_in_subprocess
from erasure.verification.rows import _has_sentence
from erasure.verification.traces import _may_quote_values

ROOT = Path(__file__).resolve().parents[3]
ELF, CORE, PROGRAM = b"\x7fELF" + bytes(12), b"\x04\x00", b"\x02\x00"


@pytest.mark.parametrize(
    ("head", "dump"),
    [
        (ELF + CORE, True),
        (ELF + CORE[::-1], True),
        (ELF + PROGRAM, False),
        (bytes(16) + CORE, False),
        (b"", False),
    ],
    ids=["core", "core of a big-endian machine", "a program", "another file", "empty"],
)
def test_a_core_dump_is_recognised_by_its_first_bytes(head: bytes, dump: bool, tmp_path: Path) -> None:
    file = tmp_path / "core.1"
    file.write_bytes(head)
    assert _is_dump(file) == dump
    assert not _is_dump(tmp_path / "nothing")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("one-word", False),
        ("two words", True),
        ("x" * 400, False),
        ("x" * 401, True),
        ({"a": ["b", ("two words",)]}, True),
        ({"two words": 1}, True),
        ([1, None, "id"], False),
    ],
    ids=["a word", "two words", "as long as may be", "too long", "inside", "a key", "no text"],
)
def test_values_that_may_be_text_are_recognised(value: object, text: bool) -> None:
    assert may_be_text(value) == text


@pytest.mark.parametrize(
    ("samples", "sentence"),
    [
        ('{"two words",word}', True),
        ('{"a,comma"}', False),
        ("{one,two} {three}", False),
        ("{word}", False),
        (None, False),
    ],
)
def test_a_sentence_in_postgresqls_statistics_is_recognised(samples: str | None, sentence: bool) -> None:
    assert _has_sentence(samples) == sentence


@pytest.mark.parametrize(
    ("exception", "may_quote"),
    [
        ("", False),
        ("builtins.ValueError", True),
        ("json.decoder.JSONDecodeError", True),
        ("django.db.utils.OperationalError", False),
        ("erasure.runs.passes.Refused", False),
        ("builtins.OSError", False),
        ("SystemExit", False),
    ],
)
def test_exceptions_that_may_quote_a_value_are_recognised_by_name(exception: str, may_quote: bool) -> None:
    assert _may_quote_values(exception) == may_quote


RUN = uuid4()


def report_data(**changes: Any) -> dict[str, Any]:
    places = [
        {"name": name, "result": CLEAN, "looked_for": 1, "found": [], "where": "", "why": ""}
        for name in EVERY
    ]
    return {"run": str(RUN), "confined": "rlimit", "database": "read-only", "places": places, **changes}


def with_changed_first_place(**changes: Any) -> dict[str, Any]:
    report = report_data()
    report["places"][0] |= changes
    return report


SPOILED: dict[str, Callable[[], dict[str, Any]]] = {
    "another run": lambda: report_data(run=str(uuid4())),
    "a place is missing": lambda: report_data(places=report_data()["places"][:-1]),
    "in another order": lambda: report_data(places=report_data()["places"][::-1]),
    "no result that there is": lambda: with_changed_first_place(result="splendid"),
    "found, and nothing named": lambda: with_changed_first_place(result=FOUND),
    "clean, and something named": lambda: with_changed_first_place(found=["file:x"]),
    "not confined": lambda: report_data(confined=""),
    "a database that can be written": lambda: report_data(database=""),
}


def test_a_complete_report_is_accepted() -> None:
    found = read_report(json.dumps(report_data()), RUN)
    assert [place.name for place in found.places] == list(EVERY)
    assert (found.confined, found.database) == ("rlimit", "read-only")


@pytest.mark.parametrize("spoiled", SPOILED)
def test_an_incomplete_or_contradictory_report_is_refused(spoiled: str) -> None:
    with pytest.raises(NotVerified) as refused:
        read_report(json.dumps(SPOILED[spoiled]()), RUN)
    assert refused.value.why == "half-a-report"


@pytest.mark.parametrize("text", ["", "[]", "{}", "null", '{"run": 1, "places": [{"odd": 1}]}'])
def test_other_output_is_refused(text: str) -> None:
    with pytest.raises(NotVerified) as refused:
        read_report(text, RUN)
    assert refused.value.why == "no-report"


@pytest.mark.parametrize(
    ("code", "why"), [(-9, "signal-9"), (-11, "signal-11"), (1, "exit-1"), (2, "exit-2")]
)
@pytest.mark.django_db
def test_the_report_of_a_failed_verifier_is_refused(
    code: int, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failed_run(command: list[str], **_options: object) -> subprocess.CompletedProcess[str]:
        return subprocess.CompletedProcess(command, code, json.dumps(report_data()), "it failed\n")

    monkeypatch.setattr(subprocess, "run", failed_run)
    with pytest.raises(NotVerified) as refused:
        verify_in_subprocess(UUID(str(RUN)))
    assert refused.value.why == why


class Kernel:
    """Replaces the C library: a kernel with Landlock on which the call `failing` fails."""

    def __init__(self, failing: str) -> None:
        self.failing = failing

    def syscall(self, number: int, *arguments: Any) -> int:
        if number == confine.RESTRICT_SELF:
            return -1 if self.failing == "restrict" else 0
        if arguments[0] is None:
            return 3  # the version of Landlock
        return -1 if self.failing == "create" else 10**6  # not an open descriptor


@pytest.mark.parametrize("failing", ["create", "restrict"])
def test_a_process_that_landlock_did_not_confine_says_so(
    failing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(confine, "_libc", Kernel(failing))
    monkeypatch.setattr(confine.sys, "platform", "linux")
    monkeypatch.setattr(confine.os, "close", lambda _descriptor: None)
    with pytest.raises(StillWrites):
        confine.landlock()


def test_a_process_that_could_gain_privileges_says_so() -> None:
    program = (
        "import sys\nfrom erasure.verification import confine\n"
        "class Kernel:\n    def prctl(self, what, *_more):\n"
        "        return -1 if what == confine.PR_SET_NO_NEW_PRIVS else 0\n"
        "sys.platform, confine._libc = 'linux', Kernel()\n"
        "try:\n    confine.confine()\nexcept confine.StillWrites as refusal:\n    print(refusal)\n"
    )
    done = subprocess.run(  # noqa: S603 - our own command
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.stdout == "the process could gain privileges\n", done.stderr[-2000:]
