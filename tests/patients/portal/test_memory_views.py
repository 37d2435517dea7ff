"""The patient's pages of their memories."""

import dataclasses

import pytest
from django.test import Client

from clinic.audit.models import Entry
from patients.cases.models import Case
from patients.keepsakes.removal import keepsake_mark, memory_mark
from patients.memories.models import Memory, MemoryLink
from patients.memories.writing import links_of
from patients.vault.configured import key_store
from tests.edits import edit, hidden_in
from tests.factories import make_case, make_keepsake, make_memory

pytestmark = pytest.mark.django_db

NEW = "/me/memories/new/"


@pytest.fixture
def case() -> Case:
    return make_case(reviewed=False)


@pytest.fixture
def patient(client: Client, case: Case) -> Client:
    client.force_login(case.patient)
    return client


def url_of(memory: Memory) -> str:
    return f"/me/memories/{memory.pk}/"


def test_a_memory_is_created_and_linked(patient: Client, case: Case) -> None:
    other = make_memory(case, "The train", "2003-02-01")
    answer = patient.post(
        NEW,
        {
            "title": "The ice",
            "when": "Feb 2003",
            "place": "Charles River",
            "people": "Clem, , Joel",
            "intensity": "10",
            "story": "We lay down on it.",
            "links": [str(other.pk)],
        },
    )
    assert answer.status_code == 302
    memory = Memory.objects.exclude(pk=other.pk).get()
    fields = memory.read()
    assert dataclasses.asdict(fields) == {
        "title": "The ice",
        "when": "Feb 2003",
        "day": "2003-02-15",
        "place": "Charles River",
        "people": ["Clem", "Joel"],
        "story": "We lay down on it.",
        "reaction": "",
    }
    assert (memory.intensity, memory.zone, memory.fate) == (10, Memory.Zone.MAP, Memory.Fate.TARGET)
    assert links_of(memory) == {other.pk}
    assert memory.pk in set(key_store().ids())
    assert list(Entry.objects.filter(case=case.pk).order_by("index").values_list("action", flat=True)) == [
        "map.linked",
        "memory.made",
    ]


def test_a_memory_needs_no_grade_and_can_lose_it(patient: Client, case: Case) -> None:
    assert patient.post(NEW, {"title": "The ice", "intensity": ""}).status_code == 302
    memory = Memory.objects.get()
    assert memory.intensity is None
    for grade, stored in (("0", 0), ("7", 7), ("", None)):
        edit(patient, url_of(memory), {"title": "The ice", "intensity": grade})
        memory.refresh_from_db()
        assert memory.intensity == stored


def test_a_memory_is_changed_protected_and_unlinked(patient: Client, case: Case) -> None:
    memory, other, third = (make_memory(case, title) for title in ("The ice", "The train", "The sea"))
    memory.write(dataclasses.replace(memory.read(), reaction="She laughed."))
    memory.save()
    a, b = sorted((memory.pk, other.pk), key=lambda key: key.hex)
    MemoryLink.objects.create(a_id=a, b_id=b)
    shown = patient.get(url_of(memory)).content.decode()
    assert "The ice" in shown
    assert shown.count("checked") == 2  # the intensity and the link
    post = {"title": "The frozen river", "intensity": "3", "keep": "on", "links": [str(third.pk)]}
    assert edit(patient, url_of(memory), post).status_code == 302
    memory.refresh_from_db()
    assert (memory.read().title, memory.read().reaction) == ("The frozen river", "She laughed.")
    assert (memory.intensity, memory.fate, links_of(memory)) == (3, Memory.Fate.PROTECTED, {third.pk})
    actions = list(Entry.objects.order_by("index").values_list("action", flat=True))
    assert actions == ["map.linked", "map.unlinked", "memory.changed", "memory.kept"]
    edit(patient, url_of(memory), {"title": "The frozen river", "intensity": "3", "childhood": "on"})
    memory.refresh_from_db()
    assert (memory.zone, memory.fate) == (Memory.Zone.CHILDHOOD, Memory.Fate.TARGET)
    assert Entry.objects.filter(action="memory.released").count() == 1


