import contextlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import pytest
from django.contrib.auth.models import AnonymousUser
from django.db import DatabaseError, IntegrityError, connection, connections, transaction
from django.db.transaction import TransactionManagementError
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory
from pytest_django import Settings

from clinic.accounts.models import User
from clinic.audit.canonical import leaf_of
from clinic.audit.context import client_address
from clinic.audit.merkle import Frontier
from clinic.audit.middleware import AuditContextMiddleware
from clinic.audit.models import Entry, TreeHead
from clinic.audit.record import ACTIONS, SELECT_HEAD, Act, LogBroken, acting, actor_of, record, register
from tests.clinic.audit.factories import an_act, copy_of_entry, write

WORKER = "system:worker"


@pytest.mark.django_db
def test_entries_get_consecutive_indexes_and_the_head_is_updated() -> None:
    case, run = uuid4(), uuid4()
    write(an_act(0))
    entries = write(an_act(1, case=case, run=run, details={"bytes": 12}, reason="asked"), an_act(2))
    assert [entry.index for entry in entries] == [1, 2]
    stored = list(Entry.objects.all())
    assert [entry.index for entry in stored] == [0, 1, 2]
    assert [bytes(entry.leaf) for entry in stored] == [leaf_of(entry) for entry in stored]
    assert (stored[1].case, stored[1].run, stored[1].details) == (case, run, {"bytes": 12})
    head = TreeHead.objects.get()
    assert head.as_frontier() == Frontier().extend(leaf_of(entry) for entry in stored)


@pytest.mark.django_db(transaction=True)
def test_outside_a_transaction_nothing_is_written() -> None:
    with pytest.raises(TransactionManagementError, match="in the transaction it speaks of"):
        record(an_act())
    assert not Entry.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_l4_an_action_is_rolled_back_if_its_entry_cannot_be_written() -> None:
    write(an_act())
    with connection.cursor() as cursor:  # index 1 is taken by a row that was never recorded
        cursor.execute(copy_of_entry(0, 1))
    with pytest.raises(IntegrityError):
        invite_joel(an_act(1))
    assert not User.objects.exists()


def invite_joel(act: Act) -> None:
    with transaction.atomic():
        User.objects.create_user("joel@example.com", name="Joel Barish")
        record(act)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("statement", ["INSERT INTO clinic_entry", "UPDATE clinic_treehead"])
def test_l4_an_action_is_rolled_back_if_the_disk_is_full(statement: str) -> None:
    def fail_as_full(execute: Callable[..., object], sql: str, *rest: object) -> object:
        if sql.startswith(statement):
            raise DatabaseError("database or disk is full")
        return execute(sql, *rest)

    with connection.execute_wrapper(fail_as_full), pytest.raises(DatabaseError, match="disk is full"):
        invite_joel(an_act())
    assert not User.objects.exists()
    assert not Entry.objects.exists()
    assert write(an_act())[0].index == 0


@pytest.mark.django_db(transaction=True)
def test_an_action_that_fails_leaves_no_entry() -> None:
    with contextlib.suppress(ZeroDivisionError), transaction.atomic():
        record(an_act())
        raise ZeroDivisionError
    assert not Entry.objects.exists()
    assert write(an_act())[0].index == 0


@pytest.mark.django_db
def test_a_stale_head_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    write(an_act())
    stale = TreeHead.objects.get()
    write(an_act(1))
    monkeypatch.setattr("clinic.audit.record.locked_head", lambda: stale)
    with pytest.raises(IntegrityError), transaction.atomic():
        record(an_act(2))
    TreeHead.objects.update(size=5)
    stale.size, stale.frontier = 2, TreeHead.objects.get().frontier[:1]
    with pytest.raises(LogBroken, match="moved on from 2"), transaction.atomic():
        record(an_act(2))


@pytest.mark.django_db
def test_a_log_without_its_head_accepts_no_entry() -> None:
    write(an_act())
    TreeHead.objects.all().delete()
    with pytest.raises(LogBroken, match="no head"), transaction.atomic():
        record(an_act(1))


@pytest.mark.django_db
def test_two_concurrent_first_entries_get_different_indexes() -> None:
    others = [an_act(0)]

    def write_other_first(execute: Callable[..., object], sql: str, *rest: object) -> object:
        result = execute(sql, *rest)
        if sql.startswith(SELECT_HEAD) and others:  # no head was found; another writer creates one first
            write(others.pop())
        return result

    with connection.execute_wrapper(write_other_first):
        write(an_act(1))
    rows = Entry.objects.values_list("index", "subject")
    assert list(rows) == [(0, "step:0"), (1, "step:1")]


