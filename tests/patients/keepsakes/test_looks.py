"""C16: staff see a keepsake unblurred only for a recorded reason, which the patient can read."""

from collections.abc import Iterator
from datetime import timedelta
from http.client import HTTPResponse

import pytest
from django.conf import settings
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from clinic.accounts.models import Role, User
from clinic.audit.models import Entry
from clinic.http.router import Router
from patients.cases.models import Case
from patients.imaging.blur import blurred
from patients.keepsakes.looks import SHARP_FOR, VISIT, NoReason, is_mapping, may_look, record_look
from patients.keepsakes.models import Keepsake
from patients.vault.models import StoredObject
from patients.vault.objects import destroy, mark_for_destruction, read
from tests.factories import (
    make_case,
    make_keepsake,
    make_letter,
    make_memory,
    make_other,
    make_run,
    make_user,
)
from tests.serving import ask, cookie_of, serving, whole_application

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def port() -> Iterator[int]:
    app: Router = whole_application()
    with serving(app) as port:
        yield port


@pytest.fixture
def photo() -> Keepsake:
    return make_keepsake(make_memory(make_case()))


@pytest.fixture
def doctor() -> User:
    return make_user(Role.DOCTOR, name="Howard Mierzwiak")


def move_clock(monkeypatch: pytest.MonkeyPatch, by: timedelta) -> None:
    real = timezone.now
    monkeypatch.setattr(timezone, "now", lambda: real() + by)


def get(port: int, row: StoredObject | None, user: User, part: str = "") -> HTTPResponse:
    assert row is not None
    return ask(port, f"/pictures/{row.pk}{part}", cookie_of(user))


def denials() -> list[tuple[str, str]]:
    entries = Entry.objects.filter(action="access.denied").order_by("index")
    return [(entry.subject, entry.details["because"]) for entry in entries]


@pytest.mark.parametrize("role", [Role.DOCTOR, Role.TECHNICIAN])
@pytest.mark.parametrize("which", ["picture", "thumb"])
def test_c16_without_a_reason_no_picture_is_shown_unblurred(
    port: int, photo: Keepsake, role: str, which: str
) -> None:
    person, row = make_user(role), getattr(photo, which)
    refused = get(port, row, person)
    assert refused.status == 403
    assert "reason" in refused.read().decode()
    assert denials() == [("url:patients:picture", "no-look")]
    record_look(photo, "others", by=person)
    shown = get(port, row, person)
    assert (shown.status, shown.read()) == (200, read(row))
    assert len(denials()) == 1


def test_a_look_is_for_this_keepsake_and_this_person_only(port: int, photo: Keepsake, doctor: User) -> None:
    other = make_keepsake(make_memory(photo.case))
    record_look(photo, "others", by=doctor)
    assert get(port, other.picture, doctor).status == 403
    assert get(port, photo.picture, make_user(Role.DOCTOR)).status == 403
    assert get(port, other.picture, photo.case.patient).status == 200


def test_a_look_expires(photo: Keepsake, doctor: User, monkeypatch: pytest.MonkeyPatch) -> None:
    record_look(photo, "others", by=doctor)
    move_clock(monkeypatch, SHARP_FOR - timedelta(seconds=30))
    assert may_look(doctor, photo.case, photo.pk)
    move_clock(monkeypatch, timedelta(minutes=1))
    assert not may_look(doctor, photo.case, photo.pk)


def test_a_mapping_visit_expires(photo: Keepsake, doctor: User, monkeypatch: pytest.MonkeyPatch) -> None:
    record_look(photo, "others", by=doctor)
    assert not is_mapping(doctor, photo.case)
    record_look(photo, "mapping", by=doctor)
    assert is_mapping(doctor, photo.case)
    assert not is_mapping(doctor, make_case())
    assert not is_mapping(make_user(Role.DOCTOR), photo.case)
    move_clock(monkeypatch, VISIT + timedelta(seconds=1))
    assert not is_mapping(doctor, photo.case)


def test_an_unknown_reason_is_refused(photo: Keepsake, doctor: User) -> None:
    with pytest.raises(NoReason):
        record_look(photo, "curious", by=doctor)
    assert not Entry.objects.filter(action="keepsake.unblurred").exists()


def test_c16_the_server_sends_a_blurred_picture(port: int, photo: Keepsake, doctor: User) -> None:
    assert photo.thumb
    answer = get(port, photo.thumb, doctor, "/blurred")
    soft = answer.read()
    assert (answer.status, answer.headers["Content-Type"]) == (200, "image/jpeg")
    assert answer.headers["Cache-Control"] == "private, no-store"
    assert soft[:2] == b"\xff\xd8"
    assert soft != read(photo.thumb)
    assert len(soft) < len(read(photo.thumb))
    assert not Entry.objects.filter(action="access.denied").exists()


@pytest.mark.parametrize(
    ("role", "status"),
    [(Role.RECEPTIONIST, 403), (Role.AUDITOR, 403), (Role.ADMINISTRATOR, 403), (Role.PATIENT, 404)],
)
def test_who_may_not_even_see_the_blurred_picture(port: int, photo: Keepsake, role: str, status: int) -> None:
    assert get(port, photo.thumb, make_user(role), "/blurred").status == status
    assert denials() == [("url:patients:picture-blurred", "role")]


