"""B7. How people are stored, found by name, and sorted."""

from unicodedata import normalize

import pytest
from django.utils import translation

from clinic.accounts.models import User
from tests.factories import make_user

pytestmark = pytest.mark.django_db
NAMES = ["Ánh Nguyễn", "Đỗ Văn Đạt", "Zoë Adams"]


def named(text: str) -> list[str]:
    return sorted(User.objects.named(text).values_list("name", flat=True))


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_b7_people_are_found_regardless_of_case_and_accents(form: str) -> None:
    for name in NAMES:
        make_user(name=normalize(form, name))
    for text, found in {
        "anh": NAMES[:1],
        "ÁNH": NAMES[:1],
        normalize("NFD", "Ánh"): NAMES[:1],
        "nguyen": NAMES[:1],
        "nguyen anh": NAMES[:1],
        "do": NAMES[1:2],
        "Đ": sorted(NAMES[1:]),
        "dat do": NAMES[1:2],
        "zoe": NAMES[2:],
        "%": [],
        "_": [],
        " ´ ": [],
        "anh zoe": [],
    }.items():
        assert named(text) == found, text


def test_b7_a_name_is_stored_composed_with_its_keys_however_it_is_saved() -> None:
    user = make_user(name=normalize("NFD", "Lê  Ánh"))
    user.refresh_from_db()
    assert (user.name, user.search_key, user.short_name) == ("Lê Ánh", "le anh", "Lê Á.")
    user.name = normalize("NFD", "Đỗ Bình")
    user.save(update_fields=["name"])
    user.refresh_from_db()
    assert (user.name, user.search_key) == ("Đỗ Bình", "do binh")
    assert bytes(user.sort_vi) == user.name_sort_key("vi") != user.name_sort_key("en") == bytes(user.sort_en)
    user.family_name_first = True
    user.save(update_fields=["family_name_first"])
    user.refresh_from_db()
    assert (user.short_name, bytes(user.sort_vi)) == ("Đ. Bình", user.name_sort_key("vi"))
    user.name = "Not saved"
    user.save(update_fields=["is_active"])
    user.refresh_from_db()
    assert (user.name, user.search_key) == ("Đỗ Bình", "do binh")


def test_b7_people_sort_as_the_readers_language_sorts_them() -> None:
    for name, family_name_first in {
        "Trần Đạt": True,
        "Lê Dũng": True,
        "Nguyễn Thị Ánh": True,
        "Đỗ Anh": True,
        "Élise Bon": False,
        "Zoë Adams": False,
    }.items():
        make_user(name=name, family_name_first=family_name_first)
    with translation.override("en"):
        english = [user.name for user in User.objects.by_name()]
    with translation.override("vi"):
        vietnamese = [user.name for user in User.objects.by_name()]
        pages = [user.name for start in (0, 2, 4) for user in User.objects.by_name()[start : start + 2]]
    assert english == ["Đỗ Anh", "Élise Bon", "Lê Dũng", "Nguyễn Thị Ánh", "Trần Đạt", "Zoë Adams"]
    assert vietnamese == ["Đỗ Anh", "Nguyễn Thị Ánh", "Lê Dũng", "Trần Đạt", "Élise Bon", "Zoë Adams"]
    assert pages == vietnamese


def test_b7_the_name_with_the_longest_search_key_is_stored_and_found() -> None:
    """The search key has 18 letters for each of these characters, and a name has at most 120 characters."""
    user = make_user(name="\ufdfa" * 120)
    assert list(User.objects.named("\ufdfa")) == [user]
    assert list(User.objects.by_name()) == [user]
