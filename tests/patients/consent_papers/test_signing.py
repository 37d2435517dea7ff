"""Signing what the page showed: the digests, the paper, a list that has changed, witnesses, withdrawing."""

import hashlib
import io
import json
from dataclasses import replace

import pikepdf
import pypdfium2
import pytest
from django.core.cache import cache
from django.test import Client
from django.urls import reverse
from django.utils import timezone, translation

from clinic.accounts.models import Role
from clinic.audit.models import Entry
from clinic.audit.verify import verify_log
from patients.cases.models import Case
from patients.consent.models import ConsentText, Signature
from patients.consent.signing import CannotSign, current_text, sign, withdraw
from patients.consent_papers import signing
from patients.consent_papers.models import ConsentPaper
from patients.consent_papers.signing import Seen, sign_what_was_shown
from patients.keepsakes.models import Keepsake
from patients.memories.models import Memory
from patients.vault.configured import key_store
from patients.vault.keys import KeyGone
from patients.vault.stream import Tampered
from tests.configuration import configure
from tests.factories import PASSPHRASE, make_case, make_user, publish_first_texts
from tests.patients.consent_papers.lists import (
    listed,
    lock,
    make_listed,
    rewrite,
    seen_now,
    sign_now,
    unlock,
)

pytestmark = pytest.mark.django_db(transaction=True)

PAGE, SIGN = "/me/consent/", "/me/consent/sign/"


@pytest.fixture(autouse=True)
def fresh_limits_and_texts() -> None:
    cache.clear()
    publish_first_texts()


@pytest.fixture
def case() -> Case:
    return make_listed()


@pytest.fixture
def patient(client: Client, case: Case) -> Client:
    client.force_login(case.patient)
    return client


def text_of(pdf: bytes) -> str:
    pages = pypdfium2.PdfDocument(pdf)
    return " ".join(" ".join(page.get_textpage().get_text_range() for page in pages).split())


def attached(pdf: bytes, name: str) -> bytes:
    """The bytes of a file that is attached to a PDF."""
    with pikepdf.open(io.BytesIO(pdf)) as file:
        return file.attachments[name].get_file().read_bytes()


def form_of(page: str) -> dict[str, str]:
    """The hidden fields of a page's form, with the right answers, the name and the passphrase."""
    form = page.split('action="/me/consent/sign/"')[1].split("</form>")[0]
    values = {}
    for tag in (part.split(">")[0] for part in form.split("<input ")[1:]):
        if 'type="hidden"' in tag and 'value="' in tag:
            values[tag.split('name="')[1].split('"')[0]] = tag.split('value="')[1].split('"')[0]
    answers = {
        "gone": "stays",
        "stop": "until",
        "kept": "kept",
        "name": "Nora Vale",
        "passphrase": PASSPHRASE,
    }
    return values | answers


def test_the_signature_and_the_audit_entry_have_the_digests_of_list_and_paper(case: Case) -> None:
    signature = sign_now(case)
    paper = ConsentPaper.objects.get(signature=signature)
    pdf = paper.read()
    assert signature.list_digest == listed(case).digest
    assert signature.paper_digest == hashlib.sha256(pdf).hexdigest()
    details = Entry.objects.get(action="consent.signed", subject=f"signature:{signature.pk}").details
    assert (details["list"], details["paper"]) == (signature.list_digest, signature.paper_digest)
    assert "witnessed" not in details
    assert verify_log().problems == []


@pytest.mark.parametrize(
    ("field", "change"),
    [
        ("list", {"list_digest": "0" * 64}),
        ("paper", {"paper_digest": ""}),
        ("witnessed", {"witnessed": True}),
    ],
)
def test_a_changed_digest_or_witness_is_found_when_the_log_is_verified(
    case: Case, field: str, change: dict[str, object]
) -> None:
    signature = sign_now(case)
    Signature.objects.filter(pk=signature.pk).update(**change)
    (problem,) = verify_log().problems
    assert problem.startswith(f"Signature {signature.pk} is not as the log says")
    assert problem.endswith(f": {field}.")


