"""Drafts: each is kept for the person who typed it, and ends together with the thing it is about."""

from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from django.db import IntegrityError, connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from clinic.accounts.models import Role, User
from clinic.audit.models import Entry
from patients.cases.models import Case
from patients.consent.signing import withdraw
from patients.drafts import writing
from patients.drafts.forms import DraftForm, FormPlace, NotEditable, register_form
from patients.drafts.models import Draft
from patients.drafts.reading import draft_of, drafts_of
from patients.drafts.writing import (
    TooLong,
    TooMany,
    destroy_ended,
    draft_values,
    keep_draft,
    sweep_drafts,
)
from patients.keepsakes.models import Keepsake
from patients.keepsakes.removal import remove_keepsake, remove_memory
from patients.maps.locking import lock_map
from patients.memories.models import Memory
from patients.requests.decisions import decide, request_mark
from patients.vault.configured import key_store
from patients.vault.keys import KeyGone
from patients.vault.stream import Tampered
from tests.edits import edit
from tests.factories import make_case, make_keepsake, make_memory, make_request, make_technician, make_user

pytestmark = pytest.mark.django_db(transaction=True)

WORDS = "We lay on the frozen river"


@pytest.fixture
def case() -> Case:
    return make_case()


def keep_typed(client: Client, form: str, known: str = "", **words: str) -> str:
    """Keep these words as a draft, by the request that the page makes; return the draft's new revision.

    known: the revision that the page has.
    """
    answer = client.post(f"/drafts/{form}/", {**words, "draft": known})
    assert answer.status_code == 200, answer.content
    revision = answer.json()["revision"]
    assert isinstance(revision, str)
    return revision


def signed_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def live_keys() -> set[UUID]:
    return set(key_store().ids())


def forms_about(case: Case, keepsake: Keepsake) -> list[tuple[User, str, str]]:
    """Every kind of form about a case: who fills it in, its name, and a field of it."""
    patient, doctor = case.patient, make_user(Role.DOCTOR)
    return [
        (patient, "memory:new", "story"),
        (patient, f"memory:{keepsake.memory_id}", "story"),
        (patient, "letter", "words"),
        (patient, f"keepsake:{keepsake.pk}", "caption"),
        (patient, "intake:hope", "hope"),
        (doctor, f"review:{keepsake.pk}", "reason"),
        (doctor, f"mapping:{keepsake.memory_id}", "reaction"),
        (doctor, f"place:{keepsake.pk}", "title"),
        (doctor, f"chapters:{case.pk}", "chapters-0-name"),
    ]


def test_every_form_shows_what_was_typed_and_nobody_else_reads_it(case: Case) -> None:
    keepsake = make_keepsake(make_memory(case))
    waiting = make_request()
    bench = f"/files/{case.pk}/map/?at={keepsake.pk}"
    pages = [
        *zip(
            forms_about(case, keepsake),
            [
                "/me/memories/new/",
                f"/me/memories/{keepsake.memory_id}/",
                "/me/keepsakes/",
                f"/me/keepsakes/{keepsake.pk}/",
                "/me/intake/?step=hope",
                f"/files/{case.pk}/review/?show=all",
                *[bench] * 3,
            ],
            strict=True,
        ),
        ((make_user(Role.RECEPTIONIST), f"request:{waiting.pk}", "reason"), "/requests/"),
    ]
    before = Entry.objects.count()
    for number, ((person, form, field), page) in enumerate(pages):
        words = f"{WORDS} {number}"
        keep_typed(signed_in(person), form, **{field: words})
        shown = signed_in(person).get(page).content.decode()
        assert words in shown, form
        assert "You were writing this" in shown, form
        page_of_colleague = signed_in(make_user(*person.roles)).get(page)
        assert words not in page_of_colleague.content.decode(), form
    assert Draft.objects.count() == len(pages)
    assert not Entry.objects.filter(index__gte=before, action__startswith="draft").exists()
    # Nothing of it lies in the row in plain text.
    assert not any(WORDS.encode() in bytes(row.sealed) for row in Draft.objects.all())


