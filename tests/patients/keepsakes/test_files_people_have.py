"""Files as people have them: cameras, phones, scanners and mail programs do not keep to the standards.

Each goes through the real ingest. The fixture `reported` has small files that reproduce reported bugs and are
not part of the repository; the tests also make files of the same kinds themselves.
"""

import io
import os
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import pillow_heif
import pytest
from django.conf import settings
from django.test import Client
from django.utils import translation
from PIL import Image
from pytest_django import Settings

from patients.cases.models import Case
from patients.imaging.page_bundle import unbind
from patients.imaging.refusals import FileRefused
from patients.imaging.unshown import SENTENCES
from patients.keepsakes.duplicates import lookalikes
from patients.keepsakes.ingest import create_keepsake
from patients.keepsakes.letters import letter_text
from patients.keepsakes.models import Keepsake
from patients.keepsakes.playback import played_of
from patients.vault.models import StoredObject
from patients.vault.objects import destroy, mark_for_destruction, put, read
from tests.factories import make_case
from tests.patients.imaging.media import camera_clip, pdf, recording, spoken, tone, video
from tests.patients.imaging.pictures import saved, scene

pytestmark = pytest.mark.django_db


@pytest.fixture
def case() -> Case:
    return make_case()


def keepsake_from(case: Case, data: bytes, name: str = "") -> Keepsake:
    """Store a file as an original and make a keepsake of it. Errors: FileRefused."""
    original = put(data, case_id=case.pk, role=StoredObject.Role.ORIGINAL)
    row = create_keepsake(original, by=case.patient, filename=name)
    assert read(StoredObject.objects.get(keepsake=row, role="original")) == data
    return row


def page_of(row: Keepsake) -> str:
    """The patient's page of a keepsake."""
    client = Client()
    client.force_login(row.case.patient, backend=settings.AUTHENTICATION_BACKENDS[0])
    answer = client.get(f"/me/keepsakes/{row.pk}/")
    assert answer.status_code == 200
    return str(answer.content.decode())


def picture_bytes(row: Keepsake) -> bytes:
    assert row.picture
    assert row.thumb
    return read(row.picture) + read(row.thumb)


PROPERTY_LIST = (
    b'<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE plist PUBLIC "-//Apple Computer//DTD PLIST 1.0//EN" '
    b'"http://www.apple.com/DTDs/PropertyList-1.0.dtd">\n<plist version="1.0">'
    b"<key>com.apple.print</key></plist>"
)


def segment(marker: int, body: bytes) -> bytes:
    return bytes([0xFF, marker]) + (len(body) + 2).to_bytes(2) + body


def with_print_settings() -> bytes:
    """A JPEG as Photoshop on a Mac saves it, with the print settings in its resources."""
    resource = b"8BIM\x04\x24\0\0" + len(PROPERTY_LIST).to_bytes(4) + PROPERTY_LIST
    return b"\xff\xd8" + segment(0xED, b"Photoshop 3.0\0" + resource) + saved(scene())[2:]


def test_the_print_settings_of_photoshop_are_not_taken_for_hidden_html(case: Case) -> None:
    row = keepsake_from(case, with_print_settings(), "print.jpg")
    assert row.kind == "photo"
    assert b"plist" not in picture_bytes(row)


@pytest.mark.parametrize(
    "words",
    [
        "Made with <html> 5 things I love",
        "<html><body><p>Joel & me</p></body></html>",
        "what is a <script> tag?",
    ],
)
@pytest.mark.parametrize("place", ["comment", "caption"])
def test_a_caption_with_markup_is_shown_as_plain_words(case: Case, words: str, place: str) -> None:
    exif = Image.Exif()
    exif[0x010E] = words
    data = saved(scene(), comment=words.encode()) if place == "comment" else saved(scene(), exif=exif)
    row = keepsake_from(case, data, "photo.jpg")
    assert row.read().stored_words == words
    page = page_of(row)
    assert words.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;") in page
    assert words not in page


