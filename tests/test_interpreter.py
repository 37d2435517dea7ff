"""Which Python `make` chooses (.ci/interpreter), and when it rebuilds the environment (.ci/environment)."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
REAL = os.path.realpath(sys.executable)
# Scripts that act as interpreters: one that works, a shim that fails, one too old, one without ensurepip.
WORKING = f'exec {REAL} "$@"'
FAILING_SHIM = "echo 'python3.14: command not found' >&2; exit 127"
TOO_OLD = f"exec {REAL} -c 'import sys; sys.version_info = (3, 10, 13); exec(sys.argv[2])' \"$@\""
WITHOUT_ENSUREPIP = f'exec {REAL} -c \'import sys; sys.modules["ensurepip"] = None; exec(sys.argv[2])\' "$@"'


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """The only directory on PATH: it has the tools that the scripts use, and no Python."""
    tools = tmp_path / "path"
    tools.mkdir()
    for name in ("sh", "uname", "id", "cat", "rm", "touch", "dirname"):
        found = shutil.which(name)
        assert found, name
        (tools / name).symlink_to(found)
    return tools


def install(path: Path, **interpreters: str) -> None:
    for name, program in interpreters.items():
        file = path / name.replace("_", ".")
        file.write_text(f"#!/bin/sh\n{program}\n")
        file.chmod(0o755)


def run(path: Path, *command: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603 - our own scripts
        command,
        env={"PATH": str(path), "HOME": str(path), **env},
        capture_output=True,
        text=True,
        check=False,
    )


def choose(path: Path, *options: str, **env: str) -> subprocess.CompletedProcess[str]:
    return run(path, str(ROOT / ".ci" / "interpreter"), *options, **env)


def test_the_newest_interpreter_that_works_and_has_venv_is_chosen(path: Path) -> None:
    install(path, python3_14=FAILING_SHIM, python3_13=WITHOUT_ENSUREPIP, python3=TOO_OLD)
    newest = path / "python3.12"
    newest.symlink_to(REAL)
    (path / "python3.11").symlink_to("/nowhere")
    done = choose(path)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{REAL}\n", "")


def test_python3_is_chosen_if_it_is_new_enough(path: Path) -> None:
    install(path, python3=WORKING)
    assert choose(path).stdout == f"{REAL}\n"


def test_all_lists_every_interpreter_newest_first_with_those_of_pyenv(path: Path, tmp_path: Path) -> None:
    for minor, program in (("3.13", "echo thirteen"), ("3.11", "echo eleven")):
        install(path, **{f"python{minor}": program})
    of_pyenv = tmp_path / "versions" / "3.12.1" / "bin"
    of_pyenv.mkdir(parents=True)
    install(of_pyenv, **{"python3.12": "echo twelve"})
    install(path, **{"python3.12": FAILING_SHIM})
    done = choose(path, "--all", PYENV_ROOT=str(tmp_path))
    assert done.stdout.split() == ["thirteen", "twelve", "eleven"]


@pytest.mark.parametrize(
    "found", [{}, {"python3": TOO_OLD}, {"python3_14": FAILING_SHIM}], ids=["none", "old", "shim"]
)
def test_without_an_interpreter_the_message_says_what_to_install(path: Path, found: dict[str, str]) -> None:
    install(path, **found)
    done = choose(path)
    assert (done.returncode, done.stdout) == (1, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith("Lacuna needs Python 3.11 or newer, which was not found. Install it")


def test_an_interpreter_without_ensurepip_is_named(path: Path) -> None:
    install(path, python3_12=WITHOUT_ENSUREPIP, python3=TOO_OLD)
    done = choose(path)
    assert (done.returncode, done.stdout) == (1, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith(
        "python3.12 has no venv and ensurepip, which Lacuna's environment is made with. Install"
    )


@pytest.mark.parametrize(
    ("program", "output"),
    [
        (TOO_OLD, "PYTHON=mine is too old: Lacuna needs Python 3.11 or newer."),
        (FAILING_SHIM, "PYTHON=mine does not run as a Python interpreter."),
    ],
    ids=["old", "shim"],
)
def test_an_unusable_interpreter_in_PYTHON_is_an_error(path: Path, program: str, output: str) -> None:
    install(path, mine=program, python3=WORKING)
    done = choose(path, PYTHON="mine")
    assert (done.returncode, done.stdout, done.stderr) == (1, "", f"{output}\n")


def test_the_interpreter_in_PYTHON_is_used(path: Path) -> None:
    install(path, mine=WORKING, python3_14="echo another")
    assert choose(path, PYTHON="mine").stdout == f"{REAL}\n"


# A script that acts as an interpreter: `-m venv` makes an empty environment at once. A file beside it has the
# version that it prints.
FAST_INTERPRETER = f"""
case "$1 $2" in
  "-m venv")
    mkdir -p "$3/bin"
    : >"$3/pyvenv.cfg"
    printf '#!/bin/sh\\n' >"$3/bin/python"
    chmod +x "$3/bin/python" ;;
  *ensurepip*) echo "$0" ;;
  *) cat "$0.version"; exec {REAL} "$@" ;;
