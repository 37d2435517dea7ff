"""How words to search by were made when they were introduced, for the migrations that write the first ones.

A copy of clinic/accounts/search_words.py, clinic/names.py and patients/requests/numbers.py as of then.
"""

import re
import unicodedata

import idna

PLAIN_LETTERS = str.maketrans(
    {"đ": "d", "ð": "d", "ħ": "h", "ı": "i", "ł": "l", "ø": "o", "ŧ": "t", "æ": "ae", "œ": "oe", "þ": "th"}
)
NOT_IN_WORDS = re.compile(r"[\W_]+")


def without_accents(text):
    return "".join(char for char in unicodedata.normalize("NFKD", text) if not unicodedata.combining(char))


def name_key(name):
    letters = without_accents(without_accents(name).casefold()).casefold()
    return " ".join(letters.translate(PLAIN_LETTERS).split())


def address_key(address):
    local, at, domain = unicodedata.normalize("NFC", address.strip()).rpartition("@")
    try:
        plain = domain.isascii() and "xn--" not in domain.lower()
        domain = domain.lower() if plain else idna.encode(domain, uts46=True, transitional=False).decode()
    except ValueError:
        domain = unicodedata.normalize("NFC", domain.lower())
    return unicodedata.normalize("NFC", f"{local}{at}{domain}".lower())


def stored(words):
    return {(kind, word.encode(errors="replace")[:254]) for kind, word in words if word}


def name_words(name):
    whole = name_key(name).split()
    found = {("name", part) for word in whole for part in [word, *NOT_IN_WORDS.split(word)]}
    if len(whole) > 1:
        found.add(("person", " ".join(sorted(whole))))
    return stored(found)


def email_words(email):
    whole = name_key(address_key(email))
    mailbox = whole.rpartition("@")[0]
    return stored({("email", whole), *(("mailbox", part) for part in NOT_IN_WORDS.split(mailbox))})


def digits_of(text):
    return "".join(char for char in unicodedata.normalize("NFKC", text) if "0" <= char <= "9")


def phone_words(phone):
    digits = digits_of(phone)
    found = {("digits", digits[start:]) for start in range(len(digits) - 2)}
    if len(digits) >= 7:
        found.add(("phone", digits.lstrip("0")[-9:]))
    return stored(found)


def request_number_words(pk):
    digits = f"{pk.int % 10**8:08d}"
    return stored({("number", f"{digits}{98 - int(digits) * 100 % 97:02d}")})
