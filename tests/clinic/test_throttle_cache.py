"""B12 and A4: throttle counters last whatever other visitors do, and all processes share them."""

import http.client
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from uuid import uuid4

import psycopg
import pytest
from django.conf import settings as django_settings
from django.core.cache import cache
from django.db import connection
from django.db.utils import DatabaseError
from django.test import Client

from clinic.accounts.models import Role
from clinic.throttle_cache import ThrottleCache
from tests.erasure.operations.served import serve
from tests.factories import PASSPHRASE, make_user
from tests.processes import ROOT, database_address, environment
from tests.servers import RedisServer, running
from tests.threads import at_once

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(
        "Throttle" not in django_settings.CACHES["default"]["BACKEND"], reason="it is in Redis"
    ),
]

LOGIN = "/account/login/"
TOO_MANY = "Too many failed"
OTHER_SIGN_INS = 1000


@pytest.fixture(autouse=True)
def empty() -> None:
    cache.clear()


def count_rows() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT COUNT(*) FROM clinic_cache")
        return int(cursor.fetchone()[0])


def expire_all() -> None:
    with connection.cursor() as cursor:
        cursor.execute("UPDATE clinic_cache SET expires = '2001-01-01 00:00:00'")


def fail_to_sign_in(client: Client, email: str, address: str = "192.0.2.1") -> Any:
    return client.post(LOGIN, {"login": email, "password": "wrong"}, REMOTE_ADDR=address)


@pytest.mark.timeout(300)
def test_b12_a_thousand_failed_sign_ins_of_others_do_not_change_the_counter(client: Client) -> None:
    attacked = make_user(Role.DOCTOR)
    for _number in range(10):
        assert TOO_MANY not in fail_to_sign_in(client, attacked.email).content.decode()
    for number in range(OTHER_SIGN_INS):
        fail_to_sign_in(client, f"noise{number}@lacuna.example", f"198.51.{number // 250}.{number % 250}")
    assert count_rows() > OTHER_SIGN_INS
    refused = client.post(LOGIN, {"login": attacked.email, "password": PASSPHRASE})
    assert (refused.status_code, TOO_MANY in refused.content.decode()) == (200, True)
    expire_all()
    assert client.post(LOGIN, {"login": attacked.email, "password": PASSPHRASE}).status_code == 302


def post_sign_in(port: int, email: str) -> str:
    """Try to sign in with a wrong password at a running server; return its page."""
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=60)) as connection_to_server:
        connection_to_server.request("GET", LOGIN)
        form = connection_to_server.getresponse()
        token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', form.read().decode())
        cookie = form.headers["Set-Cookie"].partition(";")[0]
        assert token
        fields = {"login": email, "password": "wrong", "csrfmiddlewaretoken": token[1]}
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Cookie": cookie}
        connection_to_server.request("POST", LOGIN, urlencode(fields), headers)
        return connection_to_server.getresponse().read().decode()


def test_b12_the_port_in_the_host_header_does_not_start_another_counter(client: Client) -> None:
    attacked = make_user(Role.DOCTOR)
    for number in range(10):
        form = {"login": attacked.email, "password": "wrong"}
        client.post(LOGIN, form, headers={"host": f"localhost:{8000 + number}"})
    assert TOO_MANY in fail_to_sign_in(client, attacked.email).content.decode()


@pytest.mark.processes
def test_a4_two_processes_share_the_counter(client: Client) -> None:
    attacked = make_user(Role.DOCTOR)
    with serve("--workers", "0") as served:
        for _number in range(5):
            assert TOO_MANY not in fail_to_sign_in(client, attacked.email, "127.0.0.1").content.decode()
            assert TOO_MANY not in post_sign_in(served.port, attacked.email)
        assert TOO_MANY in post_sign_in(served.port, attacked.email)
    assert TOO_MANY in fail_to_sign_in(client, attacked.email, "127.0.0.1").content.decode()


def test_b12_of_concurrent_adds_of_an_expired_key_one_succeeds() -> None:
    for _round in range(10):
        cache.set("key", "old", timeout=60)
        expire_all()
        added, _refused = at_once(*[partial(cache.add, "key", "new", timeout=60)] * 6)
        assert sorted(added) == [False] * 5 + [True]
        assert cache.get("key") == "new"