def test_a_signature_from_before_there_were_papers_is_in_force_and_has_none(
    patient: Client, case: Case
) -> None:
    seen = seen_now(case)
    kind = ConsentText.Kind.PROCEDURE
    signature = sign(case, by=case.patient, kind=kind, text_seen=seen.text, map_seen=seen.map)
    assert (signature.list_digest, signature.paper_digest, signature.witnessed) == ("", "", False)
    assert signature.in_force
    assert verify_log().problems == []
    shown = patient.get(PAGE).content.decode()
    assert "You signed this on" in shown
    assert "Download the paper" not in shown
    assert "the paper with it" not in shown


def test_the_paper_says_what_was_signed_and_has_the_list_inside(case: Case) -> None:
    with translation.override("en"):
        signature = sign_now(case, name="Nora  Vale")
    pdf = ConsentPaper.objects.get(signature=signature).read()
    shown = text_of(pdf)
    for words in (
        "Consent to the procedure",
        "Nora Vale has read this, and signed it.",
        "You ask us to erase the memories on the map",
        "2 memories are erased, in this order",
        "[3] Valentine",
        "[2] The frozen river winter 2003, Montauk, with Anna, Rob",
        "On the ice, photograph, 1 Feb 2003, with Carrie, anna",
        "What stays: kept on purpose",
        "What stays: your childhood",
        "The kitchen table",
        "What we cannot do",
        "The doctor may not erase a copy that is found outside the map.",
        "0 hours from the signature",
        signature.list_digest,
        signature.map_digest,
        signature.text_digest,
        case.reference,
    ):
        assert words in shown, words
    assert shown.index("Valentine") < shown.index("The frozen river") < shown.index("The drum lesson")
    assert "Clementine" not in shown
    assert hashlib.sha256(attached(pdf, "list.json")).hexdigest() == signature.list_digest
    signed = json.loads(attached(pdf, "signed.json"))
    assert (signed["list"], signed["signed"], signed["witness"]) == (signature.list_digest, "Nora  Vale", "")
    with pikepdf.open(io.BytesIO(pdf)) as file:
        assert [image for page in file.pages for image in page.images] == [], "no picture is on the paper"


def test_the_paper_is_in_the_language_of_the_page(case: Case) -> None:
    with translation.override("vi"):
        seen = replace(seen_now(case), text=current_text(ConsentText.Kind.PROCEDURE).digest)
        signature = sign_now(case, seen=seen)
    with pikepdf.open(io.BytesIO(signature.paper.read())) as file:
        assert str(file.Root.Lang) == "vi"
    assert "Bạn yêu cầu chúng tôi xóa những ký ức" in text_of(signature.paper.read())


def test_letters_that_no_font_has_are_in_the_attached_file_and_the_paper_says_so(case: Case) -> None:
    signature = sign_now(case, name="阮映 王")
    pdf = signature.paper.read()
    assert "??" in text_of(pdf)
    assert "The attached files have everything as it is written." in text_of(pdf)
    assert json.loads(attached(pdf, "signed.json"))["signed"] == "阮映 王"
    other = make_listed()
    assert "The attached files" not in text_of(sign_now(other).paper.read())


def test_the_storage_consent_has_a_paper_too() -> None:
    case = make_case(make_user(Role.PATIENT, name="Nora Vale"), agreed=False)
    text = current_text(ConsentText.Kind.STORAGE)
    signature = sign_what_was_shown(
        case, by=case.patient, kind=ConsentText.Kind.STORAGE, seen=Seen(text.digest), name="Nora Vale"
    )
    shown = text_of(signature.paper.read())
    assert "Consent to keeping what is brought" in shown
    assert "Everything is encrypted from its first byte." in shown
    assert (signature.list_digest, signature.paper.keys) == ("", [str(case.pk)])


