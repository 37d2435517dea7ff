"""The audit page: its lines, filters, search, verification and export, and what it conceals."""

import base64
import hashlib
import json
from datetime import UTC, datetime
from html import unescape
from uuid import UUID

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils.html import strip_tags

from clinic.access.denials import record_denial
from clinic.access.policy import Decision
from clinic.accounts.models import Role, User
from clinic.audit import merkle, triggers
from clinic.audit.actions import ACTIONS
from clinic.audit.checkpoints import checkpoint, public_key, verify_note
from clinic.audit.models import Entry, TreeHead
from clinic.audit.record import Act
from clinic.oversight import views
from patients.cases.models import Case
from tests.clinic.audit.factories import a_log, an_act, write
from tests.factories import make_case, make_run, make_user

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("guarded")]


@pytest.fixture
def auditor() -> User:
    return User.objects.create_user("keeper@example.com", name="Audrey Keeper", roles=(Role.AUDITOR,))


@pytest.fixture
def reader(client: Client, auditor: User) -> Client:
    client.force_login(auditor)
    return client


def numbers(reader: Client, query: str = "") -> list[int]:
    """The indexes of the entries that the page lists."""
    response = reader.get(f"/audit/{query}")
    assert response.status_code == 200
    return [line.index for line in response.context["lines"]]


def text(content: bytes) -> str:
    """The words of a page, without tags."""
    return " ".join(unescape(strip_tags(content.decode())).split())