@pytest.mark.parametrize("codec", ["pcm_mulaw", "pcm_alaw"])
def test_voicemail_is_a_recording_whose_original_is_played(case: Case, codec: str) -> None:
    row = keepsake_from(case, recording("wav", codec, rate=8000, seconds=2), "voicemail.wav")
    played = played_of(row)
    assert played
    assert (row.kind, played.role, played.media_type) == ("recording", "original", "audio/wav")


@pytest.mark.parametrize("codec", ["adpcm_ms", "adpcm_ima_wav"])
def test_the_recording_of_a_dictaphone_is_played_as_a_converted_copy(case: Case, codec: str) -> None:
    row = keepsake_from(case, recording("wav", codec, rate=8000, seconds=2), "DW_A0001.wav")
    assert row.kind == "recording"
    assert streams_of(row) == ("audio/mp4", [("audio", "aac")])
    assert row.read().seconds == pytest.approx(2, abs=0.4)  # the last block is padded


def streams_of(row: Keepsake) -> tuple[str, list[tuple[str, str]]]:
    """The media type of the converted copy that is played, and the type and codec of each of its streams."""
    played = played_of(row)
    assert played
    assert played.role == "screen"
    with av.open(io.BytesIO(read(played)), "r") as copy:
        assert len(list(copy.decode(copy.streams[0]))) > 5
        return played.media_type, [(one.type, one.codec_context.name) for one in copy.streams]


@pytest.mark.parametrize("length", [0x7FFFF000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF])
def test_a_wav_with_a_placeholder_for_its_length_is_as_long_as_its_bytes(case: Case, length: int) -> None:
    """Programs that write a recording to a pipe leave such a number in its header."""
    data = bytearray(recording("wav", "pcm_s16le", seconds=2))
    at = data.index(b"data") + 4
    data[at : at + 4] = length.to_bytes(4, "little")
    data[4:8] = min(length + at, 0xFFFFFFFF).to_bytes(4, "little")
    assert keepsake_from(case, bytes(data), "tape.wav").read().seconds == pytest.approx(2, abs=0.1)


def test_a_recording_that_was_cut_off_is_still_refused(case: Case) -> None:
    with pytest.raises(FileRefused, match="too early"):
        keepsake_from(case, recording("wav", "pcm_s16le", seconds=2)[:9000], "tape.wav")


SECOND_SOUND = "A second sound track is in this file."
BEHIND = "More bytes are behind the end of this file."


def test_the_page_says_that_a_film_has_a_second_sound_track(case: Case) -> None:
    row = keepsake_from(case, film_with_two_sounds(), "IMG_0001.MOV")
    assert (row.kind, row.read().unshown) == ("video", ["sounds"])
    assert SECOND_SOUND in page_of(row)


def film_with_two_sounds() -> bytes:
    """A film of a phone with two sound tracks. No decoder knows the codec of the second."""
    out = io.BytesIO()
    with av.open(out, "w", format="mov") as target:
        sounds = [target.add_stream("aac", rate=16000) for _ in range(2)]
        film = target.add_stream("libx264", rate=10)
        film.width, film.height, film.pix_fmt = 320, 240, "yuv420p"
        for stream in sounds:
            for frame in tone(1, 16000, spoken, 1):
                target.mux(stream.encode(frame))
            target.mux(stream.encode(None))
        for number in range(10):
            shown = av.VideoFrame.from_image(scene(320, 240))
            shown.pts, shown.time_base = number, Fraction(1, 10)
            target.mux(film.encode(shown))
        target.mux(film.encode(None))
    data = out.getvalue()
    last = data.rindex(b"mp4a")
    return data[:last] + b"apac" + data[last + 4 :]


def test_the_page_says_that_there_are_bytes_after_the_last_box(case: Case) -> None:
    row = keepsake_from(case, video("mp4") + b'{"maker":"a dashboard camera"}' * 5, "DASH0001.MP4")
    assert (row.kind, row.read().unshown) == ("video", ["behind"])
    assert BEHIND in page_of(row)
    assert keepsake_from(case, video("mp4") + bytes(5000)).read().unshown == []


