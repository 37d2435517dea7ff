"""Servers that an installation may use, started for tests: Redis, and moto's S3 server."""

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
from tests.processes import until

# The server checks no signature, but boto3 sends no request without credentials.
CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "nobody",
    "AWS_SECRET_ACCESS_KEY": "nothing",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
}


# Runs moto's server at a free port, and prints the port on its first line.
SERVE_S3 = """
import threading
from moto.server import ThreadedMotoServer
server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
server.start()
print(server.get_host_and_port()[1], flush=True)
threading.Event().wait()
"""


def held_port(port: int = 0) -> socket.socket:
    """A bound socket that does not listen: its port refuses connections, and nobody else gets the port.

    port: 0 for any free one.
    """
    held = socket.socket()
    if port:  # the kernel still lists earlier connections of this port
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    held.bind(("127.0.0.1", port))
    return held


class Server:
    """A server process that ends with the test run, even if that is killed. Its log is in `directory`."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.process: subprocess.Popen[bytes] | None = None

    def program(self) -> str:
        """The path of the executable. `command()[0]` may be another name for it."""
        raise NotImplementedError

    def command(self) -> list[str]:
        raise NotImplementedError

    def ready(self, process: "subprocess.Popen[bytes]") -> None:
        """Wait until the server, started as `process`, answers."""
        raise NotImplementedError

    def start(self) -> None:
        with (self.directory / f"{type(self).__name__}.log").open("ab") as log:
            self.process = subprocess.Popen(  # noqa: S603 - ours
                self.command(),
                executable=self.program(),
                stdout=subprocess.PIPE,
                stderr=log,
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
    """Redis on a Unix socket. It can be stopped and started again at the same address.

    It opens no TCP port and saves nothing to disk, so stopping it loses its data.
    """

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        # The paths of pytest's directories are too long for a Unix socket.
        self.socket_directory = Path(tempfile.mkdtemp(prefix="lacuna-redis-", dir="/tmp"))
        watcher.watch_directory(self.socket_directory)

    @property
    def url(self) -> str:
        return f"unix://{self.socket_directory}/redis.sock?db=0"

    def program(self) -> str:
        found = packages.find_redis()
        assert found, f"Redis is not installed; {packages.COMMAND} installs it"
        return found

    def command(self) -> list[str]:
        listen = [
            "--port",
            "0",
            "--unixsocket",
            f"{self.socket_directory}/redis.sock",
            "--unixsocketperm",
            "700",
        ]
        # Nobody reads the process's stdout pipe, so Redis has to log to a file.
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
        shutil.rmtree(self.socket_directory)
        watcher.forget_directory(self.socket_directory)


class S3Server(Server):
    """moto's S3 server. It stores everything in memory."""

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


class TcpProxy:
    """A TCP proxy to a local port. While a test has shut it, the server behind it keeps running."""

    def __init__(self, to: int) -> None:
        self.to, self.closed_port = to, held_port()
        self.port: int = self.closed_port.getsockname()[1]
        self.connections: list[socket.socket] = []
        self.open()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def open(self) -> None:
        self.closed_port.close()
        self.listening = socket.create_server(("127.0.0.1", self.port), reuse_port=False)
        threading.Thread(target=self._accept, args=(self.listening,), daemon=True).start()

    def shut(self) -> None:
        for connection in (self.listening, *self.connections):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()
        self.connections.clear()
        self.closed_port = held_port(self.port)

    def close(self) -> None:
        self.shut()
        self.closed_port.close()

    def _accept(self, listening: socket.socket) -> None:
        while True:
            try:
                inner, _from = listening.accept()
                outer = socket.create_connection(("127.0.0.1", self.to))
            except OSError:
                return
            self.connections += [inner, outer]
            for source, target in ((inner, outer), (outer, inner)):
                threading.Thread(target=_forward, args=(source, target), daemon=True).start()


def _forward(source: socket.socket, target: socket.socket) -> None:
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
    """The S3 bucket of one test."""

    name: str
    client: Any

    def enable_versioning(self) -> None:
        self.client.put_bucket_versioning(Bucket=self.name, VersioningConfiguration={"Status": "Enabled"})

    def begin_multipart_upload(self, name: str) -> str:
        """Begin a multipart upload that is never completed; returns its id."""
        found = self.client.create_multipart_upload(Bucket=self.name, Key=name)
        what = {"Bucket": self.name, "Key": name, "UploadId": found["UploadId"]}
        self.client.upload_part(**what, PartNumber=1, Body=b"a part")
        return str(found["UploadId"])

    def versions(self) -> int:
        """The number of object versions and delete markers in the bucket."""
        found = self.client.list_object_versions(Bucket=self.name)
        return len(found.get("Versions", [])) + len(found.get("DeleteMarkers", []))


def use_bucket(settings: Settings, name: str, address: str) -> None:
    """Make the settings of this process store the vault in a bucket."""
    options = {"bucket_name": name, "endpoint_url": address}
    vault = {"BACKEND": "patients.vault.s3.S3Vault", "OPTIONS": options}
    settings.STORAGES = {**settings.STORAGES, "vault": vault}


@pytest.fixture
def bucket(s3_server: S3Server, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Bucket:
    """An empty bucket, in which this process and all that it starts store the vault."""
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
    """An HTTP address at which no server answers."""
    with held_port() as held:
        yield f"http://127.0.0.1:{held.getsockname()[1]}"
