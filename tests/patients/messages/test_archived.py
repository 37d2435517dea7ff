"""Messages are given back with what a patient takes, and are destroyed with the words of the file."""

import io
from typing import Any

import pytest
import pyzipper
from django.db import transaction
from django.urls import reverse

from erasure.backups.create import make_backup
from erasure.backups.drill import hold_drill
from erasure.backups.models import Drill
from erasure.destructions.orders import order
from erasure.jobs.worker import advance
from erasure.operations.reconcile import Reconciliation, _mark_erased
from patients.archives.archive import MessageEntry
from patients.cases.models import Case
from patients.consent.signing import withdraw
from patients.keepsakes.removal import remove_keepsake
from patients.messages.archived import has_messages, message_entries
from patients.messages.models import Message
from patients.vault.configured import key_store
from patients.vault.models import StoredObject
from patients.vault.objects import mark_for_destruction
from patients.vault.sealed import read_many
from tests.erasure.destructions.orders import carry_out, places_found
from tests.erasure.verification.ended import verify_here
from tests.factories import PASSPHRASE, make_case, make_keepsake, make_memory, make_run
from tests.messages import ANSWER, QUESTION, answer, ask, client_of, thread_of

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


def test_destroyed_messages_are_not_offered_beside_a_keepsake_that_is_left() -> None:
    case = make_case()
    make_keepsake(make_memory(case))
    ask(case)
    mark_for_destruction(StoredObject.objects.filter(pk=case.pk), "case:gone")
    page = client_of(case.patient).get(reverse("erasure:belongings")).content.decode()
    assert 'name="keepsakes"' in page
    assert "Give me my messages" not in page


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


def test_the_verifier_looks_at_every_message_of_a_case_that_is_gone() -> None:
    case = make_case()
    make_keepsake(make_memory(case))
    row = ask(case)
    withdraw(case, by=case.patient)
    destruction = order(case, by=case.patient, everything=True)
    carry_out(destruction)
    looked_at = {place.name: place.looked_for for place in verify_here(destruction.pk).places}
    Message.objects.filter(pk=row.pk).delete()
    without = {place.name: place.looked_for for place in verify_here(destruction.pk).places}
    assert looked_at["seals"] == without["seals"] + 1


def test_the_end_of_the_night_ends_the_wait_and_the_words() -> None:
    run = make_run(memories=1)
    case = run.procedure.case
    ask(case)
    advance(run.pk)
    case.refresh_from_db()
    assert case.stage == Case.Stage.CLOSED
    assert (thread_of(case).answer_by, read_many(Message.objects.all())) == (None, {})


def test_a_restore_that_closes_a_file_ends_the_wait() -> None:
    case = make_case()
    ask(case)
    key_store().destroy(case.pk)
    with transaction.atomic():
        _mark_erased({case.pk}, Reconciliation())
    case.refresh_from_db()
    assert (case.stage, thread_of(case).answer_by) == (Case.Stage.CLOSED, None)


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
    ask(make_case(), "Of somebody else")
    assert not has_messages(case)
    keepsake = make_keepsake(make_memory(case), caption="")
    question = ask(case, keepsake=keepsake)
    assert message_entries(case) == [
        MessageEntry(case.patient.name, question.written_at, "A photograph", QUESTION)
    ]
