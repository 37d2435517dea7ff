"""Servers that a house may stand on, started for a test and gone with it: Redis, and one that speaks S3."""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import boto3
import pytest
from pytest_django import Settings
from redis import Redis
from redis.exceptions import RedisError

from tests import packages, watcher
from tests.house import until

# The server looks at no signature; the client refuses to ask without.
CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "nobody",
    "AWS_SECRET_ACCESS_KEY": "nothing",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
}


# moto's server at a port that the system gives it. It says which on its first line.
SERVE_S3 = """
import threading
from moto.server import ThreadedMotoServer
server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
server.start()
print(server.get_host_and_port()[1], flush=True)
threading.Event().wait()
"""


def held_port(port: int = 0) -> socket.socket:
    """A port of this machine at which nobody answers. Nobody else gets it until the socket is closed."""
    held = socket.socket()
    if port:  # connections that were there are still in the system's books
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    held.bind(("127.0.0.1", port))
    return held


class Server:
    """A server that is gone with the test run, however that ends. `directory` takes what it says."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.process: subprocess.Popen[bytes] | None = None

    def program(self) -> str:
        """The file of the program that runs `command`."""
        raise NotImplementedError

    def command(self) -> list[str]:
        raise NotImplementedError

    def ready(self, process: "subprocess.Popen[bytes]") -> None:
        """Wait until the server, started as `process`, answers."""
        raise NotImplementedError

    def start(self) -> None:
        with (self.directory / f"{type(self).__name__}.log").open("ab") as said:
            self.process = subprocess.Popen(  # noqa: S603 - ours
                self.command(),
                executable=self.program(),
                stdout=subprocess.PIPE,
                stderr=said,
                start_new_session=True,
            )
        watcher.watch_group(self.process.pid)
        self.ready(self.process)

    def stop(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.communicate()
            watcher.forget_group(self.process.pid)
        self.process = None

    def close(self) -> None:
        self.stop()


class RedisServer(Server):
    """Redis at a Unix socket, which can be taken away and brought back at the same address.

    It listens at no port. It writes nothing to any disk, so that its end is the end of what it held.
    """

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        # pytest's directories have names too long for a socket.
        self.place = Path(tempfile.mkdtemp(prefix="lacuna-redis-", dir="/tmp"))
        watcher.watch_directory(self.place)

    @property
    def url(self) -> str:
        return f"unix://{self.place}/redis.sock?db=0"

    def program(self) -> str:
        found = packages.find_redis()
        assert found, f"Redis is not installed; {packages.COMMAND} installs it"
        return found

    def command(self) -> list[str]:
        listen = ["--port", "0", "--unixsocket", f"{self.place}/redis.sock", "--unixsocketperm", "700"]
        # Nothing is read here: with a log file, Redis says nothing to the pipe.
        log = ["--logfile", str(self.directory / "redis.log"), "--dir", str(self.directory)]
        return ["redis-server", *listen, *log, "--save", "", "--appendonly", "no"]

    def ready(self, process: "subprocess.Popen[bytes]") -> None:
        until(self.answers, "Redis answers")

    def answers(self) -> bool:
        try:
            return bool(Redis.from_url(self.url).ping())
        except RedisError:
            return False

    def close(self) -> None:
        super().close()
        shutil.rmtree(self.place)
        watcher.forget_directory(self.place)


class S3Server(Server):
    """moto's server. What it holds is in its memory."""

    port = 0

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def program(self) -> str:
        return sys.executable

    def command(self) -> list[str]:
        return [sys.executable, "-c", SERVE_S3]

    def ready(self, process: "subprocess.Popen[bytes]") -> None:
        assert process.stdout
        self.port = int(process.stdout.readline())


class Passage:
    """The way to a server, which can be shut and opened: what the server holds stays."""

    def __init__(self, to: int) -> None:
        self.to, self.held = to, held_port()
        self.port: int = self.held.getsockname()[1]
        self.lines: list[socket.socket] = []
        self.open()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def open(self) -> None:
        self.held.close()
        self.listening = socket.create_server(("127.0.0.1", self.port), reuse_port=False)
        threading.Thread(target=self._let_in, args=(self.listening,), daemon=True).start()

    def shut(self) -> None:
        for line in (self.listening, *self.lines):
            with suppress(OSError):
                line.shutdown(socket.SHUT_RDWR)
            line.close()
        self.lines.clear()
        self.held = held_port(self.port)

    def close(self) -> None:
        self.shut()
        self.held.close()

    def _let_in(self, listening: socket.socket) -> None:
        while True:
            try:
                inner, _from = listening.accept()
                outer = socket.create_connection(("127.0.0.1", self.to))
            except OSError:
                return
            self.lines += [inner, outer]
            for source, target in ((inner, outer), (outer, inner)):
                threading.Thread(target=_pass_on, args=(source, target), daemon=True).start()


def _pass_on(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)


S = TypeVar("S", bound=Server)


@contextmanager
def running(server: S) -> Iterator[S]:
    try:
        server.start()
        yield server
    finally:
        server.close()


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    with running(server := S3Server(tmp_path_factory.mktemp("s3"))):
        yield server


@dataclass
class Bucket:
    """A bucket of one test."""

    name: str
    client: Any

    def keep_versions(self) -> None:
        self.client.put_bucket_versioning(Bucket=self.name, VersioningConfiguration={"Status": "Enabled"})

    def begin_in_parts(self, name: str) -> str:
        """Begin an upload in parts that comes to no end; returns its id."""
        found = self.client.create_multipart_upload(Bucket=self.name, Key=name)
        what = {"Bucket": self.name, "Key": name, "UploadId": found["UploadId"]}
        self.client.upload_part(**what, PartNumber=1, Body=b"a part")
        return str(found["UploadId"])

    def versions(self) -> int:
        """How many versions and marks of deletion there are."""
        found = self.client.list_object_versions(Bucket=self.name)
        return len(found.get("Versions", [])) + len(found.get("DeleteMarkers", []))


def use_bucket(settings: Settings, name: str, address: str) -> None:
    """Let this process's vault be in a bucket."""
    options = {"bucket_name": name, "endpoint_url": address}
    vault = {"BACKEND": "patients.vault.s3.S3Vault", "OPTIONS": options}
    settings.STORAGES = {**settings.STORAGES, "vault": vault}


@pytest.fixture
def bucket(s3_server: S3Server, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Bucket:
    """An empty bucket that holds the vault, of this process and of all that it starts."""
    name = f"vault-{os.urandom(6).hex()}"
    for variable, value in {
        **CREDENTIALS,
        "LACUNA_S3_BUCKET": name,
        "LACUNA_S3_ENDPOINT": s3_server.address,
    }.items():
        monkeypatch.setenv(variable, value)
    use_bucket(settings, name, s3_server.address)
    client = boto3.client("s3", endpoint_url=s3_server.address)
    client.create_bucket(Bucket=name)
    return Bucket(name, client)


@pytest.fixture
def nowhere() -> Iterator[str]:
    """The address of a server that is not there."""
    with held_port() as held:
        yield f"http://127.0.0.1:{held.getsockname()[1]}"
