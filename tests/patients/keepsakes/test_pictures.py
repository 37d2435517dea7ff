"""Pictures over HTTP: who may see them, and that nobody can once they are destroyed."""

import asyncio
from collections.abc import Iterator
from http.client import HTTPResponse
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from django.db import transaction
from django.test import Client, override_settings

from clinic.accounts.models import Role, User
from clinic.audit.models import Entry
from clinic.http.guard import response_headers
from patients.consent.signing import withdraw
from patients.imaging.page_bundle import unbind
from patients.keepsakes.looks import record_look
from patients.keepsakes.models import Keepsake
from patients.keepsakes.pictures import HEADERS, PictureCache, Pictures
from patients.vault.models import StoredObject
from patients.vault.objects import destroy, mark_for_destruction, read, storage
from tests.factories import make_case, make_keepsake, make_letter, make_memory, make_other, make_user
from tests.serving import ask, cookie_of, serving

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def app() -> Pictures:
    return Pictures()


@pytest.fixture
def port(app: Pictures) -> Iterator[int]:
    with serving(app) as port:
        yield port


@pytest.fixture
def photo() -> Keepsake:
    return make_keepsake(make_memory(make_case()))


def get(port: int, row: StoredObject | UUID | None, user: User, method: str = "GET") -> HTTPResponse:
    assert row is not None
    key = row if isinstance(row, UUID) else row.pk
    return ask(port, f"/pictures/{key}", cookie_of(user), method)


def take_pictures_away(row: StoredObject, keepsake: Keepsake, *, destroyed: bool) -> None:
    """Take a keepsake's pictures from it and mark them for destruction, as a pass does at its commit.

    destroyed: also destroy `row`, as the sweep does.
    """
    with transaction.atomic():
        Keepsake.objects.filter(pk=keepsake.pk).update(picture=None, thumb=None)
        mark_for_destruction(StoredObject.objects.filter(keepsake=keepsake), "test")
    if destroyed:
        destroy(StoredObject.objects.filter(pk=row.pk))


def test_screen_and_thumb_are_shown_and_the_original_never(port: int, photo: Keepsake) -> None:
    patient = photo.case.patient
    assert photo.picture
    answer = get(port, photo.picture, patient)
    assert (answer.status, answer.read()) == (200, read(photo.picture))
    assert get(port, photo.thumb, patient).status == 200
    original = StoredObject.objects.get(keepsake=photo, role=StoredObject.Role.ORIGINAL)
    assert get(port, original, patient).status == 404
    Keepsake.objects.filter(pk=photo.pk).update(picture=original)
    assert get(port, original, patient).status == 404


def test_of_a_letter_only_the_thumbnail_is_shown(port: int) -> None:
    letter = make_letter(make_memory(make_case()))
    assert get(port, letter.picture, letter.case.patient).status == 404
    assert get(port, letter.thumb, letter.case.patient).status == 200


def test_pages_of_a_letter_have_numbered_urls(port: int, app: Pictures) -> None:
    letter = make_other(make_memory(make_case()), "pages")
    patient, row = cookie_of(letter.case.patient), letter.picture
    assert row
    pages = unbind(read(row))
    for number, page in enumerate(pages, start=1):
        answer = ask(port, f"/pictures/{row.pk}/{number}", patient)
        assert (answer.status, answer.read()) == (200, page.data)
        assert answer.getheader("Content-Type") == "image/jpeg"
    for path in ("", "/0", "/3", "/9999", "/01", "/1/2"):
        assert ask(port, f"/pictures/{row.pk}{path}", patient).status == 404, path
    assert ask(port, f"/pictures/{letter.thumb_id}", patient).status == 200
    assert ask(port, f"/pictures/{letter.thumb_id}/1", patient).status == 404
    assert ask(port, f"/pictures/{row.pk}/1", cookie_of(make_user(Role.AUDITOR))).status == 403
    take_pictures_away(row, letter, destroyed=True)
    assert ask(port, f"/pictures/{row.pk}/1", patient).status == 410
    assert app.cache.ids() <= {letter.thumb_id}


def test_a_picture_is_sent_with_our_security_headers(port: int, photo: Keepsake) -> None:
    assert photo.picture
    answer = get(port, photo.picture, photo.case.patient)
    sent = {name.lower(): value for name, value in answer.getheaders()}
    assert sent["content-type"] == "image/jpeg"
    assert sent["content-length"] == str(photo.picture.size)
    assert sent["cache-control"] == "private, no-store"
    assert sent["x-content-type-options"] == "nosniff"
    assert sent["cross-origin-resource-policy"] == "same-origin"
    assert sent["content-security-policy"] == HEADERS["Content-Security-Policy"]
    head = get(port, photo.picture, photo.case.patient, "HEAD")
    assert (head.status, head.read()) == (200, b"")
    assert head.getheader("Content-Length") == str(photo.picture.size)


@override_settings(ROOT_URLCONF="tests.templates.urls")
def test_an_asgi_response_has_every_security_header_of_a_page() -> None:
    page = Client().get("/")
    ours = {name.decode(): value.decode() for name, value in response_headers("text/plain")}
    per_response = {"content-type", "content-length", "cache-control", "location"}
    per_page = {"vary", "set-cookie", "content-language"}
    skipped = per_response | per_page
    theirs = {name.lower(): value for name, value in page.headers.items() if name.lower() not in skipped}
    assert "content-security-policy" in theirs
    assert {name: ours.get(name) for name in theirs} == theirs


