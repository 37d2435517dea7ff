"""One form for what is typed, and one for what a name is matched by."""

from unicodedata import normalize

from clinic.names import name_key, normalize_text

COMPOSED = "Nguyễn Thị Hà"
DECOMPOSED = normalize("NFD", COMPOSED)


def test_typed_text_is_composed_and_keeps_its_accents_and_case() -> None:
    assert COMPOSED != DECOMPOSED
    assert normalize_text(f"  {DECOMPOSED}\t ") == normalize_text(COMPOSED) == COMPOSED
    assert normalize_text("Zoë \n Straße") == "Zoë Straße"


def test_a_name_is_matched_without_accents_case_and_spaces() -> None:
    assert name_key(f" {DECOMPOSED.upper()} ") == name_key(COMPOSED) == "nguyen thi ha"
    assert name_key("Zoë  STRASSE") == name_key("Zoe Straße") == "zoe strasse"
    assert name_key("Hà") != name_key("Hai")
