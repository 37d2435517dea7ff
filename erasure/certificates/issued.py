"""Comparison of the stored certificates with what the audit log says was issued.

A certificate's signature shows that its text is genuine, but not that it belongs to the run under which it is
stored: rows can be swapped, replaced by another text with a valid signature, or removed. The log has one
entry "certificate.issued" for each run, with the certificate's digest.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC
from typing import NamedTuple
from uuid import UUID

from django.db.models import QuerySet
from django.utils.functional import Promise
from django.utils.translation import gettext, override
from django.utils.translation import gettext_lazy as _

from clinic.audit.canonical import leaf_of
from clinic.audit.comparisons import entries_of
from clinic.audit.keyring import key_at
from clinic.audit.merkle import verify_inclusion
from clinic.audit.models import Checkpoint, Entry
from clinic.audit.proofs import head_size, tree_of
from erasure.certificates.checking import Checked, check
from erasure.certificates.finding_texts import sentence_of
from erasure.certificates.models import Certificate

ISSUED = "certificate.issued"

SENTENCES: dict[str, str | Promise] = {
    "never-issued": _("The log has no entry that this certificate was issued."),
    "other-text": _("What it says is not what the log says was issued for this night (entry %(index)d)."),
    "other-digest": _("The number stored with it is not that of its text."),
    "other-night": _("It is the certificate of another night than the one under which it is stored."),
    "other-time": _("The time of issue stored with it is not the one that it states."),
    "another-too": _("The log says that another certificate of this night was issued too (entry %(index)d)."),
    "removed": _("The log says that it was issued (entry %(index)d), and it is no longer here."),
}


class Difference(NamedTuple):
    """How a stored certificate differs from what the log says.

    code: a key of SENTENCES. entry: the index of the entry that the sentence names.
    """

    code: str
    entry: int = 0

    def __str__(self) -> str:
        return str(SENTENCES[self.code]) % {"index": self.entry}


@dataclass(frozen=True)
class IssueProof:
    """Whether the log proves that a certificate was issued.

    holds: None while the entry exists but no checkpoint covers it. This happens if the server stopped after
    writing the entry and before signing a checkpoint, which it signs at its next start
    (`issuing.sign_unsigned`).
    """

    holds: bool | None
    entry: Entry | None = None
    checkpoint: Checkpoint | None = None


@dataclass(frozen=True)
class Examined:
    """A stored certificate with all that was found about it.

    checked: its own signature and proofs. differences: from what the log says. proof: that the log has it as
    issued.
    """

    checked: Checked
    differences: tuple[Difference, ...]
    proof: IssueProof

    @property
    def holds(self) -> bool:
        return self.checked.holds and not self.differences and self.proof.holds is not False

    @property
    def sentences(self) -> list[str]:
        """What does not hold, in the active language."""
        found = [str(one) for one in self.differences]
        if self.proof.holds is False and not found:
            found = [gettext("The log does not show that it was issued.")]
        return found + [sentence_of(one) for one in self.checked.findings if one.holds is False]


def removal_messages(run: UUID) -> list[str]:
    """Return a list with the sentence that the certificate of a run was removed, in the active language.

    The list is empty if the log has no issue for the run. The caller has found no certificate stored.
    """
    entry = issue_entry(run=run)
    return [str(Difference("removed", entry.index))] if entry else []


def examine(certificate: Certificate) -> Examined:
    """Check a stored certificate, and compare it with the log."""
    differences = tuple(compare(certificate, issued_for(certificate)))
    return Examined(check_stored(certificate), differences, issue_proof_of(certificate))


def check_stored(certificate: Certificate) -> Checked:
    """Check a stored certificate with the key that was in use when the log says that it was issued."""
    issued = Entry.objects.filter(action=ISSUED, subject=f"certificate:{certificate.pk}").order_by("index")
    key = key_at(issued.values_list("index", flat=True).first())
    return check(certificate.body.encode(), certificate.signature, key)


def issued_for(certificate: Certificate) -> list[Entry]:
    """Return the log's entries about this certificate or about its run, in order."""
    entries = _covered_entries()
    return list(
        entries.filter(subject=f"certificate:{certificate.pk}") | entries.filter(run=certificate.work_id)
    )


def _covered_entries() -> QuerySet[Entry]:
    """Return the log entries recording an issue, in order. Rows outside the log's head do not count."""
    return Entry.objects.filter(action=ISSUED, index__gte=0, index__lt=head_size()).order_by("index")


