"""The upload server follows tus 1.0: its headers, its extensions, and pieces of any size."""

import base64
import hashlib
import http.client
import os
from collections.abc import Iterator
from contextlib import suppress
from email.utils import parsedate_to_datetime
from pathlib import Path

import pytest
from django.utils import timezone

from clinic.asgi import application
from clinic.audit.models import Entry
from patients.cases.models import Case
from patients.keepsakes import tus
from patients.keepsakes.models import Keepsake, Upload
from patients.keepsakes.staging import staging_path
from patients.vault.models import StoredObject
from patients.vault.objects import read
from patients.vault.stream import SEGMENT, plaintext_of
from tests.factories import jpeg, make_case
from tests.patients.keepsakes.sending import Answer, Sender
from tests.processes import until
from tests.serving import PATIENCE, serving

pytestmark = pytest.mark.django_db(transaction=True)

OFFSET_STREAM = "application/offset+octet-stream"
# Decoders ignore bytes after a JPEG's end.
PHOTO = jpeg((300, 200)) + os.urandom(3 * SEGMENT)


@pytest.fixture
def case() -> Case:
    return make_case()


@pytest.fixture
def sender(case: Case) -> Iterator[Sender]:
    with serving(application) as port:
        yield Sender(port, case.patient)


def check_brought(answer: Answer, data: bytes) -> None:
    """Assert that this answer ends an upload as tus demands, and that its keepsake has these bytes."""
    assert (answer.status, answer.body, answer.headers["upload-offset"]) == (204, b"", str(len(data)))
    original = StoredObject.objects.get(keepsake=answer.keepsake, role=StoredObject.Role.ORIGINAL)
    assert read(original) == data


def checksum(data: bytes, algorithm: str = "sha1") -> str:
    digest = hashlib.new(algorithm, data, usedforsecurity=False).digest()
    return f"{algorithm} {base64.b64encode(digest).decode()}"


def test_options_lists_exactly_the_supported_extensions(sender: Sender) -> None:
    answer = sender.ask("OPTIONS", "/upload/")
    assert answer.status == 204
    assert answer.headers["tus-version"] == "1.0.0"
    extensions = set(answer.headers["tus-extension"].split(","))
    assert extensions == {
        "creation",
        "creation-with-upload",
        "creation-defer-length",
        "termination",
        "checksum",
        "expiration",
    }
    assert "sha1" in answer.headers["tus-checksum-algorithm"].split(",")
    assert answer.headers["tus-max-size"] == str(4 * 1024**3)


@pytest.mark.parametrize("size", [1, 1000, SEGMENT - 1, SEGMENT, SEGMENT + 1])
def test_pieces_of_any_size_are_accepted(sender: Sender, size: int) -> None:
    letter = b"Dear you, I kept the shell." * (1 if size == 1 else 100)
    data, name = (PHOTO, "photo.jpg") if size > 1000 else (letter, "letter.txt")
    where, offset = sender.announce(len(data), name).headers["location"], 0
    while offset < len(data):
        answer = sender.patch(where, data[offset : offset + size], offset)
        offset = min(offset + size, len(data))
        assert (answer.status, answer.headers["upload-offset"]) == (204, str(offset))
        assert sender.ask("HEAD", where).headers["upload-offset"] == str(offset)
    check_brought(answer, data)
    assert not Upload.objects.exclude(sealed_tail=b"").exists(), "a finished upload has no tail"


def test_a_tail_that_is_also_in_a_written_segment_is_not_used_twice(sender: Sender) -> None:
    """A process wrote the tail in a segment and died before it saved the row, which still has the tail."""
    where = sender.announce(len(PHOTO)).headers["location"]
    assert sender.patch(where, PHOTO[:100]).headers["upload-offset"] == "100"
    tail = bytes(Upload.objects.get().sealed_tail)
    sender.patch(where, PHOTO[100 : 2 * SEGMENT], 100)
    Upload.objects.update(sealed_tail=tail, offset=100)
    offset = int(sender.ask("HEAD", where).headers["upload-offset"])
    assert offset == plaintext_of(2)
    check_brought(sender.patch(where, PHOTO[offset:], offset), PHOTO)


