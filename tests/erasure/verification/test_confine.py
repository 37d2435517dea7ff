"""The verifier's process can change nothing: a confined process tries, and fails."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings
from django.db import connection

from patients.vault.configured import key_store
from tests.factories import make_case, make_keepsake, make_memory
from tests.processes import ROOT, environment

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.processes]

# Each kind of change to a file or directory, and two changes to the database.
TRY_CHANGES = """
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
report = {"done": []}
if sys.argv[1] != "free":
    report["database"] = confine_database()
    report["by"] = confine()
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
        report["done"].append(name)
    except OSError:
        pass
for statement in ("UPDATE patients_case SET stage = 'x'", "CREATE TABLE planted (a integer)"):
    try:
        with connection.cursor() as cursor:
            cursor.execute(statement)
        report["done"].append(statement.split()[0])
    except Error:
        pass
with connection.cursor() as cursor:
    if "CREATE" in report["done"]:
        cursor.execute("DROP TABLE planted")
    cursor.execute("SELECT count(*) FROM patients_case")
    report["cases"] = cursor.fetchone()[0]
print(json.dumps(report))
"""


def try_changes(mode: str) -> dict[str, object]:
    """The report of a process that tries all changes.

    mode: "confined", "without-landlock", or "free" for a process that is not confined.
    """
    keys = Path(settings.LACUNA_KEYS_DIR)
    for name in ("old", "older"):
        (keys / name).write_bytes(b"before")
    result = subprocess.run(  # noqa: S603
        [sys.executable, "-c", TRY_CHANGES, mode],
        env=environment(),
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    report: dict[str, object] = json.loads(result.stdout)
    return report


def test_a_confined_process_can_read_but_not_change_files_and_rows() -> None:
    make_keepsake(make_memory(make_case()))
    before = (Path(settings.LACUNA_KEYS_DIR) / "slots").read_bytes()
    free = try_changes("free")
    assert len(free["done"]) == 11, "unconfined, it can do everything it tries"  # type: ignore[arg-type]
    (Path(settings.LACUNA_KEYS_DIR) / "slots").write_bytes(before)
    for name in ("new", "linked", "symlinked", "renamed"):
        (Path(settings.LACUNA_KEYS_DIR) / name).unlink()
    (Path(settings.LACUNA_KEYS_DIR) / "directory").rmdir()

    confined = try_changes("confined")
    if confined["by"] == "rlimit":
        pytest.skip("this kernel has no Landlock")
    assert str(confined["by"]).startswith("landlock-")
    assert (confined["done"], confined["database"], confined["cases"]) == ([], "read-only", 1)
    assert (Path(settings.LACUNA_KEYS_DIR) / "slots").read_bytes() == before
    assert len(list(key_store().ids())) > 0
    assert connection.introspection.table_names().count("planted") == 0


def test_without_landlock_no_file_can_be_written_and_the_report_says_so() -> None:
    make_case()
    report = try_changes("without-landlock")
    assert report["by"] == "rlimit"
    # Files can still be renamed and removed. So this is weaker, and the report says which of the two it was.
    assert not {"write", "append", "UPDATE", "CREATE"} & set(report["done"])  # type: ignore[call-overload]
