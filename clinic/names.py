"""Normalizes typed text, names, e-mail addresses and passphrases to store, compare, search and sort them.

The same letter can be written as one character (é) or as two (e and an accent). What is stored is composed
(NFC).
"""

import unicodedata

import idna

# Letters that Unicode does not decompose, but that people type without their stroke.
PLAIN_LETTERS = str.maketrans(
    {"đ": "d", "ð": "d", "ħ": "h", "ı": "i", "ł": "l", "ø": "o", "ŧ": "t", "æ": "ae", "œ": "oe", "þ": "th"}
)
# Vietnamese sorts by an alphabet of its own, and words of the same letters by tone (CLDR, collation "vi").
VIETNAMESE_LETTERS = {
    letter: f"{base}{place}"
    for base, family in {"a": "aăâ", "d": "dđ", "e": "eê", "o": "oôơ", "u": "uư"}.items()
    for place, letter in enumerate(family)
}
VIETNAMESE_TONES = {"\u0300": "2", "\u0309": "3", "\u0303": "4", "\u0301": "5", "\u0323": "6"}
OTHER_ACCENT = "7"
HYPHENS = "-\u2010\u2011\u2013"


def compose(text: str) -> str:
    """Return `text` with composed characters (NFC). It looks the same."""
    return unicodedata.normalize("NFC", text)


def normalize_text(text: str) -> str:
    """Return typed text with composed characters (NFC) and single spaces. It looks as it was typed."""
    return " ".join(compose(text).split())


def text_key(text: str) -> str:
    """Return what is equal for two texts that differ only in case, spaces, or how letters are encoded."""
    return normalize_text(unicodedata.normalize("NFKC", compose(text).casefold()).casefold())


def name_key(name: str) -> str:
    """Return what two spellings of a name have in common: no accents, no case, single spaces.

    It is for matching and searching only: people write the same name in many ways.
    """
    letters = _without_accents(_without_accents(name).casefold()).casefold()
    return " ".join(letters.translate(PLAIN_LETTERS).split())


def same_name(typed: str, known: str) -> bool:
    """Return whether `typed` may be the name `known`, in whatever letters somebody writes it.

    Case, accents, punctuation and the order of the words do not count. A name with letters of a script that
    `known` does not have cannot be compared, so it is taken as it is written.
    """
    if not (scripts := _scripts(typed)):
        return False
    if scripts - _scripts(known):
        return True
    words, others = name_key(" ".join(_words(typed))).split(), name_key(" ".join(_words(known))).split()
    return sorted(words) == sorted(others) or "".join(words) == "".join(others)


def _scripts(text: str) -> set[str]:
    """Return the scripts of the letters of a text, by the first word of the letters' names in Unicode."""
    letters = filter(str.isalpha, unicodedata.normalize("NFKC", text))
    return {unicodedata.name(char, "").split(" ")[0] for char in letters}


def _without_accents(text: str) -> str:
    decomposed = unicodedata.normalize("NFKD", text)
    return "".join(char for char in decomposed if not unicodedata.combining(char))


def sort_key(name: str, language: str, *, family_name_first: bool = False) -> bytes:
    """Return the key by which names are sorted for readers of `language`; keys are compared byte by byte.

    In English the words count in the order in which they are written. Vietnamese readers look for the given
    name, so it counts first: the last word of a name whose family name comes first.
    """
    words = _words(name)
    if language.startswith("vi"):
        if family_name_first:
            words = words[-1:] + words[:-1]
        key = "\0".join(_vietnamese_key(word) for word in words)
    else:
        key = name_key(" ".join(words))
    return f"{key}\0\0{text_key(name)}\0{compose(name)}".encode(errors="replace")


def _words(name: str) -> list[str]:
    """Return the words of a name. Hyphens divide words; other punctuation does not count."""
    kept = (
        " " if char.isspace() or char in HYPHENS else char
        for char in compose(name)
        if char.isspace() or char in HYPHENS or unicodedata.category(char)[0] in "LMN"
    )
    return "".join(kept).split()


def _vietnamese_key(word: str) -> str:
    """Return the sort key of a word: its letters by place in the Vietnamese alphabet, then its tones."""
    letters: list[str] = []
    tones: list[str] = []
    for char in unicodedata.normalize("NFKD", word.casefold()):
        if char in "\u0302\u0306\u031b" and letters:  # circumflex, breve, horn
            whole = compose(letters[-1][0] + char)
            if whole in VIETNAMESE_LETTERS:
                letters[-1] = VIETNAMESE_LETTERS[whole]
                continue
        if unicodedata.combining(char):
            tones.append(VIETNAMESE_TONES.get(char, OTHER_ACCENT))
        else:
            letters += [
                VIETNAMESE_LETTERS.get(char) or f"{plain}0"
                for plain in ("đ" if char == "đ" else char.translate(PLAIN_LETTERS))
            ]
    return f"{''.join(letters)}\1{''.join(tones)}"


def short_name(name: str, *, family_name_first: bool = False) -> str:
    """Return a name such as "Stan F.", for boards that a passer-by could read.

    The initial of a family name that comes first stands first too: "N. Ánh" for "Nguyễn Thị Ánh".
    """
    words = normalize_text(name).split()
    if len(words) < 2:
        return " ".join(words)
    if family_name_first:
        return f"{_initial(words[0])}. {words[-1]}"
    return f"{words[0]} {_initial(words[1])}."


def _initial(word: str) -> str:
    """Return the first letter of a word with the marks that belong to it."""
    end = 1
    while end < len(word) and unicodedata.category(word[end]).startswith("M"):
        end += 1
    return word[:end]


def normalize_address(address: str) -> str:
    """Return an e-mail address ready for sending: composed, its domain in ASCII and lower case.

    A domain with other letters than ASCII is written in its xn-- form (IDNA 2008 with the mappings of UTS 46,
    not transitional); one that IDNA does not allow is only put in lower case. The case of what stands before
    the @ stays.
    """
    local, at, domain = compose(address.strip()).rpartition("@")
    try:
        return f"{local}{at}{domain_to_ascii(domain)}"
    except ValueError:
        return f"{local}{at}{compose(domain.lower())}"


def address_key(address: str) -> str:
    """Return the form in which the address of an account is stored and looked up, all in lower case."""
    return compose(normalize_address(address).lower())


def domain_to_ascii(domain: str) -> str:
    """Return a domain in ASCII and lower case. Errors: ValueError if IDNA does not allow it."""
    if domain.isascii() and "xn--" not in domain.lower():
        return domain.lower()
    return idna.encode(domain, uts46=True, transitional=False).decode()


def normalize_passphrase(typed: str) -> str:
    """Return a passphrase as it is hashed (RFC 8265, OpaqueString): composed, every kind of space the same.

    Case, width and spaces at the ends count. Which characters a new passphrase may have, a validator says
    (clinic/people/validators.py).
    """
    return compose("".join(" " if unicodedata.category(char) == "Zs" else char for char in typed))


def passphrase_forms(typed: str) -> list[str]:
    """Return the forms in which a typed passphrase may have been hashed, the present form first.

    Earlier releases hashed what the keyboard sent. The number of forms depends only on what was typed, so
    the time that all of them take does not tell whether an account exists.
    """
    form = normalize_passphrase(typed)
    return list(dict.fromkeys([form, typed, unicodedata.normalize("NFD", form)]))
