"""A browser's half of an upload, down to the socket, so that it can behave badly."""

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
    """Somebody signed in, with a CSRF token, at a server's port."""

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
        asking = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE * 3)
        asking.request(method, path, body=body, headers=self.headers(**headers))
        answer = asking.getresponse()
        got = Answer(answer.status, dict(answer.getheaders()), answer.read())
        asking.close()
        return got

    def announce(self, length: int, filename: str = "photo.jpg", **more: str) -> "Answer":
        pairs = {"filename": filename, **more}
        said = ",".join(f"{key} {base64.b64encode(value.encode()).decode()}" for key, value in pairs.items())
        return self.ask("POST", "/upload/", Upload_Length=str(length), Upload_Metadata=said)

    def patch(self, where: str, data: Any, offset: int = 0, **headers: str) -> "Answer":
        return self.ask(
            "PATCH",
            where,
            data,
            Upload_Offset=str(offset),
            Content_Type="application/offset+octet-stream",
            **headers,
        )

    def bring(self, data: bytes, filename: str = "photo.jpg", **more: str) -> "Answer":
        """Announce and send in one piece."""
        announced = self.announce(len(data), filename, **more)
        return self.patch(announced.headers["location"], data) if announced.status == 201 else announced

    def cut_off(self, where: str, data: bytes, *, claim: int) -> None:
        """Send `data` of a PATCH that claims `claim` bytes, then hang up."""
        lines = self.headers(
            Host="localhost",
            Upload_Offset="0",
            Content_Type="application/offset+octet-stream",
            Content_Length=str(claim),
        )
        head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        with socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE) as line:
            line.sendall(f"PATCH {where} HTTP/1.1\r\n{head}\r\n".encode() + data)

    def post_form(self, *parts: tuple[str, str | None, bytes], token: str | None = None) -> "Answer":
        """Post a form: (field, filename or None, value) each, after the token."""
        boundary = "lacuna-test-boundary"
        own = (("csrfmiddlewaretoken", None, (self.token if token is None else token).encode()), *parts)
        body = b""
        for name, filename, value in own:
            extra = f'; filename="{filename}"' if filename is not None else ""
            body += (
                f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"{extra}\r\n\r\n'.encode()
                + value
                + b"\r\n"
            )
        body += f"--{boundary}--\r\n".encode()
        asking = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE * 3)
        headers = {"Cookie": self.cookie, "Content-Type": f"multipart/form-data; boundary={boundary}"}
        asking.request("POST", "/upload/form", body, headers)
        answer = asking.getresponse()
        return Answer(answer.status, dict(answer.getheaders()), answer.read())


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def said(self) -> Any:
        return json.loads(self.body)
