"""Uploads over a real server: what is taken, what is refused, and what is left of it (U1-U10)."""

import io
import os
import struct
import threading
import zlib
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from django.conf import settings as django_settings
from django.db import OperationalError
from django.utils import timezone
from PIL import Image

from clinic.accounts.models import Role
from clinic.asgi import application
from clinic.audit.models import Entry
from patients.cases.models import Case
from patients.consent.models import ConsentText
from patients.consent.signing import sign
from patients.keepsakes import staging
from patients.keepsakes.models import Keepsake, Upload
from patients.keepsakes.staging import Writer, discard_expired, finish_arrived, staging_path
from patients.vault.configured import key_store
from patients.vault.models import StoredObject
from patients.vault.objects import read, storage
from patients.vault.stream import SEGMENT
from tests.factories import jpeg, make_case, make_text, make_user
from tests.house import until
from tests.patients.keepsakes.sending import Sender
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


def nothing_left(case: Case) -> None:
    """No keepsake, no row that could still hold a key, no file, and no key but the case's own."""
    assert not Keepsake.objects.filter(case=case).exists()
    assert not Upload.objects.exists()
    assert not StoredObject.objects.remaining().exclude(pk=case.pk).exists()
    assert set(key_store().ids()) == {case.pk}
    assert storage().listdir("")[1] == []
    staged = Path(django_settings.LACUNA_VAULT_DIR) / "staging"
    assert not staged.exists() or list(staged.iterdir()) == []


def bomb() -> bytes:
    """A PNG of a few kilobytes that would be 144 million pixels."""
    side = 12_000
    row = zlib.compress(b"\0" * (side + 1) * side, 9)

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", row) + chunk(b"IEND", b"")


def test_a_photo_becomes_a_keepsake_and_comes_back_byte_for_byte(sender: Sender, case: Case) -> None:
    photo = jpeg((1600, 1200))
    answer = sender.bring(photo, "IMG_1.JPG", kind="photo")
    assert answer.status == 200
    keepsake = Keepsake.objects.get(pk=answer.said["keepsake"])
    assert (keepsake.kind, keepsake.case_id) == (Keepsake.Kind.PHOTO, case.pk)
    assert keepsake.read().filename == "IMG_1.JPG"
    original = StoredObject.objects.get(keepsake=keepsake, role=StoredObject.Role.ORIGINAL)
    assert read(original) == photo
    assert set(keepsake.stored.values_list("role", flat=True)) == {"original", "screen", "thumb", "seal"}
    assert Entry.objects.filter(action="keepsake.brought", case=case.pk).count() == 1


def test_every_sample_photo_is_taken(sender: Sender, sample_photos: Path) -> None:
    photos = sorted(sample_photos.iterdir())
    for photo in photos:
        answer = sender.bring(photo.read_bytes(), photo.name)
        assert answer.status == 200, (photo.name, answer.body)
    assert Keepsake.objects.count() == len(photos) == 16


@pytest.mark.parametrize(
    ("name", "make", "word"),
    [
        ("half.jpg", lambda: jpeg((900, 700))[:4000], "ends too early"),
        ("drawing.svg", lambda: b"<svg xmlns='http://www.w3.org/2000/svg'/>", "SVG"),
        ("bomb.png", bomb, "million pixels"),
        ("tool.exe", lambda: b"MZ" + os.urandom(500), "Programs"),
        ("noise.jpg", lambda: os.urandom(3000), "kind of file"),
        ("empty.txt", lambda: b"   \n  ", ""),
    ],
)
def test_what_cannot_be_taken_gets_a_sentence_and_leaves_nothing(
    sender: Sender, case: Case, name: str, make: object, word: str
) -> None:
    answer = sender.bring(make(), name)  # type: ignore[operator]
    assert answer.status == 422
    assert word in answer.said["error"]
    assert answer.said["error"].endswith(".")
    nothing_left(case)
    assert Entry.objects.filter(action="keepsake.refused").count() == 1


def test_too_large_is_said_before_a_byte_is_sent(sender: Sender, case: Case) -> None:
    answer = sender.announce(django_settings.LACUNA_UPLOAD_MAX_BYTES + 1)
    assert answer.status == 413
    assert "512 MB" in answer.said["error"]
    nothing_left(case)


