"""A pass opens only URLs whose rules name it, only for its object, and only to its owner."""

from uuid import uuid4

import pytest
from django.contrib.auth.models import AnonymousUser
from django.test import RequestFactory

from clinic.access import passes, policy
from clinic.access.page_owner import owner_mark
from clinic.access.passes import Sender, acting_user, pass_for, register_pass
from clinic.access.policy import Pass, Row, allowed, register, roles, with_relation
from clinic.accounts.models import Role, User
from tests.factories import make_user

pytestmark = pytest.mark.django_db
THING = uuid4()


@pytest.fixture
def owner(monkeypatch: pytest.MonkeyPatch) -> User:
    """The owner of a pass of the kind "key" for THING. Every request with the cookie `key` has that pass."""
    monkeypatch.setattr(policy, "TABLE", dict(policy.TABLE))
    monkeypatch.setattr(passes, "TABLE", policy.TABLE)
    monkeypatch.setattr(passes, "_finders", dict(passes._finders))
    owner = make_user(Role.PATIENT)
    key = Pass("key", owner, {"thing": THING}, frozenset({"own"}), uuid4())
    register_pass("key")(lambda cookies, kwargs: key if cookies.get("key") else None)
    register(
        {
            "door": Row(roles(with_relation("key", "own")), roles(Role.ADMINISTRATOR)),
            "bell": Row((), roles(with_relation("key", "own"))),
            "vault": Row(roles(with_relation("key", "sealed"))),
            "garden": Row(roles(Role.PATIENT)),
        }
    )
    return owner


def find(
    name: str = "door", *, user: User | None = None, mark: str | None = None, key: bool = True
) -> Pass | None:
    """The pass by which a request for `name` acts. key: whether it has the cookie."""
    cookies = {"key": "1"} if key else {}
    return pass_for(name, {"thing": THING}, cookies, Sender(user or AnonymousUser(), mark))


def status(name: str, thing: object = THING, method: str = "GET") -> tuple[bool, int]:
    """Whether the owner's pass opens the URL `name`, and the status of the decision."""
    decision = allowed(AnonymousUser(), name, {"thing": thing}, method, find("door"))
    return decision.allowed, decision.status


def test_it_opens_a_url_whose_rule_names_it_with_its_own_roles_alone(owner: User) -> None:
    decision = allowed(AnonymousUser(), "door", {"thing": THING}, "GET", find())
    assert (decision.allowed, decision.roles, decision.relations) == (True, {"key"}, {"own"})
    assert (decision.names, decision.content) == (False, False)


def test_it_opens_neither_another_object_nor_more_objects_nor_another_relation(owner: User) -> None:
    assert status("door", uuid4()) == (False, 404)
    more = allowed(AnonymousUser(), "door", {"thing": THING, "case": THING}, "GET", find())
    assert (more.allowed, more.because) == (False, "pass")
    assert status("vault") == (False, 404)


def test_it_opens_a_method_only_if_a_rule_for_the_method_names_it(owner: User) -> None:
    assert status("door", method="POST") == (False, 404)
    assert status("bell", method="POST") == (True, 200)
    assert status("bell") == (False, 405)


def test_it_is_not_looked_for_where_no_rule_names_it(owner: User) -> None:
    assert find("garden") is None
    assert find("nowhere") is None
    assert find("door") is not None
    assert find("door", key=False) is None


def test_it_acts_for_its_owner_and_not_for_another_person_who_is_signed_in(owner: User) -> None:
    other = make_user(Role.PATIENT)
    assert find(user=owner) is not None
    assert find(user=other) is None
    assert find(user=other, mark=owner_mark(owner)) is not None
    assert find(user=other, mark=owner_mark(other)) is None
    assert find(mark=owner_mark(other)) is None
    assert find(mark="") is None


def test_a_pass_does_not_give_its_owners_roles(owner: User) -> None:
    """The owner is a patient, but a pass opens only URLs whose rules name the pass."""
    assert status("garden") == (False, 404)


def test_without_a_pass_and_a_sign_in_there_is_no_acting_user() -> None:
    request = RequestFactory().get("/")
    request.user, request.resolver_match = AnonymousUser(), None
    with pytest.raises(TypeError, match="nobody is signed in"):
        acting_user(request)
