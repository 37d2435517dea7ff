"""The spoken safe word: who sets it, who reads it and when, and that it is lost with the key of the case."""

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from clinic.access.policy import Decision
from clinic.accounts.models import Role, User
from clinic.audit.models import Entry
from erasure.bedside.models import SpokenWord
from erasure.bedside.words import choose_word, may_read_word, word_of
from erasure.certificates.models import Certificate
from erasure.procedures.models import Procedure
from erasure.runs.models import Run
from erasure.runs.planning import start_run
from erasure.runs.run_actions import NotNow
from patients.vault.configured import key_store
from tests.browser.watching import finish_run
from tests.erasure.bedside.beds import at_the_bed, bed_url, signed_in
from tests.erasure.runs.nights import doctor_of, technician_of
from tests.factories import (
    make_case,
    make_doctor,
    make_keepsake,
    make_memory,
    make_procedure,
    make_technician,
    make_user,
    shift_hours,
)

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.both_databases]
WORD = "Montauk"


def make_night(word: str = WORD) -> Procedure:
    """A booked night that has not begun, with a word."""
    case = make_case()
    make_keepsake(make_memory(case))
    procedure = make_procedure(case)
    if word:
        choose_word(procedure, word, by=case.patient)
    return procedure


def make_run_with_word(word: str = WORD) -> Run:
    return start_run(make_night(word).pk, by=None)


def session_page(run: Run, user: User, name: str = "session") -> str:
    return signed_in(user).get(reverse(f"erasure:{name}", args=[run.pk])).content.decode()


def send(procedure: Procedure, word: str) -> tuple[int, str]:
    """Send the form with this word from a page that was just loaded; return status and page."""
    client = signed_in(procedure.case.patient)
    page = client.get(bed_url(procedure)).content.decode()
    fields = {"word": word}
    if 'name="based_on" value="' in page:
        fields["based_on"] = page.split('name="based_on" value="')[1].split('"')[0].replace("&quot;", '"')
    answer = client.post(bed_url(procedure, "bed-word"), fields)
    return answer.status_code, answer.content.decode()


def test_the_patient_sets_the_word_before_the_night_and_the_log_does_not_have_it() -> None:
    procedure = make_night("")
    assert send(procedure, f"  {WORD}  ")[0] == 302
    assert word_of(procedure) == WORD
    entry = Entry.objects.get(action="bed.word-set")
    assert (entry.actor, entry.details) == (f"user:{procedure.case.patient_id}", {"chosen": True})
    assert WORD not in str(list(Entry.objects.values_list()))
    assert WORD.encode() not in bytes(SpokenWord.objects.get().sealed)


def test_the_word_can_be_changed_and_taken_back_until_the_night_begins() -> None:
    procedure = make_night()
    assert send(procedure, "Lacuna")[0] == 302
    assert word_of(procedure) == "Lacuna"
    assert send(procedure, "")[0] == 302
    assert (word_of(procedure), SpokenWord.objects.count()) == ("", 1)
    start_run(procedure.pk, by=None)
    procedure.refresh_from_db()
    with pytest.raises(NotNow):
        choose_word(procedure, WORD, by=procedure.case.patient)
    assert send(procedure, "Too late")[0] == 409
    assert word_of(procedure) == ""


@pytest.mark.parametrize(
    ("word", "fits"),
    [("é" * 40, True), ("é" * 41, False), ("a\u0007b", False)],
    ids=["forty", "forty-one", "a bell"],
)
def test_a_word_has_at_most_forty_letters_that_can_be_said(word: str, fits: bool) -> None:
    procedure = make_night("")
    status, page = send(procedure, word)
    assert status == (302 if fits else 422)
    assert word_of(procedure) == (word if fits else "")
    if not fits:
        assert "A word has at most 40 letters." in page or "Null characters" in page
        assert word[:2] in page


def test_an_older_window_does_not_overwrite_a_newer_word_unseen() -> None:
    procedure = make_night()
    client = signed_in(procedure.case.patient)
    page = client.get(bed_url(procedure)).content.decode()
    basis = page.split('name="based_on" value="')[1].split('"')[0].replace("&quot;", '"')
    choose_word(procedure, "Newer", by=procedure.case.patient)
    answer = client.post(bed_url(procedure, "bed-word"), {"word": "Older", "based_on": basis})
    assert answer.status_code == 409
    assert word_of(procedure) == "Newer"


def test_the_technician_and_the_doctor_of_the_night_read_it_on_the_session_page() -> None:
    run = make_run_with_word()
    for person in (technician_of(run), doctor_of(run)):
        page = session_page(run, person)
        assert f"Safe word: <b>{WORD}</b>" in " ".join(page.split())