def test_more_than_announced_is_refused(sender: Sender, case: Case) -> None:
    where = sender.announce(1000).headers["location"]
    answer = sender.patch(where, os.urandom(2000))
    assert (answer.status, answer.said["error"].endswith(".")) == (413, True)
    nothing_left(case)
    told = Entry.objects.get(action="keepsake.refused").details
    assert told == {"because": "more-than-announced", "bytes": 1000}


def test_a_cut_upload_is_resumed_where_whole_segments_ended(sender: Sender) -> None:
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
    assert answer.status == 200
    original = StoredObject.objects.get(keepsake=answer.said["keepsake"], role="original")
    assert read(original) == photo
    again = sender.patch(where, b"", len(photo))
    assert (again.status, again.said) == (200, answer.said)
    assert sender.patch(where, b"x", len(photo)).said == answer.said
    elsewhere = sender.patch(where, photo)
    assert (elsewhere.status, elsewhere.headers["upload-offset"]) == (409, str(len(photo)))
    assert sender.ask("DELETE", where).status == 204  # a keepsake is not ended so
    assert Keepsake.objects.count() == 1


def test_an_abandoned_upload_leaves_nothing_after_its_time(sender: Sender, case: Case) -> None:
    where = sender.announce(10 * SEGMENT).headers["location"]
    sender.cut_off(where, os.urandom(2 * SEGMENT), claim=10 * SEGMENT)
    upload = Upload.objects.get()
    until(lambda: Upload.objects.get().offset > 0, "the request is put away")
    assert discard_expired() == 0
    assert staging_path(upload.pk).exists()
    Upload.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    until(lambda: discard_expired() == 1, "nobody writes to it any more")
    nothing_left(case)
    assert sender.ask("HEAD", where).status == 404


def test_a_canceled_upload_leaves_nothing(sender: Sender, case: Case) -> None:
    where = sender.announce(5000).headers["location"]
    sender.patch(where, os.urandom(100))
    assert sender.ask("DELETE", where).status == 204
    nothing_left(case)


def test_nothing_is_read_without_a_good_token(sender: Sender, case: Case) -> None:
    good = sender.token
    where = sender.announce(5000).headers["location"]
    sender.token = "x" * 32
    assert sender.announce(5000).status == 403
    assert sender.patch(where, os.urandom(5000)).status == 403
    assert sender.ask("DELETE", where).status == 403
    sender.token = good
    assert sender.ask("HEAD", where).headers["upload-offset"] == "0"
    assert sender.announce(5000, Origin="https://elsewhere.example").status == 201  # metadata, not a header
    assert sender.ask("POST", "/upload/", Upload_Length="5", Origin="https://elsewhere.example").status == 403


def test_strangers_staff_and_nobody_get_nowhere(sender: Sender) -> None:
    where = sender.announce(5000).headers["location"]
    stranger = Sender(sender.port, make_case().patient)
    assert stranger.ask("HEAD", where).status == 404
    assert stranger.patch(where, b"x").status == 404
    assert stranger.ask("DELETE", where).status == 404
    denied = Entry.objects.filter(action="access.denied").order_by("index")
    told = [(row.details["method"], row.details["because"], row.case) for row in denied]
    case = Upload.objects.get().case_id
    assert told == [(method, "no-object", case) for method in ("head", "patch", "delete")]
    doctor = Sender(sender.port, make_user(Role.DOCTOR))
    assert doctor.announce(10).status == 403
    assert denied.all().count() == 4
    sender.cookie = ""
    assert sender.announce(10).status == 401


def test_nothing_is_taken_before_the_patient_agreed_that_it_is_kept(sender: Sender) -> None:
    other = make_case(agreed=False)
    asking = Sender(sender.port, other.patient)
    answer = asking.announce(100)
    assert (answer.status, "agree first" in answer.said["error"]) == (409, True)
    assert asking.post_form(("files", "one.jpg", jpeg())).status == 409
    assert not Upload.objects.exists()
    text = make_text(ConsentText.Kind.STORAGE)
    sign(other, by=other.patient, kind=ConsentText.Kind.STORAGE, text_seen=text.digest)
    assert asking.announce(100).status == 201


