"""Every denied attempt is written down, once."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.db import transaction

from clinic.access.policy import Decision
from clinic.accounts.models import User
from clinic.audit.record import Act, actor_of, record


@transaction.atomic
def record_denial(
    user: User, name: str, kwargs: Mapping[str, Any], method: str, decision: Decision, address: str = ""
) -> None:
    """Write that `user` was refused the URL `name`. Object ids are kept; an id that names nothing is too."""
    ids = {key: value for key, value in kwargs.items() if isinstance(value, UUID)}
    record(
        Act(
            "access.denied",
            f"url:{name or 'unknown'}",
            actor=actor_of(user),
            case=ids.get("case"),
            run=ids.get("run"),
            details={"method": method.lower()[:10], "because": decision.because, **ids},
            address=address,
        )
    )