def test_the_blurred_picture_is_gone_when_the_picture_is_destroyed(
    port: int, photo: Keepsake, doctor: User
) -> None:
    thumb = photo.thumb
    assert get(port, thumb, doctor, "/blurred").status == 200
    rows = StoredObject.objects.filter(keepsake=photo)
    Keepsake.objects.filter(pk=photo.pk).update(picture=None, thumb=None)
    mark_for_destruction(rows, "test")
    destroy(rows)
    assert get(port, thumb, doctor, "/blurred").status == 410


def test_only_pictures_can_be_blurred(port: int, doctor: User) -> None:
    pages = make_other(make_memory(make_case()), "pages")
    assert get(port, pages.picture, doctor, "/blurred").status == 404
    letter = make_letter(make_memory(make_case()))
    assert get(port, letter.picture, doctor, "/blurred").status == 404
    assert get(port, letter.thumb, doctor, "/blurred").status == 200


def test_c16_a_recording_is_played_only_for_a_reason(
    port: int, doctor: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    voice = make_other(make_memory(make_case()), "recording")
    original = StoredObject.objects.get(keepsake=voice, role=StoredObject.Role.ORIGINAL)
    path = f"/playback/{original.pk}"
    assert ask(port, path, cookie_of(doctor)).status == 403
    assert denials() == [("url:patients:playback", "no-look")]
    record_look(voice, "readable", by=doctor)
    assert ask(port, path, cookie_of(doctor)).status == 200
    move_clock(monkeypatch, SHARP_FOR + timedelta(minutes=1))
    assert ask(port, path, cookie_of(doctor)).status == 200, "a recording may be played to its end"
    move_clock(monkeypatch, timedelta(seconds=settings.LACUNA_MEDIA_MAX_SECONDS))
    assert ask(port, path, cookie_of(doctor)).status == 403


def test_c16_opening_a_session_is_recorded_and_unblurs_its_pictures_during_the_run(
    port: int, doctor: User
) -> None:
    run = make_run(2)
    case = Case.objects.get(pk=run.procedure.case_id)
    keepsake = Keepsake.objects.filter(case=case).first()
    assert keepsake is not None
    assert get(port, keepsake.picture, doctor).status == 403
    page = ask(port, reverse("erasure:session", args=[run.pk]), cookie_of(doctor)).read().decode()
    assert f"/pictures/{keepsake.thumb_id}" in page
    [entry] = Entry.objects.filter(action="session.viewed")
    assert (entry.case, entry.run, entry.details) == (case.pk, run.pk, {"page": "session"})
    assert get(port, keepsake.picture, doctor).status == 200
    Case.objects.filter(pk=case.pk).update(stage=Case.Stage.CLOSED)
    assert keepsake.picture
    ended = get(port, keepsake.picture, doctor)
    assert (ended.status, ended.read()) == (200, blurred(read(keepsake.picture)))
    assert len(denials()) == 1, "only the one before the session was opened"
    over = ask(port, reverse("erasure:state", args=[run.pk]), cookie_of(doctor)).read().decode()
    assert f"/pictures/{keepsake.thumb_id}/blurred" in over
    assert f'/pictures/{keepsake.thumb_id}"' not in over


def test_c16_reading_the_state_or_the_stream_is_recorded_too(port: int, doctor: User) -> None:
    run = make_run(1)
    cookie = cookie_of(doctor)
    for path in [reverse("erasure:state", args=[run.pk])] * 2:
        assert ask(port, path, cookie).status == 200
    assert Entry.objects.filter(action="session.viewed").count() == 1
    other = make_user(Role.DOCTOR)
    assert ask(port, f"/live/{run.pk}/", cookie_of(other)).status == 200
    assert Entry.objects.filter(action="session.viewed", details={"page": "live"}).count() == 1


def test_patients_viewing_their_own_session_are_not_recorded(port: int) -> None:
    run = make_run(1)
    patient = run.procedure.case.patient
    assert ask(port, reverse("erasure:session", args=[run.pk]), cookie_of(patient)).status == 200
    assert not Entry.objects.filter(action="session.viewed").exists()


def test_c16_the_patient_sees_every_look_with_its_reason(
    client: Client, photo: Keepsake, doctor: User
) -> None:
    record_look(photo, "others", by=doctor)
    record_look(make_keepsake(make_memory(make_case())), "doubt", by=make_user(Role.DOCTOR, name="Patrick"))
    client.force_login(photo.case.patient)
    Case.objects.filter(pk=photo.case_id).update(stage=Case.Stage.CLOSED)
    page = " ".join(client.get(reverse("patients:looks")).content.decode().split())
    assert "Howard Mierzwiak" in page
    assert "Preview unblurred: to see who else is in it" in page
    assert "Patrick" not in page
    Case.objects.filter(pk=photo.case_id).update(stage=Case.Stage.REVIEW)
    portal = " ".join(client.get(reverse("patients:portal")).content.decode().split())
    assert "Preview unblurred: to see who else is in it" in portal
