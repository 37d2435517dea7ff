"""Uploads through a real server: what is accepted, and that refused files leave nothing (U1-U10)."""

import base64
import html
import io
import os
import re
import struct
import threading
import zlib
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.conf import settings as django_settings
from django.contrib.sessions.models import Session
from django.db import OperationalError
from django.test import Client
from django.utils import timezone
from PIL import Image
from pytest_django import Settings

from clinic.access.page_owner import owner_mark
from clinic.access.sealed_forms import TOKENS
from clinic.accounts.models import Role
from clinic.asgi import application
from clinic.audit.models import Entry
from patients.cases.models import Case
from patients.consent.models import ConsentText
from patients.consent.signing import sign
from patients.drafts.models import Draft
from patients.drafts.writing import keep_draft
from patients.keepsakes import staging
from patients.keepsakes.models import Keepsake, Upload
from patients.keepsakes.staging import Writer, discard_expired, finish_arrived, staging_path
from patients.vault.configured import key_store
from patients.vault.models import StoredObject
from patients.vault.objects import read, storage
from patients.vault.stream import SEGMENT
from tests.configuration import configure
from tests.factories import jpeg, make_case, make_keepsake, make_text, make_user
from tests.patients.imaging.media import recording
from tests.patients.keepsakes.sending import Answer, Sender
from tests.processes import until
from tests.serving import serving

FORM = "multipart/form-data; boundary=a"
OFFSET_STREAM = "application/offset+octet-stream"

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def case() -> Case:
    return make_case()


@pytest.fixture
def sender(case: Case) -> Iterator[Sender]:
    with serving(application) as port:
        yield Sender(port, case.patient)


def assert_nothing_left(case: Case) -> None:
    """Assert that there is no keepsake, no stored object, no file, and no key except the case's own."""
    assert not Keepsake.objects.filter(case=case).exists()
    assert not Upload.objects.exists()
    assert not StoredObject.objects.remaining().exclude(pk=case.pk).exists()
    assert set(key_store().ids()) == {case.pk}
    assert storage().listdir("")[1] == []
    staged = Path(django_settings.LACUNA_VAULT_DIR) / "staging"
    assert not staged.exists() or list(staged.iterdir()) == []


def png_of_144_megapixels() -> bytes:
    """A PNG of a few kilobytes with 144 million pixels."""
    side = 12_000
    row = zlib.compress(b"\0" * (side + 1) * side, 9)

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", row) + chunk(b"IEND", b"")


def test_an_uploaded_photo_becomes_a_keepsake_with_the_same_bytes(sender: Sender, case: Case) -> None:
    photo = jpeg((1600, 1200))
    answer = sender.bring(photo, "IMG_1.JPG", kind="photo")
    assert (answer.status, answer.headers["upload-offset"]) == (204, str(len(photo)))
    keepsake = Keepsake.objects.get(pk=answer.keepsake)
    assert (keepsake.kind, keepsake.case_id) == (Keepsake.Kind.PHOTO, case.pk)
    assert keepsake.read().filename == "IMG_1.JPG"
    original = StoredObject.objects.get(keepsake=keepsake, role=StoredObject.Role.ORIGINAL)
    assert read(original) == photo
    assert set(keepsake.stored.values_list("role", flat=True)) == {"original", "screen", "thumb", "seal"}
    assert Entry.objects.filter(action="keepsake.brought", case=case.pk).count() == 1


def test_every_sample_photo_is_accepted(sender: Sender, sample_photos: Path) -> None:
    photos = sorted(sample_photos.iterdir())
    for photo in photos:
        answer = sender.bring(photo.read_bytes(), photo.name)
        assert answer.status == 204, (photo.name, answer.body)
    assert Keepsake.objects.count() == len(photos) == 16


@pytest.mark.parametrize(
    ("name", "make", "words"),
    [
        ("half.jpg", lambda: jpeg((900, 700))[:4000], "ends too early"),
        ("drawing.svg", lambda: b"<svg xmlns='http://www.w3.org/2000/svg'/>", "SVG"),
        ("bomb.png", png_of_144_megapixels, "million pixels"),
        ("tool.exe", lambda: b"MZ" + os.urandom(500), "Programs"),
        ("noise.jpg", lambda: os.urandom(3000), "kind of file"),
        ("empty.txt", lambda: b"   \n  ", "no words"),
    ],
)
def test_a_refused_file_is_explained_and_leaves_nothing(
    sender: Sender, case: Case, name: str, make: Callable[[], bytes], words: str
) -> None:
    answer = sender.bring(make(), name)
    assert answer.status == 422
    assert words in answer.json["error"]
    assert answer.json["error"].endswith(".")
    assert_nothing_left(case)
    assert Entry.objects.filter(action="keepsake.refused").count() == 1


