"""What a letter's page cannot show is said where it is reviewed, before anything is erased."""

import dataclasses

import pytest
from django.test import Client
from django.urls import reverse

from clinic.accounts.models import Role
from patients.cases.models import Case
from patients.keepsakes.ingest import create_keepsake
from patients.keepsakes.letters import undrawn_letters
from patients.keepsakes.models import Keepsake
from patients.vault.models import StoredObject
from patients.vault.objects import destroy, mark_for_destruction, put
from tests.factories import make_case, make_keepsake, make_letter, make_memory, make_user

pytestmark = pytest.mark.django_db

DRAWN = "Joël thân mến, 12 € ở quán café. Привет, Αγάπη ♥"
SAID = "letters of this text cannot be drawn; they are destroyed with it all the same."


@pytest.fixture
def case() -> Case:
    return make_case()


def bring(case: Case, text: str) -> Keepsake:
    original = put(text.encode(), case_id=case.pk, role=StoredObject.Role.ORIGINAL)
    return create_keepsake(original, by=case.patient, filename="letter.txt", memory=make_memory(case))


def pages(client: Client, letter: Keepsake) -> list[str]:
    """The review inbox as the doctor sees it, and the keepsake's page as the patient sees it."""
    client.force_login(make_user(Role.DOCTOR))
    inbox = client.get(reverse("patients:review", args=[letter.case_id]), {"show": "all"})
    client.force_login(letter.case.patient)
    own = client.get(reverse("patients:keepsake", args=[letter.pk]))
    return [answer.content.decode() for answer in (inbox, own)]


def test_nothing_is_said_of_a_letter_that_is_drawn_whole(client: Client, case: Case) -> None:
    letter = bring(case, DRAWN)
    assert letter.read().undrawn == 0
    for shown in pages(client, letter):
        assert "cannot be drawn" not in shown


def test_what_cannot_be_drawn_is_said_on_review(client: Client, case: Case) -> None:
    letter = bring(case, f"{DRAWN} 雪が降る שלום 🦀")
    assert letter.read().undrawn == 9
    for shown in pages(client, letter):
        assert f"9 {SAID}" in shown


def test_what_is_cut_off_is_said_too(client: Client, case: Case) -> None:
    letter = bring(case, "tangerine " * 20_000)
    assert (letter.read().undrawn or 0) > 9 * 10_000
    for shown in pages(client, letter):
        assert SAID in shown


def test_one_letter_is_one(client: Client, case: Case) -> None:
    both = list(pages(client, bring(case, "snow 雪")))
    assert len(both) == 2
    for shown in both:
        assert "1 letter of this text cannot be drawn; it is destroyed with it all the same." in shown


def test_a_letter_brought_before_is_read_for_it(client: Client, case: Case) -> None:
    letter = make_letter(make_memory(case), "snow: 雪が降る")
    assert letter.read().undrawn is None
    for shown in pages(client, letter):
        assert f"4 {SAID}" in shown
    assert undrawn_letters(letter, dataclasses.replace(letter.read(), undrawn=2)) == 2


def test_one_that_cannot_be_read_does_not_keep_the_others_from_review(client: Client, case: Case) -> None:
    letter = make_letter(make_memory(case), "snow: 雪が降る")
    picture = StoredObject.objects.filter(pk=letter.picture_id)
    mark_for_destruction(picture, "test")
    destroy(picture)
    other = make_keepsake(make_memory(case), caption="At the beach")
    client.force_login(make_user(Role.DOCTOR))
    inbox = client.get(reverse("patients:review", args=[case.pk]), {"show": "all"})
    assert inbox.status_code == 200
    assert f"k-{other.pk}" in inbox.content.decode()
