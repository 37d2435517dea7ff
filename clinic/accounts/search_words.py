"""The words by which people are found: stored in a table, normalized, and searched by their beginning.

docs/decisions/0021-search-by-stored-words.md says why. A word is stored as UTF-8 bytes, because both
databases compare bytes alike, so one plain index serves "begins with". The words come from names, e-mail
addresses and telephone numbers of people who have an account or asked for an appointment, and from the
numbers of requests. No subject of a case is among them.
"""

import re
import unicodedata
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any

from django.db import models
from django.db.models import Exists, OuterRef, Q

from clinic import names

MOST_OWNERS = 1_000  # a word that more people have counts as common: it is checked row by row
# Rows that one person is expected to have with the same beginning. If some have more, a word can count as
# common although fewer people have it.
WORDS_EACH = 4
MOST_TYPED = 6  # further words of a search are ignored
MAX_WORD_BYTES = 254  # an e-mail address
SHORTEST_PART = 3  # digits of the shortest end of a telephone number that can be searched
COMPARED_DIGITS = 9  # the last digits of two telephone numbers that make them the same
FEWEST_DIGITS = 7  # a shorter telephone number is not compared
NOT_IN_WORDS = re.compile(r"[\W_]+")
NUMBER_ONLY = re.compile(r"[\d\s()+./\u2010-\u2015\u2212-]+")


class SearchWord(models.Model):
    """One word by which somebody is found. A model of this kind adds the owner as a foreign key."""

    class Kind(models.TextChoices):
        """What the word is. Two people with an equal word of a kind in WHOLE may be the same person."""

        NAME = "name"  # a word of the name
        PERSON = "person"  # the whole name, its words in alphabetical order
        EMAIL = "email"  # the whole address
        MAILBOX = "mailbox"  # a word of the part before the @
        PHONE = "phone"  # the last digits of a telephone number
        DIGITS = "digits"  # the digits of a telephone number, from any one of them to the last
        NUMBER = "number"  # the number of a request

    kind = models.CharField(max_length=8, choices=Kind.choices)
    word = models.BinaryField()

    class Meta:
        abstract = True


Kind = SearchWord.Kind
Word = tuple[str, bytes]  # a kind and the word's bytes
WHOLE = frozenset({Kind.PERSON, Kind.EMAIL, Kind.PHONE})
PHONE_KINDS = frozenset({Kind.PHONE, Kind.DIGITS})


def name_words(name: str) -> set[Word]:
    """Return the words by which a name is found. A name of one word is no PERSON: many have it."""
    whole = names.name_key(name).split()
    found = {(Kind.NAME, part) for word in whole for part in [word, *NOT_IN_WORDS.split(word)]}
    if len(whole) > 1:
        found.add((Kind.PERSON, " ".join(sorted(whole))))
    return _stored(found)


def email_words(email: str) -> set[Word]:
    """Return the words by which an e-mail address is found."""
    whole = names.name_key(names.address_key(email))
    mailbox = whole.rpartition("@")[0]
    return _stored({(Kind.EMAIL, whole), *((Kind.MAILBOX, part) for part in NOT_IN_WORDS.split(mailbox))})


def phone_words(phone: str) -> set[Word]:
    """Return the words by which a telephone number is found, however it is grouped."""
    digits = digits_of(phone)
    found = {(Kind.DIGITS, digits[start:]) for start in range(len(digits) - SHORTEST_PART + 1)}
    if len(digits) >= FEWEST_DIGITS:
        found.add((Kind.PHONE, digits.lstrip("0")[-COMPARED_DIGITS:]))
    return _stored(found)


def number_words(number: str) -> set[Word]:
    """Return the word by which the number of a request is found."""
    return _stored({(Kind.NUMBER, digits_of(number))})


def digits_of(text: str) -> str:
    """Return the digits of a text."""
    return "".join(char for char in unicodedata.normalize("NFKC", text) if "0" <= char <= "9")


def _stored(words: Iterable[tuple[str, str]]) -> set[Word]:
    return {(str(kind), word.encode(errors="replace")[:MAX_WORD_BYTES]) for kind, word in words if word}


