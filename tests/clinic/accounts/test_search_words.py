"""The words by which people are found: made from names, addresses and numbers, and kept up to date."""

import pytest
from django.db import transaction

from clinic.accounts import search_words
from clinic.accounts.models import PersonWord, User
from clinic.accounts.search_words import (
    email_words,
    find_owners,
    name_words,
    phone_words,
    typed_words,
    write_words,
)
from clinic.migrations import _search_words as migration_words
from tests.factories import make_user

NAMES = ["Nguyễn Thị Ánh", "Anne-Marie O'Brien", "ĐẶNG", "王小明", "Łukasz  Żak", "", "x" * 300]
ADDRESSES = ["Joel.Barish@Lacuna.Example", "ánh@bücher.example", "x@y", "nobody"]
PHONES = ["+84 90 123-45-67", "(0)555 0100", "12", "", "\u0665\u0665"]


def words(found: set[tuple[str, bytes]], kind: str) -> set[str]:
    """Return the words of one kind."""
    return {word.decode() for word_kind, word in found if word_kind == kind}


def test_a_name_is_found_by_its_words_without_accents() -> None:
    assert words(name_words("Nguyễn Thị Ánh"), "name") == {"nguyen", "thi", "anh"}
    assert words(name_words("Anne-Marie O'Brien"), "name") == {
        "anne-marie",
        "anne",
        "marie",
        "o'brien",
        "o",
        "brien",
    }
    assert words(name_words("Ánh Nguyễn Thị"), "person") == words(name_words("Nguyễn Thị Ánh"), "person")
    assert words(name_words("Ánh"), "person") == set(), "many have a name of one word"


def test_an_address_and_a_number_are_found_by_their_parts() -> None:
    found = email_words("Joel.Barish@Lacuna.Example")
    assert words(found, "email") == {"joel.barish@lacuna.example"}
    assert words(found, "mailbox") == {"joel", "barish"}
    assert words(phone_words("555 0100"), "digits") == {"5550100", "550100", "50100", "0100", "100"}
    for number in ("+84 90 123 4567", "090-1234567", "0084901234567"):
        assert words(phone_words(number), "phone") == {"901234567"}
    assert words(phone_words("12345"), "phone") == set(), "too short to be somebody's"


def test_typed_words_are_normalized_like_stored_words() -> None:
    assert typed_words(" ÁNH,  nguyễn ánh") == [b"anh", b"nguyen"]
    assert typed_words("+84 90-123") == [b"8490123"]
    assert typed_words("Joel@LACUNA.example") == [b"joel@lacuna.example"]
    assert typed_words("% ' -- \u0301") == typed_words("()") == typed_words("") == []
    assert len(typed_words("a b c d e f g h")) == search_words.MOST_TYPED


def test_the_migration_makes_the_same_words() -> None:
    """A change of the present functions needs a migration that writes all words again."""
    for name in NAMES:
        assert migration_words.name_words(name) == name_words(name)
    for address in ADDRESSES:
        assert migration_words.email_words(address) == email_words(address)
    for phone in PHONES:
        assert migration_words.phone_words(phone) == phone_words(phone)


def named(text: str) -> list[str]:
    found = find_owners(PersonWord, "user", text, "pk")
    rows = User.objects.filter(found.condition)
    rows = rows if found.owners is None else rows.filter(pk__in=found.owners)
    return sorted(rows.values_list("name", flat=True))


@pytest.mark.django_db
def test_words_follow_the_account_and_end_with_it() -> None:
    user = make_user(name="Ánh Lê", email="anh.le@lacuna.example")
    make_user(name="Anhalt Bo", email="b@lacuna.example")
    assert named("anh") == ["Anhalt Bo", "Ánh Lê"]
    assert named("anh le@l") == [] != named("anh.le@lac")
    assert named("le an") == ["Ánh Lê"]
    assert named("nh") == [], "words are found by their beginning"
    before = set(PersonWord.objects.filter(user=user).values_list("pk", flat=True))
    user.save()
    assert set(PersonWord.objects.filter(user=user).values_list("pk", flat=True)) == before
    user.name = "Bình Lê"
    user.save(update_fields=["name"])
    assert (named("anh"), named("binh"), named("anh.le")) == (
        ["Anhalt Bo", "Bình Lê"],
        ["Bình Lê"],
        ["Bình Lê"],
    )
    user.email = "binh@lacuna.example"
    user.save(update_fields=["email"])
    assert named("anh") == ["Anhalt Bo"]
    with transaction.atomic():
        write_words(PersonWord, {"user": user}, phone_words("0100 555"), search_words.PHONE_KINDS)
    assert named("555") == named("0100-555") == named("100555") == ["Bình Lê"]
    user.delete()
    assert not PersonWord.objects.filter(user_id=user.pk).exists()


@pytest.mark.django_db
def test_a_word_with_too_many_owners_finds_the_same_people(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("Joel Barish", "Joel Near", "Mary Near"):
        make_user(name=name, email=f"{name.replace(' ', '')[::-1]}@x.example")
    expected = {
        text: named(text) for text in ("joel", "near", "joel near", "mary", "nobody", "joel nobody", "")
    }
    assert expected["joel near"] == ["Joel Near"]
    monkeypatch.setattr(search_words, "MOST_OWNERS", 1)
    assert find_owners(PersonWord, "user", "joel", "pk").owners is None
    assert len(find_owners(PersonWord, "user", "joel near", "pk").owners or ()) == 1
    assert {text: named(text) for text in expected} == expected
