from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import Error

from erasure.backups.drill import hold_drill
from erasure.backups.manifest import BackupRefused
from erasure.backups.models import Backup, Drill
from patients.vault.keys import KeyStoreDamaged


class Command(BaseCommand):
    help = (
        "Try to open everything in a backup with the current keys: the kept must open, the erased must not."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "directory", type=Path, nargs="?", help="of the backup; by default the newest in the catalogue"
        )

    def handle(self, *args: Any, directory: Path | None, **options: Any) -> None:
        try:
            drill = hold_drill(directory or newest())
        except (BackupRefused, KeyStoreDamaged, OSError, Error) as error:
            raise CommandError(f"No drill was held: {error}") from error
        self.stdout.write(
            f"Kept: {drill.kept_opened} opened, {drill.kept_closed} did not. "
            f"Erased: {drill.erased_opened} opened, {drill.erased_closed} did not."
        )
        if drill.result == Drill.Result.BROKEN:
            raise CommandError("It does not hold.")
        if drill.result == Drill.Result.UNCONTROLLED:
            self.stdout.write("Nothing in it is still kept, so nothing shows that opening would have worked.")


def newest() -> Path:
    """Return the directory of the newest backup. Errors: CommandError if the catalogue is empty."""
    backup = Backup.objects.first()
    if backup is None:
        raise CommandError("No backup is known. Make one: manage.py backup DIRECTORY")
    return Path(backup.directory)
