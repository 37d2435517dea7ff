"""Run the verifier as a separate process: without the root key, unable to write, with a report in JSON.

A report is accepted only if it names every place with a valid result. Anything else (a crash, a kill, no
output) raises `NotVerified` and never counts as clean.
"""

import json
import os
import subprocess
import sys
from dataclasses import asdict
from typing import Any
from urllib.parse import quote
from uuid import UUID

from django.conf import settings
from django.db import connection

from erasure.verification.checks import EVERY
from erasure.verification.places import FOUND, RESULTS, Findings, Place, word

TIMEOUT = 900.0  # seconds after which a verifier is killed
# Environment variables that a verifier does not get: it decrypts nothing, so it needs no key.
WITHHELD = (
    "LACUNA_ROOT_KEY",
    "LACUNA_ROOT_KEY_FILE",
    "LACUNA_ROOT_KEY_FILE_BEFORE",
    "LACUNA_SIGNING_KEY_FILE",
    "LACUNA_TOKEN_PIN",
    "LACUNA_TOKEN_PIN_FILE",
)


class NotVerified(Exception):
    """The verifier gave no report that can be accepted. why: one word for the audit details."""

    def __init__(self, why: str, text: str = "") -> None:
        super().__init__(f"the verifier gave no answer: {why}. {text}".rstrip(". ") + ".")
        self.why = why


def report(findings: Findings, run_id: UUID) -> str:
    """Return the verifier's report: one line of JSON."""
    places = [asdict(place) for place in findings.places]
    head = {"run": str(run_id), "confined": findings.confined, "database": findings.database}
    return json.dumps({**head, "places": places})


def read_report(text: str, run_id: UUID) -> Findings:
    """Parse and validate a report. Errors: NotVerified if it is incomplete, invalid or of another run."""
    try:
        data: dict[str, Any] = json.loads(text)
        places = [Place(**place) for place in data["places"]]
        complete = data["run"] == str(run_id) and tuple(place.name for place in places) == EVERY
        valid = all(
            place.result in RESULTS and (place.result == FOUND) == bool(place.found) for place in places
        )
        confined, database = data["confined"], data["database"]
    except (ValueError, TypeError, KeyError) as error:
        raise NotVerified("no-report") from error
    if not complete or not valid or not confined or not database:
        raise NotVerified("half-a-report")
    return Findings(
        [
            Place(
                place.name,
                place.result,
                place.looked_for,
                place.found,
                *map(_word_or_empty, (place.where, place.why)),
            )
            for place in places
        ],
        confined=_word_or_empty(confined),
        database=_word_or_empty(database),
    )


def _word_or_empty(text: str) -> str:
    return word(text) if text else ""


def verify_in_subprocess(run_id: UUID) -> Findings:
    """Run a verifier in its own process and return its findings. Errors: NotVerified."""
    command = [sys.executable, "-m", "django", "verify_erasure", str(run_id), "--json"]
    try:
        ended = subprocess.run(  # noqa: S603 - our own interpreter and our own command
            command,
            env=environment(),
            cwd=settings.BASE_DIR,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=TIMEOUT,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise NotVerified("took-too-long") from error
    except OSError as error:
        raise NotVerified("not-started", str(error)) from error
    if ended.returncode < 0:
        raise NotVerified(f"signal-{-ended.returncode}")
    if ended.returncode:
        last = ended.stderr.strip().splitlines()[-1:]
        raise NotVerified(f"exit-{ended.returncode}", " ".join(last))
    return read_report(ended.stdout, run_id)


def environment() -> dict[str, str]:
    """Return the environment for a process that uses this installation's data, without keys and PINs."""
    inherited = {name: value for name, value in os.environ.items() if name not in WITHHELD}
    python_path = [str(settings.BASE_DIR), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {
        **inherited,
        "DJANGO_SETTINGS_MODULE": os.environ.get("DJANGO_SETTINGS_MODULE", "clinic.settings"),
        "PYTHONPATH": os.pathsep.join(python_path),
        "PYTHONDONTWRITEBYTECODE": "1",
        "LACUNA_SECRET_KEY": settings.SECRET_KEY,
        "LACUNA_DATABASE": database_address(),
        "LACUNA_DATA_DIR": str(settings.LACUNA_DATA_DIR),
        "LACUNA_KEYS": settings.LACUNA_KEYS,
        "LACUNA_TOKEN_MODULE": settings.LACUNA_TOKEN_MODULE,
        "LACUNA_KEYS_DIR": str(settings.LACUNA_KEYS_DIR),
        "LACUNA_KEY_MIRRORS": ",".join(str(place) for place in settings.LACUNA_KEY_MIRRORS),
    }


def database_address() -> str:
    """Return the database as a URL for LACUNA_DATABASE."""
    chosen = connection.settings_dict
    if connection.vendor == "sqlite":
        return f"sqlite:///{chosen['NAME']}"
    user = quote(chosen["USER"] or "", safe="")
    secret = f":{quote(chosen['PASSWORD'], safe='')}" if chosen["PASSWORD"] else ""
    port = f":{chosen['PORT']}" if chosen["PORT"] else ""
    host = quote(chosen["HOST"] or "", safe=".:[]")
    return f"postgresql://{user}{secret}@{host}{port}/{quote(chosen['NAME'], safe='')}"
