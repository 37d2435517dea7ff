import os
import socket
import subprocess
import sys
from argparse import ArgumentParser
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import connections
from django.urls import reverse

from erasure.demo.__main__ import OPEN
from erasure.demo.loader import certify_finished_nights, open_clinic
from erasure.demo.ownership import (
    NotDemonstration,
    check_ownership,
    clear_demonstration,
    mark_as_demonstration,
)
from erasure.demo.people_and_rooms import PASSPHRASE, PEOPLE
from erasure.demo.waiting_page import PAST_NIGHTS, waiting_page
from erasure.demo.waiting_page import PEOPLE as PEOPLE_STEP
from erasure.operations.process_tree import listen, prepare_child

NOT_LOADED = "The demonstration could not be loaded. The lines above say why."
# Seconds that the certificates of past nights wait for the end of the loading: longer than it takes.
RENEWAL_SECONDS = "300"


class Loader:
    """The process that loads the patients (erasure/demo/__main__.py)."""

    def __init__(self, base: str) -> None:
        self.opened, writing = os.pipe()
        parent = os.getpid()
        self.process = subprocess.Popen(  # noqa: S603 - our own module
            [sys.executable, "-m", "erasure.demo", base],
            cwd=settings.BASE_DIR,
            env={**os.environ, OPEN: str(writing)},
            stdin=subprocess.PIPE,
            pass_fds=[writing],
            process_group=0,  # so that a terminal's Ctrl-C reaches the parent alone
            preexec_fn=lambda: prepare_child(parent),  # noqa: PLW1509 - the parent has one thread
        )
        os.close(writing)

    def begin(self) -> None:
        """Tell the process that the database is there."""
        if self.process.stdin is not None:
            self.process.stdin.write(b"\n")
            self.process.stdin.close()

    def wait_until_open(self) -> None:
        """Return when the clinic may open. Errors: CommandError if the process has failed before that."""
        if not os.read(self.opened, 1):
            raise CommandError(NOT_LOADED)

    def wait(self) -> None:
        """Return when all is loaded. Errors: CommandError."""
        if self.process.wait():
            raise CommandError(NOT_LOADED)

    def end(self) -> None:
        """End the process if it still runs."""
        self.process.terminate()
        self.process.wait()
        os.close(self.opened)


@contextmanager
def loading(base: str) -> Iterator[Loader]:
    """Start the process that loads the patients; it ends with the block at the latest."""
    loader = Loader(base)
    try:
        yield loader
    finally:
        loader.end()


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
            listener = None if no_serve else listen(host, port)
        except NotDemonstration as error:
            raise CommandError(str(error)) from error
        except OSError as error:
            raise CommandError(
                f"The server cannot listen at {host} port {port}: {error.strerror}."
            ) from error
        if has_previous:
            self.report("Clearing the previous demonstration\n")
            clear_demonstration()
        mark_as_demonstration()
        base = f"http://{host}:{port}"
        try:
            with loading(base) as loader:
                self.prepare(loader, listener, base)
                if listener is None:
                    loader.wait()
                    self.report("Verifying the nights that are over, and signing their certificates\n")
                    certify_finished_nights()
                else:
                    self.serve(listener)
        except KeyboardInterrupt:
            self.report("\nThe demonstration was ended. The next `make demo` begins anew.\n")

    def prepare(self, loader: Loader, listener: socket.socket | None, base: str) -> None:
        """Make the database and its people, and return when the clinic may open."""
        with waiting_page(listener) as preparation:
            if listener is not None:
                self.report(f"{base}/ says how far it is, and opens the clinic\n")
            self.report("Creating the database\n")
            call_command("migrate", verbosity=0, interactive=False)
            preparation.step = PEOPLE_STEP
            open_clinic()
            connections.close_all()
            preparation.step = PAST_NIGHTS
            loader.begin()
            loader.wait_until_open()

    def serve(self, listener: socket.socket) -> None:
        """Start the clinic on the socket, and return when it was ended."""
        host, port = listener.getsockname()[:2]
        self.report(f"Everybody is one click away: http://{host}:{port}{reverse('account_login')}\n\n")
        for person in PEOPLE:
            self.report(f"  {person.email:29} {person.name:22} {person.role_name}\n")
        self.report(f"\n  Everyone's passphrase: {PASSPHRASE}\n")
        self.report("  Ctrl-C ends it; the next `make demo` begins anew.\n\n")
        os.environ.setdefault("LACUNA_RENEWAL_SECONDS", RENEWAL_SECONDS)
        call_command("serve", host=host, port=port, listener=listener)

    def report(self, text: str) -> None:
        self.stdout.write(text, ending="")
        self.stdout.flush()