def test_nobody_else_reads_it_and_no_other_page_has_it() -> None:
    run = make_run_with_word()
    others = [make_doctor(), make_user(Role.AUDITOR), run.procedure.case.patient]
    assert [WORD in session_page(run, person) for person in others] == [False] * 3
    assert signed_in(make_technician()).get(reverse("erasure:session", args=[run.pk])).status_code == 404
    doctor = doctor_of(run)
    for name in ("wall", "state", "replay", "call"):
        assert WORD not in session_page(run, doctor, name)
    assert WORD not in at_the_bed(run.procedure).get(bed_url(run.procedure)).content.decode()
    assert WORD not in signed_in(run.procedure.case.patient).get(bed_url(run.procedure)).content.decode()
    assert (
        WORD
        not in signed_in(doctor).get(reverse("patients:case", args=[run.procedure.case_id])).content.decode()
    )


def test_a_doctor_who_took_over_reads_it() -> None:
    run, doctor = make_run_with_word(), make_doctor()
    assert WORD not in session_page(run, doctor)
    Run.objects.update(taken_over_by=doctor, taken_over_at=timezone.now())
    assert WORD in session_page(run, doctor)


def test_it_is_shown_from_the_beginning_of_the_night_and_not_before() -> None:
    """Before it there is no session page; the pages on which the team prepares the night do not have it."""
    procedure = make_night()
    doctor, case = procedure.booked_by, procedure.case_id
    before = [
        signed_in(doctor).get(url).content.decode()
        for url in (
            reverse("erasure:start", args=[procedure.pk]),
            reverse("patients:case", args=[case]),
            reverse("today"),
        )
    ]
    assert [WORD in page for page in before] == [False] * 3
    run = start_run(procedure.pk, by=None)
    shift_hours(procedure, timedelta(minutes=5))  # it began some minutes early, as it may
    assert WORD in session_page(run, technician_of(run))


def test_it_is_shown_until_the_certificate() -> None:
    run = make_run_with_word()
    technician, doctor = technician_of(run), doctor_of(run)
    assert WORD in session_page(run, technician)
    run = finish_run(run)
    assert WORD not in session_page(run, doctor)


def test_it_is_not_shown_after_the_certificate_though_its_key_is_there() -> None:
    run, doctor = make_run_with_word(), make_doctor()
    Run.objects.update(taken_over_by=doctor, taken_over_at=timezone.now())
    assert WORD in session_page(run, doctor)
    Certificate.objects.create(run=run, body="{}", digest="0" * 64, issued_at=timezone.now())
    assert word_of(run.procedure) == WORD
    assert WORD not in session_page(run, doctor)


def test_somebody_who_is_booked_but_opens_the_page_by_another_role_does_not_read_it() -> None:
    run = make_run_with_word()
    booked = frozenset({"assigned"})
    technician = technician_of(run)
    allowed = [
        may_read_word(run, technician, Decision(True, relations=booked, roles=frozenset({role})))
        for role in (Role.TECHNICIAN, Role.DOCTOR, Role.AUDITOR, Role.ADMINISTRATOR)
    ]
    assert allowed == [True, True, False, False]


def test_a_word_of_forty_one_letters_is_refused_without_a_form_too() -> None:
    procedure = make_night("")
    with pytest.raises(ValueError, match="at most 40 letters"):
        choose_word(procedure, "a" * 41, by=procedure.case.patient)


def test_that_it_was_shown_is_recorded_once_for_each_person() -> None:
    run = make_run_with_word()
    technician, doctor = technician_of(run), doctor_of(run)
    for person in (technician, technician, doctor, doctor):
        session_page(run, person)
    shown = Entry.objects.filter(action="bed.word-shown").order_by("index")
    assert [entry.actor for entry in shown] == [f"user:{technician.pk}", f"user:{doctor.pk}"]
    assert {(entry.case, entry.run) for entry in shown} == {(run.procedure.case_id, run.pk)}


def test_without_a_word_nothing_is_shown_or_recorded() -> None:
    run = make_run_with_word("")
    assert "Safe word:" not in session_page(run, technician_of(run))
    assert not Entry.objects.filter(action="bed.word-shown").exists()


def test_it_is_destroyed_with_the_key_of_the_case() -> None:
    run = make_run_with_word()
    assert word_of(run.procedure) == WORD
    key_store().destroy(run.procedure.case_id)
    assert word_of(run.procedure) == ""
    assert WORD not in session_page(run, technician_of(run))


def test_a_token_cannot_set_the_word() -> None:
    procedure = make_night("")
    client = at_the_bed(procedure)
    assert client.post(bed_url(procedure, "bed-word"), {"word": WORD}).status_code == 302
    assert word_of(procedure) == ""
