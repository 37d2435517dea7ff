"""The relations of a user to the objects in a URL, such as "own" or "assigned".

Each app registers a resolver for the URL arguments that are ids of its objects.
"""

from collections.abc import Callable, Mapping
from typing import Any

from clinic.accounts.models import User

# The user is the patient or the subject of the case. Staff roles do not count there (policy.allowed).
CONFLICT = "conflict"

Resolver = Callable[[User, Any], frozenset[str] | None]
_resolvers: dict[str, Resolver] = {}


def relation(keyword: str) -> Callable[[Resolver], Resolver]:
    """Return a decorator that registers the resolver for the URL argument `keyword`.

    The resolver gets the user and the argument's value. It returns the user's relations to that object, or
    None if the object does not exist.
    """

    def register(resolver: Resolver) -> Resolver:
        _resolvers[keyword] = resolver
        return resolver

    return register


def relations_to(user: User, kwargs: Mapping[str, Any]) -> frozenset[str] | None:
    """Return the relations of `user` to all objects in `kwargs`, or None if one of them does not exist.

    With several objects, only relations to every one of them count: otherwise the id of somebody else's
    object under a URL of one's own would open it. CONFLICT with any one of them counts.
    """
    found = []
    for keyword, value in kwargs.items():
        if resolver := _resolvers.get(keyword):
            relations = resolver(user, value)
            if relations is None:
                return None
            found.append(relations)
    if not found:
        return frozenset()
    return frozenset.intersection(*found) | (frozenset().union(*found) & {CONFLICT})
