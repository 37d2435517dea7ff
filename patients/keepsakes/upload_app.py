"""The upload endpoint outside Django: tus for browsers with JavaScript, a form for those without.

A plain ASGI application, because Django spools every request body to a temporary file before any of its
code runs (ERASURE.md). Here host, session, policy and CSRF token are checked from the headers before a byte
of the body is read; then each piece is encrypted as it arrives. No plaintext touches a disk.
"""

from clinic.http.guard import Receive, Scope, Send
from patients.keepsakes.form_post import form_upload
from patients.keepsakes.tus import tus


async def upload_app(scope: Scope, receive: Receive, send: Send) -> None:
    """ASGI application for /upload/."""
    await (form_upload if scope["path"] == "/upload/form" else tus)(scope, receive, send)