def test_b12_expired_rows_are_deleted_from_the_table() -> None:
    """Also without a supervisor: writing to the cache deletes expired rows, at most once a minute."""
    for number in range(400):
        cache.set(f"key{number}", number, timeout=60)
    assert (count_rows(), cache.get("key0"), cache.get("key399")) == (400, 0, 399)
    expire_all()
    assert (cache.get("key0"), cache.touch("key0"), count_rows()) == (None, False, 400)
    backend = cache._connections["default"]  # type: ignore[attr-defined]
    assert isinstance(backend, ThrottleCache)
    backend.cleaning_due = 0.0
    cache.set("live", 1, timeout=60)
    assert count_rows() == 1


def test_the_methods_of_django_caches() -> None:
    assert cache.add("key", {"a": [1, 2]}) is True
    assert cache.add("key", "other") is False
    assert cache.get("key") == {"a": [1, 2]}
    cache.set("key", "other", timeout=60)
    assert cache.get_many(["key", "none"]) == {"key": "other"}
    assert cache.touch("key", timeout=None) is True
    assert cache.touch("none") is False
    assert "key" in cache
    cache.set("gone", 1, timeout=0)
    assert cache.get("gone") is None
    assert cache.delete("key") is True
    assert cache.get_many(["key"]) == {}
    assert "key" not in cache


def test_b12_a_database_error_is_raised_and_not_counted_as_too_many_attempts() -> None:
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE clinic_cache RENAME TO clinic_elsewhere")
    try:
        with pytest.raises(DatabaseError):
            cache.add("key", 1)
    finally:
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE clinic_elsewhere RENAME TO clinic_cache")
    assert cache.add("key", 1) is True


@contextmanager
def new_database(directory: Path) -> Iterator[str]:
    """Create an empty database for the block; yield its URL."""
    if connection.vendor == "sqlite":
        yield f"sqlite:///{directory / 'new.sqlite3'}"
        return
    name = f"lacuna_{uuid4().hex}"
    with psycopg.connect(database_address(), autocommit=True) as db:
        db.execute(f"CREATE DATABASE {name}")
        yield f"{database_address().rpartition('/')[0]}/{name}"
        db.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.mark.processes
def test_b12_an_installation_migrated_with_redis_can_switch_to_the_table(tmp_path: Path) -> None:
    """Redis need not even run. The same is true if an older release migrated, which made no table."""
    use_the_table = (
        "from django.core.cache import cache;"
        " assert cache.add('key', 1, timeout=60) and not cache.add('key', 1, timeout=60)"
    )
    drop_the_table = (
        "from django.db import connection; connection.cursor().execute('DROP TABLE clinic_cache')"
    )
    as_an_older_release = (
        "from django.db import connection; from tests.schema import unsquashed_executor;"
        " unsquashed_executor(connection).migrate("
        "[('clinic', '0004_checkpoints_leave_and_proofs_are_short')])"
    )
    codes = []
    for number, steps in enumerate(
        [
            [("migrate",), ("shell", "-c", use_the_table)],
            # An older release did not make the table if Redis was used.
            [
                ("shell", "-c", as_an_older_release),
                ("shell", "-c", drop_the_table),
                ("migrate",),
                ("shell", "-c", use_the_table),
            ],
        ]
    ):
        directory = tmp_path / str(number)
        directory.mkdir()
        with new_database(directory) as address:
            without_redis = environment(LACUNA_DATABASE=address)
            with_redis = {**without_redis, "LACUNA_REDIS": "redis://127.0.0.1:1/0"}
            for command, *more in steps:
                env = with_redis if command == "migrate" or as_an_older_release in more else without_redis
                done = subprocess.run(  # noqa: S603
                    [sys.executable, ROOT / "manage.py", command, "-v0", *more], env=env, check=False
                )
                codes.append(done.returncode)
    assert codes == [0] * 6


@pytest.mark.processes
def test_b12_a_redis_that_may_forget_throttles_is_reported_at_start(tmp_path: Path) -> None:
    from redis import Redis

    with running(RedisServer(tmp_path)) as server:
        memory = Redis.from_url(server.url)
        memory.config_set("maxmemory", "50mb")
        memory.config_set("maxmemory-policy", "allkeys-lru")
        with serve("--workers", "0", "--no-web", LACUNA_REDIS=server.url) as served:
            output = served.end(15)
        assert "REDIS MAY FORGET THROTTLES" in output
        assert "allkeys-lru" in output
        memory.config_set("maxmemory-policy", "noeviction")
        with serve("--workers", "0", "--no-web", LACUNA_REDIS=server.url) as served:
            assert served.end(15) == ""
