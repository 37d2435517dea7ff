"""Missing packages are announced, installed only where nobody is asked, and bring no server with them."""

import os
import shutil
from pathlib import Path

import pytest

from tests import packages
from tests.packages import NEEDS, install_command, main

ALL = ("chromium", "gettext", "strace", "postgresql", "softhsm2", "redis-tools")


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A PATH on which nothing is but what a test puts there. Each program writes down how it was called."""
    place = tmp_path / "bin"
    place.mkdir()
    for name in ("cp", "env", "mkdir", "tee", "rm", "rmdir", "true"):
        put(place, name, f'exec {shutil.which(name)} "$@"')
    monkeypatch.setenv("PATH", str(place))
    monkeypatch.delenv("CHROMIUM", raising=False)
    monkeypatch.setattr(packages, "NO_CLUSTER", tmp_path / "etc" / "createcluster.d" / "lacuna-tests.conf")
    monkeypatch.setattr(packages, "_os_release", lambda: "NAME=Debian\nID=debian\n")
    return place


def put(place: Path, name: str, script: str) -> None:
    file = place / name
    file.write_text(f'#!/bin/sh\necho "{name} $*" >> {place}/called\n{script}\n')
    file.chmod(0o755)


def called(place: Path) -> list[str]:
    file = place / "called"
    return file.read_text().splitlines() if file.exists() else []


def lack(monkeypatch: pytest.MonkeyPatch, *answers: tuple[packages.Need, ...]) -> None:
    """Let `missing` say this, and then that."""
    left = list(answers)
    monkeypatch.setattr(packages, "missing", lambda _needs=NEEDS: list(left.pop(0)))


@pytest.mark.parametrize(
    ("manager", "os_release", "command"),
    [
        ("apt-get", "ID=debian\n", "sudo apt-get install --no-install-recommends " + " ".join(ALL)),
        (
            "apt-get",
            "ID=ubuntu\n",
            "sudo apt-get install --no-install-recommends chromium-browser " + " ".join(ALL[1:]),
        ),
        ("dnf", "ID=fedora\n", "sudo dnf install chromium gettext strace postgresql-server softhsm valkey"),
        ("brew", "", "brew install google-chrome gettext postgresql@17 softhsm redis"),
    ],
)
def test_each_system_has_its_own_command(
    programs: Path, monkeypatch: pytest.MonkeyPatch, manager: str, os_release: str, command: str
) -> None:
    put(programs, manager, "")
    monkeypatch.setattr(packages, "_os_release", lambda: os_release)
    needs = [need for need in NEEDS if need.brew or manager != "brew"]
    assert install_command(needs) == command.split()


def test_nothing_is_said_where_nothing_is_missing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lack(monkeypatch, ())
    main([])
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("sudo", ["none", "asks"])
def test_where_installing_would_ask_the_run_says_what_to_type_and_ends(
    programs: Path, monkeypatch: pytest.MonkeyPatch, sudo: str
) -> None:
    put(programs, "apt-get", "")
    if sudo == "asks":
        put(programs, "sudo", "exit 1")
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    lack(monkeypatch, NEEDS[1:3])
    with pytest.raises(SystemExit) as ended:
        main([])
    assert str(ended.value) == (
        "The tests need GNU gettext, strace. Install with:\n\n"
        "    sudo apt-get install --no-install-recommends gettext strace\n"
    )
    assert called(programs) == (["sudo -n true"] if sudo == "asks" else [])


@pytest.mark.parametrize("user", ["root", "with sudo"])
def test_where_nobody_is_asked_it_is_announced_and_installed_without_a_server(
    programs: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], user: str
) -> None:
    there = programs.parent / "was-there"
    put(programs, "apt-get", f'[ "$2" = update ] || cp {packages.NO_CLUSTER} {there} 2>/dev/null')
    monkeypatch.setattr(os, "geteuid", lambda: 0 if user == "root" else 1000)
    if user != "root":
        put(programs, "sudo", 'shift; exec "$@"')
    lack(monkeypatch, NEEDS[3:4], ())
    main([])
    assert capsys.readouterr().out == (
        "Installing PostgreSQL's server from the system's packages: postgresql\n"
    )
    assert there.read_text() == "create_main_cluster = false\n", "while apt-get ran, it said so"
    assert not packages.NO_CLUSTER.parent.exists(), "and nothing of it stays"
    calls = [line for line in called(programs) if line.startswith("apt-get")]
    assert calls == ["apt-get -qq update", "apt-get -qq install -y --no-install-recommends postgresql"]


def test_a_failed_installation_leaves_no_word_behind(programs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(programs, "apt-get", '[ "$2" = update ]')
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    packages.NO_CLUSTER.parent.mkdir(parents=True)
    lack(monkeypatch, NEEDS[3:4], NEEDS[3:4])
    with pytest.raises(SystemExit, match=r"apt-get -qq install -y .* postgresql ended with 1"):
        main([])
    assert packages.NO_CLUSTER.parent.is_dir()
    assert not packages.NO_CLUSTER.exists()


def test_a_program_that_is_still_missing_is_named(programs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(programs, "apt-get", "")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    lack(monkeypatch, NEEDS[:2], NEEDS[:1])
    with pytest.raises(SystemExit, match=r"Still missing after that: Chromium\."):
        main([])


def test_the_quick_tests_need_less(programs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packages, "SOFTHSM_MODULES", ())
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    put(programs, "brew", "")
    with pytest.raises(SystemExit, match=r"brew install gettext softhsm\n$"):
        main(["--quick"])
