"""`manage.py serve`: web server, workers and supervisor in one process tree."""

import os
import socket
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import Error, connections

from erasure.operations.process_tree import listen, server_tree
from erasure.operations.startup import CannotStart, prepare


def address_in_mails(listener: socket.socket) -> None:
    """Tell the supervisor the address of a server on loopback, for the links in mails that it writes.

    Anywhere else the settings know it: LACUNA_ADDRESS, or the first of LACUNA_HOSTS.
    """
    host, port = listener.getsockname()[:2]
    if settings.ALLOWED_HOSTS[:1] == ["localhost"] and not settings.HTTPS:
        shown = f"[{host}]" if ":" in host else host
        os.environ.setdefault("LACUNA_ADDRESS", f"http://{shown}:{port}/")


class Command(BaseCommand):
    help = "Start web server, workers and supervisor, and restart each that ends."
    requires_system_checks: list[str] = []
    stealth_options = ("listener",)  # a socket that listens already, instead of host and port

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--host", default="127.0.0.1")
        parser.add_argument("--port", type=int, default=8000)
        parser.add_argument("--workers", type=int, default=2, help="processes that work on runs")
        parser.add_argument(
            "--no-web",
            action="store_false",
            dest="web",
            help="workers and supervisor only, for a further machine",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            prepare()
            listener = options.get("listener")
            if listener is None and options["web"]:
                listener = listen(options["host"], options["port"])
        except (CannotStart, Error) as error:
            raise CommandError(str(error)) from error
        except OSError as error:
            where = f"{options['host']} port {options['port']}"
            raise CommandError(f"The server cannot listen at {where}: {error.strerror}.") from error
        finally:
            connections.close_all()
        if listener is not None:
            address_in_mails(listener)
        tree = server_tree(listener, options["workers"], redis=bool(settings.REDIS_URL))

        def greet() -> None:
            if listener is not None:
                host, port = listener.getsockname()[:2]
                shown = f"[{host}]" if ":" in host else host
                self.stdout.write(f"Lacuna is open at http://{shown}:{port}/ (Ctrl-C closes it)")
            else:
                self.stdout.write("Lacuna works on runs here (Ctrl-C ends it)")
            self.stdout.flush()

        tree.run(greet)