esac"""


@pytest.fixture
def project(path: Path, tmp_path: Path) -> Path:
    """A project with two requirements files, and an interpreter to build its environment with."""
    shutil.copytree(ROOT / ".ci", tmp_path / "project" / ".ci")
    for name in ("requirements.txt", "requirements-dev.txt"):
        (tmp_path / "project" / name).write_text("# nothing\n")
    for name in ("mkdir", "chmod"):
        (path / name).symlink_to(shutil.which(name) or "")
    install(path, python3=FAST_INTERPRETER)
    (path / "python3.version").write_text("3.12.1\n")
    return tmp_path / "project"


def build(path: Path, project: Path, kind: str = "development", **env: str) -> tuple[str, bool]:
    """Run .ci/environment; return its output, and whether it built the environment anew."""
    mark = project / ".venv" / "mark"  # a rebuilt environment does not have it any more
    marked = mark.exists()
    done = run(path, "sh", "-c", f"cd {project} && .ci/environment .venv {kind}", **env)
    rebuilt = not mark.exists()
    assert done.returncode == 0, done.stderr
    mark.touch()
    assert marked or rebuilt
    return done.stdout, rebuilt


def test_an_existing_environment_is_not_rebuilt(path: Path, project: Path) -> None:
    output, rebuilt = build(path, project, "runtime")
    assert (output, rebuilt) == (f"Installing what Lacuna needs, with {path}/python3 ...\n", True)
    # What the tests need is added to what is there.
    assert build(path, project) == ("Installing what the tests need ...\n", False)
    for kind in ("runtime", "development"):
        assert build(path, project, kind) == ("", False)


def test_it_is_rebuilt_for_another_interpreter_requirements_file_or_django(path: Path, project: Path) -> None:
    build(path, project)
    for lock in ("requirements.txt", "requirements-dev.txt"):
        (project / lock).write_text("# something\n")
        assert build(path, project, "runtime")[1], lock
        assert not build(path, project)[1]
    (path / "python3.version").write_text("3.12.2\n")
    assert build(path, project)[1]
    assert build(path, project, DJANGO="newest")[1]
    assert not build(path, project, DJANGO="newest")[1]


def test_it_is_rebuilt_if_its_interpreter_is_missing(path: Path, project: Path) -> None:
    build(path, project)
    (project / ".venv" / "bin" / "python").unlink()
    assert build(path, project)[1]


def test_a_directory_that_is_no_environment_is_not_removed(path: Path, project: Path) -> None:
    (project / "mine").mkdir()
    (project / "mine" / "letter").write_text("keep me")
    done = run(path, "sh", "-c", f"cd {project} && .ci/environment mine runtime")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "mine is there and is no Python environment. Remove it, or name another: VENV=\n"
    assert (project / "mine" / "letter").read_text() == "keep me"