@pytest.mark.parametrize("destroyed", [False, True])
def test_a_cached_picture_is_gone_with_the_commit_that_marks_it_for_destruction(
    port: int, app: Pictures, photo: Keepsake, destroyed: bool
) -> None:
    patient, row = photo.case.patient, photo.picture
    assert row
    assert get(port, row, patient).status == 200
    assert app.cache.ids() == {row.pk}
    take_pictures_away(row, photo, destroyed=destroyed)
    answer = get(port, row, patient)
    assert (answer.status, answer.read()) == (410, b"This picture is gone. Nothing of it is left.")
    assert app.cache.ids() == set()


def test_ended_pictures_are_evicted_without_a_request(port: int, app: Pictures, photo: Keepsake) -> None:
    other = make_keepsake(make_memory(photo.case))
    for row in (photo.picture, other.picture):
        assert row
        assert get(port, row, photo.case.patient).status == 200
    assert photo.picture
    take_pictures_away(photo.picture, photo, destroyed=True)
    app.evict_gone()
    assert other.picture
    assert app.cache.ids() == {other.picture.pk}


def test_an_object_without_a_keepsake_is_not_found(port: int, photo: Keepsake) -> None:
    Keepsake.objects.filter(pk=photo.pk).update(picture=None)
    assert get(port, photo.picture, photo.case.patient).status == 404


def test_unknown_pictures_are_not_found(port: int, photo: Keepsake) -> None:
    patient = cookie_of(photo.case.patient)
    assert ask(port, f"/pictures/{uuid4()}", patient).status == 404
    assert ask(port, "/pictures/../../etc/passwd", patient).status == 404
    assert ask(port, f"/pictures/{photo.pk}", patient).status == 404


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
def test_who_may_see_a_picture(port: int, photo: Keepsake, role: str, status: int) -> None:
    person = make_user(role)
    record_look(photo, "doubt", by=person)
    assert get(port, photo.picture, person).status == status
    denials = Entry.objects.filter(action="access.denied", subject="url:patients:picture").count()
    assert denials == (status != 200)


def test_no_member_of_staff_sees_a_picture_after_the_consent_is_taken_back(port: int) -> None:
    case = make_case()
    photo = make_keepsake(make_memory(case))
    assert photo.picture
    addresses = [f"/pictures/{photo.picture_id}", f"/pictures/{photo.picture_id}/blurred"]
    staff = [make_user(Role.DOCTOR), make_user(Role.TECHNICIAN)]
    for person in staff:
        record_look(photo, "doubt", by=person)

    def statuses(person: User) -> list[int]:
        return [ask(port, address, cookie_of(person)).status for address in addresses]

    assert [statuses(person) for person in staff] == [[200, 200], [200, 200]]
    withdraw(case, by=case.patient)
    assert [statuses(person) for person in staff] == [[404, 404], [404, 404]]
    assert statuses(case.patient) == [200, 200]
    assert Entry.objects.filter(action="access.denied", case=case.pk).count() == 4


def test_members_of_staff_who_are_patients_see_no_picture_of_their_own_case(port: int) -> None:
    photo = make_keepsake(make_memory(make_case(make_user(Role.DOCTOR))))
    assert get(port, photo.picture, photo.case.patient).status == 404


def test_a_cached_picture_is_not_shown_to_others(port: int, app: Pictures, photo: Keepsake) -> None:
    assert photo.picture
    assert get(port, photo.picture, photo.case.patient).status == 200
    assert app.cache.ids() == {photo.picture.pk}
    assert get(port, photo.picture, make_user(Role.PATIENT)).status == 404
    assert ask(port, f"/pictures/{photo.picture.pk}").status == 401


def test_other_methods_are_refused(port: int, photo: Keepsake) -> None:
    for method in ("POST", "PUT", "DELETE", "OPTIONS"):
        assert get(port, photo.picture, photo.case.patient, method).status == 405


def test_the_least_recently_used_picture_is_evicted_first() -> None:
    cache, (a, b, c) = PictureCache(max_bytes=10), (uuid4(), uuid4(), uuid4())
    cache.put(a, b"12345")
    cache.put(b, b"12345")
    assert cache.get(a) == b"12345"
    cache.put(c, b"12345")
    assert cache.ids() == {a, c}
    cache.put(a, b"1")
    assert cache.size == 6
    cache.drop(a, b, c)
    assert (cache.size, cache.ids()) == (0, set())


def test_eviction_restarts_on_a_new_event_loop() -> None:
    app, key = Pictures(), uuid4()

    async def fill_cache() -> None:
        app.cache.put(key, b"a picture")
        app.ensure_eviction()
        await asyncio.sleep(0)

    first, second = asyncio.new_event_loop(), asyncio.new_event_loop()
    first.run_until_complete(fill_cache())
    first_eviction = app.eviction
    first.close()
    second.run_until_complete(fill_cache())
    assert app.eviction is not first_eviction
    assert app.eviction is not None
    assert app.eviction.get_loop() is second
    app.eviction = first_eviction
    app.close()  # must not raise "Event loop is closed"
    assert (app.eviction, app.cache.ids()) == (None, set())
    for task in asyncio.all_tasks(second):
        task.cancel()
    second.run_until_complete(asyncio.sleep(0))
    second.close()


def test_a_picture_whose_file_was_altered_is_reported_as_damaged(port: int, photo: Keepsake) -> None:
    assert photo.picture
    path = Path(storage().path(photo.picture.blob))
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    answer = get(port, photo.picture, photo.case.patient)
    assert answer.status == 422
    assert answer.read().decode() == "This is damaged and cannot be opened. The clinic can see why."
