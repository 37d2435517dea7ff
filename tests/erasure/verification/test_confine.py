"""The verifier's process can change nothing: shown by a process that tries."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings
from django.db import connection

from patients.vault.configured import key_store
from tests.factories import make_case, make_keepsake, make_memory
from tests.house import ROOT, environment

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.processes]

# Every way of changing a file that there is a system call for, and a change to the database.
TRIES = """
import json, os, sys
import django
django.setup()
from django.conf import settings
from django.db import Error, connection
from erasure.verification.confine import confine, confine_database, landlock
keys = str(settings.LACUNA_KEYS_DIR)
slots, new = f"{keys}/slots", f"{keys}/new"
if sys.argv[1] == "without-landlock":
    import erasure.verification.confine as module
    module.landlock_version = lambda: 0
said = {"done": []}
if sys.argv[1] != "free":
    said["database"] = confine_database()
    said["by"] = confine()
def write():
    fd = os.open(slots, os.O_RDWR)
    os.pwrite(fd, os.pread(fd, 1, 0), 0)
def append():
    with open(slots, "ab") as file:
        file.write(b"?" * 4096)
TRIES = {
    "write": write,
    "append": append,
    "make": lambda: open(new, "wb").write(b"?"),
    "truncate": lambda: os.truncate(f"{keys}/old", 1),
    "directory": lambda: os.mkdir(f"{keys}/directory"),
    "link": lambda: os.link(f"{keys}/old", f"{keys}/linked"),
    "symlink": lambda: os.symlink("slots", f"{keys}/symlinked"),
    "rename": lambda: os.rename(f"{keys}/old", f"{keys}/renamed"),
    "remove": lambda: os.unlink(f"{keys}/older"),
}
for name, attempt in TRIES.items():
    try:
        attempt()
        said["done"].append(name)
    except OSError:
        pass
for statement in ("UPDATE patients_case SET stage = 'x'", "CREATE TABLE planted (a integer)"):
    try:
        with connection.cursor() as cursor:
            cursor.execute(statement)
        said["done"].append(statement.split()[0])
    except Error:
        pass
with connection.cursor() as cursor:
    cursor.execute("DROP TABLE planted") if "CREATE" in said["done"] else None
    cursor.execute("SELECT count(*) FROM patients_case")
    said["cases"] = cursor.fetchone()[0]
print(json.dumps(said))
"""


def tried(way: str) -> dict[str, object]:
    """What a process can do that has confined itself in a `way`."""
    keys = Path(settings.LACUNA_KEYS_DIR)
    for name in ("old", "older"):
        (keys / name).write_bytes(b"before")
    ended = subprocess.run(  # noqa: S603
        [sys.executable, "-c", TRIES, way],
        env=environment(),
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    said: dict[str, object] = json.loads(ended.stdout)
    return said


def test_it_changes_neither_files_nor_rows_and_reads_both() -> None:
    make_keepsake(make_memory(make_case()))
    before = (Path(settings.LACUNA_KEYS_DIR) / "slots").read_bytes()
    free = tried("free")
    assert len(free["done"]) == 11, "what it cannot do unbound proves nothing"  # type: ignore[arg-type]
    (Path(settings.LACUNA_KEYS_DIR) / "slots").write_bytes(before)
    for name in ("new", "linked", "symlinked", "renamed"):
        (Path(settings.LACUNA_KEYS_DIR) / name).unlink()
    (Path(settings.LACUNA_KEYS_DIR) / "directory").rmdir()

    bound = tried("bound")
    if bound["by"] == "rlimit":
        pytest.skip("this kernel has no Landlock")
    assert str(bound["by"]).startswith("landlock-")
    assert (bound["done"], bound["database"], bound["cases"]) == ([], "read-only", 1)
    assert (Path(settings.LACUNA_KEYS_DIR) / "slots").read_bytes() == before
    assert len(list(key_store().ids())) > 0
    assert connection.introspection.table_names().count("planted") == 0


def test_without_landlock_no_file_grows_and_that_is_what_it_says() -> None:
    make_case()
    said = tried("without-landlock")
    assert said["by"] == "rlimit"
    # Names may still change: why this is the weaker bond, and is told as what it is.
    assert not {"write", "append", "UPDATE", "CREATE"} & set(said["done"])  # type: ignore[call-overload]
