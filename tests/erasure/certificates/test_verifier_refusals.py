"""Forged input to each function of the offline verifier. No process is started."""

import base64
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, derive_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from erasure.certificates.verify_certificate import (
    MOST,
    Finding,
    Key,
    Note,
    Peaks,
    Unreadable,
    canonical,
    check_log,
    get,
    handover,
    hidden_roots,
    included,
    leaf_hash,
    main,
    node_hash,
    proved_entries,
    read_certificate,
    read_json,
    read_key,
    read_note,
)
from tests.clinic.audit.test_merkle import FALSE_INCLUSIONS

ORIGIN = "lacuna.test/audit"
CLINIC_SECRET, FOREIGN_SECRET = (
    Ed25519PrivateKey.from_private_bytes(bytes([number]) * 32) for number in (1, 2)
)
KEY, FOREIGN_KEY = (Key(ORIGIN, secret.public_key()) for secret in (CLINIC_SECRET, FOREIGN_SECRET))
RAW = KEY.public.public_bytes_raw()
ROOT = Peaks().root()


def text_of(data: bytes) -> str:
    return base64.b64encode(data).decode()


def pem(key: Any) -> str:
    data: bytes = key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return data.decode()


# --- Hashes ------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("case", FALSE_INCLUSIONS.values(), ids=FALSE_INCLUSIONS)
def test_a_false_proof_proves_nothing(case: tuple[bytes, int, int, list[bytes], bytes]) -> None:
    left, right = leaf_hash(b"left"), leaf_hash(b"right")
    assert included(right, 1, 2, [left], node_hash(left, right))
    assert not included(*case)


# --- JSON --------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("text", "why"),
    [
        (b'{"a":1,"a":2}', "it says one thing twice"),
        (b'[{"a":{"b":1,"c":2,"b":1}}]', "it says one thing twice"),
        (b'{"a":1.5}', "1.5 is no number that may stand there"),
        (b"NaN", "NaN is no number that may stand there"),
        (b"-Infinity", "-Infinity is no number that may stand there"),
        (b"", "it is no JSON"),
        (b"\xff", "it is no JSON"),
        (b"[" * 100_000, "it is no JSON"),
    ],
)
def test_json_with_a_repeated_key_or_a_float_is_unreadable(text: bytes, why: str) -> None:
    assert read_json(b'{"a":1,"b":{"a":1}}') == {"a": 1, "b": {"a": 1}}
    with pytest.raises(Unreadable) as caught:
        read_json(text)
    assert str(caught.value) == why


@pytest.mark.parametrize(
    "source", [{"n": -1}, {"n": MOST}, {"n": True}, {"n": "1"}, {"n": None}, {"n": [1]}, {}, [], "n", None]
)
def test_only_integers_that_a_log_can_contain_are_read(source: object) -> None:
    assert [get({"n": number}, "n", int) for number in (0, MOST - 1)] == [0, MOST - 1]
    with pytest.raises(Unreadable, match="'n' is missing, or not what it should be"):
        get(source, "n", int)


# --- Keys --------------------------------------------------------------------------------------------------
def a_key(raw: bytes = b"\x01" + RAW, *, name: str = ORIGIN, number: str = KEY.number.hex()) -> str:
    """Our key in its text form, or with one of its three parts changed."""
    return f"{name}+{number}+{text_of(raw)}"


NO_KEY = "the key is no verifier key (name+id+base64)"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", NO_KEY),
        (ORIGIN, NO_KEY),
        (f"{ORIGIN}+{KEY.number.hex()}", NO_KEY),
        (a_key(name="\ud800"), NO_KEY),
        (f"{ORIGIN}+{KEY.number.hex()}+é", "something is not base64 that should be"),
        (a_key(b"\x02" + RAW), "the key is no Ed25519 verifier key"),
        (a_key(b"\x01" + RAW[1:]), "the key is no Ed25519 verifier key"),
        (a_key(b"\x01\x01" + RAW), "the key is no Ed25519 verifier key"),
        (a_key(number="00000000"), "the verifier key's id is not its own"),
        (a_key(name=f"{ORIGIN}/more"), "the verifier key's id is not its own"),
        (pem(derive_private_key(1, SECP256R1()).public_key()), "no Ed25519 key"),
        (pem(KEY.public).replace("MCowBQYDK2Vw", "MCowBQYDK2Vx"), NO_KEY),
    ],
)
def test_other_texts_are_not_read_as_a_verifier_key(text: str, why: str) -> None:
    assert read_key(a_key()) == read_key(pem(KEY.public), ORIGIN) == KEY
    with pytest.raises(Unreadable) as caught:
        read_key(text, ORIGIN)
    assert str(caught.value) == why