def test_head_returns_the_metadata_as_they_were_sent(sender: Sender) -> None:
    metadata = (
        f"filename {base64.b64encode('Đêm ở biển.jpg'.encode()).decode()},is_confidential,relative w6k="
    )
    answer = sender.ask("POST", "/upload/", Upload_Length="500", Upload_Metadata=metadata)
    head = sender.ask("HEAD", answer.headers["location"])
    assert head.headers["upload-metadata"] == metadata
    assert (head.headers["upload-length"], head.headers["cache-control"]) == ("500", "no-store")
    assert metadata.encode() not in bytes(Upload.objects.get().sealed), "a file's name is sealed"
    assert sender.ask("POST", "/upload/", Upload_Length="5", Upload_Metadata="a" * 7000).status == 400
    assert "upload-metadata" not in sender.ask("HEAD", announced_without_metadata(sender)).headers


def announced_without_metadata(sender: Sender) -> str:
    """The address of an upload that was announced without metadata."""
    return sender.ask("POST", "/upload/", Upload_Length="5").headers["location"]


def test_the_first_piece_may_come_with_the_announcement(sender: Sender) -> None:
    first = sender.ask(
        "POST", "/upload/", PHOTO[:1000], Upload_Length=str(len(PHOTO)), Content_Type=OFFSET_STREAM
    )
    assert (first.status, first.headers["upload-offset"]) == (201, "1000")
    check_brought(sender.patch(first.headers["location"], PHOTO[1000:], 1000), PHOTO)
    whole = sender.ask("POST", "/upload/", PHOTO, Upload_Length=str(len(PHOTO)), Content_Type=OFFSET_STREAM)
    assert (whole.status, whole.headers["upload-offset"]) == (201, str(len(PHOTO)))
    again = sender.patch(whole.headers["location"], b"", len(PHOTO))
    assert again.keepsake == whole.keepsake
    check_brought(again, PHOTO)
    assert sender.ask("POST", "/upload/", b"x", Upload_Length="1", Content_Type="text/plain").status == 415


def test_the_length_may_come_later(sender: Sender) -> None:
    where = sender.ask("POST", "/upload/", Upload_Defer_Length="1").headers["location"]
    head = sender.ask("HEAD", where).headers
    assert (head["upload-defer-length"], "upload-length" in head) == ("1", False)
    assert sender.patch(where, PHOTO[:5000]).headers["upload-offset"] == "5000"
    below, above = "4999", str(2**60)
    for impossible in (below, above):
        assert sender.patch(where, b"", 5000, Upload_Length=impossible).status == 400
    answer = sender.patch(where, PHOTO[5000:6000], 5000, Upload_Length=str(len(PHOTO)))
    assert (answer.status, answer.headers["upload-offset"]) == (204, "6000")
    assert sender.ask("HEAD", where).headers["upload-length"] == str(len(PHOTO))
    assert sender.patch(where, b"", 6000, Upload_Length="7000").status == 400, "a known length stays"
    check_brought(sender.patch(where, PHOTO[6000:], 6000), PHOTO)
    for wrong in ({"Upload_Defer_Length": "2"}, {"Upload_Defer_Length": "1", "Upload_Length": "7"}, {}):
        assert sender.ask("POST", "/upload/", **wrong).status == 400


def test_an_upload_without_a_length_is_no_keepsake_before_its_length_is_known(sender: Sender) -> None:
    where = sender.ask("POST", "/upload/", Upload_Defer_Length="1").headers["location"]
    Upload.objects.update(length=len(PHOTO))  # the most that it may have: its own length is still unknown
    assert sender.patch(where, PHOTO).headers["upload-offset"] == str(len(PHOTO))
    assert not Keepsake.objects.exists()
    check_brought(sender.patch(where, b"", len(PHOTO), Upload_Length=str(len(PHOTO))), PHOTO)


