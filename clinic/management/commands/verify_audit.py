"""Read the whole audit log against every checkpoint that left the house."""

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection

from clinic.audit import triggers
from clinic.audit.checkpoints import public_key, read_verifier_key, verifier_key
from clinic.audit.verify import Report, verify_log


class Command(BaseCommand):
    help = "Verify the audit log: every entry, its order, the head, and each signed checkpoint."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--witness", type=Path, help="a directory of notes that left, instead of LACUNA_WITNESS_DIR"
        )
        parser.add_argument("--key", help="the verifier key to trust, by default this house's own")
        parser.add_argument(
            "--install-triggers", action="store_true", help="put back triggers that a migration dropped"
        )

    def handle(
        self, *, witness: Path | None, key: str | None, install_triggers: bool, **options: Any
    ) -> None:
        try:
            trusted = read_verifier_key(key) if key else public_key()
        except ValueError as error:
            raise CommandError("--key is no verifier key (name+id+base64)") from error
        if install_triggers:
            self.install()
        self.stdout.write(f"Verifier key: {verifier_key(trusted)}")
        self.tell(verify_log(witness=witness, key=trusted))

    def install(self) -> None:
        for name in triggers.missing(connection):
            self.stdout.write(f"Installed: {name}")
        triggers.put(connection)

    def tell(self, report: Report) -> None:
        self.stdout.write(f"Root of {report.size} entries: {report.root.hex() or 'none'}")
        for line in report.declared:
            self.stdout.write(f"Declared: {line}")
        for line in report.problems:
            self.stdout.write(f"Problem: {line}")
        if report.unlisted:
            self.stdout.write(f"And {report.unlisted} more.")
        if not report.ok:
            found = len(report.problems) + report.unlisted
            raise CommandError(f"The log is not whole: {found} problem{'s' * (found > 1)}.")
        plural = "s" * (report.checkpoints != 1)
        self.stdout.write(
            f"The log is whole: {report.size} entries, {report.checkpoints} checkpoint{plural}."
        )
