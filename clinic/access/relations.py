"""The relations of a user to the objects in a URL, such as "own" or "assigned".

Each app registers a resolver for the URL arguments that are ids of its objects.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from clinic.accounts.models import User

# The user is the patient or the subject of the case. Staff roles do not count there (policy.allowed).
CONFLICT = "conflict"


@dataclass(frozen=True)
class Standing:
    """How a user stands to an object. case: the case that the object belongs to, None if to no case."""

    relations: frozenset[str] = frozenset()
    case: UUID | None = None


Resolver = Callable[[User, Any], Standing | None]
HiddenCases = Callable[[User, Collection[UUID]], Iterable[UUID]]
_resolvers: dict[str, Resolver] = {}
_hidden: list[HiddenCases] = []


def relation(keyword: str) -> Callable[[Resolver], Resolver]:
    """Return a decorator that registers the resolver for the URL argument `keyword`.

    The resolver gets the user and the argument's value. It returns how the user stands to that object, or
    None if the object does not exist.
    """

    def register(resolver: Resolver) -> Resolver:
        _resolvers[keyword] = resolver
        return resolver

    return register


def standing_in(user: User, kwargs: Mapping[str, Any]) -> Standing | None:
    """Return how `user` stands to all objects in `kwargs`, or None if one of them does not exist.

    Objects of different cases are under the wrong parent: there is no such object then. With several objects,
    only relations to every one of them count. CONFLICT with any one of them counts.
    """
    found = []
    for keyword, value in kwargs.items():
        if resolver := _resolvers.get(keyword):
            standing = resolver(user, value)
            if standing is None:
                return None
            found.append(standing)
    if not found:
        return Standing()
    if len({standing.case for standing in found}) > 1:
        return None
    relations = [standing.relations for standing in found]
    shared = frozenset.intersection(*relations) | (frozenset().union(*relations) & {CONFLICT})
    return Standing(shared, found[0].case)


def case_in(user: User, kwargs: Mapping[str, Any]) -> UUID | None:
    """Return the case of the last object in `kwargs` that exists, None if none of them belongs to a case."""
    found = [
        resolver(user, value) for keyword, value in kwargs.items() if (resolver := _resolvers.get(keyword))
    ]
    return next((standing.case for standing in reversed(found) if standing), None)


def register_hidden_cases(function: HiddenCases) -> HiddenCases:
    """Register a function that returns those of some cases in which a user is patient or subject."""
    _hidden.append(function)
    return function


def hidden_cases(user: User, among: Iterable[UUID | None]) -> frozenset[UUID]:
    """Return those of `among` in which `user` is patient or subject: no staff page shows them these.

    among: ids of cases; None is ignored. The subject's name of each has to be decrypted, so a list asks for
    the cases of its own rows and not for all.
    """
    asked = {case for case in among if case is not None}
    return frozenset(case for function in _hidden for case in function(user, asked)) if asked else frozenset()
