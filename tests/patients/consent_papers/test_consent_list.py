"""The list of a consent: what is on it, in which order, and what its digest covers."""

import hashlib
import json

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from patients.consent_papers.list_words import beyond_reach, counts
from patients.custody.models import Custody
from patients.keepsakes.models import Keepsake
from patients.memories.models import Memory
from patients.vault.configured import key_store
from patients.vault.keys import KeyGone
from patients.vault.models import StoredObject
from tests.factories import make_case, make_keepsake, make_memory, make_user
from tests.patients.consent_papers.lists import listed, lock, make_listed, rewrite, thing_of, unlock

pytestmark = pytest.mark.django_db


def test_it_has_every_memory_in_the_order_of_erasure_and_what_stays() -> None:
    case = make_listed()
    found = listed(case)
    assert [(one.number, one.title) for one in found.erased] == [(3, "Valentine"), (2, "The frozen river")]
    assert [one.title for one in found.protected] == ["The drum lesson"]
    assert [one.title for one in found.childhood] == ["The kitchen table"]
    assert (found.unplaced, found.gone) == ((), ())
    _valentine, river = found.erased
    assert river.described == "winter 2003, Montauk, with Anna, Rob"
    assert [one.described for one in river.keepsakes] == [
        "On the ice, photograph, 1 Feb 2003, with Carrie, anna"
    ]
    words = [one.described for one in found.erased[0].keepsakes]
    assert words == ["A letter, 5 words", f"A thing, {thing_of(case).tag}", "A recording, 0:09"]


def test_the_digest_is_of_exactly_what_is_listed() -> None:
    case = make_listed()
    found = listed(case)
    assert found.digest == hashlib.sha256(found.file).hexdigest()
    content = json.loads(found.file)
    assert content["erased"][1]["title"] == "The frozen river"
    assert content["erased"][1]["keepsakes"][0]["caption"] == "On the ice"
    assert len(content["salt"]) == 64
    assert listed(case).digest == found.digest


@pytest.mark.parametrize("change", ["title", "caption", "place", "others", "day", "custody", "fate"])
def test_whatever_is_shown_changes_the_digest(change: str) -> None:
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


def test_what_is_not_shown_does_not_change_it() -> None:
    case = make_listed()
    before = listed(case).digest
    rewrite(Memory.objects.get(pk=listed(case).erased[0].id), story="Longer now", reaction="wept")
    assert listed(case).digest == before


def test_two_equal_lists_have_different_digests() -> None:
    assert listed(make_listed()).digest != listed(make_listed()).digest


@pytest.mark.django_db(transaction=True)
def test_the_salt_is_lost_with_the_first_thing_on_the_list() -> None:
    case = make_listed()
    memory = listed(case).childhood[0]
    key_store().destroy(memory.id)
    found = listed(case)
    assert [one.title for one in found.childhood] == []
    assert found.digest != listed(make_listed()).digest
    key_store().destroy(case.pk)
    with pytest.raises(KeyGone):
        listed(case)


def test_what_is_gone_is_a_number_only() -> None:
    case = make_listed()
    gone = listed(case).erased[0]
    Memory.objects.filter(pk=gone.id).update(fate=Memory.Fate.ERASED)
    found = listed(case)
    assert (found.gone, [one.title for one in found.erased]) == ((3,), ["The frozen river"])


def test_a_keepsake_in_no_memory_stays() -> None:
    case = make_listed()
    Keepsake.objects.filter(memory__fate=Memory.Fate.PROTECTED).update(memory=None)
    found = listed(case)
    assert [one.described for one in found.unplaced] == ["Drum, photograph"]
    assert found.protected[0].keepsakes == ()


def test_a_keepsake_that_cannot_be_read_is_not_shown_and_is_no_error() -> None:
    case = make_listed()
    Keepsake.objects.filter(case=case, kind="letter").update(sealed=b"\x01damaged")
    assert len(listed(case).erased[0].keepsakes) == 2


def test_the_counts_are_of_what_is_erased() -> None:
    assert counts(listed(make_listed())) == [
        ("Memories to be erased", 2),
        ("Photograph", 1),
        ("Letter", 1),
        ("Object", 1),
        ("Recording", 1),
        ("Memories you keep", 2),
    ]


def test_what_cannot_be_done_is_said_from_what_is_known() -> None:
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


def test_without_names_and_paper_it_says_less() -> None:
    case = make_case()
    make_memory(case)
    lock(case)
    assert beyond_reach(listed(case))[1:] == ["Whoever was there may have copies of their own."]


@pytest.mark.parametrize("more", [0, 12])
def test_the_list_takes_the_same_queries_for_every_case(more: int) -> None:
    case = make_listed()
    unlock(case)
    for n in range(more):
        make_keepsake(make_memory(case, f"Day {n}", f"2003-03-{n + 1:02d}"))
    lock(case)
    with CaptureQueriesContext(
        connection,
    ) as queries:
        found = listed(case)
    assert len(found.erased) == 2 + more
    assert StoredObject.objects.filter(case=case).count() > len(queries)
    assert len(queries) == 3
