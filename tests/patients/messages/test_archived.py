"""Messages are given back with what a patient takes, and are destroyed with the words of the file."""

import io
from typing import Any

import pytest
import pyzipper
from django.urls import reverse

from erasure.backups.create import make_backup
from erasure.backups.drill import hold_drill
from erasure.backups.models import Drill
from erasure.destructions.orders import order
from patients.archives.archive import MessageEntry
from patients.cases.models import Case
from patients.consent.signing import withdraw
from patients.keepsakes.removal import remove_keepsake
from patients.messages.archived import has_messages, message_entries
from patients.messages.models import Message
from patients.vault.sealed import read_many
from tests.erasure.destructions.orders import carry_out, places_found
from tests.factories import PASSPHRASE, make_case, make_keepsake, make_memory
from tests.messages import ANSWER, QUESTION, answer, ask, client_of

pytestmark = pytest.mark.django_db(transaction=True)
SEAL = "four words that seal it"


def post(case: Case, name: str, **data: Any) -> Any:
    return client_of(case.patient).post(reverse(f"erasure:belongings-{name}", args=[case.pk]), data)


def index_of(answer: Any) -> str:
    with pyzipper.AESZipFile(io.BytesIO(b"".join(answer))) as archive:
        archive.setpassword(SEAL.encode())
        return archive.read("index.html").decode()


@pytest.mark.filterwarnings("ignore:StreamingHttpResponse must consume asynchronous:Warning")
@pytest.mark.filterwarnings("ignore:PBKDF2:DeprecationWarning")
def test_the_archive_has_the_messages_when_they_or_everything_are_chosen() -> None:
    case = make_case()
    keepsake = make_keepsake(make_memory(case), caption="On the ice")
    page = reverse("erasure:belongings")
    assert "Give me my messages" not in client_of(case.patient).get(page).content.decode()
    ask(case, keepsake=keepsake)
    answer(case)
    assert "Give me my messages" in client_of(case.patient).get(page).content.decode()
    chosen = post(case, "choose", messages="on", do="take")
    assert "your messages with the clinic" in chosen.content.decode()
    assert 'name="messages" value="on"' in chosen.content.decode()
    sealed = {"passphrase": PASSPHRASE, "seal": SEAL, "seal_again": SEAL}
    index = index_of(post(case, "take", messages="on", **sealed))
    assert "the skeleton picture too?" in index
    assert ANSWER in index
    assert "About: On the ice" in index
    assert ANSWER not in index_of(post(case, "take", keepsakes=[keepsake.pk], **sealed))
    withdraw(case, by=case.patient)
    assert ANSWER in index_of(post(case, "take", everything="on", **sealed))


def test_messages_alone_cannot_be_destroyed() -> None:
    case = make_case()
    ask(case)
    assert post(case, "choose", messages="on", do="destroy").status_code == 302
    refused = post(case, "destroy", messages="on", passphrase=PASSPHRASE, when="now")
    assert refused.status_code in {302, 422}
    assert read_many(Message.objects.all()) != {}


def test_the_thread_is_destroyed_with_the_case_and_the_verifier_finds_nothing() -> None:
    case = make_case()
    keepsake = make_keepsake(make_memory(case))
    ask(case, keepsake=keepsake)
    ask(case)
    answer(case)
    withdraw(case, by=case.patient)
    destruction = order(case, by=case.patient, everything=True)
    carry_out(destruction)
    assert read_many(Message.objects.all()) == {}
    assert not places_found(destruction) & {"seals", "rows"}
    entries = message_entries(case)
    assert [entry.words for entry in entries] == ["", "", ""]
    page = reverse("erasure:belongings")
    assert "Give me my messages" not in client_of(case.patient).get(page).content.decode()


def test_the_verifier_finds_a_message_that_can_still_be_opened() -> None:
    case = make_case()
    make_keepsake(make_memory(case))
    row = ask(case)
    other = make_case()
    withdraw(case, by=case.patient)
    destruction = order(case, by=case.patient, everything=True)
    carry_out(destruction)
    assert not places_found(destruction) & {"seals"}
    # As if it had been sealed under a key that is not destroyed.
    Message.objects.filter(pk=row.pk).update(case=other)
    kept = Message.objects.get(pk=row.pk)
    kept.write(row.sealed_fields(QUESTION))
    keepsake = case.keepsakes.get()
    Message.objects.filter(pk=row.pk).update(sealed=kept.sealed, keepsake=keepsake)
    assert "seals" not in places_found(destruction)  # the keepsake's key is needed too, and is destroyed


def test_a_keepsake_destroyed_alone_takes_what_was_said_of_it_along() -> None:
    case = make_case()
    keepsake = make_keepsake(make_memory(case))
    about_it, other = ask(case, keepsake=keepsake), ask(case)
    destruction = order(case, by=case.patient, keepsakes=[keepsake.pk])
    carry_out(destruction)
    assert list(read_many([about_it, other])) == [other.pk]
    assert "seals" not in places_found(destruction)


def test_a_drill_counts_what_was_said_of_a_destroyed_keepsake_as_erased(tmp_path: Any) -> None:
    case = make_case()
    keepsake = make_keepsake(make_memory(case))
    ask(case, keepsake=keepsake)
    ask(case)
    make_backup(tmp_path / "backup")
    before = hold_drill(tmp_path / "backup")
    assert (before.result, before.kept_closed, before.erased_closed) == (Drill.Result.HOLDS, 0, 0)
    remove_keepsake(keepsake, by=case.patient)
    after = hold_drill(tmp_path / "backup")
    assert (after.result, after.kept_closed) == (Drill.Result.HOLDS, 0)
    assert after.erased_closed == before.kept_opened - after.kept_opened == 5


def test_entries_name_the_writer_and_what_it_is_about() -> None:
    case = make_case()
    assert not has_messages(case)
    keepsake = make_keepsake(make_memory(case), caption="")
    question = ask(case, keepsake=keepsake)
    assert message_entries(case) == [
        MessageEntry(case.patient.name, question.written_at, "A photograph", QUESTION)
    ]
