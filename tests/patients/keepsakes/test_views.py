"""The patient's pages of their keepsakes."""

import dataclasses

import pytest
from django.db import connection
from django.http import HttpResponse
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from clinic.accounts.models import Role
from clinic.audit.models import Entry
from patients.cases.models import Case
from patients.keepsakes.forms import SPOTS, middle_of, spot_of
from patients.keepsakes.models import Keepsake, KeepsakeFields
from patients.keepsakes.outcomes import brought_message, refusal_messages
from patients.keepsakes.removal import keepsake_mark
from patients.memories.models import Memory
from patients.vault.configured import key_store
from patients.vault.models import StoredObject
from tests.edits import edit, hidden_in
from tests.factories import jpeg, make_case, make_keepsake, make_letter, make_memory, make_user

pytestmark = pytest.mark.django_db

PAGE = "/me/keepsakes/"


@pytest.fixture
def case() -> Case:
    return make_case()


@pytest.fixture
def patient(client: Client, case: Case) -> Client:
    client.force_login(case.patient)
    return client


def make_unplaced(case: Case, **fields: object) -> Keepsake:
    """A photo that is not in a memory yet. fields: changed fields of the keepsake."""
    keepsake = make_keepsake(make_memory(case, "Gone again"))
    keepsake.write(dataclasses.replace(keepsake.read(), **fields))
    keepsake.memory = None
    keepsake.save()
    return keepsake


def take_back(client: Client, keepsake: Keepsake) -> HttpResponse:
    """Take a keepsake back, from a page opened now."""
    seen = keepsake_mark(Keepsake.objects.get(pk=keepsake.pk))
    return client.post(f"{url_of(keepsake)}remove/", {"seen": seen})


def url_of(keepsake: Keepsake) -> str:
    return f"{PAGE}{keepsake.pk}/"


def test_the_page_names_the_subject_and_shows_the_keepsakes(patient: Client, case: Case) -> None:
    memory = make_memory(case, "Footprints", "2004-02-01")
    make_keepsake(memory, caption="Montauk")
    make_unplaced(case, caption="", taken="2008-10-22T16:28:39")
    shown = patient.get(PAGE).content.decode()
    for words in ("remind you of Clementine", "Montauk", "1 Feb 2004", "22 Oct 2008", "not placed yet"):
        assert words in shown
    assert '<span class="mono">2</span> keepsakes.' in " ".join(shown.split())
    assert 'action="/upload/form"' in shown
    token = shown.index("csrfmiddlewaretoken", shown.index('id="bring"'))
    assert token < shown.index('type="file"')  # the server refuses files that come before the token


@pytest.mark.parametrize(
    ("taken", "day"),
    [
        ("2003-02-14T23:45:10", "2003-02-14"),
        ("2003-02-14", "2003-02-14"),
        ("1970-01-01T00:03:12", ""),
        ("1980-01-01T00:00:00", ""),
        ("2000-01-01T00:00:00", ""),
        ("1904-01-01T00:00:00", ""),
        ("2190-01-01T10:00:00", ""),
        ("2190-01-01", ""),
        ("", ""),
    ],
)
def test_only_a_plausible_date_of_the_camera_is_proposed(
    patient: Client, case: Case, taken: str, day: str
) -> None:
    response = patient.get(url_of(make_unplaced(case, taken=taken)))
    assert response.context["new"]["when"].value() == day
    assert ("says the camera" in response.content.decode()) == bool(day)


def test_before_the_storage_consent_the_page_only_asks_for_it(client: Client) -> None:
    client.force_login(make_case(agreed=False).patient)
    shown = client.get(PAGE).content.decode()
    assert reverse("patients:consent") in shown
    assert "/upload/form" not in shown
    assert "Done for today" not in shown


def test_with_a_locked_map_keepsakes_are_shown_and_cannot_be_changed(patient: Client, case: Case) -> None:
    keepsake = make_keepsake(make_memory(case))
    Case.objects.filter(pk=case.pk).update(stage=Case.Stage.MAPPED)
    assert "/upload/form" not in patient.get(PAGE).content.decode()
    shown = patient.get(url_of(keepsake)).content.decode()
    assert "<form method" not in shown[shown.index("<main") : shown.index("</main")]
    answer = edit(patient, url_of(keepsake), {"caption": "Other", "memory": ""})
    assert answer.status_code == 409
    assert "Other" in answer.content.decode(), "what was typed is not lost"
    assert keepsake.read().caption == "A caption"
    take_back(patient, keepsake)
    keepsake.refresh_from_db()
    assert keepsake.gone_at is None