def write_words(
    model: type[SearchWord], owner: dict[str, Any], words: set[Word], kinds: Collection[str]
) -> None:
    """Replace the words of these kinds that an owner has by `words`. Call it in a transaction.

    model: the table of words. owner: the owner, by the name of the table's foreign key.
    """
    rows = model._default_manager.filter(**owner, kind__in=list(kinds))
    stored = {(kind, bytes(word)): pk for pk, kind, word in rows.values_list("pk", "kind", "word")}
    if gone := [pk for word, pk in stored.items() if word not in words]:
        rows.filter(pk__in=gone).delete()
    new = sorted(words - stored.keys())
    # Of two transactions that write the same word at once, one finds the other's row.
    model._default_manager.bulk_create(
        [model(kind=kind, word=word, **owner) for kind, word in new], ignore_conflicts=True
    )


def typed_words(text: str) -> list[bytes]:
    """Return the words of a search. A text of digits and separators is one number."""
    if NUMBER_ONLY.fullmatch(text):
        digits = digits_of(text)
        return [digits.encode()] if digits else []
    words = [_typed_word(word) for word in text.split()]
    return [word.encode(errors="replace")[:MAX_WORD_BYTES] for word in dict.fromkeys(words) if word][
        :MOST_TYPED
    ]


def _typed_word(word: str) -> str:
    key = names.name_key(names.address_key(word) if "@" in word else word)
    return key.strip("".join(char for char in key if not char.isalnum()))


def beginning(word: bytes) -> Q:
    """Return the condition that a stored word begins with `word`, or with a number without leading zeros.

    No byte of UTF-8 is 0xff, so it ends the range.
    """
    forms = {word, word.lstrip(b"0") or word} if word.isdigit() else {word}
    found = Q(pk__in=[])
    for form in sorted(forms):
        found |= Q(word__gte=form, word__lt=form + b"\xff")
    return found


@dataclass(frozen=True)
class Found:
    """Who matches typed words. owners: the only ids that can match, at most MOST_OWNERS; None for no limit.

    condition: must hold as well.
    """

    owners: frozenset[Any] | None
    condition: Q


def find_owners(model: type[SearchWord], owner: str, text: str, outer: str) -> Found:
    """Return the condition that all words of `text` are beginnings of words of one owner.

    model, owner: the table of words, and its foreign key. outer: the owner's id in the query to be filtered.
    One query for each typed word. A word that few have gives their ids; one that many have is checked for
    each row, by the index of the owner's words. If many have each word, one more query looks for those who
    have all of them. Nobody matches a text without letters and digits.
    """
    few: frozenset[Any] | None = None
    common = []
    words = typed_words(text)
    for word in words:
        ids = _few_owners(model, owner, [word])
        if ids is None:
            common.append(word)
        else:
            few = ids if few is None else few & ids
    if few is None and len(common) > 1:
        few = _few_owners(model, owner, sorted(common, key=len, reverse=True))
    if not words:
        few = frozenset()
    return Found(few, _each(model, owner, common, outer))


def _few_owners(model: type[SearchWord], owner: str, words: list[bytes]) -> frozenset[Any] | None:
    """Return the owners who have all of `words`; None if they are more than MOST_OWNERS.

    It reads the index along the first word, and stops there as soon as they are too many.
    """
    limit = WORDS_EACH * MOST_OWNERS
    rows = model._default_manager.filter(beginning(words[0]), _each(model, owner, words[1:], f"{owner}_id"))
    ids = list(rows.values_list(f"{owner}_id", flat=True)[: limit + 1])
    return None if len(ids) > limit or len(set(ids)) > MOST_OWNERS else frozenset(ids)


def _each(model: type[SearchWord], owner: str, words: list[bytes], outer: str) -> Q:
    """Return the condition that the owner `outer` of a query has each of `words`."""
    condition = Q()
    for word in words:
        own = model._default_manager.filter(beginning(word), **{f"{owner}_id": OuterRef(outer)})
        condition &= Q(Exists(own))
    return condition
