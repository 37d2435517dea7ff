"""Print the access table of docs/access.md."""

from typing import Any

from django.core.management.base import BaseCommand

from clinic.access.table import access_table


class Command(BaseCommand):
    help = "Print who may do what, as docs/access.md has it."

    def handle(self, **options: Any) -> None:
        self.stdout.write(access_table(), ending="")
