"""The patient's pages of keepsakes."""

import dataclasses

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from clinic.accounts.models import Role
from clinic.audit.models import Entry
from patients.cases.models import Case
from patients.keepsakes.forms import SPOTS, middle_of, spot_of
from patients.keepsakes.models import Keepsake
from patients.keepsakes.outcomes import brought_message, refusal_messages
from patients.memories.models import Memory
from patients.vault.configured import key_store
from patients.vault.models import StoredObject
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


def loose(case: Case, **paper: object) -> Keepsake:
    """A photo that is not placed yet."""
    keepsake = make_keepsake(make_memory(case, "Gone again"))
    keepsake.write(dataclasses.replace(keepsake.read(), **paper))
    keepsake.memory = None
    keepsake.save()
    return keepsake


def at(keepsake: Keepsake) -> str:
    return f"{PAGE}{keepsake.pk}/"


def test_the_page_names_whom_it_is_about_and_shows_what_was_brought(patient: Client, case: Case) -> None:
    memory = make_memory(case, "Footprints", "2004-02-01")
    make_keepsake(memory, caption="Montauk")
    loose(case, caption="", taken="2008-10-22T16:28:39")
    shown = patient.get(PAGE).content.decode()
    for words in ("remind you of Clementine", "Montauk", "1 Feb 2004", "22 Oct 2008", "not placed yet"):
        assert words in shown
    assert '<span class="mono">2</span> keepsakes.' in " ".join(shown.split())
    assert 'action="/upload/form"' in shown
    token = shown.index("csrfmiddlewaretoken", shown.index('id="bring"'))
    assert token < shown.index('type="file"')  # or the form's files would be refused


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
def test_only_a_day_that_can_be_is_proposed(patient: Client, case: Case, taken: str, day: str) -> None:
    response = patient.get(at(loose(case, taken=taken)))
    assert response.context["new"]["when"].value() == day
    assert ("says the camera" in response.content.decode()) == bool(day)


def test_before_the_agreement_the_page_asks_for_it_alone(client: Client) -> None:
    client.force_login(make_case(agreed=False).patient)
    shown = client.get(PAGE).content.decode()
    assert reverse("patients:consent") in shown
    assert "/upload/form" not in shown
    assert "Done for today" not in shown


def test_a_locked_map_is_shown_and_not_changed(patient: Client, case: Case) -> None:
    keepsake = make_keepsake(make_memory(case))
    Case.objects.filter(pk=case.pk).update(stage=Case.Stage.MAPPED)
    assert "/upload/form" not in patient.get(PAGE).content.decode()
    shown = patient.get(at(keepsake)).content.decode()
    assert "<form method" not in shown[shown.index("<main") : shown.index("</main")]
    answer = patient.post(at(keepsake), {"caption": "Other", "memory": ""})
    assert answer.status_code == 422
    assert keepsake.read().caption == "A caption"
    patient.post(f"{at(keepsake)}remove/")
    keepsake.refresh_from_db()
    assert keepsake.gone_at is None


@pytest.mark.parametrize("count", [1, 3])
def test_more_keepsakes_ask_no_more_of_the_database(patient: Client, case: Case, count: int) -> None:
    for _one in range(count):
        make_keepsake(make_memory(case))
    patient.get(PAGE)
    with CaptureQueriesContext(
        connection,
    ) as queries:
        patient.get(PAGE)
    assert len(queries) <= 14


def test_what_the_form_brought_is_told_once(patient: Client) -> None:
    answer = patient.get(f"{PAGE}?brought=2&refused=truncated,truncated,full,<script>", follow=True)
    assert answer.redirect_chain == [(PAGE, 302)]
    shown = answer.content.decode()
    assert "2 keepsakes came in." in shown
    assert shown.count("it ends too early") == 1
    assert "no room for one of the files" in shown
    assert "<script>," not in shown
    assert "came in" not in patient.get(PAGE).content.decode()


@pytest.mark.parametrize("query", ["brought=2", "refused=full"])
def test_what_the_form_brought_is_not_in_the_address_any_more(patient: Client, query: str) -> None:
    answer = patient.get(f"{PAGE}?{query}")
    assert (answer.status_code, answer.headers.get("Location")) == (302, PAGE)