@pytest.mark.parametrize("algorithm", ["sha1", "sha256", "md5"])
def test_a_piece_with_the_right_checksum_is_accepted(sender: Sender, algorithm: str) -> None:
    where = sender.announce(len(PHOTO)).headers["location"]
    half = len(PHOTO) // 2
    first = sender.patch(where, PHOTO[:half], Upload_Checksum=checksum(PHOTO[:half], algorithm))
    assert first.headers["upload-offset"] == str(half)
    second = sender.patch(where, PHOTO[half:], half, Upload_Checksum=checksum(PHOTO[half:], algorithm))
    check_brought(second, PHOTO)


def test_a_piece_with_a_wrong_checksum_changes_nothing(sender: Sender) -> None:
    where = sender.announce(len(PHOTO)).headers["location"]
    sender.patch(where, PHOTO[:1000])
    damaged = bytearray(PHOTO[1000:])
    damaged[2 * SEGMENT] ^= 1
    path = staging_path(Upload.objects.get().pk)
    before = path.read_bytes()
    answer = sender.patch(where, bytes(damaged), 1000, Upload_Checksum=checksum(PHOTO[1000:]))
    assert (answer.status, answer.headers["upload-offset"]) == (460, "1000")
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]
    check_brought(sender.patch(where, PHOTO[1000:], 1000, Upload_Checksum=checksum(PHOTO[1000:])), PHOTO)
    for nonsense in ("crc32 AAAA", "sha1", "sha1 !", ""):
        assert sender.patch(where, b"", 0, Upload_Checksum=nonsense).status == 400


def test_more_than_announced_is_refused_with_a_checksum_too(sender: Sender) -> None:
    where = sender.announce(1000).headers["location"]
    assert sender.patch(where, PHOTO, Upload_Checksum=checksum(PHOTO)).status == 413
    assert not Upload.objects.exists()


def test_each_answer_says_when_the_upload_expires(sender: Sender) -> None:
    announced = sender.announce(5000)
    where = announced.headers["location"]
    piece = sender.patch(where, b"x" * 10)
    for answer in (announced, piece, sender.ask("HEAD", where)):
        expires = parsedate_to_datetime(answer.headers["upload-expires"])
        assert 0 <= (Upload.objects.get().expires_at - expires).total_seconds() < 120
        assert expires > timezone.now()


def test_a_client_that_can_only_post_may_name_another_method_in_a_header(sender: Sender) -> None:
    where = sender.announce(len(PHOTO)).headers["location"]
    head = sender.ask("POST", where, X_HTTP_Method_Override="HEAD")
    assert head.headers["upload-offset"] == "0"
    answer = sender.ask(
        "POST", where, PHOTO, X_HTTP_Method_Override="PATCH", Upload_Offset="0", Content_Type=OFFSET_STREAM
    )
    check_brought(answer, PHOTO)
    other = sender.announce(100).headers["location"]
    token, sender.token = sender.token, "x" * 32
    assert sender.ask("POST", other, X_HTTP_Method_Override="DELETE").status == 403
    sender.token = token
    assert sender.ask("POST", other, X_HTTP_Method_Override="DELETE").status == 204
    assert sender.ask("HEAD", other).status == 404
    for method in ("GET", "OPTIONS", "CONNECT"):
        assert sender.ask("POST", where, X_HTTP_Method_Override=method).status == 405
    denied = Entry.objects.filter(action="access.denied")
    assert [row.details["method"] for row in denied.order_by("index")] == ["delete", "head"]


# --- A connection that the client has lost, and that the server still believes to be open ---


def half_open(
    sender: Sender, where: str, data: bytes, length: int, **headers: str
) -> http.client.HTTPConnection:
    """The connection of a PATCH that announced `length` bytes, sent `data`, and then sends nothing more."""
    connection = http.client.HTTPConnection("127.0.0.1", sender.port, timeout=PATIENCE)
    connection.putrequest("PATCH", where)
    more = {"Upload-Offset": "0", "Content-Type": OFFSET_STREAM, "Content-Length": str(length), **headers}
    for name, value in {**sender.headers(), **more}.items():
        connection.putheader(name, value)
    connection.endheaders(data)
    return connection