def compare(certificate: Certificate, entries: list[Entry]) -> Iterator[Difference]:
    """Yield how a stored certificate differs from the entries about it or its run."""
    own = next((entry for entry in entries if entry.subject == f"certificate:{certificate.pk}"), None)
    digest = hashlib.sha256(certificate.body.encode(errors="replace")).hexdigest()
    if own is None:
        yield Difference("never-issued")
    elif _digest(own) != digest:
        yield Difference("other-text", own.index)
    if certificate.digest != digest:
        yield Difference("other-digest")
    statement = _statement(certificate)
    if (own is not None and own.run != certificate.work_id) or statement.get("run") != str(
        certificate.work_id
    ):
        yield Difference("other-night")
    if statement.get("issued") != certificate.issued_at.astimezone(UTC).isoformat(timespec="seconds"):
        yield Difference("other-time")
    yield from (Difference("another-too", entry.index) for entry in entries if entry is not own)


def _digest(entry: Entry) -> object:
    """Return the digest that an entry says was issued. A tampered entry may hold anything."""
    return entry.details.get("digest") if isinstance(entry.details, dict) else None


def _statement(certificate: Certificate) -> dict[str, object]:
    """Return the certificate's parsed statement, or {} if it is not a JSON object."""
    try:
        statement = certificate.statement
    except ValueError:
        return {}
    return statement if isinstance(statement, dict) else {}


def issue_proof_of(certificate: Certificate) -> IssueProof:
    """Find the log entry recording the issue, and prove that a signed checkpoint covers it.

    The proof is made from the stored log and checked here.
    """
    issued = Entry.objects.filter(action=ISSUED, subject=f"certificate:{certificate.pk}")
    entry = issued.order_by("index").first()
    if entry is None or _digest(entry) != certificate.digest:
        return IssueProof(False)
    signed = Checkpoint.objects.filter(size__gt=entry.index).order_by("size", "pk").first()
    if signed is None:
        return IssueProof(None, entry)
    root = bytes(signed.root)
    try:
        path = tree_of(signed.size, root).inclusion(entry.index, signed.size)
        proved = verify_inclusion(leaf_of(entry), entry.index, signed.size, path, root)
    except (LookupError, ValueError, TypeError):
        return IssueProof(False)
    return IssueProof(True, entry, signed) if proved else IssueProof(False)


def issue_entry(*, run: UUID | None = None, number: str = "") -> Entry | None:
    """Return the log entry recording the issue of a certificate, or None.

    run: search by run. number: search by the first digits of the digest (`models.digits_of`).
    """
    entries = _covered_entries()
    if run is not None:
        return entries.filter(run=run).first()
    return entries.filter(details__digest__startswith=number).first() if number else None


def index_of_issue(digest: str) -> int | None:
    """Return the index of the log entry recording the issue of the certificate with this digest, or None."""
    return _covered_entries().filter(details__digest=digest).values_list("index", flat=True).first()


def all_differences(size: int) -> Iterator[str]:
    """Yield an English sentence for each way in which the certificates differ from the log.

    size: compare with the first `size` entries of the log only. Errors in the certificates themselves are
    reported too.
    """
    stored = {f"certificate:{pk}" for pk in Certificate.objects.values_list("pk", flat=True)}
    by_run: dict[UUID | None, list[Entry]] = {}
    by_subject: dict[str, list[Entry]] = {}
    for entry in entries_of(size, ISSUED):
        by_run.setdefault(entry.run, []).append(entry)
        by_subject.setdefault(entry.subject, []).append(entry)
        if entry.subject not in stored:
            yield _sentence(
                f"Certificate {entry.subject.partition(':')[2]}", Difference("removed", entry.index)
            )
    for certificate in Certificate.objects.order_by("issued_at").iterator(chunk_size=50):
        known = by_run.get(certificate.work_id, []) + by_subject.get(f"certificate:{certificate.pk}", [])
        unique = list({entry.index: entry for entry in known}.values())
        if not unique:  # it may have been issued since the verification began
            unique = issued_for(certificate)
        name = f"Certificate {certificate.pk}"
        yield from (_sentence(name, difference) for difference in compare(certificate, unique))
        for finding in check_stored(certificate).findings:
            if finding.holds is False:
                yield f"{name}: {finding}"


def _sentence(name: str, difference: Difference) -> str:
    with override("en"):  # verification reports are in English
        return f"{name}: {difference}"
