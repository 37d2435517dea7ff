"""`manage.py supervise`: wake due runs, free dead leases, settle what ended, sweep the vault."""

import signal
import threading
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from erasure.operations.supervisor_loop import supervise


class Command(BaseCommand):
    help = "Wake due runs, free the leases of silent workers, settle what has ended, sweep the vault."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--interval", type=float, default=0.15, help="seconds between two rounds")

    def handle(self, *args: Any, **options: Any) -> None:
        stopping = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stopping.set())
        supervise(options["interval"], stopping)
