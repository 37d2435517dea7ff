from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import Error

from erasure.backups.manifest import BackupRefused
from erasure.backups.restoring import NotDeclared, restore


class Command(BaseCommand):
    help = (
        "Restore a backup into an empty database. Keys are not touched: what they no longer open is marked "
        "as erased again at the next start of the server, before it answers any request."
    )
    requires_system_checks: list[str] = []  # they would query the empty database

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("directory", type=Path)

    def handle(self, *args: Any, directory: Path, **options: Any) -> None:
        try:
            manifest = restore(directory)
        except (BackupRefused, OSError, Error) as error:
            raise CommandError(f"Nothing was restored: {error}") from error
        except NotDeclared as error:
            raise CommandError(
                f"It is restored, but which end of the log was lost by it could not be signed: {error}. Run "
                "migrate and serve, then: manage.py declare_restore"
            ) from error
        self.stdout.write(
            f"As of {manifest.made_at}: {len(manifest.objects)} objects, {manifest.log_size} audit entries. "
            "Now: manage.py migrate, then manage.py serve"
        )