@pytest.mark.django_db
def test_a_log_with_an_inconsistent_head_accepts_no_entry() -> None:
    write(an_act())
    TreeHead.objects.update(size=3)
    with pytest.raises(LogBroken, match="contradicts itself"), transaction.atomic():
        record(an_act(1))


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"action": "test.unheard-of"}, "no action 'test.unheard-of' is registered"),
        ({"subject": "Clementine"}, 'a subject has the form "<noun>:<id>"'),
        ({"subject": "patient:Clementine Kruczynski"}, 'a subject has the form "<noun>:<id>"'),
        ({"subject": "step:" + "1" * 116}, 'a subject has the form "<noun>:<id>"'),
        ({"actor": "Mary"}, "an actor is a user's id, a system's name or a visitor"),
        ({"reason": "x" * 501}, "a reason has at most 500 characters, none of them NUL"),
        ({"reason": "x\0"}, "a reason has at most 500 characters, none of them NUL"),
        ({"address": "front desk"}, "'front desk' does not appear to be an IPv4 or IPv6 address"),
        ({"details": {"who": "Clementine"}}, "detail 'who' is neither a number, a word, an id nor a time"),
    ],
)
def test_an_invalid_act_is_refused(fields: dict[str, object], sentence: str) -> None:
    good: dict[str, object] = {"action": "test.done", "subject": "step:1", "actor": WORKER}
    Act(**good)  # type: ignore[arg-type]
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        Act(**(good | fields))  # type: ignore[arg-type]
    assert str(caught.value) == sentence


@pytest.mark.django_db
def test_an_entry_needs_an_actor() -> None:
    with pytest.raises(ValueError, match=r"nobody is named who did test\.done"):
        write(Act("test.done", "step:1"))
    with acting("system:supervisor", "192.0.2.7"):
        (entry,) = write(Act("test.done", "step:1"))
    assert (entry.actor, entry.address) == ("system:supervisor", "192.0.2.7")


@pytest.mark.django_db
def test_actor_and_address_come_from_the_request() -> None:
    mary = User.objects.create_user("mary@example.com", name="Mary Svevo")

    def view(request: HttpRequest) -> HttpResponse:
        write(Act("test.done", "step:1"))
        request.user = mary  # logged in on the way
        write(Act("test.done", "step:2"), Act("test.done", "step:3", WORKER))
        return HttpResponse()

    request = RequestFactory(REMOTE_ADDR="192.0.2.1").get("/")
    request.user = AnonymousUser()
    AuditContextMiddleware(view)(request)
    rows = Entry.objects.values_list("actor", "address")
    assert list(rows) == [
        ("visitor", "192.0.2.1"),
        (f"user:{mary.pk}", "192.0.2.1"),
        (WORKER, "192.0.2.1"),
    ]
    with pytest.raises(ValueError, match="nobody is named"):
        write(Act("test.done", "step:4"))


def test_actors_are_named_by_id() -> None:
    mary = User(name="Mary Svevo")
    assert actor_of(mary) == f"user:{mary.pk}"
    assert actor_of(AnonymousUser()) == "visitor"
    assert actor_of(None) == "system:worker"
    assert actor_of(None, "supervisor") == "system:supervisor"


@pytest.mark.parametrize(
    ("proxies", "forwarded", "address"),
    [
        (0, "203.0.113.9", "192.0.2.1"),
        (1, "", "192.0.2.1"),
        (1, "203.0.113.9", "203.0.113.9"),
        (1, "198.51.100.66, 203.0.113.9", "203.0.113.9"),
        (2, "198.51.100.66, 203.0.113.9, 192.0.2.2", "203.0.113.9"),
        (2, "203.0.113.9", "192.0.2.1"),
        (1, "Clementine", ""),
        (1, "::ffff:203.0.113.9", "203.0.113.9"),
        (1, "fe80::1%eth0", "fe80::1"),
    ],
)
def test_only_trusted_proxies_determine_the_address(
    settings: Settings, proxies: int, forwarded: str, address: str
) -> None:
    settings.ALLAUTH_TRUSTED_PROXY_COUNT = proxies
    assert client_address("192.0.2.1", forwarded) == address


def test_an_action_cannot_be_registered_twice() -> None:
    before = dict(ACTIONS)
    register({"test.done": (before["test.done"].words, "plain")})
    with pytest.raises(ValueError, match=r"test\.done is registered twice"):
        register({"test.done": (before["test.done"].words, "alarm")})
    assert before == ACTIONS


@pytest.mark.django_db(transaction=True)
def test_concurrent_writers_leave_no_gaps_and_no_duplicates() -> None:
    def writer(number: int) -> None:
        try:
            for turn in range(8):
                write(an_act(number * 100 + turn))
        finally:
            connections.close_all()

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(writer, range(6)))
    stored = list(Entry.objects.all())
    assert [entry.index for entry in stored] == list(range(48))
    assert len({entry.subject for entry in stored}) == 48
    assert TreeHead.objects.get().as_frontier() == Frontier().extend(leaf_of(entry) for entry in stored)
