"""An upload client for tests. It can also break the protocol, for example by closing the connection early."""

import base64
import http.client
import json
import socket
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.middleware.csrf import _get_new_csrf_string
from django.test import Client

from clinic.accounts.models import User
from tests.serving import PATIENCE


@dataclass
class Sender:
    """A signed-in user with a CSRF token, who sends requests to a server's port."""

    port: int
    user: User

    def __post_init__(self) -> None:
        client = Client()
        client.force_login(self.user, backend=settings.AUTHENTICATION_BACKENDS[0])
        self.token = _get_new_csrf_string()
        session = client.cookies[settings.SESSION_COOKIE_NAME].value
        self.cookie = f"{settings.SESSION_COOKIE_NAME}={session}; {settings.CSRF_COOKIE_NAME}={self.token}"

    def headers(self, **more: str) -> dict[str, str]:
        return {
            "Cookie": self.cookie,
            "X-CSRFToken": self.token,
            "Tus-Resumable": "1.0.0",
            **{name.replace("_", "-"): value for name, value in more.items()},
        }

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> "Answer":
        """Send a request. headers: further ones, with underscores for hyphens."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE * 3)
        connection.request(method, path, body=body, headers=self.headers(**headers))
        answer = connection.getresponse()
        result = Answer(answer.status, dict(answer.getheaders()), answer.read())
        connection.close()
        return result

    def announce(self, length: int, filename: str = "photo.jpg", **more: str) -> "Answer":
        """Announce an upload of `length` bytes; its URL is in the header `location`. more: metadata."""
        pairs = {"filename": filename, **more}
        metadata = ",".join(
            f"{key} {base64.b64encode(value.encode()).decode()}" for key, value in pairs.items()
        )
        return self.ask("POST", "/upload/", Upload_Length=str(length), Upload_Metadata=metadata)

    def patch(self, where: str, data: Any, offset: int = 0, **headers: str) -> "Answer":
        """Send bytes from `offset` on to the upload whose URL is `where`."""
        return self.ask(
            "PATCH",
            where,
            data,
            Upload_Offset=str(offset),
            Content_Type="application/offset+octet-stream",
            **headers,
        )

    def bring(self, data: bytes, filename: str = "photo.jpg", **more: str) -> "Answer":
        """Announce an upload and send it in one piece."""
        announced = self.announce(len(data), filename, **more)
        return self.patch(announced.headers["location"], data) if announced.status == 201 else announced

    def cut_off(self, where: str, data: bytes, *, claim: int) -> None:
        """Send `data` in a PATCH whose Content-Length is `claim`, then close the connection."""
        lines = self.headers(
            Host="localhost",
            Upload_Offset="0",
            Content_Type="application/offset+octet-stream",
            Content_Length=str(claim),
        )
        head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        with socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE) as connection:
            connection.sendall(f"PATCH {where} HTTP/1.1\r\n{head}\r\n".encode() + data)

    def post_form(
        self, *parts: tuple[str, str | None, bytes], token: str | None = None, **more: str
    ) -> "Answer":
        """Post a multipart form. parts: (field, filename or None, value), sent after the CSRF token."""
        boundary = "lacuna-test-boundary"
        sent_token = self.token if token is None else token
        body = b""
        for name, filename, value in (("csrfmiddlewaretoken", None, sent_token.encode()), *parts):
            extra = f'; filename="{filename}"' if filename is not None else ""
            body += (
                f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"{extra}\r\n\r\n'.encode()
                + value
                + b"\r\n"
            )
        body += f"--{boundary}--\r\n".encode()
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE * 3)
        headers = {"Cookie": self.cookie, "Content-Type": f"multipart/form-data; boundary={boundary}", **more}
        connection.request("POST", "/upload/form", body, headers)
        answer = connection.getresponse()
        return Answer(answer.status, dict(answer.getheaders()), answer.read())


@dataclass
class Answer:
    """A server's response."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body, decoded from JSON."""
        return json.loads(self.body)

    @property
    def keepsake(self) -> str:
        """The id of the keepsake that the upload has become."""
        return self.headers["lacuna-keepsake"]