def test_nobody_keeps_a_draft_of_a_form_that_they_may_not_save(case: Case) -> None:
    keepsake = make_keepsake(make_memory(case))
    outsiders = [make_user(Role.PATIENT), make_user(Role.AUDITOR), make_user(Role.RECEPTIONIST)]
    for _person, form, field in forms_about(case, keepsake):
        for outsider in outsiders:
            answer = signed_in(outsider).post(f"/drafts/{form}/", {field: WORDS})
            assert answer.status_code in {403, 404}, (form, outsider.roles)
    # A patient keeps none in a form of the staff, and nobody in a form that does not exist.
    own = make_user(Role.PATIENT, Role.DOCTOR)
    Case.objects.filter(pk=case.pk).update(patient=own)
    for form in (
        f"review:{keepsake.pk}",
        f"mapping:{keepsake.memory_id}",
        f"memory:{uuid4()}",
        "memory:",
        "letter:",
        "letter:x",
        "intake:nothing",
        "nothing",
        "request:1",
    ):
        assert signed_in(own).post(f"/drafts/{form}/", {"reason": WORDS}).status_code == 404, form
    assert Draft.objects.count() == 0
    assert Client().post("/drafts/letter/", {"words": WORDS}).status_code in {302, 401}


def test_w2_an_older_page_overwrites_no_newer_draft_unseen(case: Case) -> None:
    patient = signed_in(case.patient)
    first = keep_typed(patient, "memory:new", title="At the desk")
    second = keep_typed(patient, "memory:new", first, title="At the desk, more")
    for known in ("", first, str(uuid4()), "nonsense"):
        answer = patient.post("/drafts/memory:new/", {"title": "On the phone", "draft": known})
        assert answer.status_code == 409
        assert (answer.json()["revision"], answer.json()["values"]) == (
            second,
            {"title": ["At the desk, more"]},
        )
    assert draft_of(case.patient, "memory:new").words == {"title": "At the desk, more"}
    keep_typed(patient, "memory:new", second, title="On the phone")
    assert draft_of(case.patient, "memory:new").words == {"title": "On the phone"}


def test_w2_a_draft_that_was_saved_or_discarded_elsewhere_does_not_come_back_unseen(case: Case) -> None:
    patient = signed_in(case.patient)
    known = keep_typed(patient, "memory:new", title="The ice")
    patient.post("/me/memories/new/", {"title": "The ice", "intensity": "5", "draft": known})
    assert Memory.objects.count() == 1
    answer = patient.post("/drafts/memory:new/", {"title": "The ice, more", "draft": known})
    assert (answer.status_code, answer.json()["revision"], answer.json()["values"]) == (409, "", {})
    assert Draft.objects.count() == 0


def test_saving_ends_only_the_draft_that_the_page_knew(case: Case) -> None:
    patient = signed_in(case.patient)
    memory = make_memory(case)
    form, page = f"memory:{memory.pk}", f"/me/memories/{memory.pk}/"
    older = keep_typed(patient, form, title="Older")
    newer = keep_typed(patient, form, older, title="Newer")
    answers = {"title": "Saved on an older page", "intensity": "5"}
    for known in (older, "", "nonsense"):
        assert edit(patient, page, {**answers, "draft": known}).status_code == 302
        assert draft_of(case.patient, form).words == {"title": "Newer"}
    key = Draft.objects.get().pk
    assert edit(patient, page, {**answers, "draft": newer}).status_code == 302
    assert (Draft.objects.count(), key in live_keys()) == (0, False)
    # A refused save leaves the draft, and the page shows what was posted.
    known = keep_typed(patient, form, title="")
    refused = edit(patient, page, {"title": "", "draft": known})
    assert (refused.status_code, f'value="{known}"' in refused.content.decode()) == (422, True)
    assert draft_of(case.patient, form).revision == known


def test_a_form_that_is_gone_once_its_case_is_locked_keeps_nothing(case: Case) -> None:
    places = [FormPlace("patients:keepsakes", case.pk, case.pk, "/me/keepsakes/")]
    # A form that is found at first, and is gone after its lock.
    register_form(
        "vanishing", DraftForm(lambda person, key: next(iter(places), None), lambda found: places.clear())
    )
    with pytest.raises(NotEditable):
        keep_draft("vanishing", {"words": [WORDS]}, known=None, by=case.patient)
    assert Draft.objects.count() == 0


def test_discarding_ends_the_draft_and_its_key(case: Case) -> None:
    patient = signed_in(case.patient)
    known = keep_typed(patient, "letter", words=WORDS)
    key = Draft.objects.get().pk
    assert key in live_keys()
    answer = patient.post("/drafts/letter/discard/", {"draft": str(uuid4())})
    assert (answer.status_code, Draft.objects.count()) == (302, 1)
    answer = patient.post("/drafts/letter/discard/", {"draft": known})
    assert (answer.status_code, answer["Location"]) == (302, "/me/keepsakes/")
    assert (Draft.objects.count(), key in live_keys()) == (0, False)


def keep_a_draft_in_each_form(case: Case, keepsake: Keepsake) -> None:
    for person, form, field in forms_about(case, keepsake):
        keep_draft(form, {field: [WORDS]}, known=None, by=person)
    assert Draft.objects.live().count() == 9