# --- What destroys the paper ---


@pytest.mark.parametrize("which", ["memory", "kept memory", "keepsake", "case"])
def test_the_paper_cannot_be_read_after_one_key_of_what_it_lists_is_destroyed(
    patient: Client, case: Case, which: str
) -> None:
    signature = sign_now(case)
    url = f"/me/consent/papers/{signature.paper.pk}/"
    assert patient.get(url).status_code == 200
    found = listed(case)
    key = {
        "memory": found.erased[0].id,
        "kept memory": found.protected[0].id,
        "keepsake": found.erased_keepsakes[0].id,
        "case": case.pk,
    }[which]
    key_store().destroy(key)
    with pytest.raises(KeyGone):
        signature.paper.read()
    answer = patient.get(url)
    assert (answer.status_code, answer["Location"]) == (302, "/me/")


def test_the_page_says_which_papers_can_be_opened(patient: Client, case: Case) -> None:
    signature = sign_now(case)
    link = f"/me/consent/papers/{signature.paper.pk}/"
    shown = patient.get(PAGE).content.decode()
    assert link in shown
    assert "the paper with it" not in shown
    key_store().destroy(listed(case).protected[0].id)
    shown = patient.get(PAGE).content.decode()
    assert link not in shown
    assert "Something on this paper is destroyed since, and the paper with it." in shown


def test_the_page_still_links_the_paper_of_a_consent_that_ended(patient: Client, case: Case) -> None:
    signature = sign_now(case)
    unlock(case)
    assert f"/me/consent/papers/{signature.paper.pk}/" in patient.get(PAGE).content.decode()


def test_a_changed_paper_is_not_given_out(patient: Client, case: Case) -> None:
    signature = sign_now(case)
    url = f"/me/consent/papers/{signature.paper.pk}/"
    paper = signature.paper
    paper.write(b"%PDF another", [case.pk])
    paper.save()
    answer = patient.get(url, follow=True)
    assert "This paper is not the one that was signed." in answer.content.decode()
    ConsentPaper.objects.update(sealed=bytes(paper.sealed)[:-1] + b"?")
    with pytest.raises(Tampered):
        ConsentPaper.objects.get().read()
    assert "This paper is not the one that was signed." in patient.get(url, follow=True).content.decode()


def test_only_its_patient_downloads_the_paper(client: Client, case: Case) -> None:
    url = f"/me/consent/papers/{sign_now(case).paper.pk}/"
    statuses = []
    for role in (Role.PATIENT, Role.DOCTOR, Role.TECHNICIAN, Role.AUDITOR, Role.ADMINISTRATOR):
        client.force_login(make_user(role))
        statuses.append(client.get(url).status_code)
    assert set(statuses) <= {403, 404}
    client.force_login(case.patient)
    answer = client.get(url)
    assert (answer.status_code, answer["Content-Type"]) == (200, "application/pdf")
    assert answer["Content-Disposition"].startswith(f'attachment; filename="consent-{case.reference}-')
    assert "no-store" in answer["Cache-Control"]
    assert answer.content[:5] == b"%PDF-"


# --- The list has changed ---


@pytest.mark.parametrize("seen", ["0" * 64, "", "ä"])
def test_signing_is_refused_if_the_page_showed_another_list(case: Case, seen: str) -> None:
    with pytest.raises(CannotSign, match="The map has changed since you opened this page"):
        sign_now(case, seen=replace(seen_now(case), list=seen))
    assert not Signature.objects.filter(text__kind=ConsentText.Kind.PROCEDURE).exists()
    assert not ConsentPaper.objects.exists()


