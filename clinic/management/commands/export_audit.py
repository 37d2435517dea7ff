"""Export the whole audit log into a signed file, in constant memory."""

import os
import secrets
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import Error, transaction
from django.utils import timezone

from clinic import durable
from clinic.audit.export import export_to
from clinic.audit.models import Entry
from clinic.audit.record import Act, record
from clinic.durable import sync_directory


class Command(BaseCommand):
    help = (
        "Export the whole audit log, signed, as verify_certificate.py reads it. That it was exported, and "
        "why, is an entry of the log."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path, help="made by this; must not exist")
        parser.add_argument("--reason", required=True, help="who asked for it, and why: it stands in the log")

    def handle(self, *args: Any, file: Path, reason: str, **options: Any) -> None:
        file = file.resolve()
        if file.exists():
            raise CommandError(f"{file} exists, and nothing is overwritten.")
        draft = file.with_name(f".{file.name}.{secrets.token_hex(4)}")
        try:
            self.write(draft, reason)
            os.link(draft, file)  # fails if `file` exists
            sync_directory(file.parent)
        except (LookupError, ValueError, OSError, Error) as error:
            raise CommandError(f"Nothing was exported: {error}") from error
        finally:
            draft.unlink(missing_ok=True)
        self.stdout.write(f"Exported: {file}")

    def write(self, draft: Path, reason: str) -> None:
        """Write the export to `draft` and record it in the log.

        The file gets its final name afterwards, so no export exists that is not recorded.
        """
        with os.fdopen(os.open(draft, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600), "w+b") as opened:
            size = export_to(opened, Entry.objects.all(), timezone.now())
            durable.fsync(opened.fileno())
        with transaction.atomic():
            details = {"bytes": size, "whole": True}
            record(Act("audit.exported", "log:export", "system:operator", details=details, reason=reason))
