"""Passes let a browser use a few URLs about one object without a sign-in.

A rule of the policy names the kind of a pass as it names a role. A pass opens only URLs whose row has such a
rule, and only with the ids that it was issued for. Every other URL ignores it. A package that issues passes
registers a function that finds a valid pass in the cookies of a request.
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
    """Return a decorator that registers the finder of passes of `kind`.

    A finder gets the cookies of a request and the URL's arguments. It returns a pass that is valid now, or
    None.
    """

    def register(finder: Finder) -> Finder:
        _finders[kind] = finder
        return finder

    return register


@dataclass(frozen=True)
class Sender:
    """Who sends a request, apart from any pass.

    user: the signed-in user, or None or AnonymousUser. mark: the owner's mark of the page that sent the
    request (clinic/access/page_owner.py); None if the request carries no mark.
    """

    user: object
    mark: str | None


def pass_for(name: str, kwargs: Mapping[str, Any], cookies: Mapping[str, str], sender: Sender) -> Pass | None:
    """Return the pass by which a request for the URL `name` acts, or None.

    A request with a mark acts by a pass only if the mark is that of the pass's owner, whoever is signed in.
    A request without a mark acts by a pass unless somebody other than its owner is signed in.
    """
    for kind in _kinds_of(name):
        found = _finders[kind](cookies, kwargs)
        if found is None:
            continue
        is_owners_page = sender.mark in owner_marks(found.user)
        nobody_else = not isinstance(sender.user, User) or sender.user.pk == found.user.pk
        if is_owners_page or (sender.mark is None and nobody_else):
            return found
    return None


def _kinds_of(name: str) -> set[str]:
    """Return the kinds of passes that the policy row of the URL `name` names, for reading or for writing."""
    row = TABLE.get(name)
    whos = (row.read, row.write) if row else ()
    return {rule.role for who in whos for rule in who if isinstance(rule, Rule)} & _finders.keys()


def acting_pass(request: HttpRequest) -> Pass | None:
    """Return the pass by which a request to a view acts, or None. The result is kept on the request."""
    if not hasattr(request, "acting_pass"):
        kwargs = request.resolver_match.kwargs if request.resolver_match else {}
        name, found = url_name_of(request), None
        # For other URLs the mark is not read: that would parse the body, which some views read themselves.
        if _kinds_of(name):
            sender = Sender(request.user, page_owner_of(request))
            found = pass_for(name, kwargs, request.COOKIES, sender)
        request.acting_pass = found  # type: ignore[attr-defined]
    result: Pass | None = request.acting_pass  # type: ignore[attr-defined]
    return result


def acting_user(request: HttpRequest) -> User:
    """Return the owner of the request's pass, else the signed-in user. Errors: TypeError if neither."""
    if found := acting_pass(request):
        return found.user
    if not isinstance(request.user, User):
        raise TypeError("nobody is signed in")
    return request.user