def test_a_box_that_was_cut_off_is_still_refused(case: Case) -> None:
    with pytest.raises(FileRefused, match="too early"):
        keepsake_from(case, video("mp4")[:-300])


@pytest.mark.parametrize(
    ("change", "unshown"),
    [
        (lambda data: data + bytes(4096), []),
        (lambda data: data + b"\r\n" * 20 + b"MAILER 5.1 " * 300, ["behind"]),
        (lambda data: b"\r\n\r\n" + data, []),
    ],
    ids=["zeros after it", "words after it", "blank lines before it"],
)
def test_a_pdf_with_bytes_before_or_after_it_is_read(
    case: Case, change: Callable[[bytes], bytes], unshown: list[str]
) -> None:
    row = keepsake_from(case, change(pdf(2)), "Letter.pdf")
    fields = row.read()
    assert (row.kind, fields.pages, fields.unshown) == ("letter", 2, unshown)
    assert (BEHIND in page_of(row)) == bool(unshown)


@pytest.mark.parametrize("sound", ["", "pcm_u8", "pcm_s16le", "pcm_s16be", "adpcm_ima_qt"])
def test_a_clip_of_a_camera_of_2003_is_a_video_and_is_played_as_a_converted_copy(
    case: Case, sound: str
) -> None:
    row = keepsake_from(case, camera_clip(sound), "MVI_0042.MOV")
    assert row.kind == "video"
    expected = [("video", "h264"), *([("audio", "aac")] if sound else [])]
    assert streams_of(row) == ("video/mp4", expected)
    assert f'src="/playback/{played_of(row).pk}"' in page_of(row)  # type: ignore[union-attr]
    mark_for_destruction(row.stored.exclude(role="seal"), "test")
    destroy(row.stored.all())
    assert played_of(row) is None
    assert set(row.stored.exclude(role="seal").values_list("state", flat=True)) == {"destroyed"}


FORMATS_OF_2004: list[tuple[str, Callable[[], bytes]]] = [
    ("voice.amr", lambda: recording("amr", "libopencore_amrnb", rate=8000, seconds=2)),
    ("tape.flac", lambda: recording("flac", "flac", seconds=2)),
    ("VIDEO.3gp", lambda: video("3gp", "h263", size=(352, 288))),
    ("film.avi", lambda: video("avi", "mpeg4")),
]


@pytest.mark.parametrize(("name", "make"), FORMATS_OF_2004, ids=[row[0] for row in FORMATS_OF_2004])
def test_recordings_and_videos_of_2004_are_played_as_a_converted_copy(
    case: Case, name: str, make: Callable[[], bytes]
) -> None:
    row = keepsake_from(case, make(), name)
    expected = {
        "recording": ("audio/mp4", [("audio", "aac")]),
        "video": ("video/mp4", [("video", "h264")]),
    }
    assert streams_of(row) == expected[row.kind]
    assert row.kind == ("video" if name.endswith(("3gp", "avi")) else "recording")


