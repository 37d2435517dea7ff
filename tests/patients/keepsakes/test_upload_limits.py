"""Uploads at their edges: very large ones, several at once, cut in bad moments, forms that lie (U10, U11)."""

import asyncio
import io
import os
import re
import socket
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import pytest
from django.conf import settings as django_settings
from django.core.handlers.asgi import ASGIRequest
from django.utils import timezone
from django.utils.translation import get_language

from clinic.asgi import application
from clinic.audit.models import Entry
from clinic.http.guard import Visitor
from patients.cases.editing import CaseLocked
from patients.cases.models import Case
from patients.keepsakes import staging
from patients.keepsakes.form_post import FIELD_BYTES, new_form_upload, read_body
from patients.keepsakes.models import Keepsake, Upload
from patients.keepsakes.staging import (
    Busy,
    Discarded,
    Writer,
    begin,
    bytes_left,
    clean_name,
    discard,
    discard_expired,
    finish_upload,
    open_upload_keys,
    staging_path,
)
from patients.keepsakes.tus import write_body
from patients.vault.configured import key_store
from patients.vault.models import StoredObject
from patients.vault.objects import read
from patients.vault.stream import FIRST, NEXT, SEGMENT
from tests.factories import jpeg, make_case
from tests.house import House, house, until
from tests.patients.keepsakes.sending import Answer, Sender
from tests.patients.keepsakes.test_upload_app import nothing_left
from tests.serving import PATIENCE, serving

pytestmark = pytest.mark.django_db(transaction=True)

MANY = 500 * 1024 * 1024


@pytest.fixture
def case() -> Case:
    return make_case()


@pytest.fixture
def sender(case: Case) -> Iterator[Sender]:
    with serving(application) as port:
        yield Sender(port, case.patient)


@pytest.fixture
def processes() -> Iterator[House]:
    with house() as mine:
        yield mine


def web_server(processes: House) -> tuple[int, int]:
    """Start a web server of its own; return its process id and its port."""
    server = processes.start("serve", "--port", "0", "--workers", "0")
    said = processes.said[-1].fileno()

    def greeting() -> re.Match[bytes] | None:
        return re.search(rb"http://127\.0\.0\.1:(\d+)/", os.pread(said, 10_000, 0))

    until(lambda: greeting() is not None, "the house says where it is")
    found = greeting()
    assert found
    port = int(found[1])
    sender = Sender(port, make_case().patient)
    until(lambda: opened(sender), "the house opens")
    children = [
        int(pid) for pid in Path(f"/proc/{server.pid}/task/{server.pid}/children").read_text().split()
    ]
    return next(pid for pid in children if b"web" in Path(f"/proc/{pid}/cmdline").read_bytes()), port


def opened(sender: Sender) -> bool:
    try:
        return sender.ask("GET", "/health/").status == 200
    except OSError:
        return False