def assert_none_is_left(keys: set[UUID]) -> None:
    """Assert that there is no draft, and none of these keys of drafts."""
    assert Draft.objects.count() == 0
    assert not keys & live_keys()


def test_no_draft_survives_the_lock_of_the_map(case: Case) -> None:
    keepsake = make_keepsake(make_memory(case))
    keep_a_draft_in_each_form(case, keepsake)
    keys = set(Draft.objects.values_list("pk", flat=True))
    lock_map(case, by=make_user(Role.DOCTOR))
    assert_none_is_left(keys)
    for person, form, field in forms_about(case, keepsake):
        answer = signed_in(person).post(f"/drafts/{form}/", {field: WORDS})
        assert (answer.status_code, "text" in answer.json()) == (409, True), form
    assert Draft.objects.count() == 0


def test_no_draft_survives_a_withdrawal(case: Case) -> None:
    keep_a_draft_in_each_form(case, make_keepsake(make_memory(case)))
    keys = set(Draft.objects.values_list("pk", flat=True))
    withdraw(case, by=case.patient)
    assert_none_is_left(keys)


def test_a_draft_ends_with_the_thing_it_is_about(case: Case) -> None:
    keepsake, empty = make_keepsake(make_memory(case)), make_memory(case)
    keep_a_draft_in_each_form(case, keepsake)
    keep_draft(f"memory:{empty.pk}", {"story": [WORDS]}, known=None, by=case.patient)
    remove_memory(empty, by=case.patient)
    assert Draft.objects.count() == 9
    remove_keepsake(keepsake, by=case.patient)
    left = set(Draft.objects.values_list("form", flat=True))
    assert left == {
        *("memory:new", f"memory:{keepsake.memory_id}", "letter", "intake:hope"),
        *(f"mapping:{keepsake.memory_id}", f"chapters:{case.pk}"),
    }
    patient = signed_in(case.patient)
    assert patient.post(f"/drafts/keepsake:{keepsake.pk}/", {"caption": WORDS}).status_code == 404
    assert patient.post(f"/drafts/memory:{empty.pk}/", {"story": WORDS}).status_code == 404


@pytest.mark.parametrize(("decision", "left"), [("hold", 1), ("decline", 0), ("accept", 0)])
def test_a_decided_request_ends_the_drafts_of_everybody(decision: str, left: int) -> None:
    row, colleague = make_request(), make_user(Role.RECEPTIONIST)
    me = signed_in(make_user(Role.RECEPTIONIST))
    keep_draft(f"request:{row.pk}", {"reason": ["Mine"]}, known=None, by=colleague)
    known = keep_typed(me, f"request:{row.pk}", reason=WORDS)
    decided = {"decision": decision, "reason": WORDS, "draft": known, "seen": request_mark(row)}
    me.post(f"/requests/{row.pk}/decide/", decided)
    row.refresh_from_db()
    assert row.read().decision == WORDS
    assert Draft.objects.count() == left
    answer = me.post(f"/drafts/request:{row.pk}/", {"reason": "More"})
    assert answer.status_code == (200 if decision == "hold" else 409)


def test_the_words_open_only_with_both_keys(case: Case) -> None:
    memory = make_memory(case)
    row = keep_draft(f"memory:{memory.pk}", {"story": [WORDS]}, known=None, by=case.patient)
    other = keep_draft("memory:new", {"story": ["Else"]}, known=None, by=case.patient)
    assert row.read().values == {"story": [WORDS]}
    swapped = Draft(pk=row.pk, about=row.about, sealed=other.sealed)
    with pytest.raises(Tampered):
        swapped.read()
    own = key_store().get(row.pk)
    for other_key in (own, bytes(32)):
        with pytest.raises(Tampered):
            row.read_with({row.pk: own, row.about: other_key})
    # Without the memory's key no copy of the draft can be read, in a backup either.
    key_store().destroy(memory.pk)
    with pytest.raises(KeyGone):
        row.read()
    assert draft_of(case.patient, f"memory:{memory.pk}").at is None
    key_store().destroy(other.pk)
    with pytest.raises(KeyGone):
        other.read()


def fail_at_failpoint(label: str) -> None:
    raise OSError(label)