def test_signing_is_refused_if_the_list_changes_while_the_paper_is_made(
    case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen, render = seen_now(case), signing.render_paper

    def change_and_render(made: object) -> bytes:
        rewrite(Memory.objects.get(pk=listed(case).protected[0].id), title="Another")
        return render(made)  # type: ignore[arg-type]

    monkeypatch.setattr(signing, "render_paper", change_and_render)
    with pytest.raises(CannotSign, match="The map has changed"):
        sign_now(case, seen=seen)
    assert not ConsentPaper.objects.exists()


def test_a_changed_map_is_refused_with_the_difference_and_nothing_typed_is_lost(
    patient: Client, case: Case
) -> None:
    configure(consent_witnesses=1)
    form = form_of(patient.get(PAGE).content.decode()) | {"witness": "Patrick Wertz", "may_extend": "on"}
    form["witness_present"] = "on"
    unlock(case)
    river = river_of(case)
    rewrite(river, title="The frozen <lake>")
    Keepsake.objects.filter(memory=river).update(memory=Memory.objects.get(case=case, fate="protected"))
    Memory.objects.filter(case=case, zone="childhood").update(zone="map", fate="protected")
    letter = Keepsake.objects.filter(case=case, kind="letter")
    letter.update(gone_at=timezone.now(), picture=None, thumb=None)
    lock(case)
    answer = patient.post(SIGN, form)
    shown = answer.content.decode()
    assert answer.status_code == 422
    changed = answer.context["changed"]
    assert changed.added == []
    assert changed.gone == ["A letter, 5 words: in the memory “Valentine”"]
    assert sorted(changed.changed) == [
        (
            "On the ice, photograph, 1 Feb 2003, with Carrie, anna: in the memory “The frozen river”",
            "On the ice, photograph, 1 Feb 2003, with Carrie, anna: in the memory “The drum lesson”",
        ),
        (
            "The frozen river, winter 2003, Montauk, with Anna, Rob: is erased",
            "The frozen <lake>, winter 2003, Montauk, with Anna, Rob: is erased",
        ),
        (
            "The kitchen table, 1 May 1980: is of your childhood, and kept",
            "The kitchen table, 1 May 1980: is kept on purpose",
        ),
    ]
    assert "The frozen &lt;lake&gt;" in shown
    for typed in ('value="Nora Vale"', 'value="Patrick Wertz"', 'value="stays"'):
        assert typed in shown
    # The three answers, the permission to erase a copy, and the box of the witness are still checked.
    assert shown.count("checked") >= 5
    assert PASSPHRASE not in shown
    again = form_of(shown) | {"witness": "Patrick Wertz", "witness_present": "on"}
    assert patient.post(SIGN, again)["Location"] == "/me/"
    assert Signature.objects.in_force().get(map__isnull=False).list_digest == listed(case).digest


def river_of(case: Case) -> Memory:
    return next(row for row in Memory.objects.filter(case=case) if row.read().title == "The frozen river")


@pytest.mark.parametrize("mark", ["", "nonsense", "x" * 600_000])
def test_a_record_of_the_shown_list_that_we_did_not_sign_gives_no_difference(
    patient: Client, case: Case, mark: str
) -> None:
    form = form_of(patient.get(PAGE).content.decode()) | {"list_seen": "0" * 64, "list_shown": mark}
    answer = patient.post(SIGN, form)
    assert answer.status_code == 422
    assert not answer.context["changed"]
    assert "The map has changed since you opened this page" in answer.content.decode()


def test_the_page_shows_every_memory_and_keepsake_in_words_and_pictures(patient: Client, case: Case) -> None:
    shown = patient.get(PAGE).content.decode()
    found = listed(case)
    memories = [*found.erased, *found.protected, *found.childhood]
    keepsakes = [keepsake for memory in memories for keepsake in memory.keepsakes]
    assert (len(memories), len(keepsakes)) == (4, 5)
    assert [memory.title for memory in memories if memory.title not in shown] == []
    for keepsake in keepsakes:
        assert keepsake.described in shown
        assert keepsake.thumb is not None
        assert f"/pictures/{keepsake.thumb.pk}" in shown
    assert found.digest[:12] in shown
    assert "What we cannot do" in shown


# --- The witness ---


def test_without_the_setting_no_witness_is_asked_for(patient: Client, case: Case) -> None:
    shown = patient.get(PAGE).content.decode()
    assert "witness" not in shown.split('action="/me/consent/sign/"')[1]
    assert patient.post(SIGN, form_of(shown))["Location"] == "/me/"
    assert Signature.objects.get(map__isnull=False).witnessed is False


def test_with_the_setting_a_witness_signs_beside_the_patient(patient: Client, case: Case) -> None:
    configure(consent_witnesses=1)
    form = form_of(patient.get(PAGE).content.decode())
    assert patient.post(SIGN, form).status_code == 422
    answer = patient.post(SIGN, form | {"witness": "Patrick Wertz", "witness_present": "on"})
    assert answer["Location"] == "/me/"
    signature = Signature.objects.get(map__isnull=False)
    assert signature.witnessed
    pdf = signature.paper.read()
    shown = text_of(pdf)
    assert "Patrick Wertz" in shown
    assert "Signed as a witness, who was there" in shown
    signed = json.loads(attached(pdf, "signed.json"))
    assert (signed["witness"], signed["list"]) == ("Patrick Wertz", signature.list_digest)
    details = Entry.objects.get(action="consent.signed", subject=f"signature:{signature.pk}").details
    assert details["witnessed"] is True
    assert "A witness signed with you." in patient.get(PAGE).content.decode()


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"witness": ""}, "This field is required."),
        ({"witness_present": ""}, "This field is required."),
        ({"witness": "- - -"}, "Please ask the witness to write their name."),
        ({"witness": "vale NORA"}, "A witness is somebody else"),
        ({"witness": "Clementine Kruczynski"}, "A witness is somebody else"),
    ],
)
def test_the_witness_writes_a_name_was_present_and_is_neither_patient_nor_subject(
    client: Client, wrong: dict[str, str], message: str
) -> None:
    client.force_login(make_listed(subject="Clementine Kruczynski").patient)
    configure(consent_witnesses=1)
    form = form_of(client.get(PAGE).content.decode())
    answer = client.post(SIGN, form | {"witness": "Patrick Wertz", "witness_present": "on"} | wrong)
    assert answer.status_code == 422
    assert message in answer.content.decode()
    assert not Signature.objects.filter(map__isnull=False).exists()


