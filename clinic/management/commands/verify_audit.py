"""Verify the whole audit log, also against every checkpoint in the witness directory."""

from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection

from clinic.audit import triggers
from clinic.audit.checkpoints import NoteInvalid, read_verifier_key, verifier_key
from clinic.audit.compare import compare
from clinic.audit.models import Checkpoint
from clinic.audit.verify import Report, verify_log


class Command(BaseCommand):
    help = (
        "Verify the audit log: every entry, its order, the head, and each signed checkpoint; and that "
        "certificates and other rows are as it says. Exit code 1 if anything is not."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--witness", type=Path, help="a directory of notes that left, instead of LACUNA_WITNESS_DIR"
        )
        parser.add_argument("--key", help="the verifier key to trust, by default this house's own")
        parser.add_argument(
            "--install-triggers", action="store_true", help="put back triggers that a migration dropped"
        )
        parser.add_argument(
            "--between",
            nargs=2,
            metavar="CHECKPOINT",
            help="show that one checkpoint's log begins the other's: each a note's file, or its size here",
        )

    def handle(
        self,
        *,
        witness: Path | None,
        key: str | None,
        install_triggers: bool,
        between: list[str] | None = None,
        **options: Any,
    ) -> None:
        try:
            trusted = read_verifier_key(key) if key else None
        except ValueError as error:
            raise CommandError("--key is no verifier key (name+id+base64)") from error
        if install_triggers:
            self.install()
        self.stdout.write(f"Verifier key: {verifier_key(trusted)}")
        if between:
            self.compare(between[0], between[1], trusted)
            return
        self.print_report(verify_log(witness=witness, key=trusted))

    def compare(self, one: str, other: str, key: Ed25519PublicKey | None) -> None:
        """Print the RFC 9162 consistency proof between two checkpoints, and whether it holds."""
        try:
            found = compare(self.note(one), self.note(other), key)
        except NoteInvalid as error:
            raise CommandError(f"This is no checkpoint of this log: {error}.") from error
        for note in (found.old, found.new):
            self.stdout.write(f"Checkpoint: {note.size} entries, root {note.root.hex()}")
        for node in found.proof:
            self.stdout.write(f"Proof: {node}")
        if not found.holds:
            raise CommandError(str(found.says))
        self.stdout.write(str(found.says))

    def note(self, text: str) -> str:
        """Return the text of a note. text: number of entries of a stored checkpoint, or a file name.

        Errors: CommandError.
        """
        row = Checkpoint.objects.filter(size=int(text)).last() if text.isdecimal() else None
        if row is not None:
            return row.note
        try:
            return Path(text).read_bytes().decode(errors="replace")
        except OSError as error:
            raise CommandError(f"There is no checkpoint over {text} entries and no such file.") from error

    def install(self) -> None:
        """Install missing triggers and print their names."""
        for name in triggers.missing(connection):
            self.stdout.write(f"Installed: {name}")
        triggers.install(connection)

    def print_report(self, report: Report) -> None:
        """Print a verification report. Errors: CommandError if it has problems."""
        self.stdout.write(f"Root of {report.size} entries: {report.root.hex() or 'none'}")
        for line in report.declared:
            self.stdout.write(f"Declared: {line}")
        for line in report.problems:
            self.stdout.write(f"Problem: {line}")
        if report.unlisted:
            self.stdout.write(f"And {report.unlisted} more.")
        if report.undeclared:
            self.stdout.write(
                "If a backup was restored, somebody who knows that declares it: manage.py declare_restore"
            )
        if not report.ok:
            problems = f"{report.found} problem{'s' * (report.found > 1)}"
            if report.log_ok:
                raise CommandError(f"The log is whole, and what is stored is not as it says: {problems}.")
            raise CommandError(f"The log is not whole: {problems}.")
        plural = "s" * (report.checkpoints != 1)
        self.stdout.write(
            f"The log is whole: {report.size} entries, {report.checkpoints} checkpoint{plural}."
        )
