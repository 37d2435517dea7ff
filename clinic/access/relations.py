"""How a person stands to the object a URL names. Rooms that own the objects teach it here."""

from collections.abc import Callable, Mapping
from typing import Any

from clinic.people.models import User

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
    """All relations of `user` to the objects in `kwargs`; None where one of them does not exist."""
    found: frozenset[str] = frozenset()
    for keyword, value in kwargs.items():
        if resolver := _resolvers.get(keyword):
            standing = resolver(user, value)
            if standing is None:
                return None
            found |= standing
    return found