def test_the_number_of_queries_does_not_depend_on_the_number_of_keepsakes(
    patient: Client, case: Case
) -> None:
    counts = []
    for more in (1, 2):
        for _time in range(more):
            make_keepsake(make_memory(case))
        patient.get(PAGE)
        with CaptureQueriesContext(connection) as queries:
            patient.get(PAGE)
        counts.append(len(queries))
    assert counts[0] == counts[1] <= 14


def test_the_results_of_the_upload_form_are_shown_once(patient: Client) -> None:
    answer = patient.get(f"{PAGE}?brought=2&refused=truncated,truncated,full,<script>", follow=True)
    assert answer.redirect_chain == [(PAGE, 302)]
    shown = answer.content.decode()
    assert "2 keepsakes came in." in shown
    assert shown.count("it ends too early") == 1
    assert "no room for one of the files" in shown
    assert "<script>," not in shown
    assert "came in" not in patient.get(PAGE).content.decode()


@pytest.mark.parametrize("query", ["brought=2", "refused=full"])
def test_the_results_of_the_upload_form_do_not_stay_in_the_url(patient: Client, query: str) -> None:
    answer = patient.get(f"{PAGE}?{query}")
    assert (answer.status_code, answer.headers.get("Location")) == (302, PAGE)


@pytest.mark.parametrize("count", ["", "0", "-3", "x", "9" * 40, "²", "١"])
def test_an_invalid_count_gives_no_message_and_many_unknown_reasons_give_one(count: str) -> None:
    assert brought_message(count) == ""
    assert len(refusal_messages("," * 400)) == 1


def test_a_keepsake_is_described_and_placed_in_a_new_memory(patient: Client, case: Case) -> None:
    keepsake = make_unplaced(case)
    answer = edit(
        patient,
        url_of(keepsake),
        {
            "caption": "The dog on the stairs",
            "kind": "object",
            "others": "My sister",
            "spot": "8",
            "memory": "new",
            "new-title": "The stairs",
            "new-when": "summer 2002",
            "new-intensity": "7",
            "new-people": "Ada,  Bo ",
            "new-keep": "on",
        },
    )
    assert (answer.status_code, answer["Location"]) == (302, PAGE)
    keepsake.refresh_from_db()
    fields = keepsake.read()
    assert (fields.caption, fields.others, keepsake.kind) == ("The dog on the stairs", "My sister", "object")
    assert fields.focus == pytest.approx([5 / 6, 5 / 6])
    memory = keepsake.memory
    assert memory is not None
    words = memory.read()
    assert (words.title, words.day, words.when) == ("The stairs", "2002-07-15", "summer 2002")
    assert words.people == ["Ada", "Bo"]
    assert (memory.intensity, memory.fate) == (7, Memory.Fate.PROTECTED)
    assert set(keepsake.stored.values_list("memory", flat=True)) == {memory.pk}
    for action in ("memory.made", "memory.kept", "keepsake.changed"):
        entry = Entry.objects.get(action=action)
        assert (entry.case, entry.actor) == (case.pk, f"user:{case.patient_id}")


@pytest.mark.parametrize(
    ("typed", "stored", "shown"),
    [
        ("summer 2003", ("summer 2003", "2003-07-15"), "summer 2003"),
        ("3 May 2003", ("", "2003-05-03"), "3 May 2003"),
        ("", ("", ""), "14 Feb 2004"),
    ],
)
def test_the_patients_own_date_goes_before_that_of_the_camera(
    patient: Client, case: Case, typed: str, stored: tuple[str, str], shown: str
) -> None:
    keepsake = make_keepsake(None, case=case, taken="2004-02-14T20:00:00", day="2001-01-01")
    edit(patient, url_of(keepsake), {"caption": "The wall", "memory": "", "when": typed})
    fields = Keepsake.objects.get(pk=keepsake.pk).read()
    assert ((fields.when, fields.day), fields.known_date) == (stored, shown)
    assert fields.taken == "2004-02-14T20:00:00"
    assert shown in patient.get(PAGE).content.decode()


def test_a_date_that_was_changed_meanwhile_is_shown_and_not_overwritten(patient: Client, case: Case) -> None:
    keepsake = make_keepsake(None, case=case)
    older = hidden_in(patient.get(url_of(keepsake)))
    edit(patient, url_of(keepsake), {"caption": "A caption", "memory": "", "when": "summer 2003"})
    answer = patient.post(url_of(keepsake), {**older, "caption": "A caption", "memory": "", "when": "2001"})
    assert answer.status_code == 409
    assert "summer 2003 (15 Jul 2003)" in answer.content.decode()
    assert Keepsake.objects.get(pk=keepsake.pk).read().when == "summer 2003"


