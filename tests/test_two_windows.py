"""W2: an older window, device or person never overwrites newer words unseen, on every page that edits."""

from collections.abc import Callable
from typing import Any

import pytest
from django.core.cache import cache
from django.http import HttpResponse
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from clinic.accounts.models import Role, User
from clinic.audit.models import Entry
from patients.cases.models import Case
from patients.custody.models import Custody
from patients.custody.transfers import contradict, end, receive
from patients.keepsakes.editing import change_keepsake
from patients.keepsakes.models import Keepsake
from patients.keepsakes.removal import memory_mark, remove_keepsake, remove_memory
from patients.keepsakes.review import accept_rest, return_keepsake
from patients.maps.changes import name_chapters, place_keepsake
from patients.memories.links import CannotChange
from patients.memories.models import Memory
from patients.memories.writing import write_memory
from patients.requests.decisions import decide
from patients.requests.models import AppointmentRequest
from tests.edits import edit, hidden_in
from tests.factories import make_case, make_keepsake, make_memory, make_other, make_request, make_user
from tests.threads import at_once

pytestmark = pytest.mark.django_db

HTMX = {"HX-Request": "true", "HX-Target": "bench"}
CHANGED = "This was changed while your page was open."


def client_of(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def case() -> Case:
    return make_case()


@pytest.fixture
def patient(case: Case) -> Client:
    return client_of(case.patient)


@pytest.fixture
def doctor() -> Client:
    return client_of(make_user(Role.DOCTOR, name="Howard Mierzwiak"))


def memory_url(memory: Memory) -> str:
    return reverse("patients:memory", args=[memory.pk])


def keepsake_url(keepsake: Keepsake) -> str:
    return reverse("patients:keepsake", args=[keepsake.pk])


def mapping_url(case: Case, at: object = "") -> str:
    return f"{reverse('patients:mapping', args=[case.pk])}?at={at}"


def text_of(answer: HttpResponse) -> str:
    return " ".join(answer.content.decode().split())


# What the forms of a memory send if nothing is typed: in the portal, and on the mapping page.
PORTAL_FORM = {"title": "The ice", "when": "2003-02-01", "place": "", "people": "", "intensity": "5"}
PORTAL_FORM |= {"story": "The story of The ice."}
MAPPING_FORM = {
    "title": "The ice",
    "intensity": "5",
    "reaction": "",
    "when": "",
    "day": "2003-02-01",
    "people": "",
}
MAPPING_FORM |= {"fate": "target", "zone": "map"}


# --- Memories: the patient in two windows, and the patient and the clinic ---


def test_w2_a_field_that_nobody_else_changed_is_saved_beside_newer_ones(
    patient: Client, doctor: Client, case: Case
) -> None:
    memory = make_memory(case, "The ice")
    older = hidden_in(patient.get(memory_url(memory)))
    on_mapping_page = hidden_in(doctor.get(mapping_url(case, memory.pk)))
    sent = {
        **on_mapping_page,
        **MAPPING_FORM,
        "day": "2003-01-15",
        "reaction": "Laughs.",
        "fate": "protected",
    }
    assert doctor.post(mapping_url(case), sent).status_code == 302
    sent = {**older, **PORTAL_FORM, "story": "We lay down."}
    assert patient.post(memory_url(memory), sent).status_code == 302
    memory.refresh_from_db()
    fields = memory.read()
    assert (fields.story, fields.reaction, fields.day) == ("We lay down.", "Laughs.", "2003-01-15")
    assert memory.fate == Memory.Fate.PROTECTED, "an older page without the tick does not release it"


@pytest.mark.parametrize(("choice", "expected"), [("mine", "My title"), ("now", "Their title")])
def test_w2_a_field_that_both_changed_is_saved_only_once_a_value_is_chosen(
    patient: Client, doctor: Client, case: Case, choice: str, expected: str
) -> None:
    memory = make_memory(case, "The ice")
    older = hidden_in(patient.get(memory_url(memory)))
    on_mapping_page = hidden_in(doctor.get(mapping_url(case, memory.pk)))
    assert (
        doctor.post(
            mapping_url(case), {**on_mapping_page, **MAPPING_FORM, "title": "Their title"}
        ).status_code
        == 302
    )
    sent = {**older, **PORTAL_FORM, "title": "My title", "story": "My story"}
    refused = patient.post(memory_url(memory), sent)
    shown = text_of(refused)
    assert refused.status_code == 409
    assert CHANGED in shown
    assert "The clinic changed it, " in shown
    assert "Mierzwiak" not in shown, "the patient does not read who of the clinic it was"
    assert 'value="My title"' in shown
    assert '<p class="conflict-now">Their title</p>' in shown
    assert "My story" in shown
    memory.refresh_from_db()
    assert (memory.read().title, memory.read().story) == ("Their title", "The story of The ice.")
    again = {**sent, **hidden_in(refused)}
    assert patient.post(memory_url(memory), again).status_code == 409, "pressing twice is no choice"
    assert patient.post(memory_url(memory), {**again, "title-choice": choice}).status_code == 302
    memory.refresh_from_db()
    assert (memory.read().title, memory.read().story) == (expected, "My story")


def test_w2_another_change_after_the_conflict_was_shown_is_shown_too(patient: Client, case: Case) -> None:
    memory = make_memory(case, "The ice")
    older = hidden_in(patient.get(memory_url(memory)))
    write_memory(case, {"title": "Second"}, {}, memory=memory, by=case.patient)
    sent = {**older, **PORTAL_FORM, "title": "Mine"}
    refused = patient.post(memory_url(memory), sent)
    assert "You changed it yourself in another window, " in text_of(refused)
    write_memory(case, {"title": "Third"}, {}, memory=memory, by=case.patient)
    again = patient.post(memory_url(memory), {**sent, **hidden_in(refused), "title-choice": "mine"})
    assert again.status_code == 409
    assert '<p class="conflict-now">Third</p>' in text_of(again)
    memory.refresh_from_db()
    assert memory.read().title == "Third"


def test_w2_the_mapping_page_shows_staff_who_changed_a_field(
    patient: Client, doctor: Client, case: Case
) -> None:
    memory = make_memory(case, "The ice")
    older = hidden_in(doctor.get(mapping_url(case, memory.pk), headers=HTMX))
    edit(patient, memory_url(memory), {**PORTAL_FORM, "title": "The river", "when": "Feb 2003"})
    refused = doctor.post(
        mapping_url(case), {**older, **MAPPING_FORM, "title": "Ice", "day": "2003-02-14"}, headers=HTMX
    )
    shown = text_of(refused)
    assert refused.status_code == 409
    assert shown.startswith('<div id="bench">')
    assert f"{case.patient.name} changed it, " in shown
    assert '<p class="conflict-now">The river</p>' in shown
    assert '<p class="conflict-now">2003-02-15</p>' in shown
    assert Memory.objects.get().read().title == "The river"


def test_w2_a_rough_date_is_not_read_over_the_day_the_clinic_set(patient: Client, case: Case) -> None:
    memory = make_memory(case, "The ice")
    write_memory(case, {"when": "about 2003"}, {}, memory=memory, by=case.patient)
    older = hidden_in(patient.get(memory_url(memory)))
    write_memory(case, {"day": "2003-11-30"}, {}, memory=memory, by=case.patient)
    refused = patient.post(memory_url(memory), {**older, **PORTAL_FORM, "when": "about 2004"})
    assert refused.status_code == 409
    assert "about 2003 (30 Nov 2003)" in text_of(refused)


def test_w2_a_keepsake_moved_meanwhile_does_not_lead_the_form_to_another_memory(
    doctor: Client, case: Case
) -> None:
    memory, other = make_memory(case, "The ice"), make_memory(case, "The sea")
    keepsake = make_keepsake(memory)
    older = hidden_in(doctor.get(mapping_url(case, keepsake.pk)))
    place_keepsake(keepsake, other, by=case.patient)
    sent = {**older, **MAPPING_FORM, "reaction": "Laughs."}
    assert doctor.post(mapping_url(case), sent).status_code == 302
    assert (memory.read().reaction, other.read().reaction) == ("", "")
    assert Memory.objects.get(pk=memory.pk).read().reaction == "Laughs."
    assert Memory.objects.get(pk=other.pk).read().reaction == ""


# --- What is gone by then ---


def test_w2_words_typed_for_a_removed_memory_are_shown_again(
    patient: Client, doctor: Client, case: Case
) -> None:
    memory = make_memory(case, "The ice")
    older, on_mapping_page = (
        hidden_in(patient.get(memory_url(memory))),
        hidden_in(doctor.get(mapping_url(case, memory.pk))),
    )
    remove_memory(memory, by=case.patient)
    answer = patient.post(memory_url(memory), {**older, **PORTAL_FORM, "story": "My long story"})
    assert answer.status_code == 410
    assert "This memory was taken off your file meanwhile." in text_of(answer)
    assert "My long story" in text_of(answer)
    answer = doctor.post(
        mapping_url(case), {**on_mapping_page, **MAPPING_FORM, "reaction": "Laughs."}, headers=HTMX
    )
    assert answer.status_code == 409
    assert "This memory is not on the file any more." in text_of(answer)
    assert "Laughs." in text_of(answer)
    assert client_of(make_case().patient).post(memory_url(memory), PORTAL_FORM).status_code == 404
    assert patient.get(memory_url(memory)).status_code == 404
    answer = patient.post(reverse("patients:memory-remove", args=[memory.pk]), follow=True)
    assert "This memory was taken off your file meanwhile." in text_of(answer)


@pytest.mark.parametrize(
    ("change", "status", "sentence"),
    [
        (lambda keepsake, case: remove_keepsake(keepsake, by=case.patient), 410, "It is destroyed."),
        (lambda keepsake, case: close(case), 410, "Your file was closed meanwhile."),
        (lambda keepsake, case: lock(case), 409, "Your map is locked, so nothing is changed here now."),
    ],
)
def test_w2_words_for_a_destroyed_keepsake_or_a_closed_or_locked_case_are_shown_again(
    patient: Client, case: Case, change: Callable[[Keepsake, Case], None], status: int, sentence: str
) -> None:
    memory = make_memory(case)
    keepsake = make_keepsake(memory)
    older = hidden_in(patient.get(keepsake_url(keepsake)))
    change(keepsake, case)
    sent = {**older, "caption": "My caption", "memory": "new", "new-title": "New title"}
    answer = patient.post(keepsake_url(keepsake), sent)
    assert (answer.status_code, sentence in text_of(answer)) == (status, True)
    assert "My caption" in text_of(answer)
    assert "New title" in text_of(answer)
    if Keepsake.objects.get(pk=keepsake.pk).gone_at is None:
        answer = patient.post(memory_url(memory), {**PORTAL_FORM, "story": "My story"})
        assert (answer.status_code, sentence in text_of(answer)) == (status, True)
        assert "My story" in text_of(answer)


def close(case: Case) -> None:
    Case.objects.filter(pk=case.pk).update(stage=Case.Stage.CLOSED)


def lock(case: Case) -> None:
    Case.objects.filter(pk=case.pk).update(stage=Case.Stage.MAPPED)


def test_w2_a_keepsake_cannot_be_given_to_a_removed_memory(patient: Client, case: Case) -> None:
    memory, other = make_memory(case), make_memory(case, "The sea")
    keepsake = make_keepsake(memory)
    older = hidden_in(patient.get(keepsake_url(keepsake)))
    remove_memory(other, by=case.patient)
    answer = patient.post(keepsake_url(keepsake), {**older, "caption": "Mine", "memory": str(other.pk)})
    assert answer.status_code == 422
    assert "Mine" in text_of(answer)
    with pytest.raises(Memory.DoesNotExist):
        change_keepsake(keepsake, {}, memory=other, by=case.patient)


def test_w2_a_memory_is_not_destroyed_from_a_page_that_did_not_show_its_words(
    patient: Client, case: Case
) -> None:
    memory = make_memory(case, "The ice")
    url = reverse("patients:memory-remove", args=[memory.pk])
    older = hidden_in(patient.get(memory_url(memory)), url)
    assert older == {"seen": memory_mark(memory)}
    write_memory(case, {"story": "Newer words"}, {}, memory=memory, by=case.patient)
    for sent in (older, {}, {"seen": "x"}):
        answer = patient.post(url, sent)
        assert answer.status_code == 409
        assert "Look at it as it is now, then decide." in text_of(answer)
        assert "Newer words" in text_of(answer)
    assert patient.post(url, hidden_in(answer, url)).status_code == 302
    assert not Memory.objects.exists()


def test_w2_a_keepsake_is_not_destroyed_from_a_page_that_did_not_show_its_words(
    patient: Client, case: Case
) -> None:
    keepsake = make_keepsake(make_memory(case))
    url = reverse("patients:keepsake-remove", args=[keepsake.pk])
    older = hidden_in(patient.get(keepsake_url(keepsake)), url)
    change_keepsake(keepsake, {"caption": "Newer"}, memory=keepsake.memory, by=case.patient)
    answer = patient.post(url, older)
    assert (answer.status_code, "Newer" in text_of(answer)) == (409, True)
    assert Keepsake.objects.get().gone_at is None
    assert patient.post(url, hidden_in(answer, url)).status_code == 302
    assert Keepsake.objects.get().gone_at is not None


# --- Keepsakes ---


def keepsake_form(keepsake: Keepsake, **typed: str) -> dict[str, str]:
    """What the keepsake's form sends if only `typed` was typed."""
    data = {"caption": "A caption", "kind": "photo", "others": "", "spot": ""}
    return {**data, "memory": str(keepsake.memory_id), **typed}


def test_w2_two_windows_on_one_keepsake(patient: Client, case: Case) -> None:
    keepsake, other = make_keepsake(make_memory(case)), make_memory(case, "The sea")
    older = hidden_in(patient.get(keepsake_url(keepsake)))
    fields = {"caption": "Newer", "focus": [0.5, 0.5], "others": "Ada"}
    change_keepsake(keepsake, fields, memory=other, by=case.patient)
    sent = {**older, **keepsake_form(keepsake, caption="Mine", spot="0", kind="object")}
    refused = patient.post(keepsake_url(keepsake), sent)
    assert refused.status_code == 409
    assert '<p class="conflict-now">Newer</p>' in text_of(refused)
    assert '<p class="conflict-now">middle</p>' in text_of(refused)
    now = Keepsake.objects.get()
    assert (now.read().caption, now.read().others, now.memory, now.kind) == ("Newer", "Ada", other, "photo")
    chosen = {**sent, **hidden_in(refused), "caption-choice": "mine", "spot-choice": "now"}
    # The page showed what nobody edited here as it is now, so a browser sends it so.
    chosen |= {"others": "Ada", "memory": str(other.pk)}
    assert patient.post(keepsake_url(keepsake), chosen).status_code == 302
    now = Keepsake.objects.get()
    assert (now.read().caption, now.read().others, now.memory, now.kind) == ("Mine", "Ada", other, "object")
    assert now.read().focus == [0.5, 0.5]


def test_w2_the_exact_spot_that_the_script_sends_back_is_no_change(patient: Client, case: Case) -> None:
    keepsake = make_keepsake(make_memory(case))
    change_keepsake(keepsake, {"focus": [0.125, 0.3]}, memory=keepsake.memory, by=case.patient)
    older = hidden_in(patient.get(keepsake_url(keepsake)))
    change_keepsake(keepsake, {"focus": [0.2, 0.2]}, memory=keepsake.memory, by=case.patient)
    untouched = keepsake_form(keepsake, spot="0", focus_x="12.50", focus_y="30.00")
    assert patient.post(keepsake_url(keepsake), {**older, **untouched}).status_code == 302
    assert Keepsake.objects.get().read().focus == [0.2, 0.2]
    tapped = keepsake_form(keepsake, spot="0", focus_x="10.00", focus_y="10.00")
    refused = patient.post(keepsake_url(keepsake), {**older, **tapped})
    assert refused.status_code == 409, "tapped elsewhere in the same area is a change"
    assert 'data-x="10.00"' in text_of(refused), "the page shows what was tapped"
    chosen = {**tapped, **hidden_in(refused), "spot-choice": "mine"}
    assert patient.post(keepsake_url(keepsake), chosen).status_code == 302
    assert Keepsake.objects.get().read().focus == [0.1, 0.1]


def test_w2_no_memory_is_made_for_a_change_that_is_refused(patient: Client, case: Case) -> None:
    keepsake = make_keepsake(make_memory(case))
    older = hidden_in(patient.get(keepsake_url(keepsake)))
    change_keepsake(keepsake, {"caption": "Newer"}, memory=keepsake.memory, by=case.patient)
    sent = keepsake_form(keepsake, caption="Mine", memory="new", **{"new-title": "New", "new-intensity": "3"})
    answer = patient.post(keepsake_url(keepsake), {**older, **sent})
    assert answer.status_code == 409
    assert 'value="New"' in text_of(answer)
    assert Memory.objects.count() == 1


# --- Intake and chapters ---


def stored_answers(case: Case) -> dict[str, Any]:
    return Case.objects.get(pk=case.pk).read().answers


def test_w2_two_devices_on_one_step_of_the_intake(patient: Client, case: Case) -> None:
    url = f"{reverse('patients:intake')}?step=hope"
    older = hidden_in(patient.get(url))
    edit(patient, url, {"hope": "Sleep.", "fear": ""})
    assert patient.post(url, {**older, "hope": "", "fear": "The dark."}).status_code == 302
    assert stored_answers(case) == {"hope": "Sleep.", "fear": "The dark."}
    refused = patient.post(url, {**older, "hope": "Peace.", "fear": "The dark."})
    assert refused.status_code == 409
    assert "You changed it yourself in another window, " in text_of(refused)
    assert '<p class="conflict-now">Sleep.</p>' in text_of(refused)
    assert stored_answers(case)["hope"] == "Sleep."
    chosen = {**hidden_in(refused), "hope": "Peace. Sleep.", "fear": "The dark.", "hope-choice": "mine"}
    assert patient.post(url, chosen).status_code == 302
    assert stored_answers(case) == {"hope": "Peace. Sleep.", "fear": "The dark."}


SPANS = [{"name": f"C{n}", "color": "none", "from": f"200{n}-01-01", "to": f"200{n}-12-31"} for n in range(6)]


def intake_chapters(spans: list[dict[str, str]], **typed: str) -> dict[str, str]:
    """What the step of the chapters sends for the first four of `spans`, with `typed`."""
    data = {}
    for n, span in enumerate(spans[:4], start=1):
        data |= {f"{part}_{n}": span[part] for part in ("name", "color", "from", "to")}
    for n in range(len(spans) + 1, 5):
        data |= {f"name_{n}": "", f"color_{n}": "none", f"from_{n}": "", f"to_{n}": ""}
    return data | typed


def test_w2_chapters_the_clinic_named_meanwhile_stay(patient: Client, case: Case) -> None:
    url = f"{reverse('patients:intake')}?step=chapters"
    name_chapters(case, SPANS[:5], by=case.patient)
    older = hidden_in(patient.get(url))
    name_chapters(case, SPANS, by=case.patient)
    assert patient.post(url, {**older, **intake_chapters(SPANS, name_1="Mine")}).status_code == 302
    names = [span["name"] for span in Case.objects.get(pk=case.pk).read().chapters]
    assert names == ["Mine", "C1", "C2", "C3", "C4", "C5"], "more than the form has room for"


def test_w2_a_chapter_that_took_the_place_of_another_is_a_conflict(patient: Client, case: Case) -> None:
    url = f"{reverse('patients:intake')}?step=chapters"
    name_chapters(case, SPANS[1:2], by=case.patient)
    older = hidden_in(patient.get(url))
    name_chapters(case, SPANS[:2], by=case.patient)
    refused = patient.post(url, {**older, **intake_chapters(SPANS[1:2], color_1="red")})
    assert refused.status_code == 409, "its color is that of another chapter now"
    assert Case.objects.get(pk=case.pk).read().chapters == SPANS[:2]


def mapping_chapters(*spans: dict[str, str]) -> dict[str, str]:
    data = {"chapters-TOTAL_FORMS": str(len(spans)), "chapters-INITIAL_FORMS": "0"}
    for n, span in enumerate(spans):
        parts = {"name": span["name"], "color": "", "first": span["from"], "last": span["to"]}
        data |= {f"chapters-{n}-{part}": value for part, value in parts.items()}
    return data


@pytest.mark.parametrize(("choice", "names"), [("mine", ["C1"]), ("now", ["C0"])])
def test_w2_chapters_on_the_mapping_page_are_not_overwritten_unseen(
    doctor: Client, case: Case, choice: str, names: list[str]
) -> None:
    url = reverse("patients:map-chapters", args=[case.pk])
    older = hidden_in(doctor.get(mapping_url(case)), url)
    untouched = mapping_chapters()
    name_chapters(case, SPANS[:1], by=case.patient)
    assert doctor.post(url, {**older, **untouched}).status_code == 302
    assert Case.objects.get(pk=case.pk).read().chapters == SPANS[:1], "an untouched page takes nothing away"
    for sent in ({**older, **mapping_chapters(SPANS[1])}, mapping_chapters(SPANS[1])):
        refused = doctor.post(url, sent)
        assert refused.status_code == 409
        assert CHANGED in text_of(refused)
        assert f"{case.patient.name} changed it, " in text_of(refused)
        assert "C0: 1 Jan 2000 – 31 Dec 2000" in text_of(refused)
        assert 'value="C1"' in text_of(refused)
        assert Case.objects.get(pk=case.pk).read().chapters == SPANS[:1]
    again = {**mapping_chapters(SPANS[1]), "chapters-based_on": hidden_in(refused, url)["chapters-based_on"]}
    assert doctor.post(url, again).status_code == 409, "pressing twice is no choice"
    assert doctor.post(url, {**again, "chapters-choice": choice}).status_code == 302
    assert [span["name"] for span in Case.objects.get(pk=case.pk).read().chapters] == names


def test_w2_chapters_typed_for_a_locked_map_are_shown(doctor: Client, case: Case) -> None:
    url = reverse("patients:map-chapters", args=[case.pk])
    older = hidden_in(doctor.get(mapping_url(case)), url)
    lock(case)
    answer = doctor.post(url, {**older, **mapping_chapters(SPANS[1])})
    assert answer.status_code == 409
    assert "The map is locked." in text_of(answer)
    assert "C1" in text_of(answer)


# --- Roles ---


def test_w2_two_administrators_on_one_account() -> None:
    boss, other = make_user(Role.ADMINISTRATOR), make_user(Role.ADMINISTRATOR, name="Anna Clerk")
    person = make_user(Role.TECHNICIAN)
    url = reverse("person", args=[person.pk])
    client = client_of(boss)
    older = hidden_in(client.get(url))
    edit(client_of(other), url, {"do": "roles", "roles": ["technician", "doctor"]})
    refused = client.post(url, {**older, "do": "roles", "roles": ["receptionist"]})
    assert refused.status_code == 409
    assert "Anna Clerk changed it, " in text_of(refused)
    assert '<p class="conflict-now">technician, doctor</p>' in text_of(refused)
    assert set(User.objects.get(pk=person.pk).roles) == {Role.TECHNICIAN, Role.DOCTOR}
    untouched = client.post(url, {**older, "do": "roles", "roles": ["technician"]})
    assert untouched.status_code == 302, "an older page that changes nothing takes nothing away"
    assert set(User.objects.get(pk=person.pk).roles) == {Role.TECHNICIAN, Role.DOCTOR}
    chosen = {**hidden_in(refused), "do": "roles", "roles": ["receptionist"], "roles-choice": "mine"}
    assert client.post(url, chosen).status_code == 302
    assert set(User.objects.get(pk=person.pk).roles) == {Role.RECEPTIONIST}


# --- Decisions on what a page showed ---


@pytest.mark.parametrize("headers", [{}, HTMX])
@pytest.mark.parametrize("decision", ["accept", "return"])
def test_w2_a_review_decides_on_what_it_showed(
    doctor: Client, case: Case, decision: str, headers: dict[str, str]
) -> None:
    keepsake = make_keepsake(make_memory(case))
    Keepsake.objects.update(review="waiting")
    url = reverse("patients:review-decide", args=[case.pk, keepsake.pk])
    older = hidden_in(doctor.get(reverse("patients:review", args=[case.pk])), url)
    change_keepsake(keepsake, {"caption": "Newer"}, memory=keepsake.memory, by=case.patient)
    sent = {**older, "decision": decision, "reason": "Too dark."}
    for tried in (sent, {**sent, "seen": ""}):
        refused = doctor.post(url, tried, headers=headers)
        assert refused.status_code == 409
        assert "It is shown now as it is." in text_of(refused)
        assert "Newer" in text_of(refused)
        assert ("Too dark." in text_of(refused)) is True, "what was typed stays"
        assert Keepsake.objects.get().review == "waiting"
    sent["seen"] = hidden_in(refused, url)["seen"]
    assert doctor.post(url, sent, headers=headers).status_code in {200, 302}
    assert Keepsake.objects.get().review == {"accept": "accepted", "return": "returned"}[decision]


def test_w2_two_reviewers_of_one_keepsake(doctor: Client, case: Case) -> None:
    keepsake = make_keepsake(make_memory(case))
    Keepsake.objects.update(review="waiting")
    url = reverse("patients:review-decide", args=[case.pk, keepsake.pk])
    older = hidden_in(doctor.get(reverse("patients:review", args=[case.pk])), url)
    return_keepsake(keepsake, "Too dark.", by=make_user(Role.DOCTOR))
    refused = doctor.post(url, {**older, "decision": "accept"}, headers=HTMX)
    assert (refused.status_code, "Too dark." in text_of(refused)) == (409, True)
    assert Keepsake.objects.get().read().returned_because == "Too dark."


def test_w2_the_rest_leaves_out_what_was_changed_since_the_page_was_made(case: Case) -> None:
    one, other, third = (make_keepsake(make_memory(case)) for _ in range(3))
    Keepsake.objects.update(review="waiting")
    by = make_user(Role.DOCTOR)
    seen = timezone.now()
    change_keepsake(one, {"caption": "Newer"}, memory=one.memory, by=case.patient)
    return_keepsake(other, "Too dark.", by=by)
    change_keepsake(other, {"caption": "Better"}, memory=other.memory, by=case.patient)
    assert accept_rest(case, seen_until=seen, by=by) == 1
    assert {row.pk: row.review for row in Keepsake.objects.all()} == {
        one.pk: "waiting",
        other.pk: "waiting",
        third.pk: "accepted",
    }


def test_w2_a_witness_confirms_only_the_outcome_that_the_page_named(case: Case) -> None:
    thing = make_other(make_memory(case), "object")
    first, second = make_user(Role.RECEPTIONIST), make_user(Role.RECEPTIONIST)
    receive(thing, "B-14", by=first)
    end(thing, "returned", by=first)
    client, url = client_of(second), reverse("patients:custody-change", args=[case.pk, thing.pk])
    older = hidden_in(client.get(reverse("patients:custody", args=[case.pk])), url)
    contradict(thing, by=make_user(Role.RECEPTIONIST))
    end(thing, "returned", by=make_user(Role.RECEPTIONIST))
    for sent in (older, {}):
        refused = client.post(url, {**sent, "do": "witness"})
        assert refused.status_code == 409
        assert "It is shown now as it is." in text_of(refused)
    assert Custody.objects.get().state == "ending"
    assert client.post(url, {**hidden_in(refused, url), "do": "witness"}).status_code == 302
    assert Custody.objects.get().state == "returned"


@pytest.mark.parametrize("headers", [{}, {"HX-Request": "true"}])
def test_w2_a_request_is_answered_as_the_page_showed_it(headers: dict[str, str]) -> None:
    desk, other = make_user(Role.RECEPTIONIST), make_user(Role.RECEPTIONIST)
    row = make_request()
    client, url = client_of(desk), reverse("patients:request-decide", args=[row.pk])
    older = hidden_in(client.get(reverse("patients:requests")), url)
    decide(row, "hold", reason="", by=other, base="http://testserver/")
    for sent in (older, {}):
        refused = client.post(url, {**sent, "decision": "decline", "reason": "We are full."}, headers=headers)
        assert refused.status_code == 409
        assert "It is shown now as it is." in text_of(refused)
        assert "We are full." in text_of(refused)
    assert AppointmentRequest.objects.get().state == "held"
    sent = {**hidden_in(refused, url), "decision": "decline", "reason": "We are full."}
    assert client.post(url, sent, headers=headers).status_code in {200, 302}
    assert AppointmentRequest.objects.get().state == "declined"


def test_w2_a_keepsake_is_placed_from_where_the_page_showed_it(doctor: Client, case: Case) -> None:
    memory, other = make_memory(case, "The ice"), make_memory(case, "The sea")
    keepsake = make_keepsake(memory)
    url = reverse("patients:map-place", args=[case.pk, keepsake.pk])
    older = hidden_in(doctor.get(mapping_url(case, keepsake.pk)), url)
    place_keepsake(keepsake, other, by=case.patient)
    for sent in (older, {}):
        refused = doctor.post(url, {**sent, "title": "A third"})
        assert refused.status_code == 409
        assert "Somebody has placed it meanwhile." in text_of(refused)
        assert 'value="A third"' in text_of(refused)
    assert Keepsake.objects.get().memory == other
    remove_memory(memory, by=case.patient)
    sent = {**hidden_in(refused, url), "memory": str(memory.pk)}
    answer = doctor.post(url, sent)
    assert (answer.status_code, "That memory is not in this file." in text_of(answer)) == (409, True)
    with pytest.raises(CannotChange, match="That memory is not in this file"):
        place_keepsake(keepsake, memory, by=case.patient)


def test_w2_a_map_is_locked_as_the_page_showed_it(doctor: Client, case: Case) -> None:
    memory = make_memory(case, "The ice")
    make_keepsake(memory)
    url = reverse("patients:map-lock", args=[case.pk])
    older = hidden_in(doctor.get(mapping_url(case)), url)
    write_memory(case, {"story": "Newer words"}, {}, memory=memory, by=case.patient)
    for sent in (older, {}):
        answer = doctor.post(url, sent, follow=True)
        assert "The map has changed since you opened this page." in text_of(answer)
        assert Case.objects.get(pk=case.pk).map_is_open
    doctor.post(url, hidden_in(doctor.get(mapping_url(case)), url))
    assert not Case.objects.get(pk=case.pk).map_is_open


# --- At the same moment ---


def send_at_once(*sends: Callable[[], HttpResponse]) -> list[int]:
    """Send all at the same moment. Return the status codes, sorted."""
    return sorted(answer.status_code for answer in at_once(*sends)[0])


def prepare_post(user: User, url: str, **typed: Any) -> Callable[[], HttpResponse]:
    """Open a page as `user`, type into it, and return a function that posts it."""
    client = client_of(user)
    sent = {**hidden_in(client.get(url)), **typed}
    return lambda: client.post(url.partition("?at")[0], sent)


ROUNDS = 4


@pytest.mark.django_db(transaction=True)
def test_w2_of_two_who_send_one_field_at_the_same_moment_one_is_asked() -> None:
    for _ in range(ROUNDS):
        cache.clear()
        case = make_case()
        memory = make_memory(case, "The ice")
        doctor = make_user(Role.DOCTOR)
        before = Entry.objects.filter(action="memory.changed").count()
        statuses = send_at_once(
            prepare_post(case.patient, memory_url(memory), **{**PORTAL_FORM, "title": "One"}),
            prepare_post(doctor, mapping_url(case, memory.pk), **{**MAPPING_FORM, "title": "Other"}),
        )
        assert statuses == [302, 409]
        assert Memory.objects.get(pk=memory.pk).read().title in {"One", "Other"}
        assert Entry.objects.filter(action="memory.changed").count() == before + 1


@pytest.mark.django_db(transaction=True)
def test_w2_of_two_who_send_different_fields_at_the_same_moment_both_are_saved() -> None:
    for _ in range(ROUNDS):
        cache.clear()
        case = make_case()
        memory = make_memory(case, "The ice")
        statuses = send_at_once(
            prepare_post(case.patient, memory_url(memory), **{**PORTAL_FORM, "story": "One"}),
            prepare_post(
                make_user(Role.DOCTOR), mapping_url(case, memory.pk), **{**MAPPING_FORM, "reaction": "Other"}
            ),
            prepare_post(case.patient, memory_url(memory), **{**PORTAL_FORM, "place": "Montauk"}),
        )
        assert statuses == [302, 302, 302]
        fields = Memory.objects.get(pk=memory.pk).read()
        assert (fields.story, fields.reaction, fields.place) == ("One", "Other", "Montauk")


@pytest.mark.django_db(transaction=True)
def test_w2_of_two_devices_at_the_same_moment_no_answer_is_lost() -> None:
    url = f"{reverse('patients:intake')}?step=hope"
    for _ in range(ROUNDS):
        cache.clear()
        case = make_case()
        statuses = send_at_once(
            prepare_post(case.patient, url, hope="Sleep.", fear=""),
            prepare_post(case.patient, url, hope="", fear="The dark."),
        )
        assert statuses == [302, 302]
        assert stored_answers(case) == {"hope": "Sleep.", "fear": "The dark."}
        statuses = send_at_once(
            prepare_post(case.patient, url, hope="One.", fear="The dark."),
            prepare_post(case.patient, url, hope="Other.", fear="The dark."),
        )
        assert statuses == [302, 409]


@pytest.mark.django_db(transaction=True)
def test_w2_of_two_windows_on_a_keepsake_at_the_same_moment_one_is_asked() -> None:
    for _ in range(ROUNDS):
        cache.clear()
        case = make_case()
        keepsake = make_keepsake(make_memory(case))
        statuses = send_at_once(
            prepare_post(case.patient, keepsake_url(keepsake), **keepsake_form(keepsake, caption="One")),
            prepare_post(case.patient, keepsake_url(keepsake), **keepsake_form(keepsake, caption="Other")),
            prepare_post(case.patient, keepsake_url(keepsake), **keepsake_form(keepsake, others="Ada")),
        )
        assert statuses == [302, 302, 409]
        now = Keepsake.objects.get(pk=keepsake.pk).read()
        assert now.others == "Ada"
        assert now.caption in {"One", "Other"}


@pytest.mark.django_db(transaction=True)
def test_w2_of_two_administrators_at_the_same_moment_one_is_asked() -> None:
    for _ in range(ROUNDS):
        cache.clear()
        person = make_user(Role.TECHNICIAN)
        url = reverse("person", args=[person.pk])
        statuses = send_at_once(
            prepare_post(make_user(Role.ADMINISTRATOR), url, do="roles", roles=["doctor"]),
            prepare_post(make_user(Role.ADMINISTRATOR), url, do="roles", roles=["receptionist"]),
        )
        assert statuses == [302, 409]
        assert len(User.objects.get(pk=person.pk).roles) == 1


@pytest.mark.django_db(transaction=True)
def test_w2_a_draft_is_compared_with_what_it_was_typed_on(
    patient: Client, doctor: Client, case: Case
) -> None:
    """The page that shows a draft does not show newer words, so saving it must not replace them."""
    memory = make_memory(case, "The ice")
    typed = {**PORTAL_FORM, "title": "My title", "story": "My story"}
    page = hidden_in(patient.get(memory_url(memory)))
    assert patient.post(f"/drafts/memory:{memory.pk}/", {**page, **typed}).status_code == 200
    on_mapping_page = hidden_in(doctor.get(mapping_url(case, memory.pk)))
    assert (
        doctor.post(
            mapping_url(case), {**on_mapping_page, **MAPPING_FORM, "title": "Their title"}
        ).status_code
        == 302
    )
    drafted = patient.get(memory_url(memory))
    assert 'value="My title"' in text_of(drafted)
    refused = patient.post(memory_url(memory), {**hidden_in(drafted), **typed})
    assert refused.status_code == 409
    assert '<p class="conflict-now">Their title</p>' in text_of(refused)
    memory.refresh_from_db()
    assert (memory.read().title, memory.read().story) == ("Their title", "The story of The ice.")


@pytest.mark.django_db(transaction=True)
def test_w2_a_draft_of_chapters_is_compared_with_what_it_was_typed_on(doctor: Client, case: Case) -> None:
    typed = {"chapters-0-name": "Mine", "chapters-0-color": "green"}
    typed |= {"chapters-0-first": "2003-01-01", "chapters-0-last": "2003-02-01"}
    typed |= {"chapters-TOTAL_FORMS": "2", "chapters-INITIAL_FORMS": "0"}
    save = reverse("patients:map-chapters", args=[case.pk])
    page = hidden_in(doctor.get(mapping_url(case)), save)
    assert doctor.post(f"/drafts/chapters:{case.pk}/", {**page, **typed}).status_code == 200
    span = {"name": "Theirs", "color": "none", "from": "2001-01-01", "to": "2001-02-01"}
    name_chapters(case, [span], by=make_user(Role.DOCTOR))
    drafted = doctor.get(mapping_url(case))
    assert 'value="Mine"' in text_of(drafted)
    assert doctor.post(save, {**hidden_in(drafted, save), **typed}).status_code == 409
    case.refresh_from_db()
    assert [one["name"] for one in case.read().chapters] == ["Theirs"]
