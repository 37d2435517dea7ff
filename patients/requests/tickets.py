"""Tickets: a form carries the signed id of its future request, so sending it twice makes one request."""

import uuid
from uuid import UUID

from django.core import signing

SALT = "patients.requests.ticket"
MAX_AGE = 12 * 3600  # seconds from showing a form to sending it


def new_ticket() -> str:
    """Return a signed random id. Unsigned, a client could choose an id that belongs to another row's key."""
    return signing.dumps(uuid.uuid4().hex, salt=SALT)


def read_ticket(ticket: str) -> UUID:
    """Return the id in a ticket. Errors: signing.BadSignature if it is forged or older than MAX_AGE."""
    return UUID(signing.loads(ticket, salt=SALT, max_age=MAX_AGE))