def test_an_invalid_form_keeps_what_was_typed_and_changes_nothing(patient: Client, case: Case) -> None:
    keepsake = make_unplaced(case)
    answer = edit(
        patient,
        url_of(keepsake),
        {
            "caption": "The dog",
            "memory": "new",
            "new-title": "The stairs",
            "new-when": "whenever",
            "spot": "",
        },
    )
    shown = answer.content.decode()
    assert answer.status_code == 422
    for words in ('value="The dog"', 'value="The stairs"', 'value="whenever"', "We could not read that date"):
        assert words in shown
    assert keepsake.read().caption == "A caption"
    assert Memory.objects.filter(case=case).count() == 1


def test_saving_leads_to_the_next_unplaced_keepsake(patient: Client, case: Case) -> None:
    first, second = make_unplaced(case), make_unplaced(case)
    memory = str(Memory.objects.filter(case=case).values_list("pk", flat=True)[0])
    answer = edit(patient, url_of(first), {"memory": memory, "spot": "", "next": "1"})
    assert answer["Location"] == url_of(second)
    answer = edit(patient, url_of(second), {"memory": memory, "spot": "", "next": "1"})
    assert answer["Location"] == PAGE


def test_the_patient_can_keep_or_drop_the_place_of_a_photo(patient: Client, case: Case) -> None:
    keepsake = make_unplaced(case, gps=[43.467448, 11.885127])
    assert "43.4674, 11.8851" in patient.get(url_of(keepsake)).content.decode()
    edit(patient, url_of(keepsake), {"memory": "", "spot": ""})
    assert (fields_of(keepsake).gps, fields_of(keepsake).place) == ([43.467448, 11.885127], "")
    edit(patient, url_of(keepsake), {"memory": "", "spot": "", "place": "keep"})
    assert fields_of(keepsake).place == "43.4674, 11.8851"
    edit(patient, url_of(keepsake), {"memory": "", "spot": "", "place": "drop"})
    assert (fields_of(keepsake).gps, fields_of(keepsake).place) == ([], "")
    assert "43.46" not in patient.get(url_of(keepsake)).content.decode()


def fields_of(keepsake: Keepsake) -> KeepsakeFields:
    return Keepsake.objects.get(pk=keepsake.pk).read()


def test_a_precise_focus_survives_saving_without_a_change(patient: Client, case: Case) -> None:
    keepsake = make_unplaced(case)
    edit(patient, url_of(keepsake), {"memory": "", "spot": "0", "focus_x": "12.5", "focus_y": "30"})
    assert fields_of(keepsake).focus == [0.125, 0.3]
    edit(patient, url_of(keepsake), {"memory": "", "spot": "0"})
    assert fields_of(keepsake).focus == [0.125, 0.3]
    edit(patient, url_of(keepsake), {"memory": "", "spot": "4"})
    assert fields_of(keepsake).focus == [0.5, 0.5]
    edit(patient, url_of(keepsake), {"memory": "", "spot": ""})
    assert fields_of(keepsake).focus == []


def test_spot_of_and_middle_of_are_inverse() -> None:
    assert [spot_of(middle_of(value)) for value, _label in SPOTS] == [value for value, _label in SPOTS]
    assert (spot_of([]), middle_of(""), spot_of([1.0, 1.0]), spot_of([0.0, 0.0])) == ("", [], "8", "0")


@pytest.mark.parametrize(
    "post",
    [
        {"memory": "nonsense"},
        {"memory": "00000000-0000-0000-0000-000000000000"},
        {"spot": "9"},
        {"spot": "0", "focus_x": "nan", "focus_y": "inf"},
        {"focus_x": "-1", "focus_y": "1e9"},
        {"kind": "letter"},
        {"caption": "x" * 5000},
        {"caption": "a\0b"},
        {"memory": "new", "new-intensity": "11", "new-title": "\ud800"},
    ],
)
def test_invalid_form_values_are_refused_with_an_explanation(
    patient: Client, case: Case, post: dict[str, str]
) -> None:
    keepsake = make_unplaced(case)
    post = hidden_in(patient.get(url_of(keepsake))) | post
    body = "&".join(f"{name}={value}" for name, value in post.items()).encode("utf-8", "surrogatepass")
    answer = patient.post(url_of(keepsake), body, content_type="application/x-www-form-urlencoded")
    assert answer.status_code == 422
    assert "another look" in answer.content.decode()


