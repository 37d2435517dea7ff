"""The offline verifier, run in an empty directory, and attempts to cheat it."""

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
from tests.erasure.certificates.proofs import (
    VERIFIER,
    download,
    ended_run,
    export,
    run_verifier,
    with_changed_fields,
)

pytestmark = pytest.mark.django_db(transaction=True)


def codes(findings: list[offline.Finding], *, holds: bool | None = False) -> list[str]:
    """Codes of findings. holds: True for those that hold, False for those that do not, None for unknown."""
    return [finding.code for finding in findings if finding.holds is holds]


def clinic_key() -> offline.Key:
    return offline.read_key(verifier_key())


def findings_of(file: bytes, key: offline.Key | None = None) -> list[offline.Finding]:
    return offline.check_certificate(offline.read_certificate(file), key or clinic_key())


def signed(says: dict[str, Any], key: Ed25519PrivateKey | None = None) -> bytes:
    """A certificate with this statement, signed as a dishonest clinic could do."""
    text = offline.canonical(says)
    signature = base64.b64encode((key or signing_key()).sign(text)).decode()
    return json.dumps({"statement": text.decode(), "signature": signature}).encode()


def statement(file: bytes) -> dict[str, Any]:
    says: dict[str, Any] = json.loads(json.loads(file)["statement"])
    return says


def test_the_verifier_imports_only_the_standard_library_and_cryptography() -> None:
    tree = ast.parse(VERIFIER.read_text())
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add((node.module or "").split(".")[0])
    assert names - set(sys.stdlib_module_names) == {"cryptography"}
    assert not names & {"socket", "urllib", "http", "ssl"}


def test_a_stranger_checks_a_certificate_in_an_empty_folder(client: Client, tmp_path: Path) -> None:
    file = download(client, ended_run())
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    (folder / "certificate.json").write_bytes(file)
    result = run_verifier(folder, "certificate.json", "--key", verifier_key())
    assert (result.returncode, result.stderr) == (0, "")
    assert (
        "holds     Destroyed memories that have their entry in the log, with the same figures: 2."
        in result.stdout
    )
    assert "holds     The log says that the run ended as the certificate does: complete." in result.stdout
    assert result.stdout.endswith("Everything that could be checked holds.\n")
    for word in ("Clementine", "Kruczynski", "Zanzibar", "Joel"):
        assert word not in result.stdout

    (folder / "certificate.json").write_bytes(with_changed_fields(file, outcome="partial"))
    result = run_verifier(folder, "certificate.json", "--key", verifier_key())
    assert result.returncode == 1
    assert "DOES NOT  The signature does NOT belong to this text and this key." in result.stdout

    (folder / "certificate.json").write_bytes(b'{"statement": 3}')
    result = run_verifier(folder, "certificate.json")
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.startswith("This cannot be checked: ")
    assert run_verifier(folder, "no-such-file").returncode == 2


def test_without_a_key_the_verifier_says_what_is_unknown(client: Client, tmp_path: Path) -> None:
    (tmp_path / "certificate.json").write_bytes(download(client, ended_run()))
    result = run_verifier(tmp_path, "certificate.json")
    assert result.returncode == 0
    assert "unknown   You gave no key." in result.stdout


def test_a_statement_is_checked_with_its_detached_signature_and_a_pem_key(
    client: Client, tmp_path: Path
) -> None:
    run = ended_run()
    (tmp_path / "statement.json").write_bytes(download(client, run, "statement"))
    (tmp_path / "raw.sig").write_bytes(base64.b64decode(download(client, run, "signature")))
    pem = public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    (tmp_path / "key.pem").write_bytes(pem)
    arguments = ["statement.json", "--signature", "raw.sig", "--key", "key.pem"]
    assert run_verifier(tmp_path, *arguments, "--origin", settings.LACUNA_LOG_ORIGIN).returncode == 0
    assert run_verifier(tmp_path, *arguments, "--origin", "lacuna.example/another").returncode == 1
    assert run_verifier(tmp_path, "statement.json").returncode == 2


def test_with_the_log_the_verifier_finds_the_entry_of_the_issue(client: Client, tmp_path: Path) -> None:
    run = ended_run()
    (tmp_path / "certificate.json").write_bytes(download(client, run))
    (tmp_path / "log.jsonl").write_bytes(export(client))
    arguments = ["certificate.json", "--key", verifier_key(), "--log", "log.jsonl"]
    result = run_verifier(tmp_path, *arguments)
    entry = Entry.objects.get(action="certificate.issued")
    assert f"That this very certificate was issued is entry {entry.index} of the log." in result.stdout
    assert result.returncode == 0
    other = ended_run()
    (tmp_path / "certificate.json").write_bytes(download(client, other))
    # The log was exported before the other certificate was issued.
    result = run_verifier(tmp_path, *arguments)
    assert result.returncode == 1
    assert "The log you gave has NO entry that this certificate was issued." in result.stdout


def test_the_verifier_accepts_the_same_proofs_as_the_server(client: Client) -> None:
    """The server's merkle.py and the offline verifier are two programs.

    They accept and refuse the same proofs.
    """
    says = statement(download(client, ended_run()))
    note = read_note(says["log"]["checkpoint"])
    assert len(says["log"]["entries"]) > 4
    for one in says["log"]["entries"]:
        path = [bytes.fromhex(says["log"]["hashes"][step]) for step in one["proof"]]
        leaf = merkle.leaf_hash(one["text"].encode())
        assert merkle.verify_inclusion(leaf, one["index"], note.size, path, note.root)
        assert offline.included(leaf, one["index"], note.size, path, note.root)
        assert not offline.included(leaf, one["index"] + 1, note.size, path, note.root)


