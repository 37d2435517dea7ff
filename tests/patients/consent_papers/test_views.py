"""The patient's pages for reading, signing and withdrawing consent."""

from unicodedata import normalize
from uuid import UUID

import pytest
from django.core.cache import cache
from django.test import Client
from django.utils import timezone

from clinic.accounts.models import Role, User
from clinic.audit.models import Entry
from patients.cases.models import Case
from patients.consent.cooling_off import cooling_off_on
from patients.consent.models import ConsentText, Signature
from patients.consent.signing import agreed_to_keep, current_text, text_digest
from patients.consent.texts import FIRST_TEXTS
from patients.consent_papers.consent_list import list_of
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
# The right answers to the three questions of the form: is it final, can it be stopped, what is kept.
UNDERSTOOD = {"gone": "stays", "stop": "until", "kept": "kept"}


@pytest.fixture(autouse=True)
def fresh_limits_and_texts() -> None:
    cache.clear()
    publish_first_texts()


@pytest.fixture
def case() -> Case:
    return make_case(make_user(Role.PATIENT, name="Nora Vale"), agreed=False)


@pytest.fixture
def patient(client: Client, case: Case) -> Client:
    client.force_login(case.patient)
    return client


def make_locked_map(case: Case) -> LockedMap:
    """A locked map of one new memory with one keepsake, and of what the case has already."""
    make_keepsake(make_memory(case))
    locked_map = lock_map(case, by=make_user(Role.DOCTOR))
    case.refresh_from_db()
    return locked_map


def storage_form(**more: str) -> dict[str, str]:
    """A valid form for the storage consent. more: fields that are added or replaced."""
    return {
        "text_seen": current_text(ConsentText.Kind.STORAGE).digest,
        "name": "nora  vale",
        "passphrase": PASSPHRASE,
        **more,
    }


def hours_now() -> dict[str, str]:
    """The hidden field that says which cooling-off hours the page showed."""
    return {"hours_seen": cooling_off_on(timezone.localdate()).mark}


def procedure_form(mapped: LockedMap, **more: str) -> dict[str, str]:
    """A valid form for the consent to the procedure. more: fields that are added or replaced."""
    text = current_text(ConsentText.Kind.PROCEDURE)
    return storage_form(
        text_seen=text.digest,
        map_seen=mapped.digest,
        list_seen=list_of(mapped.case, mapped).digest,
        **{**hours_now(), **UNDERSTOOD, **more},
    )


def test_the_storage_text_is_shown_completely_and_signed(patient: Client, case: Case) -> None:
    shown = patient.get(PAGE).content.decode()
    text = current_text(ConsentText.Kind.STORAGE)
    assert all(paragraph in shown for paragraph in text.body.split("\n\n"))
    answer = patient.post(SIGN, storage_form())
    assert (answer.status_code, answer["Location"]) == (302, "/me/")
    signed = Signature.objects.get(case=case)
    assert (signed.text, signed.text_digest, signed.signed_by) == (text, text_digest(text.body), case.patient)
    assert (signed.map, signed.may_extend, agreed_to_keep(case)) == (None, False, True)
    assert "You signed this on" in patient.get(PAGE).content.decode()
    details = Entry.objects.get(action="consent.signed").details
    assert (details["kind"], details["version"], details["text"]) == ("storage", 1, text.digest)


@pytest.mark.parametrize("extend", [True, False])
def test_the_procedure_consent_is_for_exactly_this_map(patient: Client, case: Case, extend: bool) -> None:
    mapped = make_locked_map(case)
    shown = patient.get(PAGE).content.decode()
    assert mapped.digest[:12] in shown
    assert "the doctor may erase it too" in shown
    box = {"may_extend": "on"} if extend else {}
    assert patient.post(SIGN, procedure_form(mapped, **box)).status_code == 302
    signed = Signature.objects.get(case=case)
    assert (signed.map, signed.map_digest, signed.may_extend) == (mapped, mapped.digest, extend)
    case.refresh_from_db()
    assert case.stage == Case.Stage.CONSENTED
    shown = patient.get(PAGE).content.decode()
    assert ("You allowed" in shown, "You did not allow" in shown) == (extend, not extend)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"name": "Nora"}, "In your file your name is Nora Vale."),
        ({"name": ""}, "This field is required."),
        ({"passphrase": "something else"}, "That is not your passphrase."),
        ({"text_seen": "0" * 64}, "The text has changed since you opened this page."),
        ({"text_seen": ""}, "This field is required."),
    ],
)
def test_a_signature_with_a_wrong_name_passphrase_or_text_is_refused(
    patient: Client, case: Case, wrong: dict[str, str], message: str
) -> None:
    answer = patient.post(SIGN, storage_form(**wrong))
    assert answer.status_code == 422
    shown = answer.content.decode()
    assert message in shown
    assert PASSPHRASE not in shown
    assert "something else" not in shown
    assert not Signature.objects.exists()


