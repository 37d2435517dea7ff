from argparse import ArgumentParser
from typing import Any

from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.urls import reverse

from erasure.demo.loading import load
from erasure.demo.own import NotOurs, check_ours, clear, mark
from erasure.demo.people import CAST, PASSPHRASE


class Command(BaseCommand):
    help = "Load the demonstration clinic into its own database, start its night, and serve it."
    requires_system_checks: list[str] = []  # `serve` says what this system lacks

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--port", type=int, default=8004)
        parser.add_argument("--host", default="127.0.0.1")
        parser.add_argument("--no-serve", action="store_true", help="load only")

    def handle(self, *args: Any, port: int, host: str, no_serve: bool, **options: Any) -> None:
        try:
            older = check_ours()
        except NotOurs as error:
            raise CommandError(str(error)) from error
        if older:
            self.tell("Clearing the demonstration of last time\n")
            clear()
        mark()
        self.tell("Laying out the database\n")
        call_command("migrate", verbosity=0, interactive=False)
        run = load(self.tell)
        base = f"http://{host}:{port}"
        session = reverse("erasure:session", args=[run.pk])
        self.tell(f"\nThe night has begun. Watch it: {base}{session}\n\n")
        for part in CAST:
            self.tell(f"  {part.email:28} {part.what}\n")
        self.tell(f"\n  Everyone's passphrase: {PASSPHRASE}\n")
        self.tell("  Ctrl-C ends it; the next `make demo` begins anew.\n\n")
        if not no_serve:
            call_command("serve", host=host, port=port)

    def tell(self, text: str) -> None:
        self.stdout.write(text, ending="")
        self.stdout.flush()