# --- Checkpoints -------------------------------------------------------------------------------------------
def signed(body: str, secret: Ed25519PrivateKey = CLINIC_SECRET, number: bytes = KEY.number) -> str:
    """A signed note with this `body`, as a dishonest clinic could make it."""
    return f"{body}\n— {ORIGIN} {text_of(number + secret.sign(body.encode()))}\n"


BODY = f"{ORIGIN}\n3\n{text_of(ROOT)}\n"
NO_NOTE, WRONG_SIGNATURE = "it is no signed note", "its signature is not of this text"


@pytest.mark.parametrize(
    ("note", "why"),
    [
        ("", NO_NOTE),
        (BODY, NO_NOTE),
        (signed(BODY).replace("\n\n", "\n"), NO_NOTE),
        (signed(f"{ORIGIN}\n"), NO_NOTE),
        (signed(f"{ORIGIN}\n3\n"), NO_NOTE),
        *(
            (signed(BODY.replace("\n3\n", f"\n{size}\n")), NO_NOTE)
            for size in ("03", "-3", "+3", " 3", "3_0")
        ),
        *((signed(BODY.replace("\n3\n", f"\n{size}\n")), NO_NOTE) for size in ("", "x", "٣", "1" + "0" * 16)),
        (signed(BODY.replace(ORIGIN, "lacuna.example/another")), "it speaks of another log"),
        (signed(BODY).replace("\n— ", "\n- "), "a signature line is malformed"),
        (signed(BODY, FOREIGN_SECRET, FOREIGN_KEY.number), "it is not signed with this key"),
        (signed(BODY, FOREIGN_SECRET), WRONG_SIGNATURE),
        (signed(BODY).replace("\n3\n", "\n4\n"), WRONG_SIGNATURE),
        (signed(BODY) + signed(BODY, FOREIGN_SECRET).rpartition("\n\n")[2], WRONG_SIGNATURE),
        (signed(f"{ORIGIN}\n3\n{text_of(ROOT[1:])}\n"), WRONG_SIGNATURE),
        (signed(f"{ORIGIN}\n3\n{text_of(ROOT + ROOT)}\n"), WRONG_SIGNATURE),
        (signed(f"{ORIGIN}\n3\né\n"), "something is not base64 that should be"),
    ],
)
def test_a_malformed_checkpoint_is_unreadable_even_if_it_is_signed(note: str, why: str) -> None:
    assert read_note(signed(BODY), KEY) == Note(3, ROOT)
    with pytest.raises(Unreadable) as caught:
        read_note(note, KEY)
    assert str(caught.value) == why


# --- Certificates ------------------------------------------------------------------------------------------
TYPE = "lacuna.certificate-of-erasure"


@pytest.mark.parametrize(
    ("file", "signature", "why"),
    [
        (canonical({"type": TYPE}), None, "its signature is missing"),
        (canonical({"type": "lacuna.receipt"}), b"", "it is no certificate of erasure"),
        (canonical({"type": TYPE, "n": 1}).replace(b",", b", "), b"", "it is not written in the one way"),
        (b'{"type":"%s","n":1}' % TYPE.encode(), b"", "it is not written in the one way"),
        (b"[]", b"", "'type' is missing"),
        (canonical({"statement": canonical({"type": TYPE}).decode()}), b"", "'signature' is missing"),
        (b'{"statement":"\\ud800","signature":"AA=="}', None, "it holds what cannot be written"),
    ],
)
def test_other_files_are_not_read_as_a_certificate(file: bytes, signature: bytes | None, why: str) -> None:
    assert read_certificate(canonical({"type": TYPE}), b"").says == {"type": TYPE}
    with pytest.raises(Unreadable, match=why):
        read_certificate(file, signature)


