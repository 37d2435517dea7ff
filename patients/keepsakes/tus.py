"""tus 1.0 (creation, HEAD, PATCH, termination): uploads in pieces that survive a cut.

Whoever sends is checked from the headers before a byte of the body is read.
"""

import base64
import binascii
import json
import re
from collections.abc import Mapping
from uuid import UUID

from django.conf import settings
from django.utils import translation
from django.utils.translation import gettext as _

from clinic.asgi_guard import Receive, Refused, Scope, Send, Visitor, admit, answer, offload
from patients.keepsakes.entrance import (
    TUS,
    check_csrf,
    current_case,
    headers_of,
    keep_later,
    kind_of,
    say,
    too_large,
)
from patients.keepsakes.models import Upload
from patients.keepsakes.staging import Busy, Moved, Writer, begin, discard
from patients.vault.keys import KeyGone

VERSION = "1.0.0"
ONE = re.compile(r"/upload/([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})")


def metadata(header: str) -> dict[str, str]:
    """Read tus' Upload-Metadata: pairs of a key and a base64 value. Errors: Refused."""
    found: dict[str, str] = {}
    for pair in filter(None, (part.strip() for part in header.split(","))):
        key, _space, value = pair.partition(" ")
        try:
            found[key] = base64.b64decode(value, validate=True).decode("utf-8", "replace")
        except binascii.Error as error:
            raise Refused(400, _("This upload was announced in a way we do not understand.")) from error
    return found


def length_of(header: str) -> int:
    """Read Upload-Length. Errors: Refused: 400 for no number, 413 for more than the house takes."""
    if not re.fullmatch(r"[0-9]{1,40}", header):
        raise Refused(400, _("This upload was announced without its length."))
    length = int(header)
    if length == 0:
        raise Refused(422, _("This file is empty. Please choose it again from where it was saved."))
    if length > settings.LACUNA_UPLOAD_MAX_BYTES:
        raise too_large()
    return length


def create(visitor: Visitor, headers: Mapping[str, str]) -> Upload:
    """tus creation. Errors: Refused, NotTaken, OSError."""
    check_csrf(visitor.request, headers.get("x-csrftoken", ""))
    length = length_of(headers.get("upload-length", ""))
    said = metadata(headers.get("upload-metadata", ""))
    return begin(
        current_case(visitor),
        by=visitor.user,
        length=length,
        filename=said.get("filename", ""),
        kind=kind_of(said.get("kind", "")),
    )


def find(visitor: Visitor, upload_id: UUID) -> Upload:
    """The visitor's own upload; anybody else's does not exist for them. Errors: Refused."""
    upload = Upload.objects.select_related("keepsake").filter(pk=upload_id, by=visitor.user).first()
    if upload is None:
        raise Refused(404, _("We do not know this upload. Please choose the file again."))
    return upload


def open_writer(visitor: Visitor, headers: Mapping[str, str], upload_id: UUID) -> Writer:
    """Prepare to take bytes. Errors: Refused, Busy, Moved."""
    check_csrf(visitor.request, headers.get("x-csrftoken", ""))
    if headers.get("content-type") != "application/offset+octet-stream":
        raise Refused(415, _("This upload was sent in a way we do not understand."))
    offset = headers.get("upload-offset", "")
    if not re.fullmatch(r"[0-9]{1,18}", offset):
        raise Refused(400, _("This upload was sent in a way we do not understand."))
    upload = find(visitor, upload_id)
    if upload.keepsake_id:
        raise Moved(upload.length)
    try:
        return Writer(upload, int(offset))
    except (FileNotFoundError, KeyGone) as error:
        raise Refused(410, _("This upload took too long. Please choose the file again.")) from error