@pytest.mark.parametrize(
    ("typed", "accepted"),
    [
        (normalize("NFD", "NGUYỄN  ánh"), True),
        ("Ánh Nguyen", True),
        ("阮映", True),
        ("Нгуен Ань", True),
        ("Nguyễn Ám", False),
        ("...", False),
    ],
)
def test_a_signature_is_the_name_in_any_script_with_or_without_marks(
    patient: Client, case: Case, typed: str, accepted: bool
) -> None:
    User.objects.filter(pk=case.patient_id).update(name="Nguyễn Ánh")
    assert patient.post(SIGN, storage_form(name=typed)).status_code == (302 if accepted else 422)
    assert Signature.objects.exists() is accepted


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"gone": "back"}, "nothing can be brought back"),
        ({"stop": "before"}, "you can stop at any moment"),
        ({"kept": "last"}, "what you mark as protected is kept"),
        ({"kept": ""}, "This field is required."),
        ({"map_seen": "0" * 64}, "The map has changed since you opened this page."),
        ({"map_seen": ""}, "The map has changed since you opened this page."),
    ],
)
def test_the_procedure_consent_needs_right_answers_and_the_current_map(
    patient: Client, case: Case, wrong: dict[str, str], message: str
) -> None:
    answer = patient.post(SIGN, procedure_form(make_locked_map(case)) | wrong)
    assert answer.status_code == 422
    assert message in answer.content.decode()
    assert not Signature.objects.exists()


def test_the_procedure_form_refuses_the_storage_text(patient: Client, case: Case) -> None:
    mapped = make_locked_map(case)
    post = procedure_form(mapped) | {"text_seen": current_text(ConsentText.Kind.STORAGE).digest}
    assert patient.post(SIGN, post).status_code == 422
    assert not Signature.objects.exists()


def test_guessing_the_passphrase_is_throttled_and_recorded(patient: Client) -> None:
    pages = [patient.post(SIGN, storage_form(passphrase=f"guess {n}")).content.decode() for n in range(11)]
    assert ["Too many attempts" in page for page in pages] == [False] * 10 + [True]
    assert "Too many attempts" in patient.post(SIGN, storage_form()).content.decode()
    assert Entry.objects.filter(action="person.sign-in-failed").count() == 10


def test_a_wrong_name_does_not_count_as_an_attempt(patient: Client) -> None:
    for _n in range(12):
        patient.post(SIGN, storage_form(name="Somebody"))
    assert patient.post(SIGN, storage_form()).status_code == 302


def test_an_untranslated_new_version_is_shown_in_english(patient: Client) -> None:
    body = "A second wording."
    make_text()
    ConsentText.objects.create(
        kind=ConsentText.Kind.STORAGE, version=2, language="en", body=body, digest=text_digest(body)
    )
    patient.cookies["django_language"] = "vi"
    assert body in patient.get(PAGE).content.decode()
    assert patient.post(SIGN, storage_form()).status_code == 302


def test_the_page_shows_the_map_and_memory_counts_of_this_case_only(patient: Client, case: Case) -> None:
    make_memory(case, "A second day", "2003-02-02")
    make_memory(case, "Kept", "2003-02-03", fate=Memory.Fate.PROTECTED)
    make_memory(case, "Childhood", "1980-02-03", zone=Memory.Zone.CHILDHOOD)
    other = make_case()
    for title in ("One", "Two", "Three"):
        make_memory(other, title)
    mapped = make_locked_map(case)
    for number, (whose, unlocked_at) in enumerate([(other, None), (case, timezone.now())]):
        LockedMap.objects.create(
            pk=UUID(int=number),  # these keys sort first: a query without the right filter would find them
            case=whose,
            version=9,
            digest=f"{number}" * 64,
            body={},
            locked_by=mapped.locked_by,
            unlocked_at=unlocked_at,
        )
    shown = patient.get(PAGE).context
    assert shown["mapped"] == mapped
    assert shown["counts"] == [("Memories to be erased", 2), ("Photograph", 1), ("Memories you keep", 2)]
    assert shown["form"].initial["map_seen"] == mapped.digest


def test_the_page_shows_the_signature_in_force_for_what_is_to_be_signed_now(
    patient: Client, case: Case
) -> None:
    assert patient.post(SIGN, storage_form()).status_code == 302
    shown = patient.get(PAGE).context
    assert (shown["signed"], shown["starts"]) == (Signature.objects.get(), None)
    assert shown["form"].initial["map_seen"] == ""
    mapped = make_locked_map(case)
    shown = patient.get(PAGE).context
    assert (shown["signed"], shown["starts"]) == (None, None), "storage is signed for, the procedure is not"
    patient.post(SIGN, procedure_form(mapped))
    signed = Signature.objects.get(map=mapped)
    shown = patient.get(PAGE).context
    assert (shown["signed"], shown["starts"]) == (signed, signed.signed_at)
    Signature.objects.update(superseded_at=timezone.now())
    assert patient.get(PAGE).context["signed"] is None


def test_withdrawing_ends_every_signature_and_the_case(patient: Client, case: Case) -> None:
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


def test_without_a_signature_there_is_nothing_to_withdraw(patient: Client, case: Case) -> None:
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
    assert [client.get(PAGE).status_code, client.post(SIGN).status_code] == [302, 410]


def test_publishing_the_first_texts_twice_creates_them_once() -> None:
    publish_first_texts()
    rows = ConsentText.objects.filter(version=1)
    assert {(row.kind, row.language) for row in rows} == {
        (kind, language) for kind, language, _body in FIRST_TEXTS
    }
    assert {row.digest for row in rows} == {text_digest(body) for _kind, _language, body in FIRST_TEXTS}
