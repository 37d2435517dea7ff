"""B7. The order in which bookable people and rooms are shown."""

import pytest
from django.utils import translation

from clinic.accounts.models import Role
from clinic.calendar.models import Resource
from tests.factories import make_user

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("language", "people"),
    [
        ("en", ["Bo Adams", "Đỗ Đạt", "Lê Anh", "Trần Dũng"]),
        ("vi", ["Lê Anh", "Bo Adams", "Trần Dũng", "Đỗ Đạt"]),
    ],
)
def test_b7_people_sort_as_the_readers_language_does_and_rooms_by_their_label(
    language: str, people: list[str]
) -> None:
    for label in ("Room B", "Room A"):
        Resource.objects.create(kind=Resource.Kind.ROOM, label=label)
    for name in ("Trần Dũng", "Đỗ Đạt", "Lê Anh", "Bo Adams"):
        user = make_user(Role.DOCTOR, name=name, family_name_first=name != "Bo Adams")
        Resource.objects.create(kind=Resource.Kind.DOCTOR, label=name, user=user)
    Resource.objects.create(kind=Resource.Kind.DOCTOR, label="A visiting doctor")
    with translation.override(language):
        shown = [row.label for row in Resource.objects.by_name("kind")]
    assert shown == [*people, "A visiting doctor", "Room A", "Room B"]
    doctors = Resource.objects.filter(user__isnull=False)
    assert [row.label for row in sorted(doctors, key=lambda row: row.sort_key(language))] == people