def test_signing_without_the_form_needs_the_witness_too(case: Case) -> None:
    configure(consent_witnesses=1)
    with pytest.raises(CannotSign, match="A witness signs with you"):
        sign_now(case)
    assert sign_now(case, witness="Patrick Wertz").witnessed


# --- Withdrawing consent ---


def test_every_page_of_the_patient_links_the_withdrawal_until_it_is_done(patient: Client, case: Case) -> None:
    sign_now(case)
    memory = Memory.objects.filter(case=case).first()
    keepsake = Keepsake.objects.filter(case=case).first()
    assert memory
    assert keepsake
    pages = [
        *("/me/", PAGE, "/me/keepsakes/", "/me/looks/", "/me/intake/"),
        f"/me/memories/{memory.pk}/",
        f"/me/keepsakes/{keepsake.pk}/",
    ]
    for page in pages:
        foot = patient.get(page).content.decode().split("<footer")[1]
        assert 'href="/me/withdraw/"' in foot, page
    withdraw(case, by=case.patient)
    assert 'href="/me/withdraw/"' not in patient.get("/me/looks/").content.decode()


def test_the_first_page_of_a_doctor_another_patient_and_a_visitor_links_no_withdrawal(
    client: Client, case: Case
) -> None:
    for user in (make_user(Role.DOCTOR), make_user(Role.PATIENT)):
        client.force_login(user)
        answer = client.get("/", follow=True)
        assert answer.status_code == 200
        assert 'href="/me/withdraw/"' not in answer.content.decode()
    answer = Client().get(reverse("account_login"))
    assert answer.status_code == 200
    assert 'href="/me/withdraw/"' not in answer.content.decode()
