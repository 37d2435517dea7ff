"""The list of uploads that their sender can continue, on this device or on another."""

import base64
from contextlib import closing
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from patients.cases.models import Case
from patients.keepsakes.half_way import twin_of, uploads_half_way
from patients.keepsakes.models import Upload
from patients.keepsakes.removal import keepsake_mark, remove_keepsake
from patients.keepsakes.staging import Writer, begin_upload, finish_upload
from patients.vault.configured import key_store
from tests.factories import jpeg, make_case

pytestmark = pytest.mark.django_db


def begin(case: Case, name: str, *, metadata: str = "", arrived: bytes = b"", **more: object) -> Upload:
    upload = begin_upload(
        case,
        by=case.patient,
        length=3 * 1024**2,
        filename=name,
        metadata=metadata,
        **more,  # type: ignore[arg-type]
    )
    with closing(Writer(upload)) as writer:
        writer.write(arrived)
        writer.pause()
    return upload


def test_an_upload_that_is_half_way_is_listed_with_its_mark_and_how_far_it_is(client: Client) -> None:
    case = make_case()
    mark = base64.b64encode(b"3145728 abc").decode()
    upload = begin(
        case, "beach <1>.jpg", metadata=f"filename YQ==,mark {mark}", arrived=jpeg() + bytes(1024**2)
    )
    (found,) = uploads_half_way(case, case.patient)
    assert (found.pk, found.filename, found.mark) == (upload.pk, "beach <1>.jpg", "3145728 abc")
    assert found.arrived == "1 MB of 3 MB"
    client.force_login(case.patient)
    page = client.get("/me/keepsakes/").content.decode()
    for part in (
        f'data-where="/upload/{upload.pk}"',
        'data-mark="3145728 abc"',
        "beach &lt;1&gt;.jpg",
        "1 MB of 3 MB",
    ):
        assert part in page


def test_only_what_its_sender_can_continue_is_listed() -> None:
    case, other = make_case(), make_case()
    first = begin(case, "first.jpg", metadata="mark %%%")  # no base64
    begin(other, "of-another-case.jpg")
    expired = begin(case, "expired.jpg")
    Upload.objects.filter(pk=expired.pk).update(expires_at=timezone.now() - timedelta(seconds=1))
    begin(case, "of-unknown-length.jpg", length_deferred=True)
    without_key = begin(case, "key-is-gone.jpg")
    key_store().destroy(without_key.pk)
    photo = jpeg()
    done = begin_upload(case, by=case.patient, length=len(photo), filename="done.jpg")
    with closing(Writer(done)) as writer:
        writer.write(photo)
        writer.finish()
        finish_upload(done, by=case.patient)
    second = begin(case, "second.jpg")
    assert [(one.pk, one.mark) for one in uploads_half_way(case, case.patient)] == [
        (first.pk, ""),
        (second.pk, ""),
    ]
    assert uploads_half_way(case, other.patient) == []


def test_a_keepsake_of_the_same_file_is_found_by_its_mark_while_it_exists() -> None:
    case, other = make_case(), make_case()
    mark = base64.b64encode(b"one").decode()
    photo = jpeg()
    upload = begin_upload(case, by=case.patient, length=len(photo), metadata=f"mark {mark}")
    with closing(Writer(upload)) as writer:
        writer.write(photo)
        writer.finish()
        assert twin_of(case, "one", len(photo)) is None
        keepsake = finish_upload(upload, by=case.patient)
    for length in (len(photo), None):
        assert twin_of(case, "one", length) == keepsake.pk
        assert (twin_of(case, "two", length), twin_of(case, "", length)) == (None, None)
        assert twin_of(other, "one", length) is None
    assert twin_of(case, "one", len(photo) + 1) is None
    remove_keepsake(keepsake, seen=keepsake_mark(keepsake), by=case.patient)
    assert twin_of(case, "one", len(photo)) is None


@pytest.mark.parametrize("count", [1, 3])
def test_the_list_takes_one_query(count: int, django_assert_num_queries: object) -> None:
    case = make_case()
    for number in range(count):
        begin(case, f"{number}.jpg")
    with django_assert_num_queries(1):  # type: ignore[operator]
        assert len(uploads_half_way(case, case.patient)) == count