@pytest.mark.parametrize(
    ("post", "message"),
    [
        ({"title": ""}, "What is it?"),
        ({"when": "whenever"}, "We could not read that date"),
        ({"when": "mùa hè"}, "Which year was that? Please write it too, as in “mùa hè 2004”."),
        ({"when": "05-06-2003"}, "That could be 5 Jun 2003 or 6 May 2003"),
        ({"when": "3/4/2003"}, "That could be 3 Apr 2003 or 4 Mar 2003"),
        ({"intensity": "11"}, "How strong is it today?"),
        ({"story": "x" * 4001}, "What happened?"),
        ({"links": "nonsense"}, "Which other memories"),
    ],
)
def test_invalid_values_are_explained_and_what_was_typed_stays(
    patient: Client, case: Case, post: dict[str, str], message: str
) -> None:
    make_memory(case)
    answer = patient.post(NEW, {"title": "The ice", "intensity": "5", "place": "Charles River", **post})
    shown = answer.content.decode()
    assert answer.status_code == 422
    summary = shown[shown.index("error-summary") : shown.index("</form", shown.index("error-summary"))]
    assert message in summary
    assert "Charles River" in shown
    assert Memory.objects.filter(case=case).count() == 1


def test_a_memory_cannot_be_linked_to_another_case(patient: Client, case: Case) -> None:
    make_memory(case)
    other = make_memory(make_case(), "Secret elsewhere")
    answer = patient.post(NEW, {"title": "The ice", "intensity": "5", "links": [str(other.pk)]})
    assert answer.status_code == 422
    assert "Secret elsewhere" not in answer.content.decode()
    assert not MemoryLink.objects.exists()


def test_an_empty_memory_can_be_removed_and_its_key_is_destroyed(patient: Client, case: Case) -> None:
    memory = make_memory(case)
    keepsake = make_keepsake(memory)
    seen = {"seen": memory_mark(memory)}
    answer = patient.post(f"{url_of(memory)}remove/", seen, follow=True)
    assert "Take its keepsakes out of it first." in answer.content.decode()
    patient.post(f"/me/keepsakes/{keepsake.pk}/remove/", {"seen": keepsake_mark(keepsake)})
    seen = hidden_in(patient.get(url_of(memory)), f"{url_of(memory)}remove/")
    assert patient.post(f"{url_of(memory)}remove/", seen).status_code == 302
    assert not Memory.objects.exists()
    assert memory.pk not in set(key_store().ids())
    assert patient.get(url_of(memory)).status_code == 404


def test_with_a_locked_map_memories_cannot_be_changed(patient: Client, case: Case) -> None:
    memory = make_memory(case, "The ice")
    Case.objects.filter(pk=case.pk).update(stage=Case.Stage.MAPPED)
    assert "<textarea" not in patient.get(url_of(memory)).content.decode()
    assert patient.post(url_of(memory), {"title": "Other", "intensity": "1"}).status_code == 409
    assert patient.post(NEW, {"title": "Other", "intensity": "1"}).status_code == 422
    assert [row.read().title for row in Memory.objects.all()] == ["The ice"]


def test_erased_memories_and_closed_cases_are_not_found(patient: Client, case: Case) -> None:
    erased, other = make_memory(case, fate=Memory.Fate.ERASED), make_memory(case)
    key_store().destroy(erased.pk)
    assert patient.get(url_of(erased)).status_code == 404
    assert patient.post(url_of(erased), {"title": "Back", "intensity": "1"}).status_code == 410
    key_store().destroy(other.pk)
    assert patient.get(url_of(other)).status_code == 404
    Case.objects.filter(pk=case.pk).update(stage=Case.Stage.CLOSED)
    third = make_memory(case)
    for url in (url_of(third), NEW):
        assert patient.get(url).url == "/me/"


def test_other_patients_have_no_access(client: Client, case: Case) -> None:
    memory = make_memory(case)
    client.force_login(make_case().patient)
    assert client.get(url_of(memory)).status_code == 404
    assert client.post(url_of(memory), {"title": "Mine", "intensity": "1"}).status_code == 404
    assert client.post(f"{url_of(memory)}remove/").status_code == 404
