"""Reading, signing and withdrawing, as the patient does it."""

from uuid import UUID

import pytest
from django.core.cache import cache
from django.test import Client
from django.utils import timezone

from clinic.accounts.models import Role
from clinic.audit.models import Entry
from patients.cases.models import Case
from patients.consent.models import ConsentText, Signature
from patients.consent.signing import agreed_to_keep, current_text, text_digest
from patients.consent.texts import FIRST_TEXTS
from patients.maps.locking import lock_map
from patients.memories.models import LockedMap, Memory
from tests.factories import (
    PASSPHRASE,
    make_case,
    make_keepsake,
    make_memory,
    make_signed,
    make_text,
    make_user,
    publish_first_texts,
)

pytestmark = pytest.mark.django_db

PAGE, SIGN, WITHDRAW = "/me/consent/", "/me/consent/sign/", "/me/withdraw/"
UNDERSTOOD = {"gone": "stays", "stop": "until", "kept": "kept"}


@pytest.fixture(autouse=True)
def fresh_limits() -> None:
    cache.clear()
    publish_first_texts()


@pytest.fixture
def case() -> Case:
    return make_case(make_user(Role.PATIENT, name="Nora Vale"), agreed=False)


@pytest.fixture
def patient(client: Client, case: Case) -> Client:
    client.force_login(case.patient)
    return client


def locked(case: Case) -> LockedMap:
    make_keepsake(make_memory(case))
    mapped = lock_map(case, by=make_user(Role.DOCTOR))
    case.refresh_from_db()
    return mapped


def signature(**more: str) -> dict[str, str]:
    return {
        "text_seen": current_text(ConsentText.Kind.STORAGE).digest,
        "name": "nora  vale",
        "passphrase": PASSPHRASE,
        **more,
    }


def procedure(mapped: LockedMap, **more: str) -> dict[str, str]:
    text = current_text(ConsentText.Kind.PROCEDURE)
    return signature(text_seen=text.digest, map_seen=mapped.digest, **UNDERSTOOD, **more)


def test_the_text_is_shown_whole_and_signed_for(patient: Client, case: Case) -> None:
    shown = patient.get(PAGE).content.decode()
    text = current_text(ConsentText.Kind.STORAGE)
    assert all(paragraph in shown for paragraph in text.body.split("\n\n"))
    answer = patient.post(SIGN, signature())
    assert (answer.status_code, answer["Location"]) == (302, "/me/")
    signed = Signature.objects.get(case=case)
    assert (signed.text, signed.text_digest, signed.signed_by) == (text, text_digest(text.body), case.patient)
    assert (signed.map, signed.may_extend, agreed_to_keep(case)) == (None, False, True)
    assert "You signed this on" in patient.get(PAGE).content.decode()
    details = Entry.objects.get(action="consent.signed").details
    assert (details["kind"], details["version"], details["text"]) == ("storage", 1, text.digest)


@pytest.mark.parametrize("extend", [True, False])
def test_the_procedure_is_signed_for_exactly_the_map(patient: Client, case: Case, extend: bool) -> None:
    mapped = locked(case)
    shown = patient.get(PAGE).content.decode()
    assert mapped.digest[:12] in shown
    assert "the doctor may erase it too" in shown
    assert (
        patient.post(SIGN, procedure(mapped, **({"may_extend": "on"} if extend else {}))).status_code == 302
    )
    signed = Signature.objects.get(case=case)
    assert (signed.map, signed.map_digest, signed.may_extend) == (mapped, mapped.digest, extend)
    case.refresh_from_db()
    assert case.stage == Case.Stage.CONSENTED
    shown = patient.get(PAGE).content.decode()
    assert ("You allowed" in shown, "You did not allow" in shown) == (extend, not extend)


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"name": "Nora"}, "Please write your name as it stands in your file."),
        ({"name": ""}, "Your name, as your signature"),
        ({"passphrase": "something else"}, "That is not your passphrase."),
        ({"text_seen": "0" * 64}, "The text has changed since you opened this page."),
        ({"text_seen": ""}, "required"),
    ],
)
def test_a_signature_that_is_not_theirs_is_refused(
    patient: Client, case: Case, wrong: dict[str, str], told: str
) -> None:
    answer = patient.post(SIGN, signature(**wrong))
    assert answer.status_code == 422
    shown = answer.content.decode()
    assert told in shown
    assert PASSPHRASE not in shown
    assert "something else" not in shown
    assert not Signature.objects.exists()


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"gone": "back"}, "nothing can be brought back"),
        ({"stop": "before"}, "you can stop at any moment"),
        ({"kept": "last"}, "what you mark as protected is kept"),
        ({"kept": ""}, "A memory I marked to be kept"),
        ({"map_seen": "0" * 64}, "The map has changed since you opened this page."),
        ({"map_seen": ""}, "The map has changed since you opened this page."),
    ],
)
def test_the_procedure_is_not_signed_for_unread(
    patient: Client, case: Case, wrong: dict[str, str], told: str
) -> None:
    answer = patient.post(SIGN, procedure(locked(case)) | wrong)
    assert answer.status_code == 422
    assert told in answer.content.decode()
    assert not Signature.objects.exists()


