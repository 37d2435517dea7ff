"""Recordings and videos over HTTP: ranges, who may play them, and that the first pass ends it (Z7)."""

from collections.abc import Iterator
from http.client import HTTPConnection, HTTPResponse, IncompleteRead
from pathlib import Path
from uuid import uuid4

import pytest
from django.db import transaction
from django.test import Client

from clinic.accounts.models import Role, User
from clinic.audit.models import Entry
from patients.keepsakes import playback
from patients.keepsakes.looks import record_look
from patients.keepsakes.models import Keepsake
from patients.keepsakes.pictures import HEADERS
from patients.keepsakes.playback import (
    CHUNK_BYTES,
    RANGE_BYTES,
    Playback,
    format_duration,
    parse_range,
    played_of,
)
from patients.vault.models import StoredObject
from patients.vault.objects import destroy, mark_for_destruction, read, storage
from patients.vault.stream import SEGMENT, Tampered
from tests.factories import make_case, make_keepsake, make_memory, make_other, make_user
from tests.serving import ask, cookie_of, serving

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def port() -> Iterator[int]:
    with serving(Playback()) as port:
        yield port


@pytest.fixture
def voice() -> Keepsake:
    return make_other(make_memory(make_case()), "recording")


def original(row: Keepsake) -> StoredObject:
    return StoredObject.objects.get(keepsake=row, role=StoredObject.Role.ORIGINAL)


def get(port: int, row: Keepsake, user: User | None = None, method: str = "GET", **more: str) -> HTTPResponse:
    connection = HTTPConnection("127.0.0.1", port, timeout=30)
    headers = {"Cookie": cookie_of(user or row.case.patient), **more}
    connection.request(method, f"/playback/{original(row).pk}", headers=headers)
    return connection.getresponse()


def fade_once(row: Keepsake) -> None:
    """Do to the original what the commit of a first pass does."""
    with transaction.atomic():
        Keepsake.objects.filter(pk=row.pk).update(level=1)
        mark_for_destruction(StoredObject.objects.filter(pk=original(row).pk), "test")


def test_without_a_range_everything_is_sent(port: int, voice: Keepsake) -> None:
    answer = get(port, voice)
    data = read(original(voice))
    assert len(data) > CHUNK_BYTES
    assert (answer.status, answer.read()) == (200, data)
    sent = {name.lower(): value for name, value in answer.getheaders()}
    assert sent["content-type"] == "audio/mpeg"
    assert sent["accept-ranges"] == "bytes"
    assert sent["cache-control"] == "private, no-store"
    assert sent["x-content-type-options"] == "nosniff"
    assert sent["cross-origin-resource-policy"] == "same-origin"
    assert sent["content-security-policy"] == HEADERS["Content-Security-Policy"]


RANGES = [("bytes=0-0", 0, 1), ("bytes=5-99", 5, 100), ("bytes=299990-", 299_990, 300_000)]
RANGES += [("bytes=-7", 299_993, 300_000), ("bytes=65400-131200", 65_400, 131_201)]
RANGES += [("bytes=10-9999999", 10, 300_000), ("bytes=-9999999", 0, 300_000)]


@pytest.mark.parametrize(("asked", "start", "stop"), RANGES)
def test_a_range_request_gets_exactly_that_part(
    port: int, voice: Keepsake, asked: str, start: int, stop: int
) -> None:
    answer = get(port, voice, Range=asked)
    assert answer.status == 206
    assert answer.getheader("Content-Range") == f"bytes {start}-{stop - 1}/300000"
    assert answer.getheader("Content-Length") == str(stop - start)
    assert answer.read() == read(original(voice))[start:stop]


@pytest.mark.parametrize("asked", ["bytes=300000-", "bytes=9-3", "bytes=-0"])
def test_a_range_beyond_the_end_gets_416(port: int, voice: Keepsake, asked: str) -> None:
    answer = get(port, voice, Range=asked)
    assert (answer.status, answer.getheader("Content-Range")) == (416, "bytes */300000")


@pytest.mark.parametrize(
    "asked", ["", "bytes=-", "bytes=a-b", "bytes=0-1,5-9", "lines=0-9", "bytes=" + "9" * 30]
)
def test_anything_but_a_single_range_is_ignored(asked: str) -> None:
    span = parse_range(asked, 300)
    assert (span.start, span.stop, span.partial) == (0, 300, False)


def test_a_range_response_is_limited_so_that_access_is_checked_often() -> None:
    size = 10 * RANGE_BYTES
    span = parse_range("bytes=100-", size)
    assert (span.start, span.stop, span.partial) == (100, 100 + RANGE_BYTES, True)


def test_head_returns_the_length(port: int, voice: Keepsake) -> None:
    answer = get(port, voice, method="HEAD")
    assert (answer.status, answer.getheader("Content-Length"), answer.read()) == (200, "300000", b"")


@pytest.mark.parametrize(
    ("role", "status"),
    [
        (Role.DOCTOR, 200),
        (Role.TECHNICIAN, 200),  # of a case in the stage of mapping
        (Role.RECEPTIONIST, 403),
        (Role.AUDITOR, 403),
        (Role.ADMINISTRATOR, 403),
        (Role.PATIENT, 404),
    ],
)
def test_who_may_listen(port: int, voice: Keepsake, role: str, status: int) -> None:
    person = make_user(role)
    record_look(voice, "doubt", by=person)
    assert get(port, voice, person).status == status
    denials = Entry.objects.filter(action="access.denied", subject="url:patients:playback").count()
    assert denials == (status != 200)


