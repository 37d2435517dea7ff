"""`manage.py keys`: show where the keys are stored and what that limits, or roll or destroy them."""

from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import Error

from patients.vault import key_operations
from patients.vault.configured import key_store
from patients.vault.keys import KeyStoreDamaged
from patients.vault.limits import limits, method
from patients.vault.models import HeldKey
from patients.vault.unknown_keys import NotAsShown, destroy_held_keys


class Command(BaseCommand):
    help = "Show where the keys are stored and what that limits, or roll or destroy them (docs/keys.md)."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "what",
            choices=["status", "roll", "strike", "held"],
            help="status: show where the keys are stored; roll: wrap the live keys again under a new key and "
            "destroy the old one; strike: after a restore of the database, destroy the rows that no key in "
            "the token opens; held: show the keys that a restored database does not know",
        )
        parser.add_argument(
            "--destroy",
            type=int,
            metavar="NUMBER",
            help="with held: destroy these keys, as it was the right backup; NUMBER is how many were shown",
        )

    def handle(self, *, what: str, destroy: int | None, **options: Any) -> None:
        if destroy is not None and what != "held":
            raise CommandError("--destroy belongs to held.")
        try:
            if what == "held":
                self.held(destroy)
            else:
                getattr(self, what)()
        except NotAsShown as error:
            raise CommandError(str(error)) from error
        except ImproperlyConfigured as error:
            raise CommandError(str(error)) from error
        except (KeyStoreDamaged, OSError) as error:
            raise CommandError(f"The key store cannot be used: {error}") from error
        except Error as error:
            raise CommandError(f"The database cannot be used: {error}") from error

    def status(self) -> None:
        state = key_store().state()
        data_keys_in = "rows of PostgreSQL" if state.kind == "database" else "a slot file"
        upper_keys_in = f"under a root key ({state.root})"
        if state.custody == "token":
            upper_keys_in = f"inside the token ({state.token})"
        self.stdout.write(
            f"Data keys: {state.live}, in {data_keys_in}, mirrors: {state.mirrors}; epoch {state.epoch}"
        )
        self.stdout.write(f"Destroyed since the last roll: {state.destroyed}")
        self.stdout.write(f"Keys above them: {upper_keys_in}")
        self.stdout.write(f"A key is destroyed so: {method(state)}.")
        for warning in state.warnings:
            self.stdout.write(
                self.style.WARNING(f"Warning: {warning.place} on {warning.filesystem}: {warning.reason}")
            )
        for sentence in limits(state):
            self.stdout.write(f"- {sentence}")

    def roll(self) -> None:
        rolled = key_operations.roll(by="system:operator")
        self.stdout.write(
            f"Epoch {rolled.epoch} began: {rolled.survivors} keys wrapped anew, "
            f"{rolled.dropped} destroyed ones left behind."
        )

    def strike(self) -> None:
        struck = key_operations.strike(by="system:operator")
        self.stdout.write(f"Struck: {struck} keys that nothing opens any more.")

    def held(self, destroy: int | None) -> None:
        if destroy is not None:
            self.stdout.write(f"Destroyed: {destroy_held_keys(destroy, by='system:operator')} keys.")
            return
        count = HeldKey.objects.count()
        self.stdout.write(f"Held since a restore: {count} keys.")
        if count:
            self.stdout.write(
                "They open what was brought after that backup. If it was the right one: "
                f"manage.py keys held --destroy {count}"
            )