def standing(visitor: Visitor, upload_id: UUID) -> tuple[int, int]:
    """Return offset and length of an upload, for tus' HEAD. Errors: Refused."""
    upload = find(visitor, upload_id)
    if upload.keepsake_id:
        return upload.length, upload.length
    try:
        writer = Writer(upload)
    except Busy:
        return upload.offset, upload.length
    except (FileNotFoundError, KeyGone) as error:
        raise Refused(410, _("This upload took too long. Please choose the file again.")) from error
    try:
        return writer.acknowledged, upload.length
    finally:
        writer.close()


def terminate(visitor: Visitor, headers: Mapping[str, str], upload_id: UUID) -> None:
    """tus termination: the sender changed their mind. Errors: Refused."""
    check_csrf(visitor.request, headers.get("x-csrftoken", ""))
    upload = find(visitor, upload_id)
    if upload.keepsake_id is None:
        discard(upload)


async def drain(receive: Receive, writer: Writer) -> bool:
    """Encrypt a body as it arrives; False when the sender was cut off. Memory stays within one message."""
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return False
        if body := message.get("body", b""):
            await offload(writer.write, body)
        if not message.get("more_body", False):
            return True


async def patch(scope: Scope, receive: Receive, send: Send, visitor: Visitor, upload_id: UUID) -> None:
    """tus PATCH: take bytes; with the last of them the upload becomes a keepsake."""
    headers = headers_of(scope)
    try:
        writer = await offload(open_writer, visitor, headers, upload_id)
    except Moved as moved:
        await say(send, 409, _("The upload stands elsewhere."), {"Upload-Offset": str(moved.offset)})
        return
    except Busy:
        await say(send, 423, _("This file is already being sent, from another window perhaps."))
        return
    try:
        whole = await drain(receive, writer)
        if not (whole and writer.complete):
            offset = await offload(writer.pause)
            if whole:
                await answer(send, 204, headers=TUS | {"Upload-Offset": str(offset)})
            return
        await offload(writer.finish)
    except Moved as moved:
        await say(send, 413, _("More arrived than was announced."), {"Upload-Offset": str(moved.offset)})
        return
    finally:
        writer.close()
    keepsake = await keep_later(visitor, writer)
    body = json.dumps({"keepsake": str(keepsake.pk)}).encode()
    more = TUS | {"Upload-Offset": str(writer.upload.length)}
    await answer(send, 200, body, content_type="application/json", headers=more)


async def tus(scope: Scope, receive: Receive, send: Send) -> None:
    """One tus request. Errors: those that `upload_app` turns into sentences."""
    method, headers = scope["method"], headers_of(scope)
    if method == "OPTIONS":
        more = TUS | {
            "Tus-Version": VERSION,
            "Tus-Extension": "creation,termination",
            "Tus-Max-Size": str(settings.LACUNA_UPLOAD_MAX_BYTES),
        }
        await answer(send, 204, headers=more)
        return
    visitor = await admit(scope, "patients:upload", {})
    with translation.override(visitor.language):
        if headers.get("tus-resumable") != VERSION:
            raise Refused(
                412, _("This upload was sent in a way we do not understand."), {"Tus-Version": VERSION}
            )
        one = ONE.fullmatch(scope["path"])
        if method == "POST" and scope["path"] == "/upload/":
            upload = await offload(create, visitor, headers)
            await answer(send, 201, headers=TUS | {"Location": f"/upload/{upload.pk}", "Upload-Offset": "0"})
        elif one and method == "HEAD":
            offset, length = await offload(standing, visitor, UUID(one[1]))
            more = TUS | {"Upload-Offset": str(offset), "Upload-Length": str(length)}
            await answer(send, 200, head=True, headers=more)
        elif one and method == "PATCH":
            await patch(scope, receive, send, visitor, UUID(one[1]))
        elif one and method == "DELETE":
            await offload(terminate, visitor, headers, UUID(one[1]))
            await answer(send, 204, headers=TUS)
        else:
            raise Refused(405 if one or scope["path"] == "/upload/" else 404, _("There is nothing here."))