def test_the_storage_text_does_not_sign_for_the_procedure(patient: Client, case: Case) -> None:
    mapped = locked(case)
    post = procedure(mapped) | {"text_seen": current_text(ConsentText.Kind.STORAGE).digest}
    assert patient.post(SIGN, post).status_code == 422
    assert not Signature.objects.exists()


def test_guessing_the_passphrase_is_stopped_and_logged(patient: Client) -> None:
    told = [patient.post(SIGN, signature(passphrase=f"guess {n}")).content.decode() for n in range(11)]
    assert ["Too many attempts" in words for words in told] == [False] * 10 + [True]
    assert "Too many attempts" in patient.post(SIGN, signature()).content.decode()
    assert Entry.objects.filter(action="person.sign-in-failed").count() == 10


def test_a_slip_in_the_name_uses_up_no_attempt(patient: Client) -> None:
    for _n in range(12):
        patient.post(SIGN, signature(name="Somebody"))
    assert patient.post(SIGN, signature()).status_code == 302


def test_a_new_wording_is_asked_for_in_english_where_it_is_not_translated_yet(patient: Client) -> None:
    body = "A second wording."
    make_text()
    ConsentText.objects.create(
        kind=ConsentText.Kind.STORAGE, version=2, language="en", body=body, digest=text_digest(body)
    )
    patient.cookies["django_language"] = "vi"
    assert body in patient.get(PAGE).content.decode()
    assert patient.post(SIGN, signature()).status_code == 302


def test_the_page_shows_the_map_and_the_memories_of_this_case_alone(patient: Client, case: Case) -> None:
    make_memory(case, "A second day", "2003-02-02")
    make_memory(case, "Kept", "2003-02-03", fate=Memory.Fate.PROTECTED)
    make_memory(case, "Childhood", "1980-02-03", zone=Memory.Zone.CHILDHOOD)
    other = make_case()
    for title in ("One", "Two", "Three"):
        make_memory(other, title)
    mapped = locked(case)
    for number, (whose, unlocked_at) in enumerate([(other, None), (case, timezone.now())]):
        LockedMap.objects.create(
            pk=UUID(int=number),  # the first by their keys: a query that is too wide finds them
            case=whose,
            version=9,
            digest=f"{number}" * 64,
            body={},
            locked_by=mapped.locked_by,
            unlocked_at=unlocked_at,
        )
    shown = patient.get(PAGE).context
    assert (shown["mapped"], shown["targets"], shown["kept"]) == (mapped, 2, 1)
    assert shown["form"].initial["map_seen"] == mapped.digest


def test_the_page_shows_as_signed_what_is_in_force_for_this_text(patient: Client, case: Case) -> None:
    assert patient.post(SIGN, signature()).status_code == 302
    shown = patient.get(PAGE).context
    assert (shown["signed"], shown["starts"]) == (Signature.objects.get(), None)
    assert shown["form"].initial["map_seen"] == ""
    mapped = locked(case)
    shown = patient.get(PAGE).context
    assert (shown["signed"], shown["starts"]) == (None, None), "storage is signed for, the procedure is not"
    patient.post(SIGN, procedure(mapped))
    signed = Signature.objects.get(map=mapped)
    shown = patient.get(PAGE).context
    assert (shown["signed"], shown["starts"]) == (signed, signed.signed_at)
    Signature.objects.update(superseded_at=timezone.now())
    assert patient.get(PAGE).context["signed"] is None


def test_one_action_withdraws(patient: Client, case: Case) -> None:
    make_keepsake(make_memory(case))
    make_signed(case)
    assert "Take it back now" in patient.get(WITHDRAW).content.decode()
    answer = patient.post(WITHDRAW, follow=True)
    assert "You have taken back your consent." in answer.content.decode()
    assert Signature.objects.in_force().count() == 0
    case.refresh_from_db()
    assert case.stage == Case.Stage.WITHDRAWN
    assert Entry.objects.filter(action="consent.withdrawn").count() == Signature.objects.count()
    assert "There is no consent of yours" in patient.post(WITHDRAW).content.decode()


def test_there_is_nothing_to_take_back_before_signing(patient: Client, case: Case) -> None:
    shown = patient.get(WITHDRAW).content.decode()
    assert "There is no consent of yours" in shown
    assert "Take it back now" not in shown
    patient.post(WITHDRAW)
    case.refresh_from_db()
    assert case.stage == Case.Stage.BRINGING


def test_only_the_patient_reads_and_signs(client: Client) -> None:
    client.force_login(make_user(Role.DOCTOR))
    assert [client.get(PAGE).status_code, client.post(SIGN).status_code] == [403, 403]
    assert client.post(WITHDRAW).status_code == 403
    client.force_login(make_user(Role.PATIENT))
    assert [client.get(PAGE).status_code, client.post(SIGN).status_code] == [404, 404]


def test_the_first_texts_are_there_in_both_languages_once() -> None:
    publish_first_texts()
    rows = ConsentText.objects.filter(version=1)
    assert {(row.kind, row.language) for row in rows} == {
        (kind, language) for kind, language, _body in FIRST_TEXTS
    }
    assert {row.digest for row in rows} == {text_digest(body) for _kind, _language, body in FIRST_TEXTS}
