"""The verifier as a process of its own: started without the root key, held from writing, asked for JSON.

What it says is believed only whole: every place there is, each with a result that is one. Anything else, a
crash, a kill, silence, is `NotVerified`, which is never clean.
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

LONGEST = 900.0  # seconds after which a verifier is taken for hung and killed
# What a verifier must not have: whoever opens nothing needs no key.
WITHHELD = (
    "LACUNA_ROOT_KEY",
    "LACUNA_ROOT_KEY_FILE",
    "LACUNA_ROOT_KEY_FILE_BEFORE",
    "LACUNA_SIGNING_KEY_FILE",
    "LACUNA_TOKEN_PIN",
    "LACUNA_TOKEN_PIN_FILE",
)


class NotVerified(Exception):
    """The verifier did not come to an end that can be believed; `why` is a word for the log."""

    def __init__(self, why: str, text: str = "") -> None:
        super().__init__(f"the verifier gave no answer: {why}. {text}".rstrip(". ") + ".")
        self.why = why


def report(findings: Findings, run_id: UUID) -> str:
    """What the verifier prints: one line of JSON."""
    places = [asdict(place) for place in findings.places]
    said = {"run": str(run_id), "confined": findings.confined, "database": findings.database}
    return json.dumps({**said, "places": places})


def read_report(text: str, run_id: UUID) -> Findings:
    """Take a report apart without believing it. Errors: NotVerified where it is not whole and of this run."""
    try:
        said: dict[str, Any] = json.loads(text)
        places = [Place(**place) for place in said["places"]]
        whole = said["run"] == str(run_id) and tuple(place.name for place in places) == EVERY
        sound = all(
            place.result in RESULTS and (place.result == FOUND) == bool(place.found) for place in places
        )
        confined, database = said["confined"], said["database"]
    except (ValueError, TypeError, KeyError) as error:
        raise NotVerified("no-report") from error
    if not whole or not sound or not confined or not database:
        raise NotVerified("half-a-report")
    return Findings(
        [
            Place(
                place.name,
                place.result,
                place.looked_for,
                place.found,
                *map(_short, (place.where, place.why)),
            )
            for place in places
        ],
        confined=_short(confined),
        database=_short(database),
    )


def _short(text: str) -> str:
    return word(text) if text else ""


def verify_apart(run_id: UUID) -> Findings:
    """Start a verifier for a run, wait for it, return what it found. Errors: NotVerified."""
    command = [sys.executable, "-m", "django", "verify_erasure", str(run_id), "--json"]
    try:
        ended = subprocess.run(  # noqa: S603 - our own interpreter and our own command
            command,
            env=environment(),
            cwd=settings.BASE_DIR,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=LONGEST,
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
    """Return the environment in which another process looks at this very house, the root key left out."""
    kept = {name: value for name, value in os.environ.items() if name not in WITHHELD}
    found_in = [str(settings.BASE_DIR), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {
        **kept,
        "DJANGO_SETTINGS_MODULE": os.environ.get("DJANGO_SETTINGS_MODULE", "clinic.settings"),
        "PYTHONPATH": os.pathsep.join(found_in),
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
    """Where the database is, as the settings of another process take it."""
    chosen = connection.settings_dict
    if connection.vendor == "sqlite":
        return f"sqlite:///{chosen['NAME']}"
    user = quote(chosen["USER"] or "", safe="")
    secret = f":{quote(chosen['PASSWORD'], safe='')}" if chosen["PASSWORD"] else ""
    port = f":{chosen['PORT']}" if chosen["PORT"] else ""
    host = quote(chosen["HOST"] or "", safe=".:[]")
    return f"postgresql://{user}{secret}@{host}{port}/{quote(chosen['NAME'], safe='')}"
