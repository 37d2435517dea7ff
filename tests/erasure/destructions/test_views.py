"""The patient's pages of their belongings: choosing, taking back, destroying, stopping, reopening."""

import io
from typing import Any

import pytest
import pyzipper
from django.conf import settings
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from clinic.accounts.models import Role, User
from clinic.audit.models import Entry
from erasure.destructions.destroying import destroy_next
from erasure.destructions.models import Destruction, DestructionItem
from erasure.destructions.orders import belongings_of, order
from patients.cases.models import Case
from patients.consent.signing import withdraw
from patients.keepsakes.models import Keepsake
from patients.memories.models import Memory
from patients.vault.models import StoredObject
from patients.vault.objects import destroy, mark_for_destruction
from tests.configuration import configure
from tests.erasure.destructions.orders import carry_out, make_withdrawn
from tests.factories import PASSPHRASE, make_case, make_keepsake, make_memory, make_run, make_user

pytestmark = pytest.mark.django_db(transaction=True)

SEAL = "four words that seal it"  # the password of an archive


def client_of(user: User) -> Client:
    client = Client()
    client.force_login(user, backend=settings.AUTHENTICATION_BACKENDS[0])
    return client


def post(case: Case, name: str, **data: Any) -> Any:
    """Post to an URL of the belongings of a case, as its patient. name: what follows "belongings-"."""
    return client_of(case.patient).post(reverse(f"erasure:belongings-{name}", args=[case.pk]), data)


def body_of(answer: Any) -> bytes:
    """The whole body of a streamed answer."""
    return b"".join(answer)


def test_the_page_lists_memories_and_keepsakes_and_offers_everything_only_of_a_closed_case() -> None:
    closed, open_case = make_withdrawn(), make_case()
    make_keepsake(make_memory(open_case, "Still open"))
    page = client_of(closed.patient).get(reverse("erasure:belongings")).content.decode()
    assert page.count('name="keepsakes"') == 3
    assert page.count('name="memories"') == 3
    assert "The kitchen table" in page
    assert 'name="everything"' in page
    assert reverse("erasure:belongings-reopen", args=[closed.pk]) in page
    assert "Clementine" not in page
    page = client_of(open_case.patient).get(reverse("erasure:belongings")).content.decode()
    assert "Still open" in page
    assert 'name="everything"' not in page


def test_the_next_page_says_what_was_chosen_and_a_choice_of_nothing_leads_back() -> None:
    case = make_withdrawn()
    part = belongings_of(case).memories[0]
    answer = post(case, "choose", memories=[part.memory.pk], do="destroy")
    assert answer.status_code == 200
    assert "1 memory with all that is in it" in answer.content.decode()
    assert f'value="{part.memory.pk}"' in answer.content.decode()
    assert not Destruction.objects.exists()
    for data in ({}, {"memories": ["nonsense"]}, {"keepsakes": [case.pk]}):
        answer = post(case, "choose", do="take", **data)
        assert answer.url == reverse("erasure:belongings")


def test_everything_includes_the_words_of_the_case_to_destroy_but_not_to_take() -> None:
    case = make_withdrawn(2)
    make_keepsake(None, case=case)
    memories = "3 memories with all that is in them"
    page = post(case, "choose", everything="on", do="destroy").content.decode()
    assert f'<p class="lead">{memories}, 1 keepsake, and the words of your file</p>' in page
    page = post(case, "choose", everything="on", do="take").content.decode()
    assert f"{memories}, and 1 keepsake</p>" in page
    assert "the words of your file" not in page


def test_no_archive_is_made_if_only_the_words_of_the_case_are_left() -> None:
    case = make_withdrawn(1)
    Memory.objects.filter(case=case).update(fate=Memory.Fate.ERASED)
    Keepsake.objects.filter(case=case).update(gone_at=timezone.now(), picture=None, thumb=None)
    page = post(case, "choose", everything="on", do="destroy").content.decode()
    assert '<p class="lead">the words of your file</p>' in page
    for name, data in (("choose", {"do": "take"}), ("take", {"passphrase": "wrong"})):
        answer = post(case, name, everything="on", **data)
        assert answer.url == reverse("erasure:belongings")
    assert not Entry.objects.filter(action="archive.taken").exists()


