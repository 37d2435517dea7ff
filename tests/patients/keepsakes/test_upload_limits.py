"""Uploads at their limits: very large, concurrent, interrupted at bad moments, malformed forms (U10, U11)."""

import asyncio
import io
import os
import re
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import pytest
from django.conf import settings as django_settings
from django.core.handlers.asgi import ASGIRequest
from django.utils import timezone
from django.utils.translation import get_language
from pytest_django import Settings

from clinic.asgi import application
from clinic.audit.models import Entry
from clinic.http.guard import Visitor
from patients.cases.editing import CaseLocked
from patients.cases.models import Case
from patients.keepsakes import staging
from patients.keepsakes.form_post import FormUpload, read_body
from patients.keepsakes.models import Keepsake, Upload
from patients.keepsakes.multipart import FIELD_BYTES
from patients.keepsakes.staging import (
    Busy,
    Discarded,
    Writer,
    begin_upload,
    bytes_left,
    clean_name,
    discard,
    discard_expired,
    finish_upload,
    open_upload_keys,
    staging_path,
)
from patients.keepsakes.tus import Disconnected, write_body
from patients.vault.configured import key_store
from patients.vault.models import StoredObject
from patients.vault.objects import read
from patients.vault.stream import FIRST, NEXT, SEGMENT
from tests.factories import jpeg, make_case
from tests.patients.imaging.media import padded_film
from tests.patients.keepsakes.sending import Answer, Sender
from tests.patients.keepsakes.test_upload_app import assert_nothing_left
from tests.processes import StartedProcesses, started_processes, until
from tests.serving import PATIENCE, serving

pytestmark = pytest.mark.django_db(transaction=True)

CONNECTIONS = 6  # a browser opens at most so many to one host
# Bytes of all films together. LACUNA_TEST_UPLOAD_BYTES=2147483648 sends two gigabytes.
SENT_AT_ONCE = int(os.environ.get("LACUNA_TEST_UPLOAD_BYTES", "314572800"))


@pytest.fixture
def case() -> Case:
    return make_case()


@pytest.fixture
def sender(case: Case) -> Iterator[Sender]:
    with serving(application) as port:
        yield Sender(port, case.patient)


@pytest.fixture
def processes() -> Iterator[StartedProcesses]:
    with started_processes() as mine:
        yield mine


def web_server(processes: StartedProcesses) -> tuple[int, int]:
    """Start a web server as a separate process; return its process id and its port."""
    server = processes.start("serve", "--port", "0", "--workers", "0")
    output = processes.output_files[-1].fileno()

    def greeting() -> re.Match[bytes] | None:
        return re.search(rb"http://127\.0\.0\.1:(\d+)/", os.pread(output, 10_000, 0))

    until(lambda: greeting() is not None, "the server prints its address")
    found = greeting()
    assert found
    port = int(found[1])
    sender = Sender(port, make_case().patient)
    until(lambda: is_answering(sender), "the server answers")
    children = [
        int(pid) for pid in Path(f"/proc/{server.pid}/task/{server.pid}/children").read_text().split()
    ]
    return next(pid for pid in children if b"web" in Path(f"/proc/{pid}/cmdline").read_bytes()), port


def is_answering(sender: Sender) -> bool:
    try:
        return sender.ask("GET", "/health/").status == 200
    except OSError:
        return False