def test_without_an_open_file_there_is_nowhere_to_put_anything(sender: Sender) -> None:
    answer = Sender(sender.port, make_user(Role.PATIENT)).announce(10)
    assert (answer.status, "no open file" in answer.said["error"]) == (409, True)


def test_a_locked_map_takes_nothing(sender: Sender, case: Case) -> None:
    Case.objects.filter(pk=case.pk).update(stage=Case.Stage.MAPPED)
    answer = sender.announce(100)
    assert (answer.status, "locked" in answer.said["error"]) == (409, True)
    assert Entry.objects.get(action="keepsake.refused").details == {"because": "not-taken", "bytes": 100}
    nothing_left(case)


def test_the_quota_holds_in_parallel(sender: Sender, case: Case, settings: object) -> None:
    settings.LACUNA_CASE_MAX_BYTES = 10_000  # type: ignore[attr-defined]
    answers: list[int] = []
    threads = [
        threading.Thread(target=lambda: answers.append(sender.announce(4_000).status)) for _ in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == [201, 201, 409, 409, 409, 409]


def test_only_one_request_writes_at_a_time(sender: Sender) -> None:
    where = sender.announce(5000).headers["location"]
    writer = Writer(Upload.objects.get())
    try:
        assert sender.patch(where, os.urandom(5000)).status == 423
        assert sender.ask("DELETE", where).status == 423
        assert sender.ask("HEAD", where).headers["upload-offset"] == "0"
    finally:
        writer.close()


def test_a_letter_typed_as_text_is_a_letter(sender: Sender) -> None:
    answer = sender.bring(b"Dear you,\nI kept the shell.", "letter.txt")
    keepsake = Keepsake.objects.get(pk=answer.said["keepsake"])
    assert (keepsake.kind, keepsake.read().words) == (Keepsake.Kind.LETTER, 6)
    assert read(keepsake.picture) == b"Dear you,\nI kept the shell."


def test_the_form_brings_several_files_and_says_what_came_of_each(sender: Sender, case: Case) -> None:
    answer = sender.post_form(
        ("kind", None, b"photo"),
        ("files", "one.jpg", jpeg()),
        ("files", "half.jpg", jpeg((900, 700))[:3000]),
        ("files", "two.jpg", jpeg()),
        ("words", None, b"I kept the shell."),
    )
    assert answer.status == 303
    said = parse_qs(urlsplit(answer.headers["location"]).query)
    assert said == {"brought": ["3"], "refused": ["truncated"]}
    assert Keepsake.objects.filter(case=case).count() == 3
    assert not Upload.objects.filter(keepsake__isnull=True).exists()


def test_the_form_takes_no_file_without_its_token(sender: Sender, case: Case) -> None:
    assert sender.post_form(("files", "one.jpg", jpeg()), token="y" * 32).status == 403
    nothing_left(case)


def test_hostile_requests_get_no_500(sender: Sender, case: Case) -> None:
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


def test_a_full_disk_answers_507_and_keeps_nothing(
    sender: Sender, case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    from patients.keepsakes import staging

    def full(fd: int, data: object) -> int:
        raise OSError(28, "No space left on device")

    where = sender.announce(3 * SEGMENT).headers["location"]
    monkeypatch.setattr(staging.os, "write", full)
    answer = sender.patch(where, os.urandom(3 * SEGMENT))
    monkeypatch.undo()
    assert answer.status == 507
    assert sender.ask("HEAD", where).status == 404
    nothing_left(case)


def test_a_database_that_is_away_is_said_and_keeps_what_has_arrived(
    sender: Sender, case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*args: object, **more: object) -> None:
        raise OperationalError("the database is away")

    monkeypatch.setattr(staging, "create_keepsake", away)
    answer = sender.bring(jpeg())
    assert answer.status == 503
    assert answer.said["error"] == "We could not store this just now. Please try again in a minute."
    form = sender.post_form(("files", "one.jpg", jpeg()), ("files", "two.jpg", jpeg()))
    assert form.status == 503
    assert b"What had arrived whole will appear here by itself." in form.body
    monkeypatch.undo()
    assert finish_arrived() == 3
    assert Keepsake.objects.filter(case=case).count() == 3
    assert sender.ask("HEAD", f"/upload/{Upload.objects.all()[0].pk}").status == 200