@pytest.fixture
def short_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    """A silent request releases its upload after 0.1 s; other requests wait for it up to PATIENCE seconds."""
    monkeypatch.setattr(tus, "QUIET", 0.1)
    monkeypatch.setattr(tus, "PATIENCE", PATIENCE)


def wait_for_bytes(where: str, count: int) -> None:
    path = staging_path(Upload.objects.get(pk=where.rpartition("/")[2]).pk)
    until(lambda: path.stat().st_size >= count, "segments are written")


@pytest.mark.usefixtures("short_silence")
def test_a_client_resumes_at_once_after_its_connection_was_lost(sender: Sender) -> None:
    where = sender.announce(len(PHOTO)).headers["location"]
    connection = half_open(sender, where, PHOTO[: SEGMENT + 100], len(PHOTO))
    wait_for_bytes(where, SEGMENT)
    assert sender.ask("HEAD", where).status == 200
    conflict = sender.patch(where, b"", 0)
    assert conflict.status == 409
    offset = int(conflict.headers["upload-offset"])
    assert offset == SEGMENT + 100, "every byte that had arrived is kept"
    check_brought(sender.patch(where, PHOTO[offset:], offset), PHOTO)
    connection.close()


@pytest.mark.usefixtures("short_silence")
def test_an_upload_can_be_canceled_while_its_connection_is_half_open(sender: Sender) -> None:
    where = sender.announce(len(PHOTO)).headers["location"]
    connection = half_open(sender, where, PHOTO[: SEGMENT + 100], len(PHOTO))
    wait_for_bytes(where, SEGMENT)
    assert sender.ask("DELETE", where).status == 204
    assert not Upload.objects.exists()
    connection.close()


def test_a_silent_request_is_ended(sender: Sender, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tus, "QUIET", 0.05)
    monkeypatch.setattr(tus, "SILENCE", 0.2)
    where = sender.announce(len(PHOTO)).headers["location"]
    connection = half_open(sender, where, PHOTO[:1000], len(PHOTO))
    answer = connection.getresponse()
    assert (answer.status, answer.headers["Upload-Offset"]) == (409, "1000")
    connection.close()
    check_brought(sender.patch(where, PHOTO[1000:], 1000), PHOTO)


def test_a_request_that_still_sends_bytes_keeps_its_upload_locked(
    sender: Sender, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tus, "PATIENCE", 0.3)
    where = sender.announce(len(PHOTO)).headers["location"]
    connection = half_open(sender, where, PHOTO[:SEGMENT], len(PHOTO))
    until(lambda: Upload.objects.get().offset == 0 and sender.patch(where, b"").status == 423, "it is locked")
    connection.send(PHOTO[SEGMENT:])
    answer = connection.getresponse()
    assert answer.status == 204
    connection.close()


def test_the_next_piece_may_be_sent_as_soon_as_one_is_answered(
    sender: Sender, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tus, "PATIENCE", 0)
    data = b"Dear you, I kept the shell. " * 40
    where = sender.announce(len(data), "letter.txt").headers["location"]
    statuses = {
        sender.patch(where, data[offset : offset + 28], offset).status for offset in range(0, len(data), 28)
    }
    assert statuses == {204}


def nameless_files(directory: Path) -> list[str]:
    """The files of `directory` that this process has open and that have no name, or no longer one."""
    found = []
    for descriptor in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):
            found.append(str(descriptor.readlink()))
    return [target for target in found if target.startswith(f"{directory}/") and target.endswith("(deleted)")]


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="only Linux lists a process's open files")
def test_the_file_of_a_piece_with_a_checksum_has_no_name(sender: Sender) -> None:
    """The system frees a file without a name when its process ends, so no ciphertext is left over."""
    where = sender.announce(len(PHOTO)).headers["location"]
    more = {"Upload-Checksum": checksum(PHOTO)}
    connection = half_open(sender, where, PHOTO[: 2 * SEGMENT], len(PHOTO), **more)
    path = staging_path(Upload.objects.get().pk)
    until(lambda: bool(nameless_files(path.parent)), "the piece's file is open")
    assert list(path.parent.iterdir()) == [path]
    connection.close()