def test_a_crash_before_the_key_is_destroyed_is_repeated_by_the_sweep(
    case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    patient = signed_in(case.patient)
    known = keep_typed(patient, "letter", words=WORDS)
    row = Draft.objects.get()
    monkeypatch.setattr(writing, "hit", fail_at_failpoint)
    patient.post("/drafts/letter/discard/", {"draft": known})
    left = Draft.objects.get()
    assert (left.pk, bytes(left.sealed), left.ended_at is None) == (row.pk, b"", False)
    monkeypatch.undo()
    assert (sweep_drafts(), sweep_drafts()) == (1, 0)
    assert_none_is_left({row.pk})


def test_a_draft_that_nobody_has_touched_for_a_month_ends(case: Case) -> None:
    old = keep_draft("letter", {"words": [WORDS]}, known=None, by=case.patient)
    keep_draft("memory:new", {"story": [WORDS]}, known=None, by=case.patient)
    Draft.objects.filter(pk=old.pk).update(saved_at=timezone.now() - timedelta(days=30, minutes=1))
    assert sweep_drafts() == 1
    assert list(Draft.objects.values_list("form", flat=True)) == ["memory:new"]
    assert old.pk not in live_keys()
    assert destroy_ended() == 0


def test_drafts_are_bounded(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    assert draft_values({"words": ["x" * 10_000], "draft": ["?"], "page_owner": ["?"]}) == {
        "words": ["x" * 10_000]
    }
    for posted in (
        {"words": ["x" * 10_001]},
        {"x" * 10_001: [""]},
        {"words": ["x" * 10_000] * 6},
        {"words": [""] * 300},
    ):
        with pytest.raises(TooLong):
            draft_values(posted)
    patient = signed_in(case.patient)
    answer = patient.post("/drafts/letter/", {"words": "x" * 10_001})
    assert (answer.status_code, "text" in answer.json()) == (413, True)
    monkeypatch.setattr(writing, "MAX_DRAFTS", 1)
    known = keep_typed(patient, "letter", words=WORDS)
    answer = patient.post("/drafts/memory:new/", {"story": WORDS})
    assert (answer.status_code, "values" in answer.json()) == (409, False)
    with pytest.raises(TooMany):
        keep_draft("memory:new", {}, known=None, by=case.patient)
    keep_typed(patient, "letter", known, words="More")


def test_the_database_refuses_two_drafts_of_a_form_and_words_in_an_ended_one(case: Case) -> None:
    row = keep_draft("letter", {"words": [WORDS]}, known=None, by=case.patient)
    with pytest.raises(IntegrityError), transaction.atomic():
        Draft.objects.create(person=case.patient, form="letter", about=case.pk)
    with pytest.raises(IntegrityError), transaction.atomic():
        Draft.objects.filter(pk=row.pk).update(ended_at=timezone.now())


def test_many_drafts_take_as_many_queries_as_one(case: Case) -> None:
    names = [f"memory:{make_memory(case).pk}" for _ in range(3)]
    for name in names:
        keep_draft(name, {"story": [name]}, known=None, by=case.patient)
    counts = []
    for asked in (names[:1], names):
        with CaptureQueriesContext(connection) as queries:
            found = drafts_of(case.patient, asked)
        assert [found[name].words for name in asked] == [{"story": name} for name in asked]
        counts.append(len(queries))
    assert counts == [1, 1]


def test_checkboxes_and_choices_are_kept_too(case: Case) -> None:
    one, other = make_memory(case), make_memory(case)
    Memory.objects.filter(pk=one.pk).update(fate=Memory.Fate.PROTECTED, intensity=2)
    patient = signed_in(case.patient)
    patient.post(f"/drafts/memory:{one.pk}/", {"title": "", "intensity": "7", "links": [str(other.pk)]})
    form = patient.get(f"/me/memories/{one.pk}/").context["form"]
    shown = {name: form[name].value() for name in ("title", "intensity", "links", "keep")}
    assert shown == {"title": "", "intensity": "7", "links": [str(other.pk)], "keep": False}


def test_a_technician_keeps_drafts_until_they_may_not_open_the_mapping_page(case: Case) -> None:
    memory, technician = make_memory(case), make_technician()
    client = signed_in(technician)
    keep_typed(client, f"mapping:{memory.pk}", reaction=WORDS)
    Case.objects.filter(pk=case.pk).update(stage=Case.Stage.INTAKE)
    assert client.get(f"/files/{case.pk}/map/").status_code == 404
    assert client.post(f"/drafts/mapping:{memory.pk}/", {"reaction": WORDS}).status_code == 404


def test_a_decision_does_not_touch_drafts_of_other_requests() -> None:
    one, other = make_request(), make_request()
    desk = make_user(Role.RECEPTIONIST)
    keep_draft(f"request:{other.pk}", {"reason": [WORDS]}, known=None, by=desk)
    decide(one, "decline", reason="", by=desk, base="http://x/")
    assert draft_of(desk, f"request:{other.pk}").words == {"reason": WORDS}
