"""Replace the signing key by a new one."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import Error

from clinic.audit.keyring import rotate


class Command(BaseCommand):
    help = (
        "Make a new signing key and say so in the log, signed with both. Stop the house first. What was "
        "signed before goes on being checked with the key of its time."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            key = rotate(by="system:operator")
        except (ValueError, OSError, Error) as error:
            raise CommandError(f"The key was not rotated to the end: {error}. Type it again.") from error
        self.stdout.write(f"Verifier key: {key}")
        self.stdout.write("Publish it where the old one is known. Seal a copy of the new signing key.")
