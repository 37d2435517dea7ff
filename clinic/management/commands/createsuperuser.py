"""Django's command would make an account without a role, so it says which command to use."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser


class Command(BaseCommand):
    help = "Not used here: there are no superusers. Use first_administrator."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        """Take every option of Django's command, so that each call is answered alike."""
        for option in ("--email", "--name", "--username", "--database"):
            parser.add_argument(option)
        parser.add_argument("--noinput", "--no-input", action="store_true")

    def handle(self, *args: Any, **options: Any) -> None:
        raise CommandError(
            "There are no superusers here. The first administrator is made by:\n"
            "  manage.py first_administrator\n"
            "Everybody else is invited by an administrator, in the browser, on the page People."
        )