@pytest.mark.parametrize("said", ["", "0", "-3", "x", "9" * 40, "²", "١"])
def test_odd_counts_are_not_believed(said: str) -> None:
    assert brought_message(said) == ""
    assert len(refusal_messages("," * 400)) == 1


def test_a_keepsake_is_described_and_placed_in_a_new_memory(patient: Client, case: Case) -> None:
    keepsake = loose(case)
    answer = patient.post(
        at(keepsake),
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
    paper = keepsake.read()
    assert (paper.caption, paper.others, keepsake.kind) == ("The dog on the stairs", "My sister", "object")
    assert paper.focus == pytest.approx([5 / 6, 5 / 6])
    memory = keepsake.memory
    assert memory is not None
    said = memory.read()
    assert (said.title, said.day, said.when) == ("The stairs", "2002-07-15", "summer 2002")
    assert said.people == ["Ada", "Bo"]
    assert (memory.intensity, memory.fate) == (7, Memory.Fate.PROTECTED)
    assert set(keepsake.stored.values_list("memory", flat=True)) == {memory.pk}
    for action in ("memory.made", "memory.kept", "keepsake.changed"):
        entry = Entry.objects.get(action=action)
        assert (entry.case, entry.actor) == (case.pk, f"user:{case.patient_id}")


def test_a_refused_form_keeps_what_was_typed_and_changes_nothing(patient: Client, case: Case) -> None:
    keepsake = loose(case)
    answer = patient.post(
        at(keepsake),
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


def test_the_next_loose_keepsake_follows(patient: Client, case: Case) -> None:
    first, second = loose(case), loose(case)
    where = str(Memory.objects.filter(case=case).values_list("pk", flat=True)[0])
    answer = patient.post(at(first), {"memory": where, "spot": "", "next": "1"})
    assert answer["Location"] == at(second)
    answer = patient.post(at(second), {"memory": where, "spot": "", "next": "1"})
    assert answer["Location"] == PAGE


def test_the_place_is_shown_to_keep_or_to_drop(patient: Client, case: Case) -> None:
    keepsake = loose(case, gps=[43.467448, 11.885127])
    assert "43.4674, 11.8851" in patient.get(at(keepsake)).content.decode()
    patient.post(at(keepsake), {"memory": "", "spot": ""})
    assert (keepsake_now(keepsake).gps, keepsake_now(keepsake).place) == ([43.467448, 11.885127], "")
    patient.post(at(keepsake), {"memory": "", "spot": "", "place": "keep"})
    assert keepsake_now(keepsake).place == "43.4674, 11.8851"
    patient.post(at(keepsake), {"memory": "", "spot": "", "place": "drop"})
    assert (keepsake_now(keepsake).gps, keepsake_now(keepsake).place) == ([], "")
    assert "43.46" not in patient.get(at(keepsake)).content.decode()


def keepsake_now(keepsake: Keepsake) -> object:
    return Keepsake.objects.get(pk=keepsake.pk).read()


def test_a_point_survives_a_form_that_knows_only_ninths(patient: Client, case: Case) -> None:
    keepsake = loose(case)
    patient.post(at(keepsake), {"memory": "", "spot": "0", "focus_x": "12.5", "focus_y": "30"})
    assert keepsake_now(keepsake).focus == [0.125, 0.3]  # type: ignore[attr-defined]
    patient.post(at(keepsake), {"memory": "", "spot": "0"})
    assert keepsake_now(keepsake).focus == [0.125, 0.3]  # type: ignore[attr-defined]
    patient.post(at(keepsake), {"memory": "", "spot": "4"})
    assert keepsake_now(keepsake).focus == [0.5, 0.5]  # type: ignore[attr-defined]
    patient.post(at(keepsake), {"memory": "", "spot": ""})
    assert keepsake_now(keepsake).focus == []  # type: ignore[attr-defined]


def test_spots_and_their_middles_agree() -> None:
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
def test_odd_forms_are_refused_in_words(patient: Client, case: Case, post: dict[str, str]) -> None:
    keepsake = loose(case)
    body = "&".join(f"{name}={value}" for name, value in post.items()).encode("utf-8", "surrogatepass")
    answer = patient.post(at(keepsake), body, content_type="application/x-www-form-urlencoded")
    assert answer.status_code == 422
    assert "another look" in answer.content.decode()


def test_another_patients_memory_is_no_choice(patient: Client, case: Case) -> None:
    keepsake, other = loose(case), make_memory(make_case(), "Secret elsewhere")
    answer = patient.post(at(keepsake), {"memory": str(other.pk), "spot": ""})
    assert answer.status_code == 422
    assert "Secret elsewhere" not in answer.content.decode()


def test_copies_are_pointed_out_and_never_refused(patient: Client, case: Case) -> None:
    photo, memory = jpeg(), make_memory(case)
    one, two = make_keepsake(memory, photo), make_keepsake(memory, photo)
    make_keepsake(memory)
    shown = patient.get(at(one)).content.decode()
    assert "Another keepsake of yours looks like this one." in shown
    assert at(two) in shown
    patient.post(f"{at(two)}remove/")
    assert "looks like this one" not in patient.get(at(one)).content.decode()


def test_a_letter_shows_its_words(patient: Client, case: Case) -> None:
    letter = make_letter(make_memory(case), "Dear you,\n<b>I kept the shell.</b>")
    shown = patient.get(at(letter)).content.decode()
    assert "Dear you,<br>&lt;b&gt;I kept the shell." in shown
    assert 'name="spot"' not in shown


def test_taken_back_is_destroyed(patient: Client, case: Case) -> None:
    keepsake = make_keepsake(make_memory(case))
    keys = set(keepsake.stored.values_list("pk", flat=True))
    answer = patient.post(f"{at(keepsake)}remove/")
    assert (answer.status_code, answer["Location"]) == (302, PAGE)
    assert set(keepsake.stored.values_list("state", flat=True)) == {StoredObject.State.DESTROYED}
    assert not keys & set(key_store().ids())
    assert patient.get(at(keepsake)).status_code == 404
    assert patient.post(at(keepsake), {"memory": ""}).status_code == 404
    assert patient.post(f"{at(keepsake)}remove/").status_code == 302  # twice is once
    assert Entry.objects.filter(action="keepsake.removed").count() == 1


def test_a_keepsake_whose_key_is_gone_is_not_there(patient: Client, case: Case) -> None:
    keepsake = make_keepsake(make_memory(case))
    key_store().destroy(keepsake.pk)
    assert patient.get(at(keepsake)).status_code == 404
    assert patient.get(PAGE).status_code == 200


def test_nothing_of_a_closed_case_is_shown(patient: Client, case: Case) -> None:
    keepsake = make_keepsake(make_memory(case))
    Case.objects.filter(pk=case.pk).update(stage=Case.Stage.WITHDRAWN)
    assert patient.get(at(keepsake)).status_code == 404
    assert patient.post(f"{at(keepsake)}remove/").status_code == 404
    assert patient.get(PAGE).status_code == 404


def test_strangers_and_staff_get_nowhere(client: Client, case: Case) -> None:
    keepsake = make_keepsake(make_memory(case))
    client.force_login(make_case().patient)
    for url in (at(keepsake), f"{at(keepsake)}remove/"):
        assert client.post(url, {"memory": ""}).status_code == 404
    client.force_login(make_user(Role.DOCTOR))
    assert client.get(PAGE).status_code == 403
    assert client.get(at(keepsake)).status_code == 403


def test_done_for_today_hands_everything_in(patient: Client, case: Case) -> None:
    empty = patient.post("/me/keepsakes/done/", follow=True)
    assert "nothing to hand in yet" in empty.content.decode()
    make_keepsake(make_memory(case))
    answer = patient.post("/me/keepsakes/done/", follow=True)
    assert "We look through everything" in answer.content.decode()
    case.refresh_from_db()
    assert case.stage == Case.Stage.REVIEW
    assert Entry.objects.get(action="case.submitted").details == {"keepsakes": 1}


def test_what_was_returned_waits_for_review_again_once_it_was_looked_at(patient: Client, case: Case) -> None:
    memory = make_memory(case)
    keepsake = make_keepsake(memory)
    keepsake.write(dataclasses.replace(keepsake.read(), returned_because="Whose hand is this?"))
    keepsake.review = Keepsake.Review.RETURNED
    keepsake.save()
    assert "Whose hand is this?" in patient.get(at(keepsake)).content.decode()
    patient.post(at(keepsake), {"memory": str(memory.pk), "spot": "", "others": "My sister"})
    keepsake.refresh_from_db()
    assert keepsake.review == Keepsake.Review.WAITING