def peak_memory(pid: int) -> int:
    """The peak memory use of a process in bytes."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) * 1024


@pytest.mark.processes
@pytest.mark.timeout(60 + SENT_AT_ONCE // (20 * 1024**2))
def test_films_over_six_connections_at_once_take_constant_memory(
    processes: StartedProcesses, case: Case
) -> None:
    pid, port = web_server(processes)
    sender = Sender(port, case.patient)
    assert sender.bring(jpeg()).status == 204  # so that modules are loaded before the measurement
    before = peak_memory(pid)
    size = SENT_AT_ONCE // CONNECTIONS

    def send(_connection: int) -> Answer:
        where = sender.announce(size, "film.mp4").headers["location"]
        return sender.patch(where, padded_film(size), Content_Length=str(size))

    with ThreadPoolExecutor(CONNECTIONS) as threads:
        answers = list(threads.map(send, range(CONNECTIONS)))
    assert [answer.status for answer in answers] == [204] * CONNECTIONS
    growth = peak_memory(pid) - before
    sent = f"{SENT_AT_ONCE >> 20} MiB over {CONNECTIONS} connections"
    print(f"{sent}: at most {growth >> 10} KiB more memory")  # noqa: T201 - pytest -s
    assert growth < 32 * 1024 * 1024
    assert Keepsake.objects.filter(kind=Keepsake.Kind.VIDEO).count() == CONNECTIONS


@pytest.mark.processes
def test_an_upload_resumes_after_the_server_was_killed(processes: StartedProcesses, case: Case) -> None:
    photo = jpeg((1600, 1200)) + bytes(4 * SEGMENT)  # trailing zeros are harmless in a JPEG
    _pid, port = web_server(processes)
    sender = Sender(port, case.patient)
    where = sender.announce(len(photo)).headers["location"]
    path = staging_path(Upload.objects.get().pk)
    connection = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
    headers = sender.headers(
        Host="localhost",
        Upload_Offset="0",
        Content_Type="application/offset+octet-stream",
        Content_Length=str(len(photo)),
    )
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    connection.sendall(f"PATCH {where} HTTP/1.1\r\n{head}\r\n".encode() + photo[: 3 * SEGMENT])
    until(lambda: path.stat().st_size >= 2 * SEGMENT, "two segments are staged")
    processes.kill()
    connection.close()
    _pid, sender.port = web_server(processes)
    offset = int(sender.ask("HEAD", where).headers["upload-offset"])
    assert offset >= FIRST + NEXT
    answer = sender.patch(where, photo[offset:], offset)
    assert answer.status == 204, answer.body
    assert read(StoredObject.objects.get(keepsake=answer.keepsake, role="original")) == photo


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
    # The process dies here, before it saves the offset.
    writer.close()
    Upload.objects.update(offset=0)
    assert sender.ask("HEAD", where).headers["upload-offset"] == str(length)
    answer = sender.patch(where, b"", length)
    assert answer.status == 204, answer.body
    assert read(StoredObject.objects.get(keepsake=answer.keepsake, role="original")) == photo


def test_finishing_an_upload_twice_makes_one_keepsake(case: Case) -> None:
    photo = jpeg()
    upload = begin_upload(case, by=case.patient, length=len(photo))
    writer = Writer(upload, 0)
    writer.write(photo)
    writer.finish()
    one = finish_upload(upload, by=case.patient)
    assert finish_upload(upload, by=case.patient) == one
    writer.close()
    discard(upload)
    assert read(StoredObject.objects.get(keepsake=one, role="original")) == photo
    assert Entry.objects.filter(action="keepsake.brought").count() == 1


def test_an_upload_is_locked_while_it_is_being_finished(
    sender: Sender, case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    creating, may_continue = threading.Event(), threading.Event()
    real = staging.create_keepsake

    def slow(*args: object, **more: object) -> Keepsake:
        creating.set()
        assert may_continue.wait(PATIENCE)
        return real(*args, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(staging, "create_keepsake", slow)
    photo = jpeg()
    where = sender.announce(len(photo)).headers["location"]
    answers: list[Answer] = []
    sending = threading.Thread(target=lambda: answers.append(sender.patch(where, photo)))
    sending.start()
    assert creating.wait(PATIENCE)
    assert sender.ask("HEAD", where).headers["upload-offset"] == str(len(photo))
    assert sender.patch(where, b"", len(photo)).status == 423
    assert sender.ask("DELETE", where).status == 423
    Upload.objects.update(expires_at=timezone.now() - timedelta(days=1))
    assert discard_expired() == 0
    may_continue.set()
    sending.join()
    assert answers[0].status == 204
    assert read(StoredObject.objects.get(role="original")) == photo


def test_an_upload_whose_key_was_destroyed_cannot_be_finished(case: Case) -> None:
    photo = jpeg()
    upload = begin_upload(case, by=case.patient, length=len(photo))
    writer = Writer(upload, 0)
    writer.write(photo)
    writer.finish()
    key_store().destroy(upload.pk)
    with pytest.raises(Discarded):
        finish_upload(upload, by=case.patient)
    writer.close()
    assert_nothing_left(case)


def test_a_closed_writer_does_not_write_to_a_reused_descriptor(case: Case, tmp_path: Path) -> None:
    upload = begin_upload(case, by=case.patient, length=10 * SEGMENT)
    writer = Writer(upload, 0)
    number = writer.fd
    writer.close()
    with (tmp_path / "other").open("wb") as other:
        assert other.fileno() == number  # the system has reused the number
        with pytest.raises(Discarded):
            writer.write(bytes(3 * SEGMENT))
        with pytest.raises(Discarded):
            writer.finish()
        writer.close()
        other.write(b"whole")
    assert (tmp_path / "other").read_bytes() == b"whole"


def test_discard_expired_keeps_open_uploads_and_deletes_stray_files(case: Case) -> None:
    upload = begin_upload(case, by=case.patient, length=10)
    assert open_upload_keys() == {upload.pk}
    stray, young = staging_path(uuid4()), staging_path(uuid4())
    for path in (stray, young, staging_path(upload.pk)):
        path.write_bytes(b"noise")
        os.utime(path, (time.time() - 3600,) * 2)
    young.touch()
    assert discard_expired() == 1
    assert (stray.exists(), young.exists(), staging_path(upload.pk).exists()) == (False, True, True)


def test_a_locked_upload_is_busy_for_every_other_writer(case: Case) -> None:
    upload = begin_upload(case, by=case.patient, length=10)
    writer = Writer(upload, 0)
    with pytest.raises(Busy):
        Writer(upload, 0)
    with pytest.raises(Busy):
        discard(upload)
    writer.close()
    discard(upload)
    with pytest.raises(Discarded):
        Writer(upload, 0)


def test_a_case_cannot_open_more_uploads_than_it_may_have_keepsakes(
    sender: Sender, case: Case, settings: Settings
) -> None:
    settings.LACUNA_CASE_MAX_KEEPSAKES = 3
    assert [sender.announce(10).status for _ in range(5)] == [201, 201, 201, 409, 409]
    assert len(set(key_store().ids())) == 1 + 3


def test_the_quota_holds_for_parallel_forms(sender: Sender, case: Case, settings: Settings) -> None:
    photo = jpeg((300, 200))
    settings.LACUNA_CASE_MAX_BYTES = int(len(photo) * 2.5)
    threads = [
        threading.Thread(target=lambda: sender.post_form(("files", "one.jpg", photo))) for _ in range(5)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    size = sum(StoredObject.objects.filter(role="original", state="live").values_list("size", flat=True))
    assert len(photo) <= size <= django_settings.LACUNA_CASE_MAX_BYTES
    assert open_upload_keys() == set()
    assert bytes_left(case) == django_settings.LACUNA_CASE_MAX_BYTES - size


def test_a_form_file_that_is_too_large_does_not_stop_the_others(
    sender: Sender, case: Case, settings: Settings
) -> None:
    settings.LACUNA_UPLOAD_MAX_BYTES = 200_000
    answer = sender.post_form(
        ("files", "one.jpg", jpeg()),
        ("files", "huge.jpg", b"\xff\xd8\xff" + os.urandom(300_000)),
        ("files", "empty.jpg", b""),
        ("files", "", b""),  # a field in which no file was chosen
        ("files", "two.jpg", jpeg()),
    )
    assert parse_qs(urlsplit(answer.headers["location"]).query) == {
        "brought": ["2"],
        "refused": ["too_many_bytes,empty"],
    }
    assert Keepsake.objects.filter(case=case, gone_at=None).count() == 2
    assert open_upload_keys() == set()
    refusals = Entry.objects.filter(action="keepsake.refused").order_by("index")
    assert [entry.details["because"] for entry in refusals] == ["too_many_bytes", "empty"]


def test_a_form_far_above_the_limit_is_not_read_to_its_end(
    sender: Sender, case: Case, settings: Settings
) -> None:
    settings.LACUNA_UPLOAD_MAX_BYTES = 100_000
    answer = sender.post_form(
        ("files", "huge.jpg", b"\xff\xd8\xff" + os.urandom(400_000)), ("files", "two.jpg", jpeg())
    )
    assert parse_qs(urlsplit(answer.headers["location"]).query)["brought"] == ["0"]
    assert_nothing_left(case)


def test_a_form_cut_off_within_a_file_leaves_nothing(sender: Sender, case: Case) -> None:
    start = (
        f'--b\r\nContent-Disposition: form-data; name="csrfmiddlewaretoken"\r\n\r\n{sender.token}\r\n'
        '--b\r\nContent-Disposition: form-data; name="files"; filename="a.jpg"\r\n\r\n'
    ).encode()
    head = (
        f"POST /upload/form HTTP/1.1\r\nHost: localhost\r\nCookie: {sender.cookie}\r\n"
        "Content-Type: multipart/form-data; boundary=b\r\n"
    )
    with socket.create_connection(("127.0.0.1", sender.port), timeout=PATIENCE) as connection:
        data = b"\xff\xd8\xff" + os.urandom(200_000)
        connection.sendall(f"{head}Content-Length: 9000000\r\n\r\n".encode() + start + data)
        until(lambda: Upload.objects.exists(), "the upload has begun")
    until(lambda: not Upload.objects.exists(), "the upload is discarded")
    assert_nothing_left(case)
    body = start + jpeg((900, 700))  # as long as announced, but without the closing boundary
    with socket.create_connection(("127.0.0.1", sender.port), timeout=PATIENCE) as connection:
        connection.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        response = connection.recv(4096)
    assert b"303" in response.splitlines()[0]
    assert b"refused=truncated" in response
    assert_nothing_left(case)


@pytest.mark.parametrize("name", ["files", "notes"])  # a field for files, and an unknown one
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
    content_type = "multipart/form-data; boundary=b"
    assert sender.ask("POST", "/upload/form", body, Content_Type=content_type).status == 403
    assert_nothing_left(case)


def test_a_typed_letter_that_is_too_long_is_refused_with_413(sender: Sender, case: Case) -> None:
    answer = sender.post_form(("words", None, b"x" * (FIELD_BYTES + 1)))
    assert (answer.status, b"too long for one letter" in answer.body) == (413, True)
    assert_nothing_left(case)


def test_a_disk_error_is_answered_with_503_and_not_as_a_full_disk(sender: Sender, case: Case) -> None:
    vault = Path(django_settings.LACUNA_VAULT_DIR)
    vault.mkdir()
    (vault / "staging").write_bytes(b"")  # no directory can be made here
    answer = sender.post_form(("files", "one.jpg", jpeg()))
    assert (answer.status, b"try again in a minute" in answer.body) == (503, True)
    assert set(key_store().ids()) == {case.pk}


async def disconnected() -> dict[str, str]:
    """An ASGI receive function of a client that has disconnected."""
    return {"type": "http.disconnect"}


def test_a_body_is_incomplete_if_the_client_disconnects(case: Case) -> None:
    scope = {"type": "http", "method": "POST", "path": "/upload/form", "headers": [], "query_string": b""}
    visitor = Visitor(case.patient, "", "", "en", "", ASGIRequest(scope, io.BytesIO()))
    writer = Writer(begin_upload(case, by=case.patient, length=10), 0)
    with pytest.raises(Disconnected):
        asyncio.run(write_body(disconnected, visitor, writer, None))
    writer.close()
    assert asyncio.run(read_body(disconnected, FormUpload(b"b", visitor=visitor))) is False


def test_a_refusal_is_in_the_language_of_the_request(
    sender: Sender, case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_case: Case, _length: int) -> None:
        """Refuse with the code of the active language as the message."""
        raise CaseLocked(get_language() or "")

    monkeypatch.setattr(staging, "check_room", refuse)
    for language in ("vi", "en"):
        answer = sender.ask("POST", "/upload/", Upload_Length="10", Accept_Language=language)
        assert (answer.status, answer.json) == (409, {"error": language})


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
def test_file_names_are_cleaned(name: str, shown: str) -> None:
    assert clean_name(name) == shown