GIGABYTE = 1024**3


@pytest.mark.parametrize(
    ("name", "largest", "shown"),
    [
        ("photo.jpg", 200 * 1024**2, "200 MB"),
        ("letter.pdf", 200 * 1024**2, "200 MB"),
        ("voice.wav", 2 * GIGABYTE, "2 GB"),
        ("Film.MOV", 4 * GIGABYTE, "4 GB"),
        ("no-extension", 4 * GIGABYTE, "4 GB"),
    ],
)
def test_a_file_that_is_too_large_is_refused_when_it_is_announced(
    sender: Sender, case: Case, name: str, largest: int, shown: str
) -> None:
    assert sender.ask("DELETE", sender.announce(largest, name).headers["location"]).status == 204
    answer = sender.announce(largest + 1, name)
    assert answer.status == 413
    assert f"larger than {shown}." in answer.json["error"]
    assert_nothing_left(case)


def test_the_clinic_decides_how_large_films_and_recordings_may_be(sender: Sender, case: Case) -> None:
    configure(film_gigabytes=0.5, recording_gigabytes=1.5)
    for name, largest, shown in (
        ("film.mp4", GIGABYTE // 2, "512 MB"),
        ("voice.m4a", GIGABYTE * 3 // 2, "1.5 GB"),
    ):
        assert sender.announce(largest, name).status == 201
        answer = sender.announce(largest + 1, name)
        assert (answer.status, f"larger than {shown}." in answer.json["error"]) == (413, True)


def test_a_file_is_refused_by_its_first_segment_before_the_rest_arrives(sender: Sender, case: Case) -> None:
    """The first segment tells the kind, and the kind has a size limit: 2 GB for recordings."""
    wav = recording("wav", "pcm_s16le", seconds=1)
    where = sender.announce(3 * GIGABYTE, "voice.mp4").headers["location"]
    answer = sender.patch(where, wav[:SEGMENT])
    assert (answer.status, "larger than 2 GB." in answer.json["error"]) == (413, True)
    assert sender.ask("HEAD", where).status == 404
    where = sender.announce(GIGABYTE, "photos.jpg.mp4").headers["location"]
    answer = sender.patch(where, b"PK\x03\x04" + bytes(SEGMENT))
    assert (answer.status, "Archives are not taken" in answer.json["error"]) == (422, True)
    assert_nothing_left(case)
    refusals = Entry.objects.filter(action="keepsake.refused").order_by("index")
    assert [entry.details["because"] for entry in refusals] == ["too_many_bytes", "archive"]


def test_first_bytes_in_the_metadata_are_checked_and_not_stored(sender: Sender, case: Case) -> None:
    wav = base64.b64encode(recording("wav", "pcm_s16le", seconds=1)[:2048]).decode()
    jpg = base64.b64encode(jpeg()[:2048]).decode()

    def announce(length: int, head: str) -> Answer:
        metadata = f"filename {base64.b64encode(b'a').decode()},head {head}"
        return sender.ask("POST", "/upload/", Upload_Length=str(length), Upload_Metadata=metadata)

    answer = announce(3 * GIGABYTE, wav)
    assert (answer.status, "larger than 2 GB." in answer.json["error"]) == (413, True)
    answer = announce(1000, base64.b64encode(b"MZ" + bytes(3000)).decode())
    assert (answer.status, "Programs are not taken" in answer.json["error"]) == (422, True)
    where = announce(3000, jpg).headers["location"]
    assert sender.ask("HEAD", where).headers["upload-metadata"] == "filename YQ=="


def test_a_recording_of_unknown_length_is_refused_above_the_limit_for_recordings(
    sender: Sender, case: Case
) -> None:
    configure(recording_gigabytes=0.001)
    wav = recording("wav", "pcm_s16le", seconds=40)
    assert len(wav) > 0.001 * GIGABYTE
    answer = sender.ask("POST", "/upload/", Upload_Defer_Length="1")
    answer = sender.patch(answer.headers["location"], wav)
    assert (answer.status, "More arrived" in answer.json["error"]) == (413, True)
    assert_nothing_left(case)


def test_a_keepsake_with_damaged_sealed_fields_does_not_stop_another_upload(
    sender: Sender, case: Case
) -> None:
    damaged = make_keepsake(None, case=case)
    Keepsake.objects.filter(pk=damaged.pk).update(sealed=bytes(60))
    photo = jpeg()
    answer = sender.patch(sender.announce(len(photo)).headers["location"], photo)
    assert (answer.status, answer.headers["lacuna-alike"]) == (204, "0")
    assert Keepsake.objects.filter(case=case, gone_at=None).count() == 2


def test_the_setting_for_the_largest_upload_limits_every_kind_of_file(
    sender: Sender, settings: Settings
) -> None:
    settings.LACUNA_UPLOAD_MAX_BYTES = 1000
    for name in ("a.jpg", "a.pdf", "a.txt", "a.wav", "a.mp4", "a"):
        name_field = "filename " + base64.b64encode(name.encode()).decode()
        sizes = {
            size: sender.ask("POST", "/upload/", Upload_Length=str(size), Upload_Metadata=name_field)
            for size in (1000, 1001)
        }
        assert [answer.status for answer in sizes.values()] == [201, 413], name


def test_more_than_announced_is_refused(sender: Sender, case: Case) -> None:
    where = sender.announce(1000).headers["location"]
    answer = sender.patch(where, os.urandom(2000))
    assert (answer.status, answer.json["error"].endswith(".")) == (413, True)
    assert_nothing_left(case)
    details = Entry.objects.get(action="keepsake.refused").details
    assert details == {"because": "more-than-announced", "bytes": 1000}


def test_an_interrupted_upload_resumes_after_the_last_complete_segment(sender: Sender) -> None:
    noise = Image.frombytes("RGB", (900, 700), os.urandom(900 * 700 * 3))
    out = io.BytesIO()
    noise.save(out, "JPEG", quality=95)
    photo = out.getvalue()
    assert len(photo) > 4 * SEGMENT
    where = sender.announce(len(photo)).headers["location"]
    sender.cut_off(where, photo[: 3 * SEGMENT], claim=len(photo))
    until(lambda: sender.ask("HEAD", where).headers["upload-offset"] != "0", "segments are acknowledged")
    offset = int(sender.ask("HEAD", where).headers["upload-offset"])
    assert 0 < offset <= 3 * SEGMENT
    answer = sender.patch(where, photo[offset:], offset)
    assert answer.status == 204
    original = StoredObject.objects.get(keepsake=answer.keepsake, role="original")
    assert read(original) == photo
    again = sender.patch(where, b"", len(photo))
    assert (again.status, again.keepsake) == (204, answer.keepsake)
    assert sender.patch(where, b"x", len(photo)).keepsake == answer.keepsake
    from_the_start = sender.patch(where, photo)
    assert (from_the_start.status, from_the_start.headers["upload-offset"]) == (409, str(len(photo)))
    assert sender.ask("DELETE", where).status == 204  # this does not remove the keepsake
    assert Keepsake.objects.count() == 1


def test_the_answer_to_the_last_piece_tells_how_many_keepsakes_look_like_the_new_one(sender: Sender) -> None:
    same = jpeg((640, 480))
    counts = [sender.bring(same + bytes(number)).headers["lacuna-alike"] for number in range(3)]
    assert counts == ["0", "1", "2"]
    where = sender.announce(len(same)).headers["location"]
    assert "lacuna-alike" not in sender.patch(where, same[:100]).headers
    assert sender.patch(where, same[100:], 100).headers["lacuna-alike"] == "3"
    assert sender.patch(where, b"", len(same)).headers["lacuna-alike"] == "3"


def test_an_abandoned_upload_leaves_nothing_after_it_has_expired(sender: Sender, case: Case) -> None:
    where = sender.announce(10 * SEGMENT).headers["location"]
    sender.cut_off(where, b"\xff\xd8\xff" + os.urandom(2 * SEGMENT), claim=10 * SEGMENT)
    upload = Upload.objects.get()
    until(lambda: Upload.objects.get().offset > 0, "the request has ended")
    assert discard_expired() == 0
    assert staging_path(upload.pk).exists()
    Upload.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    until(lambda: discard_expired() == 1, "the upload is no longer locked")
    assert_nothing_left(case)
    assert sender.ask("HEAD", where).status == 404


def test_a_canceled_upload_leaves_nothing(sender: Sender, case: Case) -> None:
    where = sender.announce(5000).headers["location"]
    sender.patch(where, os.urandom(100))
    assert sender.ask("DELETE", where).status == 204
    assert_nothing_left(case)


def test_without_a_valid_csrf_token_nothing_is_read(sender: Sender, case: Case) -> None:
    good = sender.token
    where = sender.announce(5000).headers["location"]
    sender.token = "x" * 32
    assert sender.announce(5000).status == 403
    assert sender.patch(where, os.urandom(5000)).status == 403
    assert sender.ask("DELETE", where).status == 403
    sender.token = good
    assert sender.ask("HEAD", where).headers["upload-offset"] == "0"
    # `announce` sends Origin as metadata, `ask` as a header.
    assert sender.announce(5000, Origin="https://elsewhere.example").status == 201
    assert sender.ask("POST", "/upload/", Upload_Length="5", Origin="https://elsewhere.example").status == 403


def test_strangers_staff_and_visitors_cannot_use_an_upload(sender: Sender) -> None:
    where = sender.announce(5000).headers["location"]
    stranger = Sender(sender.port, make_case().patient)
    assert stranger.ask("HEAD", where).status == 404
    assert stranger.patch(where, b"x").status == 404
    assert stranger.ask("DELETE", where).status == 404
    denied = Entry.objects.filter(action="access.denied").order_by("index")
    recorded = [(row.details["method"], row.details["because"], row.case) for row in denied]
    case = Upload.objects.get().case_id
    assert recorded == [(method, "no-object", case) for method in ("head", "patch", "delete")]
    doctor = Sender(sender.port, make_user(Role.DOCTOR))
    assert doctor.announce(10).status == 403
    assert denied.all().count() == 4
    sender.cookie = ""
    assert sender.announce(10).status == 401


def test_nothing_is_accepted_before_the_storage_consent(sender: Sender) -> None:
    other = make_case(agreed=False)
    other_sender = Sender(sender.port, other.patient)
    answer = other_sender.announce(100)
    assert (answer.status, "agree first" in answer.json["error"]) == (409, True)
    assert other_sender.post_form(("files", "one.jpg", jpeg())).status == 409
    assert not Upload.objects.exists()
    text = make_text(ConsentText.Kind.STORAGE)
    sign(other, by=other.patient, kind=ConsentText.Kind.STORAGE, text_seen=text.digest)
    assert other_sender.announce(100).status == 201


def test_without_an_open_case_uploads_are_refused(sender: Sender) -> None:
    answer = Sender(sender.port, make_user(Role.PATIENT)).announce(10)
    assert (answer.status, "no open file" in answer.json["error"]) == (409, True)


def test_with_a_locked_map_uploads_are_refused(sender: Sender, case: Case) -> None:
    Case.objects.filter(pk=case.pk).update(stage=Case.Stage.MAPPED)
    answer = sender.announce(100)
    assert (answer.status, "locked" in answer.json["error"]) == (409, True)
    assert Entry.objects.get(action="keepsake.refused").details == {"because": "not-taken", "bytes": 100}
    assert_nothing_left(case)


def test_the_quota_holds_for_parallel_uploads(sender: Sender, case: Case, settings: Settings) -> None:
    settings.LACUNA_CASE_MAX_BYTES = 10_000
    answers: list[int] = []
    threads = [
        threading.Thread(target=lambda: answers.append(sender.announce(4_000).status)) for _ in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == [201, 201, 409, 409, 409, 409]


def test_only_one_request_can_write_to_an_upload(sender: Sender) -> None:
    where = sender.announce(5000).headers["location"]
    writer = Writer(Upload.objects.get())
    try:
        assert sender.patch(where, os.urandom(5000)).status == 423
        assert sender.ask("DELETE", where).status == 423
        assert sender.ask("HEAD", where).headers["upload-offset"] == "0"
    finally:
        writer.close()


def test_a_text_file_becomes_a_letter(sender: Sender) -> None:
    answer = sender.bring(b"Dear you,\nI kept the shell.", "letter.txt")
    keepsake = Keepsake.objects.get(pk=answer.keepsake)
    assert (keepsake.kind, keepsake.read().words) == (Keepsake.Kind.LETTER, 6)
    assert read(keepsake.picture) == b"Dear you,\nI kept the shell."


def test_the_form_uploads_several_files_and_reports_each_result(sender: Sender, case: Case) -> None:
    answer = sender.post_form(
        ("kind", None, b"photo"),
        ("files", "one.jpg", jpeg()),
        ("files", "half.jpg", jpeg((900, 700))[:3000]),
        ("files", "two.jpg", jpeg()),
        ("words", None, b"I kept the shell."),
    )
    assert answer.status == 303
    results = parse_qs(urlsplit(answer.headers["location"]).query)
    assert results == {"brought": ["3"], "refused": ["truncated"]}
    assert Keepsake.objects.filter(case=case).count() == 3
    assert not Upload.objects.filter(keepsake__isnull=True).exists()


def test_a_letter_sent_by_the_form_deletes_its_draft_but_no_newer_one(sender: Sender, case: Case) -> None:
    older = keep_draft("letter", {"words": ["I kept"]}, known=None, by=case.patient).revision
    newer = keep_draft("letter", {"words": ["I kept the shell."]}, known=older, by=case.patient).revision

    def bring(words: bytes, revision: object) -> int:
        return sender.post_form(("words", None, words), ("draft", None, str(revision).encode())).status

    assert [bring(b"I kept", older), bring(b"", newer), bring(b"\xff", "nonsense")] == [303] * 3
    assert Draft.objects.live().count() == 1
    assert bring(b"I kept the shell.", newer) == 303
    assert Draft.objects.count() == 0


def test_the_form_is_refused_without_a_valid_token(sender: Sender, case: Case) -> None:
    assert sender.post_form(("files", "one.jpg", jpeg()), token="y" * 32).status == 403
    assert_nothing_left(case)


def test_w1_a_form_from_a_page_of_another_person_is_refused_and_stores_nothing(
    sender: Sender, case: Case
) -> None:
    file = ("files", "one.jpg", jpeg())
    other = owner_mark(make_user(Role.PATIENT)).encode()
    answer = sender.post_form(("page_owner", None, other), file, ("words", None, b"I kept the shell."))
    assert answer.status == 403
    assert b"Somebody else has signed in since it was opened." in answer.body
    assert b"shell" not in answer.body
    assert_nothing_left(case)
    own = owner_mark(case.patient).encode()
    assert sender.post_form(("page_owner", None, own), file).status == 303
    assert case.keepsakes.count() == 1


def hidden_fields(page: bytes) -> list[tuple[str, str]]:
    """The hidden fields of a page's form, without its tokens."""
    found = re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', page.decode())
    return [(html.unescape(name), html.unescape(value)) for name, value in found if name not in TOKENS]


@pytest.mark.parametrize("files", [[], [("files", "one.jpg", jpeg())]], ids=["words", "words and a file"])
def test_w1_words_posted_after_the_session_has_ended_are_sent_after_signing_in(
    sender: Sender, case: Case, files: list[Any]
) -> None:
    """Without a script: the 401 page holds the words encrypted, and the page after signing in posts them."""
    own = ("page_owner", None, owner_mark(case.patient).encode())
    Session.objects.all().delete()
    answer = sender.post_form(own, *files, ("words", None, "I kept the shell & café.".encode()))
    assert (answer.status, answer.headers["www-authenticate"]) == (401, "Session")
    assert b"What you wrote is not lost and not sent yet." in answer.body
    assert "café" not in answer.body.decode()
    assert_nothing_left(case)

    signed_in_again = Sender(sender.port, case.patient)
    sealed = dict(hidden_fields(answer.body))["sealed"]
    client = Client()
    client.force_login(case.patient)
    page = client.post("/account/return/", {"sealed": sealed}).content
    assert b'action="/upload/form"' in page
    assert b'enctype="multipart/form-data"' in page
    parts = [(name, None, value.encode()) for name, value in hidden_fields(page)]
    again = signed_in_again.post_form(own, *parts)
    assert again.status == 303
    results = parse_qs(urlsplit(again.headers["location"]).query)
    assert results == {"brought": ["1"]} | ({"refused": ["late"]} if files else {})
    assert read(Keepsake.objects.get(case=case).picture).decode() == "I kept the shell & café."


def test_w1_a_form_with_an_old_csrf_token_gets_its_words_back_unless_it_came_from_another_site(
    sender: Sender, case: Case
) -> None:
    own = ("page_owner", None, owner_mark(case.patient).encode())
    parts = (own, ("files", "one.jpg", jpeg()), ("words", None, b"I kept the shell."))
    here = {"Origin": f"http://127.0.0.1:{sender.port}", "Sec-Fetch-Site": "same-origin"}
    answer = sender.post_form(*parts, token="y" * 32, **here)
    assert answer.status == 403
    fields = dict(hidden_fields(answer.body))
    assert (fields["words"], fields["files_skipped"]) == ("I kept the shell.", "1")
    assert_nothing_left(case)
    elsewhere = {**here, "Sec-Fetch-Site": "cross-site"}
    assert b"shell" not in sender.post_form(*parts, token="y" * 32, **elsewhere).body
    assert_nothing_left(case)


def test_w1_a_script_that_posts_after_the_session_has_ended_gets_401_and_no_page(
    sender: Sender, case: Case
) -> None:
    Session.objects.all().delete()
    own = ("page_owner", None, owner_mark(case.patient).encode())
    answer = sender.post_form(own, ("words", None, b"I kept."), **{"Sec-Fetch-Mode": "cors"})
    assert (answer.status, answer.body) == (401, b"Please sign in.")


def test_a_form_far_above_the_limit_after_the_session_has_ended_gets_401(
    sender: Sender, settings: Settings
) -> None:
    settings.LACUNA_UPLOAD_MAX_BYTES = 1000
    Session.objects.all().delete()
    large = ("files", "one.jpg", bytes(70_000))
    answer = sender.post_form(("page_owner", None, b"x"), large, ("words", None, b"I kept."))
    assert answer.status == 401


def test_malformed_requests_do_not_cause_a_500(sender: Sender, case: Case) -> None:
    where = sender.announce(100).headers["location"]
    nowhere, form = "/upload/nowhere", "/upload/form"
    empty = b"--a--\r\n"
    answers = [
        (400, sender.ask("POST", "/upload/", Upload_Length="-1")),
        (413, sender.ask("POST", "/upload/", Upload_Length="9" * 30)),
        (422, sender.ask("POST", "/upload/", Upload_Length="0")),
        (400, sender.ask("POST", "/upload/", Upload_Length="10", Upload_Metadata="filename !!!")),
        (412, sender.ask("POST", "/upload/", Upload_Length="10", Tus_Resumable="0.2.2")),
        (400, sender.ask("PATCH", where, b"x", Upload_Offset="nan", Content_Type=OFFSET_STREAM)),
        (415, sender.ask("PATCH", where, b"x", Upload_Offset="0", Content_Type="text/plain")),
        (409, sender.ask("PATCH", where, b"x", Upload_Offset="7", Content_Type=OFFSET_STREAM)),
        (405, sender.ask("GET", "/upload/")),
        (405, sender.ask("PUT", where)),
        (404, sender.ask("POST", nowhere)),
        (404, sender.ask("DELETE", nowhere)),
        (405, sender.ask("GET", form)),
        (415, sender.ask("POST", form, b"x", Content_Type="multipart/form-data")),
        (415, sender.ask("POST", form, empty, Content_Type="multipart/mixed; boundary=a")),
        (415, sender.ask("POST", form, empty, Content_Type=f"{FORM}{'a' * 70}")),
        (400, sender.ask("POST", form, b"x", Content_Type=FORM)),
        (400, sender.ask("POST", form, b"--a\r\nnonsense\r\n\r\n", Content_Type=FORM)),
    ]
    assert [answer.status for _status, answer in answers] == [status for status, _answer in answers]
    assert all(answer.body for _status, answer in answers)


def test_a_full_disk_is_answered_with_507_and_leaves_nothing(
    sender: Sender, case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(fd: int, data: object) -> int:
        raise OSError(28, "No space left on device")

    where = sender.announce(3 * SEGMENT).headers["location"]
    monkeypatch.setattr(staging.os, "write", full)
    answer = sender.patch(where, b"\xff\xd8\xff" + os.urandom(3 * SEGMENT - 3))
    monkeypatch.undo()
    assert answer.status == 507
    assert sender.ask("HEAD", where).status == 404
    assert_nothing_left(case)


def test_an_unavailable_database_is_answered_with_503_and_arrived_files_are_kept(
    sender: Sender, case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unavailable(*args: object, **more: object) -> None:
        raise OperationalError("the database is unavailable")

    monkeypatch.setattr(staging, "create_keepsake", unavailable)
    answer = sender.bring(jpeg())
    assert answer.status == 503
    assert answer.json["error"] == "We could not store this just now. Please try again in a minute."
    form = sender.post_form(("files", "one.jpg", jpeg()), ("files", "two.jpg", jpeg()))
    assert form.status == 503
    assert b"What had arrived whole will appear here by itself." in form.body
    monkeypatch.undo()
    assert finish_arrived() == 3
    assert Keepsake.objects.filter(case=case).count() == 3
    assert sender.ask("HEAD", f"/upload/{Upload.objects.all()[0].pk}").status == 200