def proved(**changes: object) -> tuple[dict[int, dict[str, Any]], list[Finding]]:
    """The result of `proved_entries` for a log of one entry with these changes."""
    text = canonical({"index": 0, "run": "r"})
    one = {"index": 0, "text": text.decode(), "proof": []} | changes
    found: list[Finding] = []
    says = {"run": "r", "log": {"hashes": [ROOT.hex()], "entries": [one]}}
    return proved_entries(says, Note(1, leaf_hash(text)), found), found


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"proof": [0] * 65}, "a proof is longer than any log"),
        ({"proof": [1]}, "a proof names a hash that is not there"),
        ({"proof": [True]}, "a hash is not 64 hex digits"),
        ({"proof": ["00"]}, "a hash is not 64 hex digits"),
        ({"proof": None}, "'proof' is missing"),
        ({"text": "\ud800"}, "a proof names a hash that is not there"),
        ({"text": "[]"}, "'index' is missing"),
        ({"index": -1}, "'index' is missing"),
    ],
)
def test_an_entry_that_cannot_be_proved_is_refused(changes: dict[str, object], why: str) -> None:
    assert proved()[0] == {0: {"index": 0, "run": "r"}}
    assert proved(proof=[0] * 64)[1][0] == Finding("entry-not", False, {"index": 0})
    with pytest.raises(Unreadable, match=why):
        proved(**changes)


# --- Exported logs -----------------------------------------------------------------------------------------
def exported(*lines: object, head: object = None, foot: object = None, **end: object) -> bytes:
    """A validly signed export of these lines.

    head, foot: replace the first and the last line. end: changed fields of the last line.
    """
    first = {"kind": "lacuna-audit-export", "log": len(lines)} if head is None else head
    body = b"".join(canonical(line) + b"\n" for line in (first, *lines))
    signature = text_of(CLINIC_SECRET.sign(body))
    last = {"kind": "signature", "key": str(KEY), "checkpoints": [], "signature": signature}
    # Not by `canonical`, which would refuse what some forged last lines contain.
    return body + json.dumps(last | end if foot is None else foot).encode() + b"\n"


ENTRY = {"index": 0}


def failed_codes(found: Sequence[Finding]) -> list[str]:
    return [finding.code for finding in found if finding.holds is False]


@pytest.mark.parametrize(
    ("file", "why"),
    [
        (exported(ENTRY, head={"kind": "another-export", "log": 1}), "it is no exported log, or its end"),
        (exported(ENTRY, kind="another-end"), "it is no exported log, or its end is missing"),
        (exported(ENTRY, foot=ENTRY), "'kind' is missing"),
        (exported(ENTRY, head=[]), "'kind' is missing"),
        (exported(ENTRY, head={"kind": "lacuna-audit-export"}), "'log' is missing"),
        (exported(ENTRY, checkpoints={}), "'checkpoints' is missing"),
        (exported(ENTRY, signature="é"), "not base64"),
        (exported(ENTRY, key="\ud800" + str(KEY)), "no verifier key"),
    ],
)
def test_other_files_are_not_read_as_an_export(file: bytes, why: str) -> None:
    assert failed_codes(check_log(exported(ENTRY), None)[1]) == []
    with pytest.raises(Unreadable, match=why):
        check_log(file, None)


