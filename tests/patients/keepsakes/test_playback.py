"""Recordings and videos over HTTP: by ranges, to whom they may be, to nobody once a pass has begun (Z7)."""

import time
from collections.abc import Iterator
from http.client import HTTPConnection, HTTPResponse, IncompleteRead
from uuid import uuid4

import pytest
from django.db import transaction
from django.test import Client

from clinic.accounts.models import Role, User
from clinic.audit.models import Entry
from patients.keepsakes import playback as module
from patients.keepsakes.models import Keepsake
from patients.keepsakes.pictures import HEADERS
from patients.keepsakes.playback import (
    CHUNK_BYTES,
    RANGE_BYTES,
    Playback,
    format_duration,
    original_of,
    parse_range,
)
from patients.vault.models import StoredObject
from patients.vault.objects import destroy, mark_for_destruction, read
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
    line = HTTPConnection("127.0.0.1", port, timeout=30)
    headers = {"Cookie": cookie_of(user or row.case.patient), **more}
    line.request(method, f"/playback/{original(row).pk}", headers=headers)
    return line.getresponse()


def faded(row: Keepsake) -> None:
    """What the commit of a first pass does to an original."""
    with transaction.atomic():
        Keepsake.objects.filter(pk=row.pk).update(level=1)
        mark_for_destruction(StoredObject.objects.filter(pk=original(row).pk), "test")


def test_all_of_it_is_sent_where_no_range_is_asked_for(port: int, voice: Keepsake) -> None:
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
def test_a_range_is_that_part_and_no_more(
    port: int, voice: Keepsake, asked: str, start: int, stop: int
) -> None:
    answer = get(port, voice, Range=asked)
    assert answer.status == 206
    assert answer.getheader("Content-Range") == f"bytes {start}-{stop - 1}/300000"
    assert answer.getheader("Content-Length") == str(stop - start)
    assert answer.read() == read(original(voice))[start:stop]


@pytest.mark.parametrize("asked", ["bytes=300000-", "bytes=9-3", "bytes=-0"])
def test_a_range_beyond_the_end_is_said_to_be_none(port: int, voice: Keepsake, asked: str) -> None:
    answer = get(port, voice, Range=asked)
    assert (answer.status, answer.getheader("Content-Range")) == (416, "bytes */300000")


@pytest.mark.parametrize(
    "asked", ["", "bytes=-", "bytes=a-b", "bytes=0-1,5-9", "lines=0-9", "bytes=" + "9" * 30]
)
def test_what_is_no_single_range_is_passed_over(asked: str) -> None:
    span = parse_range(asked, 300)
    assert (span.start, span.stop, span.partial) == (0, 300, False)


def test_an_answer_to_a_range_is_short_so_that_each_is_checked() -> None:
    size = 10 * RANGE_BYTES
    span = parse_range("bytes=100-", size)
    assert (span.start, span.stop, span.partial) == (100, 100 + RANGE_BYTES, True)


def test_head_says_how_much_there_is(port: int, voice: Keepsake) -> None:
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
    assert get(port, voice, make_user(role)).status == status
    denials = Entry.objects.filter(action="access.denied", subject="url:patients:playback").count()
    assert denials == (status != 200)


def test_nobody_listens_signed_out_or_as_staff_to_their_own(port: int, voice: Keepsake) -> None:
    assert ask(port, f"/playback/{original(voice).pk}").status == 401
    own = make_other(make_memory(make_case(make_user(Role.DOCTOR))), "recording")
    assert get(port, own).status == 404


@pytest.mark.parametrize("destroyed", [False, True])
def test_the_first_pass_ends_it(port: int, voice: Keepsake, destroyed: bool) -> None:
    assert get(port, voice, Range="bytes=0-9").status == 206
    faded(voice)
    if destroyed:
        destroy(StoredObject.objects.all())
    answer = get(port, voice, Range="bytes=0-9")
    assert (answer.status, answer.read()) == (410, b"This is gone. Nothing of it is left.")
    assert original_of(voice) is None


def test_what_is_playing_ends_with_the_first_pass(
    port: int, voice: Keepsake, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = module.read_chunk
    sent: list[int] = []

    def then_fade(row: StoredObject, start: int, stop: int) -> bytes:
        if sent:
            faded(voice)
        sent.append(start)
        return whole(row, start, stop)

    monkeypatch.setattr(module, "read_chunk", then_fade)
    answer = get(port, voice)
    with pytest.raises(IncompleteRead) as cut:
        answer.read()
    assert cut.value.partial == read_before(voice)
    assert sent == [0, CHUNK_BYTES]


def read_before(row: Keepsake) -> bytes:
    """The first piece of what a doomed original still holds until it is swept."""
    return read(original(row))[:CHUNK_BYTES]


def test_what_is_playing_ends_when_the_right_to_it_does(
    port: int, voice: Keepsake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "CHECK_EVERY", 0.0)
    whole, patient = module.read_chunk, voice.case.patient

    def then_leave(row: StoredObject, start: int, stop: int) -> bytes:
        data = whole(row, start, stop)
        User.objects.filter(pk=patient.pk).update(is_active=False)
        return data

    monkeypatch.setattr(module, "read_chunk", then_leave)
    with pytest.raises(IncompleteRead):
        get(port, voice).read()


def test_only_what_was_found_playable_is_played(port: int, voice: Keepsake) -> None:
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


def test_one_piece_after_another_is_decrypted_and_no_more(voice: Keepsake) -> None:
    row = original(voice)
    started = time.perf_counter()
    assert module.read_chunk(row, 299_000, 300_000) == read(row)[299_000:]
    assert time.perf_counter() - started < 5
    faded(voice)
    with pytest.raises(module.Refused):
        module.read_chunk(row, 0, 10)


def test_an_original_shorter_than_its_row_says_ends(voice: Keepsake) -> None:
    with pytest.raises(module.Refused):
        module.read_chunk(original(voice), 300_000, 300_010)


def test_lengths_in_words() -> None:
    assert [format_duration(seconds) for seconds in (0, 0.4, 9, 61.2, 3600, 7325)] == [
        "",
        "0:00",
        "0:09",
        "1:01",
        "1:00:00",
        "2:02:05",
    ]


def policy(client: Client, path: str) -> str:
    answer = client.get(path)
    assert answer.status_code == 200
    return str(answer.headers["Content-Security-Policy"])


def test_only_pages_with_a_player_may_play(client: Client, voice: Keepsake) -> None:
    client.force_login(voice.case.patient)
    page = client.get(f"/me/keepsakes/{voice.pk}/")
    assert f"/playback/{original(voice).pk}" in page.content.decode()
    assert "media-src 'self'" in page.headers["Content-Security-Policy"]
    assert "media-src" not in policy(client, "/me/keepsakes/")
    faded(voice)
    assert "/playback/" not in client.get(f"/me/keepsakes/{voice.pk}/").content.decode()


def test_in_the_inbox_it_can_be_heard_only_after_a_reason(client: Client, voice: Keepsake) -> None:
    client.force_login(make_user(Role.DOCTOR))
    where = f"/files/{voice.case_id}/review/"
    Keepsake.objects.filter(pk=voice.pk).update(review="waiting")
    assert "/playback/" not in client.get(where).content.decode()
    sharp = client.post(f"{where}{voice.pk}/sharp/", {"why": "readable"})
    assert f"/playback/{original(voice).pk}" in sharp.content.decode()
    assert "media-src 'self'" in sharp.headers["Content-Security-Policy"]
    assert Entry.objects.filter(action="keepsake.unblurred").count() == 1
