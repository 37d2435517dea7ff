"""`manage.py work`: the worker of django-tasks, with our defaults."""

import logging
from argparse import ArgumentParser
from typing import Any

from django_tasks_db.management.commands import db_worker

from erasure.renewal.processes import add_process


class Command(db_worker.Command):
    help = "Execute tasks from the database, which work on runs. Prints nothing unless something fails."

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        # `reload` defaults to DEBUG, and a reload leaves tasks unfinished. `startup_delay` is for many
        # workers.
        parser.set_defaults(reload=False, startup_delay=False, interval=0.1)

    def handle(self, *args: Any, **options: Any) -> None:
        add_process("work")
        super().handle(*args, **options)

    def configure_logging(self, verbosity: int) -> None:
        """Log errors only, not each finished task."""
        for name in ("django.tasks", "django_tasks", "django_tasks_db"):
            logging.getLogger(name).setLevel(logging.ERROR if verbosity < 2 else logging.DEBUG)