def test_another_patients_memory_cannot_be_chosen(patient: Client, case: Case) -> None:
    keepsake, other = make_unplaced(case), make_memory(make_case(), "Secret elsewhere")
    answer = edit(patient, url_of(keepsake), {"memory": str(other.pk), "spot": ""})
    assert answer.status_code == 422
    assert "Secret elsewhere" not in answer.content.decode()


def test_similar_keepsakes_are_pointed_out_and_not_refused(patient: Client, case: Case) -> None:
    photo, memory = jpeg(), make_memory(case)
    one, two = make_keepsake(memory, photo), make_keepsake(memory, photo)
    make_keepsake(memory)
    shown = patient.get(url_of(one)).content.decode()
    assert "Another keepsake of yours looks like this one." in shown
    assert url_of(two) in shown
    take_back(patient, two)
    assert "looks like this one" not in patient.get(url_of(one)).content.decode()


def test_a_letter_shows_its_words(patient: Client, case: Case) -> None:
    letter = make_letter(make_memory(case), "Dear you,\n<b>I kept the shell.</b>")
    shown = patient.get(url_of(letter)).content.decode()
    assert "Dear you,<br>&lt;b&gt;I kept the shell." in shown
    assert 'name="spot"' not in shown


def test_a_removed_keepsake_is_destroyed(patient: Client, case: Case) -> None:
    keepsake = make_keepsake(make_memory(case))
    keys = set(keepsake.stored.values_list("pk", flat=True))
    answer = take_back(patient, keepsake)
    assert (answer.status_code, answer["Location"]) == (302, PAGE)
    assert set(keepsake.stored.values_list("state", flat=True)) == {StoredObject.State.DESTROYED}
    assert not keys & set(key_store().ids())
    assert patient.get(url_of(keepsake)).status_code == 404
    assert edit(patient, url_of(keepsake), {"memory": ""}).status_code == 410
    assert take_back(patient, keepsake).status_code == 302  # a second time changes nothing
    assert Entry.objects.filter(action="keepsake.removed").count() == 1


def test_a_keepsake_whose_key_is_destroyed_is_not_found(patient: Client, case: Case) -> None:
    keepsake = make_keepsake(make_memory(case))
    key_store().destroy(keepsake.pk)
    assert patient.get(url_of(keepsake)).status_code == 404
    assert patient.get(PAGE).status_code == 200


def test_nothing_of_a_closed_case_is_shown(patient: Client, case: Case) -> None:
    keepsake = make_keepsake(make_memory(case))
    Case.objects.filter(pk=case.pk).update(stage=Case.Stage.WITHDRAWN)
    for url in (url_of(keepsake), PAGE):
        assert patient.get(url).url == "/me/"
    assert take_back(patient, keepsake).status_code == 410
    assert Keepsake.objects.get(pk=keepsake.pk).gone_at is None


def test_other_patients_and_staff_have_no_access(client: Client, case: Case) -> None:
    keepsake = make_keepsake(make_memory(case))
    client.force_login(make_case().patient)
    for url in (url_of(keepsake), f"{url_of(keepsake)}remove/"):
        assert client.post(url, {"memory": ""}).status_code == 404
    client.force_login(make_user(Role.DOCTOR))
    assert client.get(PAGE).status_code == 403
    assert client.get(url_of(keepsake)).status_code == 403


def test_done_for_today_submits_the_case_for_review(patient: Client, case: Case) -> None:
    empty = patient.post("/me/keepsakes/done/", follow=True)
    assert "nothing to hand in yet" in empty.content.decode()
    make_keepsake(make_memory(case))
    answer = patient.post("/me/keepsakes/done/", follow=True)
    assert "We look through everything" in answer.content.decode()
    case.refresh_from_db()
    assert case.stage == Case.Stage.REVIEW
    assert Entry.objects.get(action="case.submitted").details == {"keepsakes": 1}


def test_a_returned_keepsake_waits_for_review_again_after_saving(patient: Client, case: Case) -> None:
    memory = make_memory(case)
    keepsake = make_keepsake(memory)
    keepsake.write(dataclasses.replace(keepsake.read(), returned_because="Whose hand is this?"))
    keepsake.review = Keepsake.Review.RETURNED
    keepsake.save()
    assert "Whose hand is this?" in patient.get(url_of(keepsake)).content.decode()
    edit(patient, url_of(keepsake), {"memory": str(memory.pk), "spot": "", "others": "My sister"})
    keepsake.refresh_from_db()
    assert keepsake.review == Keepsake.Review.WAITING