@pytest.mark.filterwarnings("ignore:StreamingHttpResponse must consume asynchronous:Warning")
@pytest.mark.filterwarnings("ignore:PBKDF2:DeprecationWarning")
def test_the_archive_has_what_was_chosen_and_opens_with_its_password() -> None:
    case = make_withdrawn()
    chosen = next(part for part in belongings_of(case).memories if part.keepsakes[0].kind == "photo")
    original = StoredObject.objects.get(keepsake=chosen.keepsakes[0], role="original")
    answer = post(
        case, "take", memories=[chosen.memory.pk], passphrase=PASSPHRASE, seal=SEAL, seal_again=SEAL
    )
    assert answer["Content-Disposition"] == 'attachment; filename="lacuna.zip"'
    with pyzipper.AESZipFile(io.BytesIO(body_of(answer))) as archive:
        archive.setpassword(SEAL.encode())
        assert archive.namelist() == ["index.html", "files/0001.jpg"]
        assert len(archive.read("files/0001.jpg")) == original.size
        index = archive.read("index.html").decode()
        assert "On the ice" in index
        assert "The kitchen table" not in index
    entry = Entry.objects.get(action="archive.taken")
    assert (entry.case, entry.details) == (case.pk, {"files": 1, "unreadable": 0})
    assert set(StoredObject.objects.filter(case=case).values_list("state", flat=True)) == {"live"}


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"passphrase": "wrong"}, "That is not your passphrase."),
        ({"passphrase": ""}, "This field is required."),
        ({"seal": "short", "seal_again": "short"}, "at least 15 characters"),
        ({"seal_again": "other words than these"}, "These are not the same words."),
    ],
)
def test_a_refused_archive_form_says_why_and_keeps_the_choice(fields: dict[str, str], message: str) -> None:
    case = make_withdrawn(1)
    keepsake = belongings_of(case).keepsakes[0]
    data = {"passphrase": PASSPHRASE, "seal": SEAL, "seal_again": SEAL, **fields}
    answer = post(case, "take", keepsakes=[keepsake.pk], **data)
    assert answer.status_code == 422
    assert message in answer.content.decode()
    assert f'value="{keepsake.pk}"' in answer.content.decode()
    assert not Entry.objects.filter(action="archive.taken").exists()


@pytest.mark.filterwarnings("ignore:StreamingHttpResponse must consume asynchronous:Warning")
@pytest.mark.filterwarnings("ignore:PBKDF2:DeprecationWarning")
def test_the_archive_says_which_keepsake_cannot_be_read() -> None:
    case = make_withdrawn(1)
    keepsake = next(one for one in belongings_of(case).keepsakes if one.kind == "photo")
    rows = StoredObject.objects.filter(keepsake=keepsake).exclude(role="seal")
    mark_for_destruction(rows, "test")
    destroy(rows)
    answer = post(case, "take", everything="on", passphrase=PASSPHRASE, seal=SEAL, seal_again=SEAL)
    with pyzipper.AESZipFile(io.BytesIO(body_of(answer))) as archive:
        archive.setpassword(SEAL.encode())
        assert "cannot be read any more" in archive.read("index.html").decode()
    assert Entry.objects.get(action="archive.taken").details["unreadable"] == 1


def test_an_order_waits_three_days_or_is_due_at_once() -> None:
    later, now = make_withdrawn(1), make_withdrawn(1)
    for case, when in ((later, "later"), (now, "now")):
        answer = post(case, "destroy", everything="on", passphrase=PASSPHRASE, when=when)
        destruction = Destruction.objects.get(case=case)
        assert answer.url == reverse("erasure:destruction", args=[destruction.pk])
    wait = [one.begins_at - one.asked_at for one in (later.destructions.get(), now.destructions.get())]
    assert [span.total_seconds() for span in wait] == [3 * 86400, 0]
    page = (
        client_of(later.patient)
        .get(reverse("erasure:destruction", args=[later.destructions.get().pk]))
        .content.decode()
    )
    assert "Until then nothing is touched" in page
    assert "hx-get" in page


@pytest.mark.parametrize(
    ("hours", "label"), [(1, "In 1 hour,"), (1.5, "In 1.5 hours,"), (36, "In 36 hours,"), (24, "In 1 day,")]
)
def test_the_configured_wait_is_shown_in_hours_or_whole_days(hours: float, label: str) -> None:
    case = make_withdrawn(1)
    configure(destruction_thinking_hours=hours)
    assert label in post(case, "choose", everything="on", do="destroy").content.decode()


def test_a_wrong_passphrase_destroys_nothing() -> None:
    case = make_withdrawn(1)
    answer = post(case, "destroy", everything="on", passphrase="wrong", when="now")
    assert answer.status_code == 422
    assert "That is not your passphrase." in answer.content.decode()
    assert not Destruction.objects.exists()


def test_an_order_is_refused_with_its_reason_while_a_night_is_booked() -> None:
    run = make_run(1)
    case = run.procedure.case
    memory = case.memories.get()
    answer = post(case, "destroy", memories=[memory.pk], passphrase=PASSPHRASE, when="now")
    assert answer.status_code == 422
    assert "A night is booked" in answer.content.decode()
    assert not Destruction.objects.exists()


