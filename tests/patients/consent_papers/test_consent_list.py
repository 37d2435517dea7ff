"""The list of a consent: what is on it, in which order, and what its digest covers."""

import hashlib
import json

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from patients.consent_papers.consent_list import PURPOSE
from patients.consent_papers.list_words import beyond_reach, counts
from patients.custody.models import Custody
from patients.keepsakes.models import Keepsake
from patients.memories.models import Memory
from patients.vault.configured import key_store
from patients.vault.joint_keys import joint_key
from patients.vault.keys import KeyGone
from patients.vault.models import StoredObject
from tests.factories import make_case, make_keepsake, make_memory, make_user
from tests.patients.consent_papers.lists import listed, lock, make_listed, rewrite, thing_of, unlock

pytestmark = pytest.mark.django_db


def test_the_list_has_the_memories_to_erase_in_their_order_and_those_that_stay() -> None:
    case = make_listed()
    found = listed(case)
    assert [(one.number, one.title) for one in found.erased] == [(3, "Valentine"), (2, "The frozen river")]
    assert [one.title for one in found.protected] == ["The drum lesson"]
    assert [one.title for one in found.childhood] == ["The kitchen table"]
    assert (found.unplaced, found.gone) == ((), ())
    valentine, river = found.erased
    assert river.described == "winter 2003, Montauk, with Anna, Rob"
    assert [one.described for one in river.keepsakes] == [
        "On the ice, photograph, 1 Feb 2003, with Carrie, anna"
    ]
    assert [one.described for one in valentine.keepsakes] == [
        "A letter, 5 words",
        f"A thing, {thing_of(case).tag}",
        "A recording, 0:09",
    ]


def test_the_digest_is_the_sha256_of_the_file_and_stays_the_same() -> None:
    case = make_listed()
    found = listed(case)
    assert found.digest == hashlib.sha256(found.file).hexdigest()
    content = json.loads(found.file)
    assert content["erased"][1]["title"] == "The frozen river"
    assert content["erased"][1]["keepsakes"][0]["caption"] == "On the ice"
    assert len(content["salt"]) == 64
    assert listed(case).digest == found.digest


@pytest.mark.parametrize("change", ["title", "caption", "place", "others", "day", "custody", "fate"])
def test_a_change_to_anything_shown_changes_the_digest(change: str) -> None:
    case = make_listed()
    before = listed(case).digest
    river = Memory.objects.get(pk=listed(case).erased[1].id)
    photo = Keepsake.objects.get(memory=river)
    match change:
        case "title" | "place":
            rewrite(river, **{change: "Another"})
        case "caption" | "others":
            rewrite(photo, **{change: "Another"})
        case "day":
            rewrite(photo, taken="2003-02-02")
        case "custody":
            Custody.objects.create(keepsake=thing_of(case), shelf="B-1", received_by=make_user())
        case "fate":
            Memory.objects.filter(pk=river.pk).update(fate=Memory.Fate.PROTECTED)
    assert listed(case).digest != before


def test_a_change_to_what_is_not_shown_leaves_the_digest() -> None:
    case = make_listed()
    before = listed(case).digest
    rewrite(Memory.objects.get(pk=listed(case).erased[0].id), story="Longer now", reaction="wept")
    assert listed(case).digest == before


def test_the_equal_lists_of_two_cases_have_different_digests() -> None:
    assert listed(make_listed()).digest != listed(make_listed()).digest


@pytest.mark.django_db(transaction=True)
def test_the_salt_cannot_be_computed_after_a_key_on_the_list_is_destroyed() -> None:
    case = make_listed()
    before = listed(case)
    assert joint_key(before.key_ids, PURPOSE).hex() == before.salt
    key_store().destroy(before.childhood[0].id)
    with pytest.raises(KeyGone):
        joint_key(before.key_ids, PURPOSE)
    after = listed(case)
    assert [one.title for one in after.childhood] == []
    assert after.salt != before.salt
    key_store().destroy(case.pk)
    with pytest.raises(KeyGone):
        listed(case)


def test_an_erased_memory_is_listed_by_its_number_only() -> None:
    case = make_listed()
    erased = listed(case).erased[0]
    Memory.objects.filter(pk=erased.id).update(fate=Memory.Fate.ERASED)
    found = listed(case)
    assert (found.gone, [one.title for one in found.erased]) == ((3,), ["The frozen river"])


def test_a_keepsake_in_no_memory_is_listed_apart() -> None:
    case = make_listed()
    Keepsake.objects.filter(memory__fate=Memory.Fate.PROTECTED).update(memory=None)
    found = listed(case)
    assert [one.described for one in found.unplaced] == ["Drum, photograph"]
    assert found.protected[0].keepsakes == ()


def test_a_keepsake_with_damaged_fields_is_left_out() -> None:
    case = make_listed()
    Keepsake.objects.filter(case=case, kind="letter").update(sealed=b"\x01damaged")
    assert len(listed(case).erased[0].keepsakes) == 2


def test_the_counts_are_of_what_is_erased_and_of_the_memories_that_stay() -> None:
    assert counts(listed(make_listed())) == [
        ("Memories to be erased", 2),
        ("Photograph", 1),
        ("Letter", 1),
        ("Object", 1),
        ("Recording", 1),
        ("Memories you keep", 2),
    ]


def test_the_limits_name_people_paper_and_objects_and_say_where_the_objects_are() -> None:
    case = make_listed()
    sentences = beyond_reach(listed(case))
    assert (
        sentences[1]
        == "These people are in it or were there, and may have copies of their own: Anna, Rob, Carrie."
    )
    assert any("Prints, negatives and letters on paper" in sentence for sentence in sentences)
    tag = thing_of(case).tag
    assert sentences[-1].endswith(f"These are with you, and stay with you: {tag}.")
    Custody.objects.create(keepsake=thing_of(case), shelf="B-1", received_by=make_user())
    assert beyond_reach(listed(case))[-1].endswith(f"what becomes of them: {tag}.")


def test_the_limits_without_people_paper_and_objects_are_general() -> None:
    case = make_case()
    make_memory(case)
    lock(case)
    assert beyond_reach(listed(case))[1:] == ["Whoever was there may have copies of their own."]


@pytest.mark.parametrize("more", [0, 12])
def test_the_list_takes_three_queries_whatever_the_number_of_memories(more: int) -> None:
    case = make_listed()
    unlock(case)
    for n in range(more):
        make_keepsake(make_memory(case, f"Day {n}", f"2003-03-{n + 1:02d}"))
    lock(case)
    with CaptureQueriesContext(connection) as queries:
        found = listed(case)
    assert len(found.erased) == 2 + more
    assert StoredObject.objects.filter(case=case).count() > len(queries)
    assert len(queries) == 3
