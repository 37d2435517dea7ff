from argparse import ArgumentParser
from typing import Any

from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.urls import reverse

from erasure.demo.loader import load_demonstration
from erasure.demo.ownership import (
    NotDemonstration,
    check_ownership,
    clear_demonstration,
    mark_as_demonstration,
)
from erasure.demo.people_and_rooms import PASSPHRASE, PEOPLE


class Command(BaseCommand):
    help = "Load the demonstration clinic into its own database, start a run, and start the server."
    requires_system_checks: list[str] = []  # `serve` reports what this system lacks

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--port", type=int, default=8004)
        parser.add_argument("--host", default="127.0.0.1")
        parser.add_argument("--no-serve", action="store_true", help="load only")

    def handle(self, *args: Any, port: int, host: str, no_serve: bool, **options: Any) -> None:
        try:
            has_previous = check_ownership()
        except NotDemonstration as error:
            raise CommandError(str(error)) from error
        if has_previous:
            self.report("Clearing the previous demonstration\n")
            clear_demonstration()
        mark_as_demonstration()
        self.report("Creating the database\n")
        call_command("migrate", verbosity=0, interactive=False)
        run = load_demonstration(self.report)
        base = f"http://{host}:{port}"
        session = reverse("erasure:session", args=[run.pk])
        self.report(f"\nThe night has begun. Watch it: {base}{session}\n\n")
        for person in PEOPLE:
            self.report(f"  {person.email:28} {person.description}\n")
        self.report(f"\n  Everyone's passphrase: {PASSPHRASE}\n")
        self.report("  Ctrl-C ends it; the next `make demo` begins anew.\n\n")
        if not no_serve:
            call_command("serve", host=host, port=port)

    def report(self, text: str) -> None:
        self.stdout.write(text, ending="")
        self.stdout.flush()
