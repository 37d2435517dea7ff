"""Servers that a house may stand on, started for a test and gone with it: Redis, and one that speaks S3."""

import os
import shutil
import socket
import subprocess
import sys
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

from tests.house import until

# The server looks at no signature; the client refuses to ask without.
CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "nobody",
    "AWS_SECRET_ACCESS_KEY": "nothing",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
}


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


class Server:
    """A server at a port of its own, which may be taken away and brought back."""

    def __init__(self, directory: Path) -> None:
        self.directory, self.port = directory, free_port()
        self.process: subprocess.Popen[bytes] | None = None

    def command(self) -> list[str]:
        raise NotImplementedError

    def answers(self) -> bool:
        with socket.socket() as asking:
            return asking.connect_ex(("127.0.0.1", self.port)) == 0

    def start(self) -> None:
        with (self.directory / f"{type(self).__name__}.log").open("ab") as said:
            self.process = subprocess.Popen(self.command(), stdout=said, stderr=said)  # noqa: S603 - ours
        until(self.answers, f"{type(self).__name__} answers")

    def stop(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
        self.process = None


class RedisServer(Server):
    """Redis that writes nothing to any disk, so that its end is the end of what it held."""

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def command(self) -> list[str]:
        program = shutil.which("redis-server")
        assert program, "redis-server is not installed; tests/machine installs it"
        return [program, "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]

    def answers(self) -> bool:
        try:
            return bool(Redis.from_url(self.url).ping())
        except RedisError:
            return False


class S3Server(Server):
    """moto's server. What it holds is in its memory."""

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def command(self) -> list[str]:
        return [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(self.port)]


class Passage:
    """The way to a server, which can be shut and opened: what the server holds stays."""

    def __init__(self, to: int) -> None:
        self.to, self.port = to, free_port()
        self.lines: list[socket.socket] = []
        self.open()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def open(self) -> None:
        self.listening = socket.create_server(("127.0.0.1", self.port), reuse_port=False)
        threading.Thread(target=self._let_in, args=(self.listening,), daemon=True).start()

    def shut(self) -> None:
        for line in (self.listening, *self.lines):
            with suppress(OSError):
                line.shutdown(socket.SHUT_RDWR)
            line.close()
        self.lines.clear()

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
    server.start()
    try:
        yield server
    finally:
        server.stop()


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
