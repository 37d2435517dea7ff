"""Stored objects: each can only be read under its own id, and marked objects are destroyed."""

from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from django.core.files.base import ContentFile
from django.utils import timezone

from patients.cases.models import Case
from patients.memories.models import Memory
from patients.vault import objects
from patients.vault.configured import key_store
from patients.vault.keys import KeyGone
from patients.vault.models import StoredObject
from patients.vault.objects import (
    ORPHAN_AGE,
    destroy,
    mark_for_destruction,
    orphans,
    publish,
    put,
    read,
    storage,
)
from patients.vault.sealed import read_many
from patients.vault.stream import Reader, Tampered
from tests.factories import make_case, make_memory

pytestmark = pytest.mark.django_db(transaction=True)

State = StoredObject.State


def make_object(data: bytes = b"the last train", case: Case | None = None) -> StoredObject:
    return put(data, case_id=(case or make_case()).pk, role=StoredObject.Role.ORIGINAL)


def swap_files(one: StoredObject, other: StoredObject) -> None:
    contents = [storage().open(row.blob).read() for row in (one, other)]
    for row, content in zip((other, one), contents, strict=True):
        storage().delete(row.blob)
        storage().save(row.blob, ContentFile(content))


def use_one_key_for_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give every object the same data key, so that only the associated data distinguish them."""
    key = bytes(range(32))
    store = type(key_store())
    monkeypatch.setattr(store, "create", lambda self, key_id, case=None, **more: key)
    monkeypatch.setattr(store, "get", lambda self, key_id: key)
    monkeypatch.setattr(store, "get_many", lambda self, ids: dict.fromkeys(ids, key))


def test_the_file_of_another_object_cannot_be_opened() -> None:
    one, other = make_object(b"one"), make_object(b"another")
    assert (read(one), read(other)) == (b"one", b"another")
    swap_files(one, other)
    for row in (one, other):
        with pytest.raises(Tampered):
            read(row)


def test_the_file_of_another_object_cannot_be_opened_even_under_the_same_key(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    use_one_key_for_all(monkeypatch)
    one, other = make_object(b"one"), make_object(b"another")
    assert (read(one), read(other)) == (b"one", b"another")
    swap_files(one, other)
    for row in (one, other):
        with pytest.raises(Tampered):
            read(row)


def test_an_object_is_bound_to_its_whole_id() -> None:
    row = make_object(b"the last train")
    raw, key = storage().open(row.blob).read(), key_store().get(row.pk)
    with Reader(ContentFile(raw), key, b"lacuna object " + row.pk.bytes) as reader:
        assert reader.read() == b"the last train"
    for bit in range(128):
        with pytest.raises(Tampered):
            Reader(ContentFile(raw), key, b"lacuna object " + UUID(int=row.pk.int ^ 1 << bit).bytes)


@pytest.mark.parametrize("shared", [False, True])
def test_sealed_fields_of_another_row_cannot_be_opened(shared: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if shared:
        use_one_key_for_all(monkeypatch)
    case = make_case()
    one, other = make_memory(case, "One"), make_memory(case, "Another")
    assert (one.read().title, other.read().title) == ("One", "Another")
    for row, words in ((one, bytes(other.sealed)), (other, bytes(one.sealed))):
        Memory.objects.filter(pk=row.pk).update(sealed=words)
    for row in Memory.objects.all():
        with pytest.raises(Tampered):
            row.read()
    with pytest.raises(Tampered):
        read_many(Memory.objects.all())


@pytest.mark.parametrize("state", [State.LIVE, State.DOOMED, State.DESTROYED])
def test_only_pending_objects_can_be_published(state: str) -> None:
    one, other, third = make_object(), make_object(), make_object()
    now = timezone.now()
    times = {"doomed_at": now, "destroyed_at": now if state == State.DESTROYED else None}
    StoredObject.objects.filter(pk=other.pk).update(state=state, **({} if state == State.LIVE else times))
    assert not publish([one, other])
    assert StoredObject.objects.get(pk=other.pk).state == state
    assert publish([third])
    assert StoredObject.objects.get(pk=third.pk).state == State.LIVE


def test_publishing_one_object_publishes_no_other() -> None:
    one, other = make_object(), make_object()
    assert publish([one])
    assert StoredObject.objects.get(pk=other.pk).state == State.PENDING


def test_a_destroyed_object_is_not_marked_again() -> None:
    row = make_object()
    assert mark_for_destruction(StoredObject.objects.filter(pk=row.pk), "test") == 1
    assert mark_for_destruction(StoredObject.objects.filter(pk=row.pk), "again") == 0
    assert destroy(StoredObject.objects.filter(pk=row.pk)).objects == 1
    assert mark_for_destruction(StoredObject.objects.filter(pk=row.pk), "again") == 0
    row.refresh_from_db()
    assert (row.state, row.doomed_by, row.blob) == (State.DESTROYED, "test", "")


def test_destroy_destroys_only_marked_objects() -> None:
    doomed, live = make_object(b"doomed"), make_object(b"live")
    publish([live])
    mark_for_destruction(StoredObject.objects.filter(pk=doomed.pk), "test")
    ended = destroy(StoredObject.objects.all())
    assert (ended.objects, ended.size) == (1, 6)
    with pytest.raises(KeyGone):
        read(doomed)
    assert read(live) == b"live"
    assert destroy(StoredObject.objects.all()).objects == 0


def test_destroy_destroys_only_the_given_objects() -> None:
    case = make_case()
    one, other = make_object(case=case), make_object(case=case)
    mark_for_destruction(StoredObject.objects.filter(pk__in=[one.pk, other.pk]), "test")
    mark_for_destruction(StoredObject.objects.filter(pk=case.pk), "test")  # a seal, which has no file
    assert destroy(StoredObject.objects.filter(pk__in=[one.pk, case.pk])).objects == 2
    assert StoredObject.objects.get(pk=other.pk).state == State.DOOMED
    assert set(key_store().ids()) == {other.pk}


def test_an_object_that_another_process_destroyed_meanwhile_is_not_counted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    row = make_object()
    mark_for_destruction(StoredObject.objects.filter(pk=row.pk), "test")

    def hit(label: str) -> None:
        if label == "file-unlinked":
            StoredObject.objects.filter(pk=row.pk).update(state=State.DESTROYED, destroyed_at=timezone.now())

    monkeypatch.setattr(objects, "hit", hit)
    assert destroy(StoredObject.objects.filter(pk=row.pk)).objects == 0


def test_a_storage_that_changes_the_file_name_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(type(storage()), "save", lambda self, name, content: uuid4().hex)
    with pytest.raises(FileExistsError):
        make_object()
    assert StoredObject.objects.get(role=StoredObject.Role.ORIGINAL).state == State.PENDING


def test_orphans_are_old_pending_objects() -> None:
    old, young, live = make_object(), make_object(), make_object()
    now = timezone.now()
    before = now - ORPHAN_AGE
    StoredObject.objects.filter(pk__in=[old.pk, live.pk]).update(made_at=before - timedelta(seconds=1))
    StoredObject.objects.filter(pk=young.pk).update(made_at=before)
    publish([live])
    assert list(orphans(now)) == [old]
