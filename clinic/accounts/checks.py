"""System check: no two accounts have the same e-mail address in two forms."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from django.core.checks import CheckMessage, Tags, Warning, register
from django.db import connections
from django.db.migrations.recorder import MigrationRecorder

from clinic.accounts.models import User
from clinic.names import address_key

MIGRATION = ("clinic", "0007_names_in_one_form")


@register(Tags.database)
def addresses_are_in_one_form(databases: Sequence[str] | None = None, **kwargs: Any) -> list[CheckMessage]:
    """Return a warning for each address that has an account in two forms.

    The migration left them as they were. The warning names accounts by id, so that it tells no addresses.
    """
    warnings: list[CheckMessage] = []
    for alias in databases or []:
        # Before that migration the table may not exist, and this check must not prevent migrating.
        if MIGRATION not in MigrationRecorder(connections[alias]).applied_migrations():
            continue
        accounts = defaultdict(list)
        for pk, address in User.objects.using(alias).order_by("joined_at", "pk").values_list("pk", "email"):
            accounts[address_key(address)].append(str(pk))
        warnings += [
            Warning(
                f"These accounts have the same e-mail address in two forms: {', '.join(same)}.",
                hint="Ask the person which account is theirs, and close the other one.",
                id="clinic.W001",
            )
            for same in accounts.values()
            if len(same) > 1
        ]
    return warnings
