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
def page(client: Client, auditor: User) -> Client:
    client.force_login(auditor)
    return client


def numbers(page: Client, query: str = "") -> list[int]:
    """Return the numbers of the entries that the page lists."""
    response = page.get(f"/audit/{query}")
    assert response.status_code == 200
    return [line.index for line in response.context["lines"]]


def text(content: bytes) -> str:
    return " ".join(unescape(strip_tags(content.decode())).split())


def at(index: int, when: datetime, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("clinic.audit.record.timezone.now", lambda: when)
    (entry,) = write(an_act(index))
    assert entry.index == index


def test_entries_are_listed_newest_first_and_in_pages(page: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(views, "LINES", 3)
    a_log(7)
    assert numbers(page) == [6, 5, 4]
    response = page.get("/audit/?what=test.done")
    assert response.context["older"] == "what=test.done&before=4"
    assert numbers(page, "?" + response.context["older"]) == [3, 2, 1]
    assert numbers(page, "?before=1") == [0]
    assert 'rel="next"' not in page.get("/audit/?before=1").content.decode()
    assert numbers(page, "?before=0") == []


@pytest.mark.parametrize("before", ["x", "-1", "9" * 30, "²", "1;drop"])
def test_a_page_that_is_no_number_is_the_first(page: Client, before: str) -> None:
    a_log(1)
    assert numbers(page, f"?before={before}") == [0]


def test_a_line_tells_who_did_what_to_what(page: Client, auditor: User) -> None:
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
    content = page.get("/audit/").content
    digest = bytes(entry.leaf).hex()
    line = text(content[content.index(b"<tbody") : content.index(b"</tbody")])
    assert line.startswith("0 ")
    assert "Audrey Keeper 192.0.2.1 [ ] Something destroyed Mary Svevo, file 2004-0219" in line
    assert "bytes 4182334, copies left 0" in line
    assert f"{digest[:4]} {digest[4:8]} {digest[8:12]}" in line
    assert b"&lt;b&gt;asked&lt;/b&gt; for it" in content


def test_what_nobody_knows_any_more_is_still_told(page: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    write(Act("test.done", "step:3f8c9a52-5d0e-4b36-9df0-0d9a44ab64c1", f"user:{UUID(int=7)}"))
    monkeypatch.delitem(ACTIONS, "test.done")
    content = page.get("/audit/").content
    line = text(content[content.index(b"<tbody") : content.index(b"</tbody")])
    assert "user 00000000 test.done step 3f8c9a52" in line


def test_a_page_costs_the_same_however_many_lines(page: Client) -> None:
    counted = []
    for number in range(3):
        person = User.objects.create_user(f"p{number}@example.com", name=f"Person {number}")
        case = Case.objects.create(patient=person)
        write(Act("test.done", f"case:{case.pk}", f"user:{person.pk}", case=case.pk))
        with CaptureQueriesContext(connection) as queries:
            assert len(numbers(page)) == number + 1
        counted.append(len(queries))
    assert counted[0] == counted[2]


def test_filters(page: Client, auditor: User, monkeypatch: pytest.MonkeyPatch) -> None:
    write(Act("test.done", "step:1", "system:supervisor"))
    write(Act("test.destroyed", "step:2", f"user:{auditor.pk}"))
    write(Act("test.done", "step:3", "visitor"))
    assert numbers(page, "?who=system") == [0]
    assert numbers(page, f"?who=user:{auditor.pk}") == [1]
    assert numbers(page, "?who=visitor") == [2]
    assert numbers(page, "?what=test.destroyed") == [1]
    assert numbers(page, "?what=test.done&who=visitor") == [2]
    assert "No entry is like this." in text(page.get("/audit/?who=visitor&what=test.destroyed").content)


def test_days_are_the_houses_days(page: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    # New York: 13 February 2004 ended at 05:00 UTC on the 14th.
    at(0, datetime(2004, 2, 14, 4, 59, 59, tzinfo=UTC), monkeypatch)
    at(1, datetime(2004, 2, 14, 5, 0, 0, tzinfo=UTC), monkeypatch)
    monkeypatch.undo()
    assert numbers(page, "?until=2004-02-13") == [0]
    assert numbers(page, "?since=2004-02-14") == [1]
    assert numbers(page, "?since=2004-02-13&until=2004-02-14") == [1, 0]


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
def test_what_cannot_be_a_filter_gets_a_sentence(page: Client, query: str, sentence: str) -> None:
    a_log(1)
    response = page.get(f"/audit/?{query}")
    assert response.status_code == 422
    assert sentence in text(response.content)
    assert response.context["lines"] == []


def test_finding(page: Client, auditor: User) -> None:
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
    assert numbers(page, "?find=2") == [2]
    assert numbers(page, "?find=%5B77%5D") == [2]
    assert numbers(page, "?find=fink") == [3]
    assert numbers(page, "?find=barish") == []
    assert numbers(page, "?find=2004-0219") == [1]
    assert numbers(page, f"?find={run}") == [0]
    assert numbers(page, f"?find={case.pk}") == [1]
    assert numbers(page, f"?find={str(joel.pk).upper()}") == [2]
    assert numbers(page, "?find=step:77") == [2]
    digest = bytes(entries[1].leaf).hex()
    assert numbers(page, f"?find={digest[:4]}+{digest[4:8]}+{digest[8:12]}") == [1]
    assert numbers(page, f"?find={digest}") == [1]
    assert numbers(page, f"?find={digest}00") == []
    assert numbers(page, "?find=" + "9" * 40) == []
    assert numbers(page, "?find=Clementine%25'--") == []


@pytest.mark.parametrize("role", [Role.AUDITOR, Role.ADMINISTRATOR])
def test_the_log_names_no_patient_and_tells_of_no_colleague_who_is_one(client: Client, role: str) -> None:
    client.force_login(User.objects.create_user("keeper@example.com", name="Audrey Keeper", roles=(role,)))
    joel = User.objects.create_user("joel@example.com", name="Joel Barish", roles=(Role.PATIENT,))
    mary = User.objects.create_user(
        "mary@example.com", name="Mary Svevo", roles=(Role.RECEPTIONIST, Role.PATIENT)
    )
    own, other = Case.objects.create(patient=mary), Case.objects.create(patient=joel)
    me = f"user:{mary.pk}"
    write(
        Act("test.done", "step:0", me, case=other.pk),
        Act("person.joined", me, me, details={"role": "receptionist"}),
        Act("person.joined", me, me, details={"role": "patient"}),
        Act("test.done", "step:3", me, case=own.pk),
        Act("access.denied", "url:patients:case", me, case=own.pk, details={"because": "conflict"}),
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
    for asked in (f"who=user:{mary.pk}", "find=svevo", f"find={mary.pk}", f"find=user:{mary.pk}"):
        assert set(numbers(client, f"?{asked}")) <= {0, 1}
    assert numbers(client, "?find=barish") == []
    exported = client.post("/audit/export/", {"reason": "yearly review"}).content
    kept = [json.loads(line).get("index") for line in exported.splitlines()]
    assert [index for index in kept if index is not None] == [0, 1, 5, 6]
    for name in ("Barish", "joel@", "mary@"):
        assert name.encode() not in exported
        assert name not in client.get("/audit/").content.decode()


@pytest.mark.parametrize("keyword", ["case", "memory", "keepsake", "picture", "run", "procedure"])
def test_z9_an_auditor_reads_no_denial_of_their_own_case(page: Client, auditor: User, keyword: str) -> None:
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
    record_denial(make_user(Role.RECEPTIONIST), "some-page", {keyword: ids[keyword]}, "GET", decision)
    assert numbers(page, "?what=access.denied") != []
    Case.objects.filter(pk=case.pk).update(patient=auditor)
    assert numbers(page, "?what=access.denied") == []


def test_z9_an_auditor_reads_nothing_of_a_case_about_themselves(page: Client, auditor: User) -> None:
    case = make_case(subject_name="audrey  KEEPER")
    write(Act("test.done", "step:1", "system:worker", case=case.pk))
    assert numbers(page) == []


def test_z9_nobody_audits_their_own_case(page: Client, auditor: User) -> None:
    joel = User.objects.create_user("joel@example.com", name="Joel Barish")
    own = Case.objects.create(patient=auditor)
    other = Case.objects.create(patient=joel)
    write(Act("test.done", "step:1", "system:worker", case=own.pk))
    write(Act("test.done", "step:2", "system:worker", case=other.pk))
    write(Act("test.done", "step:3", "system:worker"))
    assert numbers(page) == [2, 1]
    assert numbers(page, "?find=0") == []
    exported = page.post("/audit/export/", {"reason": "yearly review"}).content
    assert str(own.pk).encode() not in exported
    assert str(other.pk).encode() in exported


def test_htmx_swaps_the_table_alone(page: Client) -> None:
    a_log(1)
    response = page.get("/audit/", headers={"HX-Request": "true"})
    assert response.content.decode().lstrip().startswith('<section id="log"')
    assert "HX-Request" in response["Vary"]
    whole = page.get("/audit/")
    assert "<html" in whole.content.decode()
    back = page.get("/audit/", headers={"HX-Request": "true", "HX-History-Restore-Request": "true"})
    assert "<html" in back.content.decode()


def test_the_page_states_the_latest_checkpoint(page: Client) -> None:
    assert "0 entries. No checkpoint has left the house yet." in text(page.get("/audit/").content)
    a_log(2)
    row = checkpoint("test")
    write(an_act(2))
    root = bytes(row.root).hex()
    words = text(page.get("/audit/").content)
    assert f"over 2 entries, root {root[:4]} {root[4:8]} {root[8:12]}. 1 entry since." in words


@pytest.mark.parametrize("headers", [{}, {"HX-Request": "true"}])
def test_verify_now_says_so_and_is_recorded(page: Client, auditor: User, headers: dict[str, str]) -> None:
    a_log(3)
    checkpoint("test")
    response = page.post("/audit/verify/", headers=headers)
    assert "The log is whole. 3 entries checked at" in text(response.content)
    assert ("<html" in response.content.decode()) is not bool(headers)
    entry = Entry.objects.get(action="audit.verified")
    assert (entry.actor, entry.index, entry.address) == (f"user:{auditor.pk}", 3, "127.0.0.1")
    assert entry.details["size"] == 3
    assert entry.details["checkpoints"] == 1


def test_verify_now_says_what_is_wrong(page: Client) -> None:
    a_log(3)
    triggers.uninstall(connection)
    Entry.objects.filter(index=1).update(reason="because")
    triggers.install(connection)
    words = text(page.post("/audit/verify/").content)
    assert "The log is not whole. Entry 1 was changed" in words
    assert "cannot even take an entry" not in words
    assert Entry.objects.get(action="audit.broken").details["problems"] == 2


def test_a_log_too_broken_to_take_an_entry_still_gets_its_verdict(page: Client) -> None:
    a_log(3)
    TreeHead.objects.update(frontier=[])
    words = text(page.post("/audit/verify/").content)
    assert "The log is not whole. The log's head contradicts itself." in words
    assert "The log cannot even take an entry about this." in words


def test_a_long_log_is_left_to_the_command(page: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(views, "MOST_TO_VERIFY", 2)
    a_log(3)
    assert "The log is too long to verify while you wait." in text(page.post("/audit/verify/").content)
    assert Entry.objects.count() == 3


def test_reading_writes_nothing(page: Client) -> None:
    a_log(1)
    page.get("/audit/?find=1")
    assert Entry.objects.count() == 1
    assert page.get("/audit/verify/").status_code == 405
    assert page.get("/audit/export/").status_code == 405
    assert page.post("/audit/").status_code == 405


def test_an_export_proves_itself_and_is_recorded(page: Client, auditor: User) -> None:
    entries = a_log(4)
    row = checkpoint("test")
    response = page.post("/audit/export/", {"reason": "asked by the board", "what": "test.done"})
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


def test_no_export_without_a_reason_or_an_entry(page: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    a_log(2)
    response = page.post("/audit/export/", {"reason": " "})
    assert response.status_code == 422
    assert "This field is required." in text(response.content)
    assert page.post("/audit/export/", {"reason": "review", "since": "x"}).status_code == 422
    TreeHead.objects.update(frontier=[])
    page.raise_request_exception = False
    refused = page.post("/audit/export/", {"reason": "review"})
    assert refused.status_code == 500
    assert b"lacuna-audit-export" not in refused.content


def test_an_export_too_large_is_refused(page: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(views, "MOST_TO_EXPORT", 1)
    a_log(2)
    response = page.post("/audit/export/", {"reason": "review"}, follow=True)
    assert "Choose a shorter span of days" in text(response.content)
    assert Entry.objects.count() == 2
