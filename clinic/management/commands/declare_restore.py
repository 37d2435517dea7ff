"""Declare afterwards, with the signing key, that the end of the log was lost in a restore."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import Error

from clinic.audit.restored import compare_with_witness, declare_afterwards


class Command(BaseCommand):
    help = (
        "Show which checkpoints in the witness directory do not match the log. With --reason, sign that a "
        "restore lost them. Do that only if you know of the restore: a log whose end was cut or that was "
        "rewritten looks the same. The note says that it was signed afterwards."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--reason", default="", help="who restored what, and when: it stands in the log")

    def handle(self, *args: Any, reason: str, **options: Any) -> None:
        try:
            found = compare_with_witness()
            for size, root in found.lost:
                self.stdout.write(f"Not of this log: {size} entries, root {root.hex()}")
            if not found.lost:
                self.stdout.write("Every checkpoint matches the log or is explained by a signed note.")
            elif not reason.strip():
                raise CommandError("Nothing was signed. If a restore lost them, type it with --reason.")
            else:
                note = declare_afterwards(reason.strip())
                if note is not None:
                    self.stdout.write(f"Signed at {note.at}, over {note.size} entries, as done afterwards.")
        except (LookupError, ValueError, OSError, Error) as error:
            raise CommandError(f"Nothing was signed: {error}") from error
