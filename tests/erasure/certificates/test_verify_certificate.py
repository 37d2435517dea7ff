"""What a stranger finds out, far from the clinic: the verifier in an empty folder, and ways to cheat it."""

import ast
import base64
import hashlib
import json
import sys
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from django.conf import settings
from django.test import Client
from hypothesis import HealthCheck, given
from hypothesis import settings as effort
from hypothesis import strategies as st

from clinic.audit import merkle
from clinic.audit.checkpoints import (
    checkpoint,
    public_key,
    read_note,
    signing_key,
    verifier_key,
    write_note,
)
from clinic.audit.models import Entry
from erasure.certificates import verify_certificate as offline
from erasure.certificates.models import Certificate
from tests.erasure.certificates.proofs import VERIFIER, changed, ended, export, run_alone, take

pytestmark = pytest.mark.django_db(transaction=True)


def codes(findings: list[offline.Finding], *, holds: bool | None = False) -> list[str]:
    """The codes of the findings that hold, do not, or could not be checked."""
    return [finding.code for finding in findings if finding.holds is holds]


def house_key() -> offline.Key:
    return offline.read_key(verifier_key())


def checked(file: bytes, key: offline.Key | None = None) -> list[offline.Finding]:
    return offline.check_certificate(offline.read_certificate(file), key or house_key())


def signed(says: dict[str, Any], key: Ed25519PrivateKey | None = None) -> bytes:
    """A certificate that a dishonest house signs."""
    text = offline.canonical(says)
    signature = base64.b64encode((key or signing_key()).sign(text)).decode()
    return json.dumps({"statement": text.decode(), "signature": signature}).encode()


def statement(file: bytes) -> dict[str, Any]:
    says: dict[str, Any] = json.loads(json.loads(file)["statement"])
    return says


def test_it_needs_nothing_but_cryptography() -> None:
    tree = ast.parse(VERIFIER.read_text())
    names = {
        name.split(".")[0]
        for node in ast.walk(tree)
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }
    assert names - set(sys.stdlib_module_names) == {"cryptography"}
    assert not names & {"socket", "urllib", "http", "ssl"}


def test_a_stranger_checks_a_certificate_in_an_empty_folder(client: Client, tmp_path: Path) -> None:
    file = take(client, ended())
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    (folder / "certificate.json").write_bytes(file)
    said = run_alone(folder, "certificate.json", "--key", verifier_key())
    assert (said.returncode, said.stderr) == (0, "")
    assert (
        "holds     Destroyed memories that have their entry in the log, with the same figures: 2."
        in said.stdout
    )
    assert "holds     The log says that the run ended as the certificate does: complete." in said.stdout
    assert said.stdout.endswith("Everything that could be checked holds.\n")
    for word in ("Clementine", "Kruczynski", "Zanzibar", "Joel"):
        assert word not in said.stdout

    (folder / "certificate.json").write_bytes(changed(file, outcome="partial"))
    said = run_alone(folder, "certificate.json", "--key", verifier_key())
    assert said.returncode == 1
    assert "DOES NOT  The signature does NOT belong to this text and this key." in said.stdout

    (folder / "certificate.json").write_bytes(b'{"statement": 3}')
    said = run_alone(folder, "certificate.json")
    assert (said.returncode, said.stdout) == (2, "")
    assert said.stderr.startswith("This cannot be checked: ")
    assert run_alone(folder, "no-such-file").returncode == 2


def test_without_a_key_it_says_what_that_leaves_open(client: Client, tmp_path: Path) -> None:
    (tmp_path / "certificate.json").write_bytes(take(client, ended()))
    said = run_alone(tmp_path, "certificate.json")
    assert said.returncode == 0
    assert "unknown   You gave no key." in said.stdout


def test_a_statement_with_its_detached_signature_and_a_pem_key(client: Client, tmp_path: Path) -> None:
    run = ended()
    (tmp_path / "statement.json").write_bytes(take(client, run, "statement"))
    (tmp_path / "raw.sig").write_bytes(base64.b64decode(take(client, run, "signature")))
    pem = public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    (tmp_path / "key.pem").write_bytes(pem)
    asked = ["statement.json", "--signature", "raw.sig", "--key", "key.pem"]
    assert run_alone(tmp_path, *asked, "--origin", settings.LACUNA_LOG_ORIGIN).returncode == 0
    assert run_alone(tmp_path, *asked, "--origin", "lacuna.example/another").returncode == 1
    assert run_alone(tmp_path, "statement.json").returncode == 2