def test_a_stop_says_what_stays_and_a_second_stop_that_nothing_was_left() -> None:
    case = make_withdrawn(1)
    destruction = order(case, by=case.patient, everything=True)
    client, url = client_of(case.patient), reverse("erasure:destruction-stop", args=[destruction.pk])
    assert "What was not destroyed by now stays." in client.post(url, follow=True).content.decode()
    assert "Nothing was left to stop" in client.post(url, follow=True).content.decode()
    assert set(destruction.items.values_list("state", flat=True)) == {DestructionItem.State.SPARED}


def test_the_page_of_a_certified_destruction_links_the_certificate_and_names_no_memory() -> None:
    case = make_withdrawn(1)
    destruction = carry_out(order(case, by=case.patient, everything=True))
    page = client_of(case.patient).get(reverse("erasure:destruction", args=[destruction.pk])).content.decode()
    assert reverse("erasure:certificate", args=[destruction.pk]) in page
    assert "The kitchen table" not in page
    assert "hx-get" not in page
    certificate = client_of(case.patient).get(reverse("erasure:certificate", args=[destruction.pk]))
    assert "Certificate of destruction" in certificate.content.decode()
    public = Client().get(reverse("erasure:verify-number", args=[destruction.certificate.number]))
    assert "This certificate holds." in public.content.decode()


def test_reopening_a_case_leads_to_the_consent_page_and_works_once() -> None:
    case = make_withdrawn(1)
    answer = post(case, "reopen")
    assert answer.url == reverse("patients:consent")
    case.refresh_from_db()
    assert case.stage == Case.Stage.BRINGING
    answer = client_of(case.patient).post(reverse("erasure:belongings-reopen", args=[case.pk]), follow=True)
    assert "cannot be opened again" in answer.content.decode()


PAGES_OF_AN_OPEN_CASE = ("patients:keepsakes", "patients:consent", "patients:intake", "patients:memory-new")


def test_after_a_withdrawal_the_pages_of_the_open_case_lead_to_the_portal() -> None:
    case = make_case()
    memory = make_memory(case)
    keepsake = make_keepsake(memory)
    withdraw(case, by=case.patient)
    client = client_of(case.patient)
    urls = [reverse(name) for name in PAGES_OF_AN_OPEN_CASE]
    urls += [
        reverse("patients:memory", args=[memory.pk]),
        reverse("patients:keepsake", args=[keepsake.pk]),
    ]
    for url in urls:
        answer = client.get(url, follow=True)
        assert answer.status_code == 200, url
        assert answer.redirect_chain == [(reverse("patients:portal"), 302)], url
        assert "Your file is closed" in answer.content.decode()
    answer = client.get(urls[0], headers={"HX-Request": "true"})
    assert answer["HX-Redirect"] == reverse("patients:portal")


def test_what_was_typed_into_a_form_of_a_case_that_is_closed_by_now_is_shown() -> None:
    case = make_case()
    withdraw(case, by=case.patient)
    hidden = "b2f5" * 16
    typed = [
        "The frozen Charles",
        "Boston",
        "clementine.kruczynski@montauk.example",
        "Unzertrennlichkeitsgefühl",
    ]
    posted = {f"field{number}": words for number, words in enumerate(typed)} | {"seen": hidden}
    answer = client_of(case.patient).post(reverse("patients:memory-new"), posted)
    assert answer.status_code == 410
    page = answer.content.decode()
    assert [words for words in typed if words not in page] == []
    assert hidden not in page


def test_the_live_update_of_the_page_is_empty_until_something_has_changed() -> None:
    case = make_withdrawn(1)
    destruction = order(case, by=case.patient, everything=True)
    url, client = reverse("erasure:destruction", args=[destruction.pk]), client_of(case.patient)
    version = client.get(url).context["version"]
    htmx = {"HX-Request": "true"}
    assert client.get(url, {"seen": version}, headers=htmx).status_code == 204
    assert client.get(url, {"seen": version}).status_code == 200
    assert destroy_next(destruction.pk)
    assert client.get(url, {"seen": version}, headers=htmx).status_code == 200


def test_another_patient_and_a_doctor_can_neither_see_nor_order_a_destruction() -> None:
    case = make_withdrawn(1)
    destruction = order(case, by=case.patient, everything=True)
    for user in (make_case().patient, make_user(Role.DOCTOR)):
        client = client_of(user)
        assert client.get(reverse("erasure:destruction", args=[destruction.pk])).status_code in {403, 404}
        assert client.post(reverse("erasure:belongings-destroy", args=[case.pk])).status_code in {403, 404}
