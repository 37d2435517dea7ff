"""Records denied requests in the audit log, one entry for each attempt."""

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
    """Record that `user` was denied the URL `name` with the URL arguments `kwargs`.

    The entry has every UUID of `kwargs`, also those of objects that do not exist.
    """
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