def test_with_the_log_the_certificates_own_entry_is_found(client: Client, tmp_path: Path) -> None:
    run = ended()
    (tmp_path / "certificate.json").write_bytes(take(client, run))
    (tmp_path / "log.jsonl").write_bytes(export(client))
    asked = ["certificate.json", "--key", verifier_key(), "--log", "log.jsonl"]
    said = run_alone(tmp_path, *asked)
    entry = Entry.objects.get(action="certificate.issued")
    assert f"That this very certificate was issued is entry {entry.index} of the log." in said.stdout
    assert said.returncode == 0
    other = ended()
    (tmp_path / "certificate.json").write_bytes(take(client, other))
    said = run_alone(tmp_path, *asked)  # the log was exported before that one was issued
    assert said.returncode == 1
    assert "The log you gave has NO entry that this certificate was issued." in said.stdout


def test_the_proofs_are_those_that_the_site_makes(client: Client) -> None:
    """Two programs: what merkle.py proves, the offline file confirms, and the other way round."""
    says = statement(take(client, ended()))
    note = read_note(says["log"]["checkpoint"])
    assert len(says["log"]["entries"]) > 4
    for one in says["log"]["entries"]:
        path = [bytes.fromhex(says["log"]["hashes"][step]) for step in one["proof"]]
        leaf = merkle.leaf_hash(one["text"].encode())
        assert merkle.verify_inclusion(leaf, one["index"], note.size, path, note.root)
        assert offline.included(leaf, one["index"], note.size, path, note.root)
        assert not offline.included(leaf, one["index"] + 1, note.size, path, note.root)


def test_a_certificate_carries_no_address_and_nobodys_reasons(client: Client) -> None:
    says = statement(take(client, ended(kept=True)))
    entries = [json.loads(one["text"]) for one in says["log"]["entries"]]
    assert {entry["actor"].partition(":")[0] for entry in entries} == {"system"}
    assert {(entry["address"], entry["reason"]) for entry in entries} == {("", "")}
    assert len(says["log"]["entries-not-shown"]) == 1  # the doctor's own act, by its number alone


# --- A house that signs what is not so ---------------------------------------------------------------------
def more(says: dict[str, Any], name: str, **fields: Any) -> dict[str, Any]:
    first, *rest = says[name]
    return says | {name: [first | fields, *rest]}


@pytest.mark.parametrize(
    ("lie", "code"),
    [
        (lambda says: more(says, "destroyed", bytes=1), "destroyed-not"),
        (lambda says: more(says, "destroyed", objects=99), "destroyed-not"),
        (lambda says: more(says, "destroyed", step="00000000-0000-0000-0000-000000000000"), "destroyed-not"),
        (lambda says: more(says, "destroyed", entry=0), "destroyed-not"),
        (lambda says: says | {"destroyed": says["destroyed"][:1] * 2}, "destroyed-not"),
        (lambda says: says | {"destroyed": says["destroyed"][:1]}, "destroyed-more"),
        (lambda says: says | {"outcome": "partial"}, "outcome-not"),
        (lambda says: says | {"verification": {"result": "found"}}, "verified-not"),
        (lambda says: says | {"run": "00000000-0000-0000-0000-000000000000"}, "entry-foreign"),
        (lambda says: says | {"log": more(says["log"], "entries", proof=[])}, "entry-not"),
        (
            lambda says: says | {"log": says["log"] | {"checkpoint": write_note(21, bytes(32))}},
            "entry-not",
        ),
    ],
)
def test_a_signed_lie_is_found_by_the_log(client: Client, lie: Any, code: str) -> None:
    file = take(client, ended())
    assert codes(checked(signed(statement(file)))) == []
    assert code in codes(checked(signed(lie(statement(file)))))


def test_another_key_signs_nothing_for_this_house(client: Client) -> None:
    file, stranger = take(client, ended()), Ed25519PrivateKey.generate()
    assert codes(checked(signed(statement(file), stranger))) == ["signature-not"]
    # Nor does it help to put the stranger's key into the statement: whoever has the true one is not fooled.
    says = statement(file)
    forged = offline.Key(says["log"]["origin"], stranger.public_key())
    says["log"]["verifier-key"] = str(forged)
    assert codes(checked(signed(says, stranger))) == ["signature-not"]
    assert codes(offline.check_certificate(offline.read_certificate(signed(says, stranger)), None)) == [
        "checkpoint-not"
    ]


