"""Signing what was shown: the list is the one of the page, a witness signs too, and the paper is kept."""

import hashlib
import io
import json
from dataclasses import replace

import pikepdf
import pypdfium2
import pytest
from django.core.cache import cache
from django.test import Client
from django.utils import timezone, translation

from clinic.accounts.models import Role
from clinic.audit.models import Entry
from clinic.audit.verify import verify_log
from patients.cases.models import Case
from patients.consent.models import ConsentText, Signature
from patients.consent.signing import CannotSign, current_text, sign, withdraw
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
    with pikepdf.open(io.BytesIO(pdf)) as file:
        return file.attachments[name].get_file().read_bytes()


def form_of(page: str) -> dict[str, str]:
    """What the form of a page carries, and the answers of somebody who has read it."""
    hidden = page.split('action="/me/consent/sign/"')[1].split("</form>")[0]
    values = {}
    for tag in (part.split(">")[0] for part in hidden.split("<input ")[1:]):
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


def test_the_signature_and_the_log_have_the_digests_of_list_and_paper(case: Case) -> None:
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
def test_a_changed_digest_or_witness_is_reported(case: Case, field: str, change: dict[str, object]) -> None:
    signature = sign_now(case)
    Signature.objects.filter(pk=signature.pk).update(**change)
    (problem,) = verify_log().problems
    assert problem.startswith(f"Signature {signature.pk} is not as the log says")
    assert problem.endswith(f": {field}.")


def test_a_signature_from_before_there_were_papers_stays_as_it_is(patient: Client, case: Case) -> None:
    seen = seen_now(case)
    kind = ConsentText.Kind.PROCEDURE
    old = sign(case, by=case.patient, kind=kind, text_seen=seen.text, map_seen=seen.map)
    assert (old.list_digest, old.paper_digest, old.witnessed, old.in_force) == ("", "", False, True)
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


def test_letters_that_no_font_has_are_in_the_attached_files(case: Case) -> None:
    signature = sign_now(case, name="阮映 王")
    pdf = signature.paper.read()
    assert "??" in text_of(pdf)
    assert "The attached files have everything as it is written." in text_of(pdf)
    assert json.loads(attached(pdf, "signed.json"))["signed"] == "阮映 王"
    other = make_listed()
    assert "The attached files" not in text_of(sign_now(other).paper.read())


def test_the_consent_to_keep_what_is_brought_has_a_paper_too() -> None:
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
def test_the_paper_is_gone_with_the_first_thing_on_it(patient: Client, case: Case, which: str) -> None:
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


def test_the_paper_of_a_consent_that_ended_can_still_be_read(patient: Client, case: Case) -> None:
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


def test_only_its_patient_downloads_it(client: Client, case: Case) -> None:
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
def test_another_list_than_that_of_the_page_is_not_signed(case: Case, seen: str) -> None:
    with pytest.raises(CannotSign, match="The map has changed since you opened this page"):
        sign_now(case, seen=replace(seen_now(case), list=seen))
    assert not Signature.objects.filter(text__kind=ConsentText.Kind.PROCEDURE).exists()
    assert not ConsentPaper.objects.exists()


def test_the_list_is_read_again_under_the_lock(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    from patients.consent_papers import signing as module

    seen, render = seen_now(case), module.render_paper

    def change_meanwhile(made: object) -> bytes:
        rewrite(Memory.objects.get(pk=listed(case).protected[0].id), title="Another")
        return render(made)  # type: ignore[arg-type]

    monkeypatch.setattr(module, "render_paper", change_meanwhile)
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
    assert shown.count("checked") >= 5
    assert PASSPHRASE not in shown
    again = form_of(shown) | {"witness": "Patrick Wertz", "witness_present": "on"}
    assert patient.post(SIGN, again)["Location"] == "/me/"
    assert Signature.objects.in_force().get(map__isnull=False).list_digest == listed(case).digest


def river_of(case: Case) -> Memory:
    return next(row for row in Memory.objects.filter(case=case) if row.read().title == "The frozen river")


@pytest.mark.parametrize("mark", ["", "nonsense", "x" * 600_000])
def test_a_mark_that_is_not_ours_shows_no_difference(patient: Client, case: Case, mark: str) -> None:
    form = form_of(patient.get(PAGE).content.decode()) | {"list_seen": "0" * 64, "list_shown": mark}
    answer = patient.post(SIGN, form)
    assert answer.status_code == 422
    assert not answer.context["changed"]
    assert "The map has changed since you opened this page" in answer.content.decode()


def test_the_page_shows_every_memory_and_keepsake_in_words_and_pictures(patient: Client, case: Case) -> None:
    shown = patient.get(PAGE).content.decode()
    found = listed(case)
    for memory in (*found.erased, *found.protected, *found.childhood):
        assert memory.title in shown
        for one in memory.keepsakes:
            assert one.described in shown
            assert one.thumb is not None
            assert f"/pictures/{one.thumb.pk}" in shown
    assert found.digest[:12] in shown
    assert "What we cannot do" in shown


# --- The witness ---


def test_without_the_policy_nobody_else_signs(patient: Client, case: Case) -> None:
    shown = patient.get(PAGE).content.decode()
    assert "witness" not in shown.split('action="/me/consent/sign/"')[1]
    assert patient.post(SIGN, form_of(shown))["Location"] == "/me/"
    assert Signature.objects.get(map__isnull=False).witnessed is False


def test_where_the_clinic_wants_one_a_witness_signs_beside_the_patient(patient: Client, case: Case) -> None:
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
        ({"witness": ""}, "required"),
        ({"witness_present": ""}, "required"),
        ({"witness": "- - -"}, "Please ask the witness to write their name."),
        ({"witness": "vale NORA"}, "A witness is somebody else"),
        ({"witness": "Clementine Kruczynski"}, "A witness is somebody else"),
    ],
)
def test_nobody_is_a_witness_of_their_own(client: Client, wrong: dict[str, str], message: str) -> None:
    client.force_login(make_listed(subject="Clementine Kruczynski").patient)
    configure(consent_witnesses=1)
    form = form_of(client.get(PAGE).content.decode())
    answer = client.post(SIGN, form | {"witness": "Patrick Wertz", "witness_present": "on"} | wrong)
    assert answer.status_code == 422
    assert message in answer.content.decode()
    assert not Signature.objects.filter(map__isnull=False).exists()


def test_a_witness_is_asked_for_below_the_form_too(case: Case) -> None:
    configure(consent_witnesses=1)
    with pytest.raises(CannotSign, match="A witness signs with you"):
        sign_now(case)
    assert sign_now(case, witness="Patrick Wertz").witnessed


# --- Taking it back ---


def test_every_page_of_the_patient_leads_to_the_withdrawal(patient: Client, case: Case) -> None:
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


def test_nobody_else_is_asked_to_take_anything_back(client: Client, case: Case) -> None:
    for user in (make_user(Role.DOCTOR), make_user(Role.PATIENT)):
        client.force_login(user)
        assert 'href="/me/withdraw/"' not in client.get("/").content.decode()
    assert 'href="/me/withdraw/"' not in Client().get("/login/", follow=True).content.decode()
