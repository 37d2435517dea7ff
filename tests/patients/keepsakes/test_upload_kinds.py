"""Uploads of every kind of file: the bytes decide the kind; refused files leave nothing."""

import os
from collections.abc import Callable, Iterator
from urllib.parse import parse_qs, urlsplit

import pytest
from pytest_django import Settings

from clinic.asgi import application
from clinic.audit.models import Entry
from patients.cases.models import Case
from patients.imaging.decode import Limits
from patients.imaging.page_bundle import unbind
from patients.keepsakes import ingest
from patients.keepsakes.models import Keepsake
from patients.keepsakes.playback import played_of
from patients.vault.models import StoredObject
from patients.vault.objects import read
from tests.configuration import configure
from tests.factories import jpeg, make_case
from tests.patients.imaging.media import pdf, recording, video
from tests.patients.imaging.test_media import video_claiming
from tests.patients.imaging.test_pdf import hidden_attachment, huge_picture, many_pages, nested_forms, script
from tests.patients.keepsakes.sending import Sender
from tests.patients.keepsakes.test_upload_app import assert_nothing_left
from tests.serving import serving

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def case() -> Case:
    return make_case()


@pytest.fixture
def sender(case: Case) -> Iterator[Sender]:
    with serving(application) as port:
        yield Sender(port, case.patient)


KINDS = [
    (lambda: pdf(3), "Letter.PDF", "letter", "pages", ""),
    (lambda: recording(), "voice.mp3", "recording", "picture", "audio/mpeg"),
    (lambda: recording("ipod", "aac"), "memo", "recording", "picture", "audio/mp4"),
    (lambda: recording("ogg", "libopus", rate=48000), "PTT.opus", "recording", "picture", "audio/ogg"),
    (lambda: recording("wav", "pcm_s16le"), "tape.WAV", "recording", "picture", "audio/wav"),
    (lambda: video("mp4"), "VID_1.mp4", "video", "picture", "video/mp4"),
    (lambda: video("webm", "libvpx-vp9"), "clip.webm", "video", "picture", "video/webm"),
]


@pytest.mark.parametrize(("make", "name", "kind", "form", "media_type"), KINDS)
def test_the_bytes_decide_the_kind_and_not_the_sender(
    sender: Sender, case: Case, make: Callable[[], bytes], name: str, kind: str, form: str, media_type: str
) -> None:
    data = make()
    answer = sender.bring(data, name, kind="object", filetype="image/svg+xml")
    assert answer.status == 204, answer.body
    row = Keepsake.objects.select_related("picture", "thumb").get(pk=answer.keepsake)
    assert (row.kind, row.form) == (kind, form)
    assert row.picture
    assert row.thumb
    assert (row.width, row.height) == (row.picture.width, row.picture.height)
    original = StoredObject.objects.get(keepsake=row, role=StoredObject.Role.ORIGINAL)
    assert read(original) == data
    assert original.media_type == media_type
    assert (played_of(row) == original) == bool(media_type)
    assert set(row.stored.values_list("role", flat=True)) == {"original", "screen", "thumb", "seal"}
    assert Entry.objects.get(action="keepsake.brought").details == {"kind": kind, "bytes": len(data)}
    fields = row.read()
    if form == "pages":
        assert (fields.pages, len(fields.prints)) == (3, 3)
        assert len(unbind(read(row.picture))) == 3
    else:
        assert fields.seconds > 0.9
        assert bool(fields.sound) == (kind == "recording")


def test_a_photo_called_a_video_is_not_playable(sender: Sender) -> None:
    answer = sender.bring(jpeg(), "photo.jpg", kind="video")
    row = Keepsake.objects.get(pk=answer.keepsake)
    assert (row.kind, played_of(row)) == ("photo", None)


def test_a_photo_can_be_uploaded_as_an_object(sender: Sender) -> None:
    answer = sender.bring(jpeg(), "photo.jpg", kind="object")
    assert Keepsake.objects.get(pk=answer.keepsake).kind == "object"


