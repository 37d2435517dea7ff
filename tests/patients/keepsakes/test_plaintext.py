"""During an upload, no file contains a piece of the photo in clear, not even unlinked temporary files."""

import io
import os
import re
import socket
import stat
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from django.conf import settings as django_settings
from PIL import Image

from patients.keepsakes.models import Keepsake
from tests.factories import make_case
from tests.patients.keepsakes.sending import Sender
from tests.processes import StartedProcesses, contents, started_processes, until
from tests.serving import PATIENCE

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.processes]

SHARED = (Path("/dev/shm"), Path("/var/tmp"))  # noqa: S108 - directories where software leaves temporary files
# The search looks for every 24 bytes of the photo that begin with the byte 0x5a. Each kilobyte has some of
# them, they do not occur by chance, and one pass over a file finds them all.
NEEDLE = re.compile(rb"(?=(\x5a.{23}))", re.DOTALL)
START_OF_SCAN = b"\xff\xda"


def six_megabytes() -> bytes:
    out = io.BytesIO()
    size = (2900, 2200)
    Image.frombytes("RGB", size, os.urandom(size[0] * size[1] * 3)).save(out, "JPEG", quality=92)
    assert len(out.getvalue()) > 6_000_000
    return out.getvalue()


def descendants(pid: int) -> set[int]:
    """The ids of a process and all its descendants."""
    parents: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue
    found = {pid}
    while more := {child for child, parent in parents.items() if parent in found} - found:
        found |= more
    return found


def open_files(pids: set[int]) -> Iterator[Path]:
    """Every regular file that one of `pids` has open, unlinked files included."""
    for pid in pids:
        try:
            links = list(Path(f"/proc/{pid}/fd").iterdir())
        except FileNotFoundError:  # it has ended since it was listed, so it has none
            continue
        for link in links:
            with suppress(OSError):
                if stat.S_ISREG(link.stat().st_mode):
                    yield link


def files_below(since: float, *places: Path) -> Iterator[Path]:
    """Every file below `places` that was changed at or after `since` (seconds since 1970).

    Other programs use these directories too: older files are skipped, and files may vanish meanwhile.
    """
    for place in places:
        for folder, _folders, names in os.walk(place):
            for path in (Path(folder, name) for name in names):
                with suppress(OSError):
                    found = path.stat()
                    # ctime, because a program cannot set it back.
                    if stat.S_ISREG(found.st_mode) and found.st_ctime >= since:
                        yield path


def files_with_pieces_of(files: Iterator[Path], photo: bytes) -> list[str]:
    """The files that contain a piece of the photo."""
    found = []
    # Without the tables before the scan, which are the same in every JPEG of this quality.
    needles = set(NEEDLE.findall(photo[photo.index(START_OF_SCAN) :]))
    for path in files:
        try:
            data = contents(path)
        except OSError:
            continue
        if not needles.isdisjoint(NEEDLE.findall(data)):
            found.append(f"{path} -> {path.readlink()}" if path.is_symlink() else str(path))
    return found


@pytest.fixture
def processes() -> Iterator[StartedProcesses]:
    with started_processes() as mine:
        yield mine


@pytest.mark.parametrize("token", ["valid", "missing"])
def test_no_file_contains_a_piece_of_a_photo_during_a_slow_upload(
    token: str, processes: StartedProcesses, tmp_path: Path
) -> None:
    case = make_case()
    spool = tmp_path / "spool"
    spool.mkdir()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = processes.start("serve", "--port", str(port), "--workers", "1", TMPDIR=str(spool))
    sender = Sender(port, case.patient)
    until(lambda: is_answering(sender), "the server answers")
    photo = six_megabytes()
    where = sender.announce(len(photo)).headers["location"]
    if token == "missing":
        sender.token = ""
    searches, since = 0, time.time() - 1
    with slow_patch(sender, where, len(photo)) as connection:
        for start in range(0, len(photo), 1_000_000):
            try:
                connection.sendall(photo[start : start + 1_000_000])
            except OSError:
                assert token == "missing", "the server hung up on a good upload"
                break
            tree = descendants(server.pid)
            assert len(tree) > 2
            places = (spool, Path(django_settings.LACUNA_DATA_DIR), *SHARED)
            assert files_with_pieces_of(open_files(tree), photo) == []
            assert files_with_pieces_of(files_below(since, *places), photo) == []
            searches += 1
        connection.settimeout(PATIENCE * 3)
        response = connection.recv(4096)
    assert searches > 0
    assert response.startswith(b"HTTP/1.1 204" if token == "valid" else b"HTTP/1.1 403")
    assert Keepsake.objects.filter(case=case).exists() == (token == "valid")


def test_the_search_finds_a_piece_of_the_photo(tmp_path: Path) -> None:
    photo = six_megabytes()
    with tempfile.TemporaryFile(dir=tmp_path) as unlinked:
        unlinked.write(photo[1_000_000:1_004_096])
        unlinked.flush()
        assert len(files_with_pieces_of(open_files({os.getpid()}), photo)) == 1
    (tmp_path / "named").write_bytes(photo[2_000_000:2_004_096])
    assert files_with_pieces_of(files_below(time.time() - 60, tmp_path), photo) == [str(tmp_path / "named")]
    assert files_with_pieces_of(files_below(time.time() + 60, tmp_path), photo) == []


def is_answering(sender: Sender) -> bool:
    try:
        return sender.ask("GET", "/health/").status == 200
    except OSError:
        return False


def slow_patch(sender: Sender, where: str, length: int) -> socket.socket:
    """Open a connection and send only the headers of a PATCH."""
    headers = sender.headers(
        Host="localhost",
        Upload_Offset="0",
        Content_Type="application/offset+octet-stream",
        Content_Length=str(length),
    )
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    connection = socket.create_connection(("127.0.0.1", sender.port), timeout=PATIENCE)
    connection.sendall(f"PATCH {where} HTTP/1.1\r\n{head}\r\n".encode())
    return connection
