from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from clinic.audit.checkpoints import read_verifier_key
from clinic.audit.keyring import key_of_certificate
from erasure.certificates.checking import digest_of, read_and_check


class Command(BaseCommand):
    help = "Check a certificate file: its signature, and that every entry in it is in the audit log."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path, help="the certificate.json that the clinic gave out")
        parser.add_argument(
            "--key",
            help="the clinic's verifier key, as verify_audit prints it; by default this installation's own",
        )

    def handle(self, *args: Any, file: Path, key: str | None, **options: Any) -> None:
        try:
            text = file.read_bytes()
            trusted = read_verifier_key(key) if key else key_of_certificate(digest_of(text))
            checked = read_and_check(text, trusted)
        except (OSError, ValueError) as error:
            raise CommandError(f"This file cannot be checked as a certificate: {error}") from error
        if not checked.holds:
            raise CommandError("The certificate does NOT hold. " + " ".join(checked.problems))
        self.stdout.write(f"The certificate holds: signed by this key, {checked.entries} log entries proved.")