def peak(pid: int) -> int:
    """The most memory a process has had at once, in bytes."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) * 1024


@pytest.mark.processes
def test_half_a_gigabyte_takes_constant_memory(processes: House, case: Case) -> None:
    pid, port = web_server(processes)
    sender = Sender(port, case.patient)
    assert sender.bring(jpeg()).status == 200  # everything that is loaded late is loaded now
    before = peak(pid)
    where = sender.announce(MANY).headers["location"]
    answer = sender.patch(where, (bytes(1024 * 1024) for _ in range(500)), Content_Length=str(MANY))
    assert answer.status == 422
    assert peak(pid) - before < 24 * 1024 * 1024
    assert Keepsake.objects.count() == 1


@pytest.mark.processes
def test_an_upload_goes_on_after_the_server_was_killed(processes: House, case: Case) -> None:
    photo = jpeg((1600, 1200)) + bytes(4 * SEGMENT)  # trailing zeros are harmless in a JPEG
    _pid, port = web_server(processes)
    sender = Sender(port, case.patient)
    where = sender.announce(len(photo)).headers["location"]
    path = staging_path(Upload.objects.get().pk)
    line = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
    lines = sender.headers(
        Host="localhost",
        Upload_Offset="0",
        Content_Type="application/offset+octet-stream",
        Content_Length=str(len(photo)),
    )
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    line.sendall(f"PATCH {where} HTTP/1.1\r\n{head}\r\n".encode() + photo[: 3 * SEGMENT])
    until(lambda: path.stat().st_size >= 2 * SEGMENT, "two segments are staged")
    processes.kill()
    line.close()
    _pid, sender.port = web_server(processes)
    offset = int(sender.ask("HEAD", where).headers["upload-offset"])
    assert offset >= FIRST + NEXT
    answer = sender.patch(where, photo[offset:], offset)
    assert answer.status == 200, answer.body
    assert read(StoredObject.objects.get(keepsake=answer.said["keepsake"], role="original")) == photo


@pytest.mark.parametrize("length", [FIRST, FIRST + NEXT, FIRST + 5])
def test_a_crash_between_the_last_byte_and_the_keepsake_loses_nothing(
    sender: Sender, case: Case, length: int
) -> None:
    photo = jpeg()
    photo += bytes(length - len(photo))
    where = sender.announce(length).headers["location"]
    writer = Writer(Upload.objects.get(), 0)
    writer.write(photo)
    writer.finish()
    writer.close()  # here the process died
    Upload.objects.update(offset=0)  # and its last word to the database with it
    assert sender.ask("HEAD", where).headers["upload-offset"] == str(length)
    answer = sender.patch(where, b"", length)
    assert answer.status == 200, answer.body
    assert read(StoredObject.objects.get(keepsake=answer.said["keepsake"], role="original")) == photo


def test_settling_twice_makes_one_keepsake(case: Case) -> None:
    photo = jpeg()
    upload = begin(case, by=case.patient, length=len(photo))
    writer = Writer(upload, 0)
    writer.write(photo)
    writer.finish()
    one = finish_upload(upload, by=case.patient)
    assert finish_upload(upload, by=case.patient) == one
    writer.close()
    discard(upload)
    assert read(StoredObject.objects.get(keepsake=one, role="original")) == photo
    assert Entry.objects.filter(action="keepsake.brought").count() == 1


def test_while_a_file_is_looked_at_nobody_else_touches_it(
    sender: Sender, case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    looking, go_on = threading.Event(), threading.Event()
    real = staging.receive

    def slow(*args: object, **more: object) -> Keepsake:
        looking.set()
        assert go_on.wait(PATIENCE)
        return real(*args, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(staging, "receive", slow)
    photo = jpeg()
    where = sender.announce(len(photo)).headers["location"]
    answers: list[Answer] = []
    sending = threading.Thread(target=lambda: answers.append(sender.patch(where, photo)))
    sending.start()
    assert looking.wait(PATIENCE)
    assert sender.ask("HEAD", where).headers["upload-offset"] == str(len(photo))
    assert sender.patch(where, b"", len(photo)).status == 423
    assert sender.ask("DELETE", where).status == 423
    Upload.objects.update(expires_at=timezone.now() - timedelta(days=1))
    assert discard_expired() == 0
    go_on.set()
    sending.join()
    assert answers[0].status == 200
    assert read(StoredObject.objects.get(role="original")) == photo


def test_what_was_discarded_under_a_writer_is_not_brought_back(case: Case) -> None:
    photo = jpeg()
    upload = begin(case, by=case.patient, length=len(photo))
    writer = Writer(upload, 0)
    writer.write(photo)
    writer.finish()
    key_store().destroy(upload.pk)
    with pytest.raises(Discarded):
        finish_upload(upload, by=case.patient)
    writer.close()
    nothing_left(case)


def test_a_closed_writer_writes_into_nobody_elses_file(case: Case, tmp_path: Path) -> None:
    upload = begin(case, by=case.patient, length=10 * SEGMENT)
    writer = Writer(upload, 0)
    number = writer.fd
    writer.close()
    with (tmp_path / "other").open("wb") as other:
        assert other.fileno() == number  # the system gives numbers out again
        with pytest.raises(Discarded):
            writer.write(bytes(3 * SEGMENT))
        with pytest.raises(Discarded):
            writer.finish()
        writer.close()
        other.write(b"whole")
    assert (tmp_path / "other").read_bytes() == b"whole"


def test_the_rounds_spare_what_is_on_its_way_and_end_what_has_no_row(case: Case) -> None:
    upload = begin(case, by=case.patient, length=10)
    assert open_upload_keys() == {upload.pk}
    stray, young = staging_path(uuid4()), staging_path(uuid4())
    for path in (stray, young, staging_path(upload.pk)):
        path.write_bytes(b"noise")
        os.utime(path, (time.time() - 3600,) * 2)
    young.touch()
    assert discard_expired() == 1
    assert (stray.exists(), young.exists(), staging_path(upload.pk).exists()) == (False, True, True)


def test_busy_is_said_across_processes(case: Case) -> None:
    upload = begin(case, by=case.patient, length=10)
    writer = Writer(upload, 0)
    with pytest.raises(Busy):
        Writer(upload, 0)
    with pytest.raises(Busy):
        discard(upload)
    writer.close()
    discard(upload)
    with pytest.raises(Discarded):
        Writer(upload, 0)


def test_a_case_opens_no_more_uploads_than_it_may_bring(
    sender: Sender, case: Case, settings: pytest.FixtureRequest
) -> None:
    settings.LACUNA_CASE_MAX_KEEPSAKES = 3  # type: ignore[attr-defined]
    assert [sender.announce(10).status for _ in range(5)] == [201, 201, 201, 409, 409]
    assert len(set(key_store().ids())) == 1 + 3


def test_forms_in_parallel_hold_the_quota(
    sender: Sender, case: Case, settings: pytest.FixtureRequest
) -> None:
    photo = jpeg((300, 200))
    settings.LACUNA_CASE_MAX_BYTES = int(len(photo) * 2.5)  # type: ignore[attr-defined]
    threads = [
        threading.Thread(target=lambda: sender.post_form(("files", "one.jpg", photo))) for _ in range(5)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    size = sum(StoredObject.objects.filter(role="original", state="live").values_list("size", flat=True))
    assert size <= django_settings.LACUNA_CASE_MAX_BYTES
    assert open_upload_keys() == set()
    assert bytes_left(case) == django_settings.LACUNA_CASE_MAX_BYTES - size


def test_a_form_file_that_is_too_large_does_not_stop_the_others(
    sender: Sender, case: Case, settings: pytest.FixtureRequest
) -> None:
    settings.LACUNA_UPLOAD_MAX_BYTES = 200_000  # type: ignore[attr-defined]
    answer = sender.post_form(
        ("files", "one.jpg", jpeg()),
        ("files", "huge.jpg", os.urandom(300_000)),
        ("files", "empty.jpg", b""),
        ("files", "", b""),  # a field nobody chose a file in
        ("files", "two.jpg", jpeg()),
    )
    assert parse_qs(urlsplit(answer.headers["location"]).query) == {
        "brought": ["2"],
        "refused": ["too_many_bytes,empty"],
    }
    assert Keepsake.objects.filter(case=case, gone_at=None).count() == 2
    assert open_upload_keys() == set()
    told = Entry.objects.filter(action="keepsake.refused").order_by("index")
    assert [entry.details["because"] for entry in told] == ["too_many_bytes", "empty"]


def test_a_form_that_wastes_our_time_is_not_read_to_its_end(
    sender: Sender, case: Case, settings: pytest.FixtureRequest
) -> None:
    settings.LACUNA_UPLOAD_MAX_BYTES = 100_000  # type: ignore[attr-defined]
    answer = sender.post_form(("files", "huge.jpg", os.urandom(400_000)), ("files", "two.jpg", jpeg()))
    assert parse_qs(urlsplit(answer.headers["location"]).query)["brought"] == ["0"]
    nothing_left(case)


def test_a_form_cut_off_in_a_file_keeps_nothing_of_it(sender: Sender, case: Case) -> None:
    start = (
        f'--b\r\nContent-Disposition: form-data; name="csrfmiddlewaretoken"\r\n\r\n{sender.token}\r\n'
        '--b\r\nContent-Disposition: form-data; name="files"; filename="a.jpg"\r\n\r\n'
    ).encode()
    head = (
        f"POST /upload/form HTTP/1.1\r\nHost: localhost\r\nCookie: {sender.cookie}\r\n"
        "Content-Type: multipart/form-data; boundary=b\r\n"
    )
    with socket.create_connection(("127.0.0.1", sender.port), timeout=PATIENCE) as line:
        line.sendall(f"{head}Content-Length: 9000000\r\n\r\n".encode() + start + os.urandom(200_000))
        until(lambda: Upload.objects.exists(), "the file has begun")
    until(lambda: not Upload.objects.exists(), "it is gone again")
    nothing_left(case)
    body = start + jpeg((900, 700))  # whole by its length, and never closed
    with socket.create_connection(("127.0.0.1", sender.port), timeout=PATIENCE) as line:
        line.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        said = line.recv(4096)
    assert b"303" in said.splitlines()[0]
    assert b"refused=truncated" in said
    nothing_left(case)


@pytest.mark.parametrize("name", ["files", "notes"])  # a field whose files are kept, and one that is unknown
@pytest.mark.parametrize("data", [b"a photo", b""], ids=["bytes", "empty"])
def test_a_file_before_the_token_is_refused_before_it_is_stored(
    sender: Sender, case: Case, name: str, data: bytes
) -> None:
    head = f'--b\r\nContent-Disposition: form-data; name="{name}"; filename="a.jpg"\r\n\r\n'
    body = (
        head.encode()
        + data
        + b'\r\n--b\r\nContent-Disposition: form-data; name="csrfmiddlewaretoken"\r\n\r\n'
        + sender.token.encode()
        + b"\r\n--b--\r\n"
    )
    kind = "multipart/form-data; boundary=b"
    assert sender.ask("POST", "/upload/form", body, Content_Type=kind).status == 403
    nothing_left(case)


def test_a_letter_that_is_too_long_is_said_to_be(sender: Sender, case: Case) -> None:
    answer = sender.post_form(("words", None, b"x" * (FIELD_BYTES + 1)))
    assert (answer.status, b"too long for one letter" in answer.body) == (413, True)
    nothing_left(case)


def test_a_disk_in_trouble_is_not_said_to_be_full(sender: Sender, case: Case) -> None:
    vault = Path(django_settings.LACUNA_VAULT_DIR)
    vault.mkdir()
    (vault / "staging").write_bytes(b"")  # no directory can be made here
    answer = sender.post_form(("files", "one.jpg", jpeg()))
    assert (answer.status, b"try again in a minute" in answer.body) == (503, True)
    assert set(key_store().ids()) == {case.pk}


async def hung_up() -> dict[str, str]:
    """What the server says once the sender has gone."""
    return {"type": "http.disconnect"}


def test_a_sender_who_hung_up_has_not_sent_everything(case: Case) -> None:
    scope = {"type": "http", "method": "POST", "path": "/upload/form", "headers": [], "query_string": b""}
    visitor = Visitor(case.patient, "", "", "en", "", ASGIRequest(scope, io.BytesIO()))
    writer = Writer(begin(case, by=case.patient, length=10), 0)
    assert asyncio.run(write_body(hung_up, visitor, writer)) is False
    writer.close()
    assert (
        asyncio.run(read_body(hung_up, new_form_upload(visitor, "multipart/form-data; boundary=b"))) is False
    )


def test_a_refusal_is_told_in_the_language_of_the_page(
    sender: Sender, case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_case: Case, _length: int) -> None:
        raise CaseLocked(get_language() or "")

    monkeypatch.setattr(staging, "check_room", refuse)
    for language in ("vi", "en"):
        answer = sender.ask("POST", "/upload/", Upload_Length="10", Accept_Language=language)
        assert (answer.status, answer.said) == (409, {"error": language})


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("C:\\pictures\\beach.jpg", "beach.jpg"),
        ("../../etc/passwd", "passwd"),
        ("a\x00b\r\n\u202egpj.exe", "abgpj.exe"),
        ("x" * 300 + ".jpeg", "x" * 195 + ".jpeg"),
        ("tuyết.jpg", "tuyết.jpg"),
        ("\ud800", ""),
    ],
)
def test_names_are_cleaned(name: str, shown: str) -> None:
    assert clean_name(name) == shown
