"""How a person stands to the object a URL names. Rooms that own the objects teach it here."""

from collections.abc import Callable, Mapping
from typing import Any

from clinic.accounts.models import User

# The person is the patient, or the subject, of the case they would act on as staff.
CONFLICT = "conflict"

Resolver = Callable[[User, Any], frozenset[str] | None]
_resolvers: dict[str, Resolver] = {}


def relation(keyword: str) -> Callable[[Resolver], Resolver]:
    """Register how people stand to objects named by `keyword` in URLs; None means there is no such object."""

    def register(resolver: Resolver) -> Resolver:
        _resolvers[keyword] = resolver
        return resolver

    return register


def relations_to(user: User, kwargs: Mapping[str, Any]) -> frozenset[str] | None:
    """How `user` stands to all the objects in `kwargs` at once; None where one of them does not exist.

    Where a URL names several, only what holds towards each of them counts (a child under another's parent
    gains nothing by its parent), while a conflict with one is a conflict with all.
    """
    standings = []
    for keyword, value in kwargs.items():
        if resolver := _resolvers.get(keyword):
            standing = resolver(user, value)
            if standing is None:
                return None
            standings.append(standing)
    if not standings:
        return frozenset()
    return frozenset.intersection(*standings) | (frozenset().union(*standings) & {CONFLICT})
