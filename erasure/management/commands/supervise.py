"""`manage.py supervise`: the supervisor process, normally started by `manage.py serve`."""

import signal
import threading
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from erasure.operations.supervisor_loop import supervise
from erasure.renewal.processes import add_process


class Command(BaseCommand):
    help = (
        "Wake due runs, free the leases of silent workers, certify finished runs, send mail, sweep the vault."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--interval", type=float, default=0.15, help="seconds between two quick rounds")

    def handle(self, *args: Any, **options: Any) -> None:
        stopping = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stopping.set())
        add_process("supervise")
        supervise(options["interval"], stopping)
