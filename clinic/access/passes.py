"""Passes: what a browser carries instead of a sign-in, to use a few URLs about one object.

A rule of the policy names the kind of a pass as it names a role. A pass opens only URLs whose row has such a
rule, and only with the objects that it was issued for. For every other URL its bearer is signed out. Packages
register a function that finds a valid pass of their kind.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest

from clinic.access.page_owner import owner_marks, page_owner_of
from clinic.access.policy import TABLE, Pass, Rule, url_name_of
from clinic.accounts.models import User

Finder = Callable[[Mapping[str, str], Mapping[str, Any]], Pass | None]
_finders: dict[str, Finder] = {}


def register_pass(kind: str) -> Callable[[Finder], Finder]:
    """Return a decorator that registers the function that finds the passes of `kind`.

    The function gets the cookies of a request and the URL's arguments. It returns a pass that is valid now,
    or None.
    """

    def register(finder: Finder) -> Finder:
        _finders[kind] = finder
        return finder

    return register


@dataclass(frozen=True)
class Bearer:
    """Who sends a request.

    user: who is signed in. mark: of the page that sent it, None if it carries none.
    """

    user: object
    mark: str | None


def pass_for(name: str, kwargs: Mapping[str, Any], cookies: Mapping[str, str], bearer: Bearer) -> Pass | None:
    """Return the pass by which a request for the URL `name` acts, or None.

    It acts by none if the page that sent it was made for somebody else, or if somebody else is signed in and
    the page does not say that it was made for the pass's owner.
    """
    for kind in _kinds_of(name):
        found = _finders[kind](cookies, kwargs)
        if found is None:
            continue
        own_page = bearer.mark in owner_marks(found.user)
        alone = not isinstance(bearer.user, User) or bearer.user.pk == found.user.pk
        if own_page or (bearer.mark is None and alone):
            return found
    return None


def _kinds_of(name: str) -> set[str]:
    """Return the kinds of passes that the row of the URL `name` lets in, to read or to write."""
    row = TABLE.get(name)
    whos = (row.read, row.write) if row else ()
    return {rule.role for who in whos for rule in who if isinstance(rule, Rule)} & _finders.keys()


def acting_pass(request: HttpRequest) -> Pass | None:
    """Return the pass by which a request to a view acts, or None. It is looked for once a request."""
    if not hasattr(request, "acting_pass"):
        kwargs = request.resolver_match.kwargs if request.resolver_match else {}
        name, found = url_name_of(request), None
        # Else the mark is not looked for: a view may read its body in a way of its own.
        if _kinds_of(name):
            bearer = Bearer(request.user, page_owner_of(request))
            found = pass_for(name, kwargs, request.COOKIES, bearer)
        request.acting_pass = found  # type: ignore[attr-defined]
    result: Pass | None = request.acting_pass  # type: ignore[attr-defined]
    return result


def bearer_of(request: HttpRequest) -> User:
    """Return whose request it is: the pass's owner, else who is signed in. Errors: TypeError if nobody."""
    if found := acting_pass(request):
        return found.user
    if not isinstance(request.user, User):
        raise TypeError("nobody is signed in")
    return request.user
