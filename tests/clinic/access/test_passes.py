"""A pass opens what a rule names, for the object it was issued for, and to whom it belongs."""

from uuid import uuid4

import pytest
from django.contrib.auth.models import AnonymousUser
from django.test import RequestFactory

from clinic.access import passes, policy
from clinic.access.page_owner import owner_mark
from clinic.access.passes import Bearer, bearer_of, pass_for, register_pass
from clinic.access.policy import Pass, Row, allowed, register, roles, with_relation
from clinic.accounts.models import Role, User
from tests.factories import make_user

pytestmark = pytest.mark.django_db
THING = uuid4()


@pytest.fixture
def owner(monkeypatch: pytest.MonkeyPatch) -> User:
    """The owner of a pass of the kind "key" for THING, which every browser with the cookie `key` carries."""
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


def carried(
    name: str = "door", *, user: User | None = None, mark: str | None = None, key: bool = True
) -> Pass | None:
    cookies = {"key": "1"} if key else {}
    return pass_for(name, {"thing": THING}, cookies, Bearer(user or AnonymousUser(), mark))


def status(name: str, thing: object = THING, method: str = "GET") -> tuple[bool, int]:
    decision = allowed(AnonymousUser(), name, {"thing": thing}, method, carried("door"))
    return decision.allowed, decision.status


def test_it_opens_a_url_whose_rule_names_it_with_its_own_roles_alone(owner: User) -> None:
    decision = allowed(AnonymousUser(), "door", {"thing": THING}, "GET", carried())
    assert (decision.allowed, decision.roles, decision.relations) == (True, {"key"}, {"own"})
    assert (decision.names, decision.content) == (False, False)


def test_it_opens_neither_another_object_nor_more_objects_nor_another_relation(owner: User) -> None:
    assert status("door", uuid4()) == (False, 404)
    more = allowed(AnonymousUser(), "door", {"thing": THING, "case": THING}, "GET", carried())
    assert (more.allowed, more.because) == (False, "pass")
    assert status("vault") == (False, 404)


def test_it_opens_a_method_only_if_a_rule_for_the_method_names_it(owner: User) -> None:
    assert status("door", method="POST") == (False, 404)
    assert status("bell", method="POST") == (True, 200)
    assert status("bell") == (False, 405)


def test_it_is_not_looked_for_where_no_rule_names_it(owner: User) -> None:
    assert carried("garden") is None
    assert carried("nowhere") is None
    assert carried("door") is not None
    assert carried("door", key=False) is None


def test_it_acts_for_its_owner_and_for_nobody_who_is_signed_in_beside_it(owner: User) -> None:
    other = make_user(Role.PATIENT)
    assert carried(user=owner) is not None
    assert carried(user=other) is None
    assert carried(user=other, mark=owner_mark(owner)) is not None
    assert carried(user=other, mark=owner_mark(other)) is None
    assert carried(mark=owner_mark(other)) is None
    assert carried(mark="") is None


def test_a_pass_is_of_no_use_to_its_owners_roles(owner: User) -> None:
    """The owner is a patient, but by a pass only what names the pass is open."""
    assert status("garden") == (False, 404)


def test_without_a_pass_and_a_sign_in_there_is_no_bearer() -> None:
    request = RequestFactory().get("/")
    request.user, request.resolver_match = AnonymousUser(), None
    with pytest.raises(TypeError, match="nobody is signed in"):
        bearer_of(request)