def test_swapped_signatures_of_two_certificates(client: Client) -> None:
    one, other = json.loads(take(client, ended())), json.loads(take(client, ended()))
    one["signature"], other["signature"] = other["signature"], one["signature"]
    for file in (one, other):
        assert codes(checked(json.dumps(file).encode())) == ["signature-not"]


def test_certificates_of_before_are_still_checked(client: Client) -> None:
    """Version 1 wrote each proof out; such papers are in people's hands."""
    says = statement(take(client, ended()))
    log = says["log"]
    for one in log["entries"]:
        one["proof"] = [log["hashes"][step] for step in one["proof"]]
    del log["hashes"], log["entries-not-shown"]
    assert codes(checked(signed(says | {"version": 1}))) == []


def test_checkpoints_from_outside_are_compared(client: Client, tmp_path: Path) -> None:
    run = ended()
    (tmp_path / "certificate.json").write_bytes(take(client, run))
    own = statement((tmp_path / "certificate.json").read_bytes())["log"]["checkpoint"]
    size = read_note(own).size
    notes = {
        "same": own,
        "earlier": write_note(1, bytes(32)),
        "another": write_note(size, bytes(32)),
        "later": checkpoint("later").note,
    }
    for name, note in notes.items():
        (tmp_path / name).write_text(note)
    asked = ["certificate.json", "--key", verifier_key(), "--checkpoint"]
    assert run_alone(tmp_path, *asked, "same").returncode == 0
    for name in ("earlier", "later"):
        said = run_alone(tmp_path, *asked, name)
        assert (said.returncode, "give the exported log too" in said.stdout) == (0, True)
    said = run_alone(tmp_path, *asked, "another")
    assert (said.returncode, "is NOT a beginning of this one" in said.stdout) == (1, True)


# --- What is no certificate --------------------------------------------------------------------------------
HOSTILE = [
    b"",
    b"null",
    b"[]",
    b"{}",
    b"\xff\xfe",
    b"[" * 100_000,
    b'{"statement": "[]", "signature": "AA=="}',
    b'{"statement": "\\ud800", "signature": "AA=="}',
    b'{"statement": {"type": 1}, "signature": 2}',
    b'{"type": "lacuna.certificate-of-erasure"}',
    b'{"a": 1, "a": 2}',
    b'{"a": NaN}',
    b'{"a": 1e400}',
    b"9" * 10_000,
]


@pytest.mark.parametrize("file", HOSTILE, ids=range(len(HOSTILE)))
def test_what_is_no_certificate_is_said_to_be_none(file: bytes) -> None:
    with pytest.raises(offline.Unreadable):
        offline.read_certificate(file)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@effort(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_signed_statement_of_any_shape_is_checked_or_refused(data: st.DataObject) -> None:
    """Whatever stands in the fields: a finding or Unreadable, never another error."""
    note = write_note(3, bytes(32))
    entry = {"index": 1, "text": '{"index":1,"run":"r"}', "proof": [0]}
    says: dict[str, Any] = {
        "type": "lacuna.certificate-of-erasure",
        "run": "r",
        "outcome": "complete",
        "destroyed": [{"step": "s", "objects": 1, "bytes": 1, "passes": 1, "entry": 1}],
        "verification": {"result": "clean"},
        "log": {
            "checkpoint": note,
            "verifier-key": verifier_key(),
            "hashes": ["00" * 32],
            "entries": [entry],
        },
    }
    places: list[dict[str, Any]] = [says, says["destroyed"][0], says["log"], entry, says["verification"]]
    place = data.draw(st.sampled_from(places))
    field = data.draw(st.sampled_from(sorted(place)))
    place[field] = data.draw(JSON)
    try:
        file = signed(says)
        found = checked(file)
    except (offline.Unreadable, UnicodeEncodeError):
        return
    assert found


def test_the_same_bytes_are_served(client: Client) -> None:
    answer = client.get("/v/verify_certificate.py")
    assert (answer.status_code, answer.content) == (200, VERIFIER.read_bytes())
    assert answer["Content-Disposition"] == 'attachment; filename="verify_certificate.py"'
    assert client.get("/v/key.txt").content.decode() == f"{verifier_key()}\n"


def test_the_certificates_number_is_its_digests(client: Client) -> None:
    made = Certificate.objects.get(run=ended())
    assert made.digest == hashlib.sha256(made.body.encode()).hexdigest()
    assert Certificate.objects.numbered(f" {made.number[:4]} {made.number[4:]} ") == made
    for wrong in (made.number[:23], made.number[::-1], f"{made.number}%", ""):
        assert Certificate.objects.numbered(wrong) is None
