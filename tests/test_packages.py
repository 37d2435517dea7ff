"""Missing packages are announced, and installed only where no password is needed. No server is started."""

import os
import shutil
from pathlib import Path

import pytest

from tests import packages
from tests.packages import NEEDS, install_command, main

ALL = ("chromium", "gettext", "strace", "postgresql", "softhsm2", "redis-tools")


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only directory on PATH. A test adds programs with `put`; each records its calls."""
    directory = tmp_path / "bin"
    directory.mkdir()
    for name in ("cp", "env", "mkdir", "tee", "rm", "rmdir", "true"):
        put(directory, name, f'exec {shutil.which(name)} "$@"')
    monkeypatch.setenv("PATH", str(directory))
    monkeypatch.delenv("CHROMIUM", raising=False)
    monkeypatch.setattr(packages, "NO_CLUSTER", tmp_path / "etc" / "createcluster.d" / "lacuna-tests.conf")
    monkeypatch.setattr(packages, "_os_release", lambda: "NAME=Debian\nID=debian\n")
    return directory


def put(directory: Path, name: str, script: str) -> None:
    """Add a program to `place` that records its arguments and runs `script`."""
    file = directory / name
    file.write_text(f'#!/bin/sh\necho "{name} $*" >> {directory}/called\n{script}\n')
    file.chmod(0o755)


def called(directory: Path) -> list[str]:
    file = directory / "called"
    return file.read_text().splitlines() if file.exists() else []


def fake_missing(monkeypatch: pytest.MonkeyPatch, *answers: tuple[packages.Need, ...]) -> None:
    """Make `packages.missing` return these values, one for each call."""
    answers_left = list(answers)
    monkeypatch.setattr(packages, "missing", lambda _needs=NEEDS: list(answers_left.pop(0)))


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


def test_nothing_is_printed_if_nothing_is_missing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fake_missing(monkeypatch, ())
    main([])
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("sudo", ["none", "asks"])
def test_if_a_password_would_be_needed_the_command_is_printed(
    programs: Path, monkeypatch: pytest.MonkeyPatch, sudo: str
) -> None:
    put(programs, "apt-get", "")
    if sudo == "asks":
        put(programs, "sudo", "exit 1")
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    fake_missing(monkeypatch, NEEDS[1:3])
    with pytest.raises(SystemExit) as ended:
        main([])
    assert str(ended.value) == (
        "The tests need GNU gettext, strace. Install with:\n\n"
        "    sudo apt-get install --no-install-recommends gettext strace\n"
    )
    assert called(programs) == (["sudo -n true"] if sudo == "asks" else [])


@pytest.mark.parametrize("user", ["root", "with sudo"])
def test_without_a_password_it_is_announced_and_installed_without_a_server(
    programs: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], user: str
) -> None:
    copied_configuration = programs.parent / "was-there"
    put(
        programs,
        "apt-get",
        f'[ "$2" = update ] || cp {packages.NO_CLUSTER} {copied_configuration} 2>/dev/null',
    )
    monkeypatch.setattr(os, "geteuid", lambda: 0 if user == "root" else 1000)
    if user != "root":
        put(programs, "sudo", 'shift; exec "$@"')
    fake_missing(monkeypatch, NEEDS[3:4], ())
    main([])
    assert capsys.readouterr().out == (
        "Installing PostgreSQL's server from the system's packages: postgresql\n"
    )
    assert copied_configuration.read_text() == "create_main_cluster = false\n", (
        "while apt-get ran, it said so"
    )
    assert not packages.NO_CLUSTER.parent.exists(), "and nothing of it stays"
    calls = [line for line in called(programs) if line.startswith("apt-get")]
    assert calls == ["apt-get -qq update", "apt-get -qq install -y --no-install-recommends postgresql"]


def test_a_failed_installation_removes_the_configuration_file(
    programs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(programs, "apt-get", '[ "$2" = update ]')
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    packages.NO_CLUSTER.parent.mkdir(parents=True)
    fake_missing(monkeypatch, NEEDS[3:4], NEEDS[3:4])
    with pytest.raises(SystemExit, match=r"apt-get -qq install -y .* postgresql ended with 1"):
        main([])
    assert packages.NO_CLUSTER.parent.is_dir()
    assert not packages.NO_CLUSTER.exists()


def test_a_program_that_is_still_missing_is_named(programs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(programs, "apt-get", "")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    fake_missing(monkeypatch, NEEDS[:2], NEEDS[:1])
    with pytest.raises(SystemExit, match=r"Still missing after that: Chromium\."):
        main([])


def test_the_quick_tests_need_less(programs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packages, "SOFTHSM_MODULES", ())
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    put(programs, "brew", "")
    with pytest.raises(SystemExit, match=r"brew install gettext softhsm\n$"):
        main(["--quick"])