@pytest.mark.parametrize(
    ("hidden", "why"),
    [
        ({"from": 1, "to": 2, "roots": [ROOT.hex()]}, "entry 0 should stand there"),
        ({"from": 0, "to": 2, "roots": []}, "hashes are missing"),
        ({"from": 0, "to": 0, "roots": []}, "hashes are missing"),
        ({"from": 0, "to": 2, "roots": [ROOT.hex()] * 2}, "hashes are missing"),
        ({"from": 0, "to": 2, "roots": ["00"]}, "a hash is not 64 hex digits"),
        ({"from": 0, "to": MOST, "roots": [ROOT.hex()]}, "'to' is missing"),
    ],
)
def test_hidden_entries_must_fit_their_place(hidden: dict[str, Any], why: str) -> None:
    assert hidden_roots({"from": 0, "to": 2, "roots": [ROOT.hex()]}, 0) == [(2, ROOT)]
    with pytest.raises(Unreadable, match=why):
        hidden_roots(hidden, 0)


def handover_entry(
    before: Ed25519PrivateKey = CLINIC_SECRET, now: Ed25519PrivateKey = FOREIGN_SECRET, origin: str = ORIGIN
) -> dict[str, Any]:
    """The entry of a handover from KEY to FOREIGN_KEY, signed with the secrets `before` and `now`."""
    raw = [key.public.public_bytes_raw().hex() for key in (KEY, FOREIGN_KEY)]
    text = f"lacuna signing key\n{origin}\n{raw[0]}\n{raw[1]}\n".encode()
    details = {"before": raw[0], "now": raw[1]}
    for name, key in (("before", before), ("now", now)):
        signature = key.sign(text).hex()
        details |= {f"signed_{name}_1": signature[:64], f"signed_{name}_2": signature[64:]}
    return {"index": 0, "action": "audit.key-rotated", "details": details}


NOT_BOTH = "the handover is not signed with both keys"


@pytest.mark.parametrize(
    ("entry", "why"),
    [
        (handover_entry(before=FOREIGN_SECRET), NOT_BOTH),
        (handover_entry(now=CLINIC_SECRET), NOT_BOTH),
        (handover_entry(origin="lacuna.example/another"), NOT_BOTH),
        (handover_entry() | {"action": "audit.exported"}, NOT_BOTH),
        (handover_entry() | {"details": handover_entry()["details"] | {"now": ROOT.hex()}}, NOT_BOTH),
        (handover_entry() | {"details": []}, "a hash is not 64 hex digits"),
        (handover_entry() | {"index": True}, "'index' is missing"),
        (["audit.key-rotated"], "'index' is missing"),
    ],
)
def test_a_forged_handover_is_refused(entry: object, why: str) -> None:
    assert handover(handover_entry(), ORIGIN) == (0, KEY, FOREIGN_KEY)
    with pytest.raises(Unreadable, match=why):
        handover(entry, ORIGIN)
    # In a log it counts as an ordinary entry: the known key stays in force.
    line = entry | {"note": "audit.key-rotated"} if isinstance(entry, dict) else entry
    codes = [finding.code for finding in check_log(exported(line), KEY)[1]]
    assert "signature" in codes
    assert "handed-over" not in codes
    assert "handed-over" in [finding.code for finding in check_log(exported(handover_entry()), KEY)[1]]


# --- The program -------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "says", [{"destroyed": 3}, {"remains": {"spared": None}}, {"remains": [], "destroyed": None}, {}]
)
def test_a_statement_without_a_log_cannot_be_checked(
    says: dict[str, object], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "statement.json").write_bytes(canonical({"type": TYPE} | says))
    (tmp_path / "raw.sig").write_bytes(b"")
    statement, signature = str(tmp_path / "statement.json"), str(tmp_path / "raw.sig")
    assert main([statement, "--signature", signature, "--key", str(KEY)]) == 2
    out, error = capsys.readouterr()
    assert "Destroyed: 0 memories. Spared: 0." in out
    assert error == "This cannot be checked: 'log' is missing, or not what it should be\n"


def test_a_key_file_that_is_no_text_cannot_be_used(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    der = KEY.public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    (tmp_path / "key.der").write_bytes(der + b"\xff")
    (tmp_path / "log.jsonl").write_bytes(exported(ENTRY))
    assert main([str(tmp_path / "log.jsonl"), "--key", str(tmp_path / "key.der")]) == 2
    assert capsys.readouterr() == ("", f"This cannot be checked: {NO_KEY}\n")
