"""The tests' PostgreSQL cluster: it has no TCP port, several can run at once, and none runs as root."""

import json
import os
import pwd
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from tests import postgres
from tests.processes import ROOT, until

pytestmark = pytest.mark.processes

PRINT_ENVIRONMENT = """
import json, os, shutil, sys
names = [name for name in os.environ if name.startswith("PG")]
print(json.dumps({
    "address": os.environ["LACUNA_DATABASE"], "variables": names, "pg_dump": shutil.which("pg_dump"),
    "server": os.path.exists(os.path.join(os.environ["PGHOST"], ".s.PGSQL.5432")),
}))
sys.exit(7)
"""


def setting(cluster: postgres.Cluster, name: str) -> str:
    with psycopg.connect(cluster.address()) as db:
        row = db.execute("SELECT current_setting(%s)", [name]).fetchone()
    assert row
    return str(row[0])


def test_two_clusters_run_side_by_side_without_ports() -> None:
    with postgres.cluster() as one, postgres.cluster({}) as other:
        for cluster in (one, other):
            assert setting(cluster, "listen_addresses") == ""
            assert setting(cluster, "unix_socket_directories") == str(cluster.directory)
            assert cluster.directory.stat().st_mode & 0o077 == 0, (
                "needs no password, so nobody else may enter"
            )
        assert (setting(one, "fsync"), setting(other, "fsync")) == ("off", "on")
        assert (setting(one, "full_page_writes"), setting(other, "full_page_writes")) == ("off", "on")
        with psycopg.connect(one.address()) as db:
            db.execute("CREATE TABLE here (a integer)")
        with psycopg.connect(other.address()) as db:
            assert db.execute("SELECT to_regclass('here')").fetchone() == (None,)
    for cluster in (one, other):
        assert not cluster.directory.exists()
        assert cluster.server.poll() is not None


def test_no_cluster_runs_as_root() -> None:
    with postgres.cluster() as cluster:
        owner = cluster.data.stat().st_uid
        assert owner == (os.geteuid() or pwd.getpwnam("postgres").pw_uid)
        assert owner != 0


def test_a_command_uses_its_own_cluster_and_no_other() -> None:
    """PG* variables of the caller are ignored, and the command's exit status is passed on."""
    callers_variables = {"PGHOST": "elsewhere", "PGPORT": "1", "PGUSER": "somebody", "PGSERVICE": "theirs"}
    ended = subprocess.run(  # noqa: S603 - our own words
        [sys.executable, "-m", "tests.postgres", sys.executable, "-c", PRINT_ENVIRONMENT],
        cwd=ROOT,
        env={**os.environ, **callers_variables},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 7, ended.stderr
    printed = json.loads(ended.stdout)
    assert printed["address"].startswith("postgresql://postgres@%2F")
    assert (printed["variables"], printed["server"]) == (["PGHOST"], False)
    assert Path(printed["pg_dump"]).parent == postgres.find_binaries()
    directory = Path(printed["address"].partition("@")[2].partition("/")[0].replace("%2F", "/"))
    until(lambda: not directory.exists(), "the cluster is gone with the command")


def test_without_an_installed_server_the_message_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(postgres, "DIRECTORIES", (f"{tmp_path}/*/bin",))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(
        SystemExit, match=r"No PostgreSQL server of version 14 or newer is.*\n.*tests\.packages"
    ):
        postgres.main(["true"])


def test_the_newest_complete_installation_is_used(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for version in ("9.6", "15.3", "17.2", "18.0"):
        binaries = tmp_path / version / "bin"
        binaries.mkdir(parents=True)
        for name in postgres.PROGRAMS:
            (binaries / name).write_text(
                f"#!/bin/sh\necho 'postgres (PostgreSQL) {version} (Somewhere 99)'\n"
            )
            (binaries / name).chmod(0o755)
    (tmp_path / "18.0" / "bin" / "pg_dump").unlink()
    monkeypatch.setattr(postgres, "DIRECTORIES", (f"{tmp_path}/*/bin",))
    monkeypatch.setenv("PATH", f"{tmp_path / '15.3' / 'bin'}:{os.environ['PATH']}")
    assert postgres.find_binaries() == tmp_path / "17.2" / "bin"
