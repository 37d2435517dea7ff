"""`manage.py keys`: where the keys stand, what that limits, and rolling them by hand."""

from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import Error

from patients.vault import custody
from patients.vault.configured import key_store
from patients.vault.keys import KeyStoreDamaged
from patients.vault.limits import limits, method


class Command(BaseCommand):
    help = "Show where the keys stand and what that limits, or roll them (docs/keys.md)."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "what",
            choices=["status", "roll", "strike"],
            help="status: look; roll: wrap survivors anew and destroy the key above them; strike: after a "
            "restore of the database, end the rows that no key in the token opens",
        )

    def handle(self, *, what: str, **options: Any) -> None:
        try:
            getattr(self, what)()
        except ImproperlyConfigured as error:
            raise CommandError(str(error)) from error
        except (KeyStoreDamaged, OSError) as error:
            raise CommandError(f"The key store cannot be used: {error}") from error
        except Error as error:
            raise CommandError(f"The database cannot be used: {error}") from error

    def status(self) -> None:
        state = key_store().state()
        where = "rows of PostgreSQL" if state.kind == "database" else "a slot file"
        above = f"under a root key ({state.root})"
        if state.custody == "token":
            above = f"inside the token ({state.token})"
        self.stdout.write(
            f"Data keys: {state.live}, in {where}, mirrors: {state.mirrors}; epoch {state.epoch}"
        )
        self.stdout.write(f"Destroyed since the last roll: {state.destroyed}")
        self.stdout.write(f"Keys above them: {above}")
        self.stdout.write(f"A key is destroyed so: {method(state)}.")
        for warning in state.warnings:
            self.stdout.write(
                self.style.WARNING(f"Warning: {warning.place} on {warning.filesystem}: {warning.reason}")
            )
        for sentence in limits(state):
            self.stdout.write(f"- {sentence}")

    def roll(self) -> None:
        rolled = custody.roll(by="system:operator")
        self.stdout.write(
            f"Epoch {rolled.epoch} began: {rolled.survivors} keys wrapped anew, "
            f"{rolled.dropped} destroyed ones left behind."
        )

    def strike(self) -> None:
        struck = custody.strike(by="system:operator")
        self.stdout.write(f"Struck: {struck} keys that nothing opens any more.")
