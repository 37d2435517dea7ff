"""B12 and A4: what throttles count lasts, whatever strangers do, and all processes count together."""

import http.client
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
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
from tests.house import ROOT, database_address, environment
from tests.servers import RedisServer, running

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(
        "Throttle" not in django_settings.CACHES["default"]["BACKEND"], reason="it is in Redis"
    ),
]

LOGIN = "/account/login/"
TOO_MANY = "Too many failed"
NOISE = 1000


@pytest.fixture(autouse=True)
def empty() -> None:
    cache.clear()


def rows() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT COUNT(*) FROM clinic_cache")
        return int(cursor.fetchone()[0])


def expire_all() -> None:
    with connection.cursor() as cursor:
        cursor.execute("UPDATE clinic_cache SET expires = '2001-01-01 00:00:00'")


def fail(client: Client, email: str, address: str = "192.0.2.1") -> Any:
    return client.post(LOGIN, {"login": email, "password": "wrong"}, REMOTE_ADDR=address)


@pytest.mark.timeout(300)
def test_b12_a_thousand_failed_sign_ins_of_others_leave_the_counter(client: Client) -> None:
    attacked = make_user(Role.DOCTOR)
    for _number in range(10):
        assert TOO_MANY not in fail(client, attacked.email).content.decode()
    for number in range(NOISE):
        fail(client, f"noise{number}@lacuna.example", f"198.51.{number // 250}.{number % 250}")
    assert rows() > NOISE
    refused = client.post(LOGIN, {"login": attacked.email, "password": PASSPHRASE})
    assert (refused.status_code, TOO_MANY in refused.content.decode()) == (200, True)
    expire_all()
    assert client.post(LOGIN, {"login": attacked.email, "password": PASSPHRASE}).status_code == 302


def post_sign_in(port: int, email: str) -> str:
    """Fail to sign in at a server; return its page."""
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=60)) as line:
        line.request("GET", LOGIN)
        form = line.getresponse()
        token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', form.read().decode())
        cookie = form.headers["Set-Cookie"].partition(";")[0]
        assert token
        fields = {"login": email, "password": "wrong", "csrfmiddlewaretoken": token[1]}
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Cookie": cookie}
        line.request("POST", LOGIN, urlencode(fields), headers)
        return line.getresponse().read().decode()


def test_b12_the_port_of_the_host_header_is_no_counter_of_its_own(client: Client) -> None:
    attacked = make_user(Role.DOCTOR)
    for number in range(10):
        form = {"login": attacked.email, "password": "wrong"}
        client.post(LOGIN, form, headers={"host": f"localhost:{8000 + number}"})
    assert TOO_MANY in fail(client, attacked.email).content.decode()


@pytest.mark.processes
def test_a4_two_processes_count_together(client: Client) -> None:
    attacked = make_user(Role.DOCTOR)
    with serve("--workers", "0") as served:
        for _number in range(5):
            assert TOO_MANY not in fail(client, attacked.email, "127.0.0.1").content.decode()
            assert TOO_MANY not in post_sign_in(served.port, attacked.email)
        assert TOO_MANY in post_sign_in(served.port, attacked.email)
    assert TOO_MANY in fail(client, attacked.email, "127.0.0.1").content.decode()


def test_b12_one_of_many_adds_an_expired_key() -> None:
    for _round in range(10):
        cache.set("key", "old", timeout=60)
        expire_all()
        barrier = threading.Barrier(6)
        added: list[bool] = []

        def add(barrier: threading.Barrier = barrier, added: list[bool] = added) -> None:
            try:
                connection.ensure_connection()
                barrier.wait()
                added.append(cache.add("key", "new", timeout=60))
            finally:
                connection.close()

        threads = [threading.Thread(target=add) for _number in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert sorted(added) == [False] * 5 + [True]
        assert cache.get("key") == "new"


def test_b12_the_table_has_no_rows_that_have_expired() -> None:
    """Also where no supervisor runs: whoever writes deletes them, once a minute."""
    for number in range(400):
        cache.set(f"key{number}", number, timeout=60)
    assert (rows(), cache.get("key0"), cache.get("key399")) == (400, 0, 399)
    expire_all()
    assert (cache.get("key0"), cache.touch("key0"), rows()) == (None, False, 400)
    backend = cache._connections["default"]  # type: ignore[attr-defined]
    assert isinstance(backend, ThrottleCache)
    backend.cleaning_due = 0.0
    cache.set("live", 1, timeout=60)
    assert rows() == 1


def test_a_value_is_replaced_moved_and_forgotten() -> None:
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


def test_b12_an_error_of_the_database_is_not_taken_for_too_many_tries() -> None:
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
    """An empty database; yield its address."""
    if connection.vendor == "sqlite":
        yield f"sqlite:///{directory / 'new.sqlite3'}"
        return
    name = f"lacuna_{uuid4().hex}"
    with psycopg.connect(database_address(), autocommit=True) as db:
        db.execute(f"CREATE DATABASE {name}")
        yield f"{database_address().rpartition('/')[0]}/{name}"
        db.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.mark.processes
def test_b12_an_installation_migrated_with_redis_has_its_table_without(tmp_path: Path) -> None:
    """Redis need not even answer for it. So has one that an older release migrated, whose 0003 made none."""
    script = (
        "from django.core.cache import cache; from django.db import connection;"
        " assert cache.add('key', 1, timeout=60) and not cache.add('key', 1, timeout=60);"
        " cursor = connection.cursor(); cursor.execute('DROP TABLE clinic_cache');"
        " cursor.execute('ALTER TABLE clinic_booking DROP COLUMN released_at');"
        " cursor.execute(\"DELETE FROM django_migrations WHERE app = 'clinic' AND name > '0005'\")"
    )
    codes = []
    with new_database(tmp_path) as address:
        without = environment(LACUNA_DATABASE=address)
        redis = {**without, "LACUNA_REDIS": "redis://127.0.0.1:1/0"}
        for command, env in [
            (["migrate", "-v0"], redis),
            (["shell", "-v0", "-c", script], without),
            (["migrate", "-v0"], redis),
            (["shell", "-v0", "-c", script], without),
        ]:
            done = subprocess.run([sys.executable, ROOT / "manage.py", *command], env=env, check=False)  # noqa: S603
            codes.append(done.returncode)
    assert codes == [0, 0, 0, 0]


@pytest.mark.processes
def test_b12_a_redis_that_may_forget_throttles_is_told_at_start(tmp_path: Path) -> None:
    from redis import Redis

    with running(RedisServer(tmp_path)) as server:
        memory = Redis.from_url(server.url)
        memory.config_set("maxmemory", "50mb")
        memory.config_set("maxmemory-policy", "allkeys-lru")
        with serve("--workers", "0", "--no-web", LACUNA_REDIS=server.url) as served:
            said = served.end(15)
        assert "REDIS MAY FORGET THROTTLES" in said
        assert "allkeys-lru" in said
        memory.config_set("maxmemory-policy", "noeviction")
        with serve("--workers", "0", "--no-web", LACUNA_REDIS=server.url) as served:
            assert served.end(15) == ""