def test_a_flac_that_was_cut_off_is_refused(case: Case) -> None:
    whole = recording("flac", "flac", seconds=8)
    with pytest.raises(FileRefused, match="too early"):
        keepsake_from(case, whole[: len(whole) // 2], "tape.flac")


@pytest.mark.parametrize(
    ("data", "name", "advice"),
    [
        (b"{\\rtf1\\ansi Dear Joel}", "letter.rtf", "as PDF or plain text"),
        (b"Message-ID: <1@x>\r\nFrom: Joel\r\n\r\nDear", "letter.eml", "print it to PDF"),
    ],
)
def test_documents_and_mails_are_refused_with_advice(case: Case, data: bytes, name: str, advice: str) -> None:
    with pytest.raises(FileRefused, match=advice):
        keepsake_from(case, data, name)


def test_a_scan_of_several_pages_becomes_a_letter_with_as_many_pages(case: Case) -> None:
    pages = [scene(300, 400).rotate(90 * turn) for turn in range(3)]
    row = keepsake_from(case, saved(pages[0], "TIFF", save_all=True, append_images=pages[1:]), "Scan.tif")
    assert row.picture
    assert (row.kind, row.form, row.read().pages) == ("letter", "pages", 3)
    assert [page.origin for page in unbind(read(row.picture))] == [(300, 400)] * 3
    one = keepsake_from(case, saved(pages[0], "TIFF"), "Scan.tif")
    assert (one.kind, one.form) == ("photo", "picture")


def test_more_pages_than_a_letter_may_have_are_refused(case: Case, settings: Settings) -> None:
    settings.LACUNA_PDF_MAX_PAGES = 2
    scan = saved(scene(), "TIFF", save_all=True, append_images=[scene(), scene()])
    with pytest.raises(FileRefused, match="more than 2 pages"):
        keepsake_from(case, scan, "Scan.tif")


LETTER = "Dear Joël, it’s café time – “always”.\nYours, Zoë"
VIETNAMESE = "Anh ơi, em nhớ những chiều mưa ở Huế. Ước gì được gặp lại."


@pytest.mark.parametrize(
    ("text", "encoding"),
    [(LETTER, "cp1252"), (LETTER, "utf-16-le"), (LETTER, "utf-16-be"), (VIETNAMESE, "utf-16-le")],
)
def test_letters_in_the_encodings_of_windows_are_read_correctly(case: Case, text: str, encoding: str) -> None:
    row = keepsake_from(case, text.replace("\n", "\r\n").encode(encoding), "letter.txt")
    assert (row.kind, letter_text(row), row.read().undrawn) == ("letter", text, 0)


@pytest.mark.parametrize(
    "data",
    [
        "Привет, дорогая Клементина".encode("cp1251"),
        b"word " * 2000 + b"\xff\xfe\xfa",
        os.urandom(3000) + b"\0",
    ],
    ids=["Cyrillic", "two encodings", "noise"],
)
def test_a_text_in_an_unknown_encoding_is_refused(case: Case, data: bytes) -> None:
    with pytest.raises(FileRefused):
        keepsake_from(case, data, "letter.txt")


@pytest.mark.parametrize("name", ["from joel@lacuna.com", "photo.pdf", "photo.jpg.txt", "photo.mp3"])
def test_a_photo_may_have_the_name_of_another_accepted_kind(case: Case, name: str) -> None:
    row = keepsake_from(case, saved(scene()), name)
    assert (row.kind, row.read().filename) == ("photo", name)


def test_of_an_animation_and_of_a_motion_photo_it_is_recorded_what_is_not_shown(case: Case) -> None:
    frames = [scene(), scene().rotate(180)]
    row = keepsake_from(case, saved(frames[0], "GIF", save_all=True, append_images=frames[1:]), "moves.gif")
    assert row.read().unshown == ["pictures"]
    assert "More pictures are in this file" in page_of(row)
    row = keepsake_from(case, saved(scene()) + video("mp4"), "MVIMG_0001.jpg")
    assert row.read().unshown == ["film"]
    assert keepsake_from(case, saved(scene()), "plain.jpg").read().unshown == []


def test_the_page_of_a_burst_says_that_the_file_has_more_pictures_than_the_one_shown(case: Case) -> None:
    burst = pillow_heif.from_pillow(scene())
    for turn in (90, 180):
        burst.add_from_pillow(scene().rotate(turn, expand=True))
    buffer = io.BytesIO()
    burst.save(buffer, quality=60)
    row = keepsake_from(case, buffer.getvalue(), "IMG_0042.HEIC")
    assert row.read().unshown == ["pictures"]
    assert "More pictures are in this file" in page_of(row)
    single = io.BytesIO()
    pillow_heif.from_pillow(scene()).save(single, quality=60)
    assert keepsake_from(case, single.getvalue(), "IMG_0043.HEIC").read().unshown == []


def test_the_two_files_of_a_live_photo_become_a_photo_and_a_video_that_look_alike(case: Case) -> None:
    """Phones give both files the same name."""
    still = scene(320, 240)
    photo = io.BytesIO()
    pillow_heif.from_pillow(still).save(photo, quality=90)
    both = [
        keepsake_from(case, photo.getvalue(), "IMG_0042.HEIC"),
        keepsake_from(case, video("mov", first=still), "IMG_0042.MOV"),
    ]
    assert [row.kind for row in both] == ["photo", "video"]
    assert [row.pk for row in lookalikes(both[0])] == [both[1].pk]


def test_every_sentence_about_what_is_not_shown_is_in_vietnamese() -> None:
    with translation.override("en"):
        english = [str(sentence) for sentence in SENTENCES.values()]
    assert english
    with translation.override("vi"):
        assert not set(english) & {str(sentence) for sentence in SENTENCES.values()}


# --- What each reported file must become ---


def check_print_settings(row: Keepsake) -> None:
    assert row.kind == "photo"
    assert b"plist" not in picture_bytes(row)


def check_plain_words(row: Keepsake) -> None:
    assert row.kind == "photo"
    assert "Made with &lt;html&gt; 5 things I love" in page_of(row)


def check_second_sound(row: Keepsake) -> None:
    assert row.kind == "video"
    assert SECOND_SOUND in page_of(row)


def check_its_original_is_played(row: Keepsake) -> None:
    played = played_of(row)
    assert played
    assert (row.kind, played.role) == ("recording", "original")
    assert row.read().seconds == pytest.approx(1.5, abs=0.1)


def check_bytes_after_the_end(row: Keepsake) -> None:
    assert row.kind == "video"
    assert BEHIND in page_of(row)


def check_one_page(row: Keepsake) -> None:
    assert (row.kind, row.read().pages) == ("letter", 1)


def check_three_pages(row: Keepsake) -> None:
    assert (row.form, row.read().pages) == ("pages", 3)


def check_film_with_sound(row: Keepsake) -> None:
    assert (row.kind, streams_of(row)) == ("video", ("video/mp4", [("video", "h264"), ("audio", "aac")]))


def check_silent_film(row: Keepsake) -> None:
    assert (row.kind, streams_of(row)) == ("video", ("video/mp4", [("video", "h264")]))


def check_no_date(row: Keepsake) -> None:
    assert row.read().taken_day == ""


def check_greeting(row: Keepsake) -> None:
    assert letter_text(row).startswith("Dear Joël, ")


REPORTED: dict[str, Callable[[Keepsake], None]] = {
    "photoshop-mac-print.jpg": check_print_settings,
    "comment-html-word.jpg": check_plain_words,
    "spatial-sound.mov": check_second_sound,
    "voicemail-mulaw.wav": check_its_original_is_played,
    "voicemail-alaw.wav": check_its_original_is_played,
    "piped-7ffff000.wav": check_its_original_is_played,
    "piped-7fffffff.wav": check_its_original_is_played,
    "trailer-ascii.mp4": check_bytes_after_the_end,
    "trailing-junk.pdf": check_one_page,
    "owner-password.pdf": check_one_page,
    "leading-blank.pdf": check_one_page,
    "letter-3-pages.tif": check_three_pages,
    "camera2003-mjpeg-pcm.mov": check_film_with_sound,
    "camera2003-mjpeg-nosound.mov": check_silent_film,
    "evening-utc.mp4": check_no_date,
    "future.jpg": check_no_date,
    "scan-epson.jpg": check_no_date,
    "scan-digitized.jpg": check_no_date,
    "cp1252.txt": check_greeting,
    "utf16le-nobom.txt": check_greeting,
}


@pytest.mark.parametrize("name", REPORTED)
def test_each_reported_file_becomes_the_right_keepsake(case: Case, reported: Path, name: str) -> None:
    REPORTED[name](keepsake_from(case, (reported / name).read_bytes(), name))
