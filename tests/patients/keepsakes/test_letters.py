"""Letters with characters that cannot be drawn: review and the patient's page say how many."""

import dataclasses

import pytest
from django.test import Client
from django.urls import reverse

from clinic.accounts.models import Role
from patients.cases.models import Case
from patients.keepsakes.ingest import create_keepsake
from patients.keepsakes.letters import count_undrawn_characters
from patients.keepsakes.models import Keepsake
from patients.vault.models import StoredObject
from patients.vault.objects import destroy, mark_for_destruction, put
from tests.factories import make_case, make_keepsake, make_letter, make_memory, make_user

pytestmark = pytest.mark.django_db

DRAWN = "Joël thân mến, 12 € ở quán café. Привет, Αγάπη ♥"
MESSAGE = "letters of this text cannot be drawn; they are destroyed with it all the same."


@pytest.fixture
def case() -> Case:
    return make_case()


def bring(case: Case, text: str) -> Keepsake:
    original = put(text.encode(), case_id=case.pk, role=StoredObject.Role.ORIGINAL)
    return create_keepsake(original, by=case.patient, filename="letter.txt", memory=make_memory(case))


def pages(client: Client, letter: Keepsake) -> list[str]:
    """The review inbox for a doctor, and the keepsake's page for the patient."""
    client.force_login(make_user(Role.DOCTOR))
    inbox = client.get(reverse("patients:review", args=[letter.case_id]), {"show": "all"})
    client.force_login(letter.case.patient)
    own = client.get(reverse("patients:keepsake", args=[letter.pk]))
    return [answer.content.decode() for answer in (inbox, own)]


def test_a_letter_that_can_be_drawn_completely_has_no_message(client: Client, case: Case) -> None:
    letter = bring(case, DRAWN)
    assert letter.read().undrawn == 0
    for shown in pages(client, letter):
        assert "cannot be drawn" not in shown


def test_undrawable_characters_are_counted_on_both_pages(client: Client, case: Case) -> None:
    letter = bring(case, f"{DRAWN} 雪が降る שלום 🦀")
    assert letter.read().undrawn == 9
    for shown in pages(client, letter):
        assert f"9 {MESSAGE}" in shown


def test_characters_that_do_not_fit_are_counted_too(client: Client, case: Case) -> None:
    letter = bring(case, "tangerine " * 20_000)
    assert (letter.read().undrawn or 0) > 9 * 10_000
    for shown in pages(client, letter):
        assert MESSAGE in shown


def test_the_message_has_a_singular(client: Client, case: Case) -> None:
    message = "1 letter of this text cannot be drawn; it is destroyed with it all the same."
    assert all(message in shown for shown in pages(client, bring(case, "snow 雪")))


def test_for_older_letters_the_count_is_computed_from_the_text(client: Client, case: Case) -> None:
    letter = make_letter(make_memory(case), "snow: 雪が降る")
    assert letter.read().undrawn is None
    for shown in pages(client, letter):
        assert f"4 {MESSAGE}" in shown
    assert count_undrawn_characters(letter, dataclasses.replace(letter.read(), undrawn=2)) == 2


def test_an_unreadable_letter_does_not_break_the_review_page(client: Client, case: Case) -> None:
    letter = make_letter(make_memory(case), "snow: 雪が降る")
    picture = StoredObject.objects.filter(pk=letter.picture_id)
    mark_for_destruction(picture, "test")
    destroy(picture)
    other = make_keepsake(make_memory(case), caption="At the beach")
    client.force_login(make_user(Role.DOCTOR))
    inbox = client.get(reverse("patients:review", args=[case.pk]), {"show": "all"})
    assert inbox.status_code == 200
    assert f"k-{other.pk}" in inbox.content.decode()
