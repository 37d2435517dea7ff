"""Comparing two checkpoints: whether the log of the smaller one is a prefix of the log of the larger one."""

from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils.html import strip_tags

from clinic.accounts.models import Role, User
from clinic.audit import merkle
from clinic.audit.checkpoints import NoteInvalid, checkpoint, write_note
from clinic.audit.compare import HOLDS, NOT_OURS, OTHER_ROOTS, compare
from clinic.audit.models import Checkpoint, Entry
from tests.clinic.audit.factories import a_log, an_act, write
from tests.clinic.audit.test_verify import rewrite_log

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("guarded")]


def a_signed_log(*sizes: int) -> list[Checkpoint]:
    """Write a log and sign a checkpoint at each of `sizes`."""
    rows, written = [], 0
    for size in sizes:
        for number in range(written, size):
            write(an_act(number))
        rows.append(checkpoint("test"))
        written = size
    return rows


def test_any_two_checkpoints_are_consistent_by_rfc_9162() -> None:
    rows = a_signed_log(0, 1, 2, 7, 8, 13)
    proved = 0
    for one in rows:
        for other in rows:
            found = compare(one.note, other.note)
            assert (found.holds, found.says) == (True, HOLDS)
            assert (found.old.size, found.new.size) == tuple(sorted((one.size, other.size)))
            if 0 < found.old.size < found.new.size:
                nodes = [bytes.fromhex(node) for node in found.proof]
                old, new = found.old, found.new
                assert merkle.verify_consistency(old.size, new.size, nodes, old.root, new.root)
                proved += 1
    assert proved == 2 * 10  # each pair of the five that are not empty, in both orders


def test_two_checkpoints_of_one_size_with_different_roots_are_inconsistent() -> None:
    (row,) = a_signed_log(3)
    found = compare(row.note, write_note(3, bytes(32)))
    assert (found.holds, found.says) == (False, OTHER_ROOTS)


@pytest.mark.parametrize("size", [0, 2])
def test_a_checkpoint_whose_root_the_log_never_had_is_not_ours(size: int) -> None:
    (row,) = a_signed_log(5)
    found = compare(write_note(size, bytes(32)), row.note)
    assert (found.holds, found.says) == (False, NOT_OURS)


def test_checkpoints_of_a_rewritten_log_are_inconsistent() -> None:
    early, late = a_signed_log(3, 6)
    entries = list(Entry.objects.all())
    entries[1].reason = "because"
    rewrite_log(entries)
    write(an_act(6))
    for one, other in ((early, late), (early, checkpoint("after")), (late, checkpoint("after"))):
        found = compare(one.note, other.note)
        assert (found.holds, found.says) == (False, NOT_OURS)


def test_a_note_without_our_signature_is_refused() -> None:
    (row,) = a_signed_log(2)
    with pytest.raises(NoteInvalid):
        compare(row.note.replace("\n2\n", "\n3\n"), row.note)


def test_the_command_prints_the_proof(tmp_path: Path) -> None:
    early, late = a_signed_log(3, 7)
    (tmp_path / "mine.note").write_text(early.note)
    out = StringIO()
    call_command("verify_audit", between=[str(tmp_path / "mine.note"), "7"], stdout=out)
    lines = out.getvalue().splitlines()
    assert lines[1] == f"Checkpoint: 3 entries, root {bytes(early.root).hex()}"
    assert lines[-1] == HOLDS
    assert [line[:7] for line in lines[3:-1]] == ["Proof: "] * len(compare(early.note, late.note).proof)
    (tmp_path / "other.note").write_text(write_note(3, bytes(32)))
    with pytest.raises(CommandError, match="it was rewritten"):
        call_command("verify_audit", between=[str(tmp_path / "other.note"), "7"], stdout=out)
    with pytest.raises(CommandError, match="no such file"):
        call_command("verify_audit", between=["99", "7"], stdout=out)
    (tmp_path / "none.note").write_text("nothing")
    with pytest.raises(CommandError, match="no checkpoint of this log: this is no signed note"):
        call_command("verify_audit", between=[str(tmp_path / "none.note"), "7"], stdout=out)


@pytest.fixture
def auditor(client: Client) -> Client:
    client.force_login(User.objects.create_user("keeper@example.com", name="Keeper", roles=(Role.AUDITOR,)))
    return client


def text(content: bytes) -> str:
    return " ".join(strip_tags(content.decode()).split())


@pytest.mark.parametrize("headers", [{}, {"HX-Request": "true"}])
def test_the_page_compares_two_of_our_checkpoints_and_records_it(
    auditor: Client, headers: dict[str, str]
) -> None:
    early, late = a_signed_log(3, 7)
    response = auditor.post("/audit/compare/", {"older": late.pk, "newer": early.pk}, headers=headers)
    assert response.status_code == 200
    assert str(HOLDS) in text(response.content)
    assert bytes(early.root).hex() in response.content.decode()
    assert (b"<html" in response.content) is not bool(headers)
    entry = Entry.objects.last()
    assert entry is not None
    assert (entry.action, entry.details) == ("audit.compared", {"old": 3, "new": 7, "holds": True})


def test_the_page_compares_a_pasted_checkpoint(auditor: Client) -> None:
    early, late = a_signed_log(3, 7)
    pasted = early.note.replace("\n", "\r\n")
    response = auditor.post("/audit/compare/", {"note": pasted, "newer": late.pk})
    assert str(HOLDS) in text(response.content)
    response = auditor.post("/audit/compare/", {"note": write_note(3, bytes(32)), "newer": late.pk})
    assert str(NOT_OURS) in text(response.content)
    assert 'notice--alarm" tabindex="-1" autofocus' in response.content.decode()


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        ({}, "Choose a checkpoint, or paste one."),
        ({"note": "nonsense"}, "This is no checkpoint of this log: this is no signed note."),
        ({"older": "99"}, "Select a valid choice."),
        ({"note": "x" * 5000}, "at most 4000 characters"),
        ({"note": "\0"}, "Null characters are not allowed."),
    ],
)
def test_invalid_input_on_the_page_is_explained(auditor: Client, data: dict[str, str], sentence: str) -> None:
    (row,) = a_signed_log(3)
    size = Entry.objects.count()
    response = auditor.post("/audit/compare/", {"newer": row.pk} | data)
    assert response.status_code == 422
    assert sentence in text(response.content)
    assert Entry.objects.count() == size


def test_the_page_works_without_a_checkpoint(auditor: Client) -> None:
    a_log(1)
    assert auditor.get("/audit/").status_code == 200
    assert auditor.post("/audit/compare/", {}).status_code == 422
