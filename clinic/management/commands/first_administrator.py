"""Create the first administrator of a new installation."""

import getpass
import os
import sys
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import Error
from django.urls import reverse

from clinic.people.first_administrator import NotCreated, check_there_is_none, create_first_administrator

PREFIX = "LACUNA_ADMINISTRATOR"


class Command(BaseCommand):
    help = (
        "Create the first administrator. Asks for name, e-mail address and passphrase. For set-up without "
        f"questions it reads {PREFIX}_NAME, {PREFIX}_EMAIL, and the passphrase from the file "
        f"{PREFIX}_PASSPHRASE_FILE or from {PREFIX}_PASSPHRASE. Refuses if there is an administrator."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--no-input", action="store_false", dest="may_ask", help="ask nothing: read the environment only"
        )

    def handle(self, *args: Any, may_ask: bool, **options: Any) -> None:
        self.may_ask = may_ask and sys.stdin.isatty()
        try:
            check_there_is_none()
            user = create_first_administrator(
                self.value("EMAIL", "E-mail address"), self.value("NAME", "Name"), self.passphrase()
            )
        except NotCreated as refusal:
            raise CommandError("\n".join(refusal.sentences)) from refusal
        except Error as error:
            raise CommandError(f"{error}\nIf the database is new, run first: manage.py migrate") from error
        self.stdout.write(
            f"{user.name} is the administrator. What comes next:\n"
            "  1. Open the clinic:  manage.py serve\n"
            f"  2. Sign in as {user.email}. The page {reverse('setup')} lists what is missing until the "
            "first night can be booked: rooms, people, mail, backups."
        )

    def value(self, name: str, question: str) -> str:
        """Return a value from the environment, else ask. Errors: CommandError if nobody can be asked."""
        variable = f"{PREFIX}_{name}"
        if value := os.environ.get(variable, "").strip():
            return value
        if self.may_ask:
            return input(f"{question}: ").strip()
        raise CommandError(f"{variable} is not set, and there is nobody to ask.")

    def passphrase(self) -> str:
        """Return the passphrase, from a file, the environment, or asked for twice. Errors: CommandError."""
        if path := os.environ.get(f"{PREFIX}_PASSPHRASE_FILE"):
            try:
                return Path(path).read_text(encoding="utf-8").rstrip("\r\n")
            except (OSError, UnicodeDecodeError) as error:
                raise CommandError(f"{PREFIX}_PASSPHRASE_FILE cannot be read: {error}") from error
        if passphrase := os.environ.get(f"{PREFIX}_PASSPHRASE"):
            return passphrase
        if not self.may_ask:
            raise CommandError(
                f"Neither {PREFIX}_PASSPHRASE_FILE nor {PREFIX}_PASSPHRASE is set, and there is nobody "
                "to ask."
            )
        passphrase = getpass.getpass("Passphrase (ten characters or more): ")
        if getpass.getpass("The same again: ") != passphrase:
            raise CommandError("The two passphrases differ. Nobody was created.")
        return passphrase