def test_a_certificate_contains_no_addresses_and_no_reasons(client: Client) -> None:
    says = statement(download(client, ended_run(kept=True)))
    entries = [json.loads(one["text"]) for one in says["log"]["entries"]]
    assert {entry["actor"].partition(":")[0] for entry in entries} == {"system"}
    assert {(entry["address"], entry["reason"]) for entry in entries} == {("", "")}
    assert len(says["log"]["entries-not-shown"]) == 1  # the doctor's action, of which only the index is shown


# --- A clinic that signs a false statement -----------------------------------------------------------------
def with_changed_first(says: dict[str, Any], name: str, **fields: Any) -> dict[str, Any]:
    """The statement with changed fields in the first item of its list `name`."""
    first, *rest = says[name]
    return says | {name: [first | fields, *rest]}


@pytest.mark.parametrize(
    ("lie", "code"),
    [
        (lambda says: with_changed_first(says, "destroyed", bytes=1), "destroyed-not"),
        (lambda says: with_changed_first(says, "destroyed", objects=99), "destroyed-not"),
        (
            lambda says: with_changed_first(says, "destroyed", step="00000000-0000-0000-0000-000000000000"),
            "destroyed-not",
        ),
        (lambda says: with_changed_first(says, "destroyed", entry=0), "destroyed-not"),
        (lambda says: says | {"destroyed": says["destroyed"][:1] * 2}, "destroyed-not"),
        (lambda says: says | {"destroyed": says["destroyed"][:1]}, "destroyed-more"),
        (lambda says: says | {"outcome": "partial"}, "outcome-not"),
        (lambda says: says | {"verification": {"result": "found"}}, "verified-not"),
        (lambda says: says | {"run": "00000000-0000-0000-0000-000000000000"}, "entry-foreign"),
        (lambda says: says | {"log": with_changed_first(says["log"], "entries", proof=[])}, "entry-not"),
        (
            lambda says: says | {"log": says["log"] | {"checkpoint": write_note(21, bytes(32))}},
            "entry-not",
        ),
    ],
)
def test_the_log_shows_that_a_signed_statement_is_false(client: Client, lie: Any, code: str) -> None:
    file = download(client, ended_run())
    assert codes(findings_of(signed(statement(file)))) == []
    assert code in codes(findings_of(signed(lie(statement(file)))))


def test_a_certificate_signed_with_another_key_does_not_hold(client: Client) -> None:
    file, stranger = download(client, ended_run()), Ed25519PrivateKey.generate()
    assert codes(findings_of(signed(statement(file), stranger))) == ["signature-not"]
    # Putting the other key into the statement does not help: the verifier uses the key that it was given.
    says = statement(file)
    forged = offline.Key(says["log"]["origin"], stranger.public_key())
    says["log"]["verifier-key"] = str(forged)
    assert codes(findings_of(signed(says, stranger))) == ["signature-not"]
    assert codes(offline.check_certificate(offline.read_certificate(signed(says, stranger)), None)) == [
        "checkpoint-not"
    ]


def test_swapped_signatures_of_two_certificates_do_not_hold(client: Client) -> None:
    one, other = json.loads(download(client, ended_run())), json.loads(download(client, ended_run()))
    one["signature"], other["signature"] = other["signature"], one["signature"]
    for file in (one, other):
        assert codes(findings_of(json.dumps(file).encode())) == ["signature-not"]


def test_certificates_of_version_1_are_still_checked(client: Client) -> None:
    """Version 1 repeated the hashes in each proof. People have such certificates."""
    says = statement(download(client, ended_run()))
    log = says["log"]
    for one in log["entries"]:
        one["proof"] = [log["hashes"][step] for step in one["proof"]]
    del log["hashes"], log["entries-not-shown"]
    assert codes(findings_of(signed(says | {"version": 1}))) == []


def test_a_certificate_is_compared_with_checkpoints_kept_outside(client: Client, tmp_path: Path) -> None:
    run = ended_run()
    (tmp_path / "certificate.json").write_bytes(download(client, run))
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
    arguments = ["certificate.json", "--key", verifier_key(), "--checkpoint"]
    assert run_verifier(tmp_path, *arguments, "same").returncode == 0
    for name in ("earlier", "later"):
        result = run_verifier(tmp_path, *arguments, name)
        assert (result.returncode, "give the exported log too" in result.stdout) == (0, True)
    result = run_verifier(tmp_path, *arguments, "another")
    assert (result.returncode, "is NOT a beginning of this one" in result.stdout) == (1, True)


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
def test_a_file_that_is_no_certificate_is_unreadable(file: bytes) -> None:
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
    """Any value in any field gives a finding or Unreadable, never another error."""
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
        found = findings_of(file)
    except (offline.Unreadable, UnicodeEncodeError):
        return
    assert found


def test_the_server_offers_this_verifier(client: Client) -> None:
    answer = client.get("/v/verify_certificate.py")
    assert (answer.status_code, answer.content) == (200, VERIFIER.read_bytes())
    assert answer["Content-Disposition"] == 'attachment; filename="verify_certificate.py"'
    assert client.get("/v/key.txt").content.decode() == f"{verifier_key()}\n"


def test_a_certificates_number_is_part_of_its_digest(client: Client) -> None:
    certificate = Certificate.objects.get(run=ended_run())
    assert certificate.digest == hashlib.sha256(certificate.body.encode()).hexdigest()
    assert Certificate.objects.numbered(f" {certificate.number[:4]} {certificate.number[4:]} ") == certificate
    for wrong in (certificate.number[:23], certificate.number[::-1], f"{certificate.number}%", ""):
        assert Certificate.objects.numbered(wrong) is None