# name, content, and words of the explanation. They are "" where random bytes decide which explanation it is.
HOSTILE = [
    ("script.pdf", lambda: pdf(1, change=script), "script"),
    ("hidden.pdf", lambda: pdf(1, change=hidden_attachment), "attachment"),
    (
        "bad-encryption.pdf",
        lambda: pdf(1).replace(b"/Root", b"/Encrypt 1 0 R /Root"),
        "part of it is damaged",
    ),
    ("10000.pdf", lambda: many_pages(10_000), "more than 30 pages"),
    ("line.pdf", lambda: pdf(1, size=(1, 100_000)), "long and narrow"),
    ("huge.pdf", lambda: pdf(1, change=huge_picture), "million pixels"),
    ("cut.pdf", lambda: pdf(3)[:-200], "ends too early"),
    ("polyglot.pdf", lambda: pdf(1) + b"PK\x05\x06" + bytes(18), "hidden"),
    ("letter.html", lambda: pdf(1), "says one thing"),
    ("photo.exe", jpeg, "says one thing"),
    ("ten-hours.mp4", lambda: video_claiming(36_000), "120 minutes"),
    ("cut.mp4", lambda: video("mp4")[:-300], "ends too early"),
    ("cut.wav", lambda: recording("wav", "pcm_s16le")[:90_000], "ends too early"),
    ("mpeg2.mp4", lambda: video("mp4", "mpeg2video"), "cannot play"),
    ("cut.avi", lambda: video("avi", "mpeg4")[:-300], "ends too early"),
    ("letter.eml", lambda: b"From: Joel\nMIME-Version: 1.0\n\nDear", "e-mail"),
    ("noise.mp3", lambda: b"ID3\x04\0\0\0\0\0\0" + os.urandom(5000), ""),
    ("noise.mp4", lambda: b"\0\0\0\x10ftypisom\0\0\0\0\0\0\x10\0moov" + os.urandom(4088), ""),
    ("voice.exe", recording, "says one thing"),
]


@pytest.mark.both_databases
@pytest.mark.parametrize(("name", "make", "words"), HOSTILE, ids=[row[0] for row in HOSTILE])
def test_hostile_files_are_explained_and_leave_no_row_and_no_key(
    sender: Sender, case: Case, name: str, make: Callable[[], bytes], words: str
) -> None:
    answer = sender.bring(make(), name)
    assert answer.status == 422, answer.body
    assert words in answer.json["error"]
    assert answer.json["error"].endswith(".")
    assert_nothing_left(case)
    assert Entry.objects.filter(action="keepsake.refused").count() == 1


def test_a_pdf_that_takes_too_long_is_refused(
    sender: Sender, case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    short_limits = Limits(cpu_seconds=2, seconds=8)
    monkeypatch.setattr(ingest, "decode_limits", lambda: short_limits)
    answer = sender.bring(pdf(1, change=nested_forms), "letter.pdf")
    assert (answer.status, answer.json["error"].endswith(".")) == (422, True)
    assert_nothing_left(case)


def test_limits_for_pages_minutes_and_bytes_come_from_the_settings(
    sender: Sender, case: Case, settings: Settings
) -> None:
    settings.LACUNA_PDF_MAX_PAGES = 2
    settings.LACUNA_MEDIA_MAX_SECONDS = 60
    configure(film_gigabytes=2000 / 1024**3)
    assert "more than 2 pages" in sender.bring(pdf(3), "letter.pdf").json["error"]
    assert "1 minutes" in sender.bring(recording(seconds=90), "voice.mp3").json["error"]
    assert "MB" in sender.bring(video("mp4", frames=40), "film.mp4").json["error"]
    assert_nothing_left(case)


def test_the_form_takes_recordings_videos_and_letters_and_gives_a_reason_for_each_refused_file(
    sender: Sender, case: Case
) -> None:
    answer = sender.post_form(
        ("sound", "voice.m4a", recording("ipod", "aac")),
        ("film", "film.mp4", video("mp4")),
        ("files", "letter.pdf", pdf(2)),
        ("files", "script.pdf", pdf(1, change=script)),
        ("files", "hours.mp4", video_claiming(36_000)),
    )
    results = parse_qs(urlsplit(answer.headers["location"]).query)
    assert results == {"brought": ["3"], "refused": ["pdf_active,too_long"]}
    kinds = Keepsake.objects.filter(case=case).values_list("kind", flat=True)
    assert sorted(kinds) == ["letter", "recording", "video"]