def write_entry_at(index: int, when: datetime, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("clinic.audit.record.timezone.now", lambda: when)
    (entry,) = write(an_act(index))
    assert entry.index == index


def test_entries_are_listed_newest_first_and_in_pages(
    reader: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(views, "PAGE_SIZE", 3)
    a_log(7)
    assert numbers(reader) == [6, 5, 4]
    response = reader.get("/audit/?what=test.done")
    assert response.context["older"] == "what=test.done&before=4"
    assert numbers(reader, "?" + response.context["older"]) == [3, 2, 1]
    assert numbers(reader, "?before=1") == [0]
    assert 'rel="next"' not in reader.get("/audit/?before=1").content.decode()
    assert numbers(reader, "?before=0") == []


@pytest.mark.parametrize("before", ["x", "-1", "9" * 30, "²", "1;drop"])
def test_an_invalid_page_number_shows_the_first_page(reader: Client, before: str) -> None:
    a_log(1)
    assert numbers(reader, f"?before={before}") == [0]


def test_a_line_shows_actor_action_subject_and_details(reader: Client, auditor: User) -> None:
    mary = User.objects.create_user("mary@example.com", name="Mary Svevo")
    case = Case.objects.create(patient=mary, reference="2004-0219")
    act = Act(
        "test.destroyed",
        f"user:{mary.pk}",
        f"user:{auditor.pk}",
        case=case.pk,
        details={"bytes": 4182334, "copies_left": 0},
        reason="<b>asked</b> for it",
        address="192.0.2.1",
    )
    (entry,) = write(act)
    content = reader.get("/audit/").content
    digest = bytes(entry.leaf).hex()
    line = text(content[content.index(b"<tbody") : content.index(b"</tbody")])
    assert line.startswith("0 ")
    assert "Audrey Keeper 192.0.2.1 [ ] Something destroyed Mary Svevo, file 2004-0219" in line
    assert "bytes 4182334, copies left 0" in line
    assert f"{digest[:4]} {digest[4:8]} {digest[8:12]}" in line
    assert b"&lt;b&gt;asked&lt;/b&gt; for it" in content


def test_entries_of_removed_users_and_actions_are_still_shown(
    reader: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(Act("test.done", "step:3f8c9a52-5d0e-4b36-9df0-0d9a44ab64c1", f"user:{UUID(int=7)}"))
    monkeypatch.delitem(ACTIONS, "test.done")
    content = reader.get("/audit/").content
    line = text(content[content.index(b"<tbody") : content.index(b"</tbody")])
    assert "user 00000000 test.done step 3f8c9a52" in line


def test_the_number_of_queries_does_not_depend_on_the_number_of_lines(reader: Client) -> None:
    counted = []
    for number in range(3):
        person = User.objects.create_user(f"p{number}@example.com", name=f"Person {number}")
        case = Case.objects.create(patient=person)
        write(Act("test.done", f"case:{case.pk}", f"user:{person.pk}", case=case.pk))
        with CaptureQueriesContext(connection) as queries:
            assert len(numbers(reader)) == number + 1
        counted.append(len(queries))
    assert counted[0] == counted[2]


def test_filters_by_person_and_action(reader: Client, auditor: User, monkeypatch: pytest.MonkeyPatch) -> None:
    write(Act("test.done", "step:1", "system:supervisor"))
    write(Act("test.destroyed", "step:2", f"user:{auditor.pk}"))
    write(Act("test.done", "step:3", "visitor"))
    assert numbers(reader, "?who=system") == [0]
    assert numbers(reader, f"?who=user:{auditor.pk}") == [1]
    assert numbers(reader, "?who=visitor") == [2]
    assert numbers(reader, "?what=test.destroyed") == [1]
    assert numbers(reader, "?what=test.done&who=visitor") == [2]
    assert "No entry is like this." in text(reader.get("/audit/?who=visitor&what=test.destroyed").content)


def test_days_are_in_the_time_zone_of_the_clinic(reader: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    # New York: 13 February 2004 ended at 05:00 UTC on the 14th.
    write_entry_at(0, datetime(2004, 2, 14, 4, 59, 59, tzinfo=UTC), monkeypatch)
    write_entry_at(1, datetime(2004, 2, 14, 5, 0, 0, tzinfo=UTC), monkeypatch)
    monkeypatch.undo()
    assert numbers(reader, "?until=2004-02-13") == [0]
    assert numbers(reader, "?since=2004-02-14") == [1]
    assert numbers(reader, "?since=2004-02-13&until=2004-02-14") == [1, 0]


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("since=yesterday", "From Write the day as year-month-day, for example 2026-02-14."),
        ("until=2004-02-31", "To Write the day as year-month-day, for example 2026-02-14."),
        ("since=0001-01-01", "From No entry can be from that year."),
        ("until=9999-12-31", "To No entry can be from that year."),
        ("since=2004-02-14&until=2004-02-13", "To This day is before the first one."),
        ("who=user:x", "Who Select a valid choice."),
        ("what=drop", "What Select a valid choice."),
        ("find=%00", "Find Null characters are not allowed."),
        ("find=" + "x" * 101, "Find Ensure this value has at most 100 characters"),
    ],
)
def test_an_invalid_filter_is_explained(reader: Client, query: str, sentence: str) -> None:
    a_log(1)
    response = reader.get(f"/audit/?{query}")
    assert response.status_code == 422
    assert sentence in text(response.content)
    assert response.context["lines"] == []


def test_find_searches_numbers_names_references_ids_and_hashes(reader: Client, auditor: User) -> None:
    joel = User.objects.create_user("joel@example.com", name="Joel Barish", roles=(Role.PATIENT,))
    stan = User.objects.create_user("stan@example.com", name="Stan Fink", roles=(Role.TECHNICIAN,))
    case = Case.objects.create(patient=joel, reference="2004-0219")
    run = UUID("3f8c9a52-5d0e-4b36-9df0-0d9a44ab64c1")
    entries = [
        *write(Act("test.done", f"run:{run}", "system:worker", run=run)),
        *write(Act("test.done", "step:1", "system:worker", case=case.pk)),
        *write(Act("test.done", "step:77", f"user:{joel.pk}")),
        *write(Act("test.done", "step:78", f"user:{stan.pk}")),
    ]
    assert numbers(reader, "?find=2") == [2]
    assert numbers(reader, "?find=%5B77%5D") == [2]
    assert numbers(reader, "?find=fink") == [3]
    assert numbers(reader, "?find=barish") == []
    assert numbers(reader, "?find=2004-0219") == [1]
    assert numbers(reader, f"?find={run}") == [0]
    assert numbers(reader, f"?find={case.pk}") == [1]
    assert numbers(reader, f"?find={str(joel.pk).upper()}") == [2]
    assert numbers(reader, "?find=step:77") == [2]
    digest = bytes(entries[1].leaf).hex()
    assert numbers(reader, f"?find={digest[:4]}+{digest[4:8]}+{digest[8:12]}") == [1]
    assert numbers(reader, f"?find={digest}") == [1]
    assert numbers(reader, f"?find={digest}00") == []
    assert numbers(reader, "?find=" + "9" * 40) == []
    assert numbers(reader, "?find=Clementine%25'--") == []


@pytest.mark.parametrize("role", [Role.AUDITOR, Role.ADMINISTRATOR])
def test_the_log_shows_no_patient_names_and_hides_that_a_colleague_is_a_patient(
    client: Client, role: str
) -> None:
    client.force_login(User.objects.create_user("keeper@example.com", name="Audrey Keeper", roles=(role,)))
    joel = User.objects.create_user("joel@example.com", name="Joel Barish", roles=(Role.PATIENT,))
    mary = User.objects.create_user(
        "mary@example.com", name="Mary Svevo", roles=(Role.RECEPTIONIST, Role.PATIENT)
    )
    own, other = Case.objects.create(patient=mary), Case.objects.create(patient=joel)
    mary_id = f"user:{mary.pk}"
    write(
        Act("test.done", "step:0", mary_id, case=other.pk),
        Act("person.joined", mary_id, mary_id, details={"role": "receptionist"}),
        Act("person.joined", mary_id, mary_id, details={"role": "patient"}),
        Act("test.done", "step:3", mary_id, case=own.pk),
        Act("access.denied", "url:patients:case", mary_id, case=own.pk, details={"because": "conflict"}),
        Act("test.done", "step:5", f"user:{joel.pk}", case=other.pk),
        Act("person.joined", f"user:{joel.pk}", f"user:{joel.pk}", details={"role": "patient"}),
    )
    lines = {line.index: (line.who, line.subject) for line in client.get("/audit/").context["lines"]}
    assert lines == {
        0: ("Mary Svevo", "step 0"),
        1: ("Mary Svevo", "Mary Svevo"),
        2: ("Patient", "Patient"),
        3: ("Patient", "step 3"),
        4: ("Withheld", "url patients:case"),
        5: ("Patient", "step 5"),
        6: ("Patient", "Patient"),
    }
    for query in (f"who=user:{mary.pk}", "find=svevo", f"find={mary.pk}", f"find=user:{mary.pk}"):
        assert set(numbers(client, f"?{query}")) <= {0, 1}
    assert numbers(client, "?find=barish") == []
    exported = client.post("/audit/export/", {"reason": "yearly review"}).content
    indexes = [json.loads(line).get("index") for line in exported.splitlines()]
    assert [index for index in indexes if index is not None] == [0, 1, 5, 6]
    for name in ("Barish", "joel@", "mary@"):
        assert name.encode() not in exported
        assert name not in client.get("/audit/").content.decode()


@pytest.mark.parametrize("argument", ["case", "memory", "keepsake", "picture", "run", "procedure"])
def test_z9_an_auditor_does_not_see_denials_about_their_own_case(
    reader: Client, auditor: User, argument: str
) -> None:
    run = make_run(memories=1)
    case = run.procedure.case
    keepsake = case.keepsakes.get()
    ids = {
        "case": case.pk,
        "memory": keepsake.memory_id,
        "keepsake": keepsake.pk,
        "picture": keepsake.picture_id,
        "run": run.pk,
        "procedure": run.procedure_id,
    }
    decision = Decision(False, 403, "role")
    record_denial(make_user(Role.RECEPTIONIST), "some-page", {argument: ids[argument]}, "GET", decision)
    assert numbers(reader, "?what=access.denied") != []
    Case.objects.filter(pk=case.pk).update(patient=auditor)
    assert numbers(reader, "?what=access.denied") == []


def test_z9_an_auditor_sees_no_entries_of_a_case_whose_subject_they_are(
    reader: Client, auditor: User
) -> None:
    case = make_case(subject_name="audrey  KEEPER")
    write(Act("test.done", "step:1", "system:worker", case=case.pk))
    assert numbers(reader) == []


def test_z9_an_auditor_sees_no_entries_of_their_own_case(reader: Client, auditor: User) -> None:
    joel = User.objects.create_user("joel@example.com", name="Joel Barish")
    own = Case.objects.create(patient=auditor)
    other = Case.objects.create(patient=joel)
    write(Act("test.done", "step:1", "system:worker", case=own.pk))
    write(Act("test.done", "step:2", "system:worker", case=other.pk))
    write(Act("test.done", "step:3", "system:worker"))
    assert numbers(reader) == [2, 1]
    assert numbers(reader, "?find=0") == []
    exported = reader.post("/audit/export/", {"reason": "yearly review"}).content
    assert str(own.pk).encode() not in exported
    assert str(other.pk).encode() in exported


def test_htmx_requests_get_only_the_table(reader: Client) -> None:
    a_log(1)
    response = reader.get("/audit/", headers={"HX-Request": "true"})
    assert response.content.decode().lstrip().startswith('<section id="log"')
    assert "HX-Request" in response["Vary"]
    whole = reader.get("/audit/")
    assert "<html" in whole.content.decode()
    back = reader.get("/audit/", headers={"HX-Request": "true", "HX-History-Restore-Request": "true"})
    assert "<html" in back.content.decode()


def test_the_page_states_the_latest_checkpoint(reader: Client) -> None:
    assert "0 entries. No checkpoint has left the house yet." in text(reader.get("/audit/").content)
    a_log(2)
    row = checkpoint("test")
    write(an_act(2))
    root = bytes(row.root).hex()
    words = text(reader.get("/audit/").content)
    assert f"over 2 entries, root {root[:4]} {root[4:8]} {root[8:12]}. 1 entry since." in words


@pytest.mark.parametrize("headers", [{}, {"HX-Request": "true"}])
def test_verify_now_shows_the_result_and_is_recorded(
    reader: Client, auditor: User, headers: dict[str, str]
) -> None:
    a_log(3)
    checkpoint("test")
    response = reader.post("/audit/verify/", headers=headers)
    assert "The log is whole. 3 entries checked at" in text(response.content)
    assert ("<html" in response.content.decode()) is not bool(headers)
    entry = Entry.objects.get(action="audit.verified")
    assert (entry.actor, entry.index, entry.address) == (f"user:{auditor.pk}", 3, "127.0.0.1")
    assert entry.details["size"] == 3
    assert entry.details["checkpoints"] == 1


def test_verify_now_lists_the_problems(reader: Client) -> None:
    a_log(3)
    triggers.uninstall(connection)
    Entry.objects.filter(index=1).update(reason="because")
    triggers.install(connection)
    words = text(reader.post("/audit/verify/").content)
    assert "The log is not whole. Entry 1 was changed" in words
    assert "cannot even take an entry" not in words
    assert Entry.objects.get(action="audit.broken").details["problems"] == 2


def test_a_log_that_accepts_no_entry_can_still_be_verified(reader: Client) -> None:
    a_log(3)
    TreeHead.objects.update(frontier=[])
    words = text(reader.post("/audit/verify/").content)
    assert "The log is not whole. The log's head contradicts itself." in words
    assert "The log cannot even take an entry about this." in words


def test_a_long_log_is_not_verified_on_the_page(reader: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(views, "MOST_TO_VERIFY", 2)
    a_log(3)
    assert "The log is too long to verify while you wait." in text(reader.post("/audit/verify/").content)
    assert Entry.objects.count() == 3


def test_get_requests_write_no_entry(reader: Client) -> None:
    a_log(1)
    reader.get("/audit/?find=1")
    assert Entry.objects.count() == 1
    assert reader.get("/audit/verify/").status_code == 405
    assert reader.get("/audit/export/").status_code == 405
    assert reader.post("/audit/").status_code == 405


def test_an_export_is_signed_and_recorded(reader: Client, auditor: User) -> None:
    entries = a_log(4)
    row = checkpoint("test")
    response = reader.post("/audit/export/", {"reason": "asked by the board", "what": "test.done"})
    body, foot, _end = response.content.rsplit(b"\n", 2)
    head, *lines = body.split(b"\n")
    assert [merkle.leaf_hash(line) for line in lines] == [bytes(entry.leaf) for entry in entries]
    assert json.loads(head)["filters"] == {"what": "test.done"}
    signed = json.loads(foot)
    public_key().verify(base64.b64decode(signed["signature"]), body + b"\n")
    assert signed["sha256"] == hashlib.sha256(body + b"\n").hexdigest()
    assert [verify_note(note, public_key()).size for note in signed["checkpoints"]] == [row.size] == [4]
    assert response["Content-Disposition"].startswith('attachment; filename="audit-')
    assert "no-store" in response["Cache-Control"]
    entry = Entry.objects.last()
    assert entry is not None
    assert (entry.action, entry.reason, entry.actor) == (
        "audit.exported",
        "asked by the board",
        f"user:{auditor.pk}",
    )
    assert entry.details == {"entries": 4, "bytes": len(response.content)}


def test_an_export_does_not_tell_what_was_searched_for(reader: Client) -> None:
    a_log(1)
    response = reader.post("/audit/export/", {"reason": "asked by the board", "find": "Clementine"})
    assert json.loads(response.content.splitlines()[0])["filters"] == {"find": "used"}
    assert b"Clementine" not in response.content


def test_an_export_needs_a_reason_and_an_entry(reader: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    a_log(2)
    response = reader.post("/audit/export/", {"reason": " "})
    assert response.status_code == 422
    assert "This field is required." in text(response.content)
    assert reader.post("/audit/export/", {"reason": "review", "since": "x"}).status_code == 422
    TreeHead.objects.update(frontier=[])
    reader.raise_request_exception = False
    refused = reader.post("/audit/export/", {"reason": "review"})
    assert refused.status_code == 500
    assert b"lacuna-audit-export" not in refused.content


def test_an_export_too_large_is_refused(reader: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(views, "MOST_TO_EXPORT", 1)
    a_log(2)
    response = reader.post("/audit/export/", {"reason": "review"}, follow=True)
    assert "Choose a shorter span of days" in text(response.content)
    assert Entry.objects.count() == 2


def test_b7_staff_are_found_regardless_of_case_and_accents_and_listed_by_name(reader: Client) -> None:
    doctor = (Role.DOCTOR,)
    anh = User.objects.create_user(
        "a@example.com", name="Nguyễn Thị Ánh", family_name_first=True, roles=doctor
    )
    dat = User.objects.create_user("d@example.com", name="Đỗ Văn Đạt", roles=doctor, family_name_first=True)
    for number, actor in enumerate((anh, dat)):
        write(Act("test.done", f"step:{number}", f"user:{actor.pk}"))
    for query, found in {
        "anh": [0],
        "%C3%81NH": [0],
        "nguyen": [0],
        "do": [1],
        "DAT": [1],
        "binh": [],
    }.items():
        assert numbers(reader, f"?find={query}") == found, query
    for language, names in {
        "en": ["Audrey Keeper", "Đỗ Văn Đạt", "Nguyễn Thị Ánh"],
        "vi": ["Nguyễn Thị Ánh", "Audrey Keeper", "Đỗ Văn Đạt"],
    }.items():
        shown = reader.get("/audit/", headers={"accept-language": language}).context["filters"]
        assert [str(label) for _value, label in shown.fields["who"].choices][3:] == names