def test_playing_needs_a_sign_in_and_staff_cannot_play_recordings_of_their_own_case(
    port: int, voice: Keepsake
) -> None:
    assert ask(port, f"/playback/{original(voice).pk}").status == 401
    own = make_other(make_memory(make_case(make_user(Role.DOCTOR))), "recording")
    assert get(port, own).status == 404


@pytest.mark.parametrize("destroyed", [False, True])
def test_after_the_first_pass_a_recording_is_gone(port: int, voice: Keepsake, destroyed: bool) -> None:
    assert get(port, voice, Range="bytes=0-9").status == 206
    fade_once(voice)
    if destroyed:
        destroy(StoredObject.objects.all())
    answer = get(port, voice, Range="bytes=0-9")
    assert (answer.status, answer.read()) == (410, b"This is gone. Nothing of it is left.")
    assert played_of(voice) is None


def test_a_response_being_sent_is_cut_off_by_the_first_pass(
    port: int, voice: Keepsake, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = playback.read_chunk
    sent: list[int] = []

    def then_fade(row: StoredObject, start: int, stop: int) -> bytes:
        if sent:
            fade_once(voice)
        sent.append(start)
        return real(row, start, stop)

    monkeypatch.setattr(playback, "read_chunk", then_fade)
    answer = get(port, voice)
    with pytest.raises(IncompleteRead) as cut:
        answer.read()
    assert cut.value.partial == first_piece(voice)
    assert sent == [0, CHUNK_BYTES]


def first_piece(row: Keepsake) -> bytes:
    """The first piece of an original that is marked for destruction but not destroyed yet."""
    return read(original(row))[:CHUNK_BYTES]


def test_a_response_being_sent_is_cut_off_when_access_ends(
    port: int, voice: Keepsake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(playback, "CHECK_EVERY", 0.0)
    real, patient = playback.read_chunk, voice.case.patient

    def then_leave(row: StoredObject, start: int, stop: int) -> bytes:
        data = real(row, start, stop)
        User.objects.filter(pk=patient.pk).update(is_active=False)
        return data

    monkeypatch.setattr(playback, "read_chunk", then_leave)
    with pytest.raises(IncompleteRead):
        get(port, voice).read()


def test_only_playable_media_types_are_played(port: int, voice: Keepsake) -> None:
    photo = make_keepsake(voice.memory)
    assert get(port, photo).status == 404
    thing = make_other(voice.memory, "object")
    StoredObject.objects.filter(pk=original(thing).pk).update(media_type="audio/mpeg")
    assert get(port, thing).status == 404
    StoredObject.objects.filter(pk=original(voice).pk).update(media_type="text/html")
    assert get(port, voice).status == 404
    cookie = cookie_of(voice.case.patient)
    assert ask(port, f"/playback/{voice.picture_id}", cookie).status == 404
    assert ask(port, f"/playback/{uuid4()}", cookie).status == 404
    assert ask(port, "/playback/../upload/", cookie).status == 404


def test_other_methods_are_refused(port: int, voice: Keepsake) -> None:
    for method in ("POST", "PUT", "DELETE", "OPTIONS"):
        assert get(port, voice, method=method).status == 405


def test_only_the_requested_part_is_decrypted(voice: Keepsake) -> None:
    """With damaged bytes before it, a part can still be read: whoever decrypts them is refused."""
    row = original(voice)
    data = read(row)
    path = Path(storage().path(row.blob))
    content = bytearray(path.read_bytes())
    content[SEGMENT + 100] ^= 1
    path.write_bytes(content)
    with pytest.raises(Tampered):
        read(row)
    assert playback.read_chunk(row, 299_000, 300_000) == data[299_000:]
    fade_once(voice)
    with pytest.raises(playback.Refused):
        playback.read_chunk(row, 0, 10)


def test_reading_beyond_the_end_is_refused(voice: Keepsake) -> None:
    with pytest.raises(playback.Refused):
        playback.read_chunk(original(voice), 300_000, 300_010)


def test_durations_are_formatted() -> None:
    assert [format_duration(seconds) for seconds in (0, 0.4, 9, 61.2, 3600, 7325)] == [
        "",
        "0:00",
        "0:09",
        "1:01",
        "1:00:00",
        "2:02:05",
    ]


def content_security_policy(client: Client, path: str) -> str:
    answer = client.get(path)
    assert answer.status_code == 200
    return str(answer.headers["Content-Security-Policy"])


def test_only_pages_with_a_player_allow_media_in_their_csp(client: Client, voice: Keepsake) -> None:
    client.force_login(voice.case.patient)
    page = client.get(f"/me/keepsakes/{voice.pk}/")
    assert f"/playback/{original(voice).pk}" in page.content.decode()
    assert "media-src 'self'" in page.headers["Content-Security-Policy"]
    assert "media-src" not in content_security_policy(client, "/me/keepsakes/")
    fade_once(voice)
    assert "/playback/" not in client.get(f"/me/keepsakes/{voice.pk}/").content.decode()


def test_in_the_review_inbox_a_recording_is_played_only_after_a_reason(
    client: Client, voice: Keepsake
) -> None:
    client.force_login(make_user(Role.DOCTOR))
    where = f"/files/{voice.case_id}/review/"
    Keepsake.objects.filter(pk=voice.pk).update(review="waiting")
    assert "/playback/" not in client.get(where).content.decode()
    sharp = client.post(f"{where}{voice.pk}/sharp/", {"why": "readable"})
    assert f"/playback/{original(voice).pk}" in sharp.content.decode()
    assert "media-src 'self'" in sharp.headers["Content-Security-Policy"]
    assert Entry.objects.filter(action="keepsake.unblurred").count() == 1
