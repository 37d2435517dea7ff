"""A form's ticket: the id its request will have, given out by the house; sent twice, it makes one."""

import uuid
from uuid import UUID

from django.core import signing

SALT = "patients.requests.ticket"
LIFE = 12 * 3600  # seconds a form may lie open


def new_ticket() -> str:
    """A signed random id. Signed, because an id of the sender's choice could be that of another row's key."""
    return signing.dumps(uuid.uuid4().hex, salt=SALT)


def read_ticket(ticket: str) -> UUID:
    """The id in a ticket. Errors: signing.BadSignature for one that is not ours or too old."""
    return UUID(signing.loads(ticket, salt=SALT, max_age=LIFE))
