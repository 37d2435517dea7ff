from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import Error

from erasure.backups.create import make_backup
from erasure.backups.manifest import BackupRefused


class Command(BaseCommand):
    help = "Back up database and ciphertext into a new directory, while the site is in use. Never a key."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("directory", type=Path, help="the directory to create; must not exist")

    def handle(self, *args: Any, directory: Path, **options: Any) -> None:
        try:
            backup, made = make_backup(directory, report=self.stdout.write)
        except (BackupRefused, OSError, Error) as error:
            raise CommandError(f"No backup was made: {error}") from error
        self.stdout.write(f"{backup.objects_count} objects, {backup.size} bytes, in {backup.directory}")
        if made.missing:
            self.stderr.write(
                f"{len(made.missing)} objects have a live row and no file: {made.missing[0]} ..."
            )
