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

from clinic.http.guard import Receive, Refused, Scope, Send, Visitor, admit, answer
from patients.cases.editing import NotTaken
from patients.imaging.refusals import Refused as FileRefused
from patients.keepsakes.models import Upload
from patients.keepsakes.staging import (
    Busy,
    Moved,
    Stopped,
    TooMuch,
    Writer,
    begin,
    code_of,
    discard,
    record_refusal,
)
from patients.keepsakes.upload_requests import (
    TUS,
    as_visitor,
    check_csrf,
    current_case,
    headers_of,
    is_full,
    keep,
    kind_of,
    say,
    too_large,
)
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
    """Read Upload-Length. Errors: Refused: 400 for no number, 422 for none."""
    if not re.fullmatch(r"[0-9]{1,40}", header):
        raise Refused(400, _("This upload was announced without its length."))
    if not (length := int(header)):
        raise Refused(422, _("This file is empty. Please choose it again from where it was saved."))
    return length


def create(visitor: Visitor, headers: Mapping[str, str]) -> Upload:
    """tus creation. Errors: Refused, NotTaken (both in the log), OSError."""
    check_csrf(visitor.request, headers.get("x-csrftoken", ""))
    length = length_of(headers.get("upload-length", ""))
    said = metadata(headers.get("upload-metadata", ""))
    case = current_case(visitor)
    if length > settings.LACUNA_UPLOAD_MAX_BYTES:
        record_refusal(case.pk, "too_many_bytes", length, by=visitor.user)
        raise too_large()
    filename, kind = said.get("filename", ""), kind_of(said.get("kind", ""))
    try:
        return begin(case, by=visitor.user, length=length, filename=filename, kind=kind)
    except NotTaken as refusal:
        record_refusal(case.pk, code_of(refusal), length, by=visitor.user)
        raise


def find(visitor: Visitor, upload_id: UUID) -> Upload:
    """The visitor's own upload; anybody else's does not exist for them. Errors: Refused."""
    upload = Upload.objects.filter(pk=upload_id, by=visitor.user).first()
    if upload is None:
        raise Refused(404, _("We do not know this upload. Please choose the file again."))
    return upload


def open_writer(visitor: Visitor, headers: Mapping[str, str], upload_id: UUID) -> Writer | UUID:
    """Prepare to take bytes; the keepsake's id where all have come and been kept before.

    Errors: Refused, Busy, Stopped, Moved.
    """
    check_csrf(visitor.request, headers.get("x-csrftoken", ""))
    if headers.get("content-type") != "application/offset+octet-stream":
        raise Refused(415, _("This upload was sent in a way we do not understand."))
    offset = headers.get("upload-offset", "")
    if not re.fullmatch(r"[0-9]{1,18}", offset):
        raise Refused(400, _("This upload was sent in a way we do not understand."))
    upload = find(visitor, upload_id)
    if upload.keepsake_id is None:
        return opened(upload, int(offset))
    if int(offset) != upload.length:
        raise Moved(upload.length)
    return upload.keepsake_id


def opened(upload: Upload, offset: int | None = None) -> Writer:
    """`Writer`, a destroyed key being the same as a file that is gone. Errors: Busy, Stopped, Moved."""
    try:
        return Writer(upload, offset)
    except KeyGone as error:
        raise Stopped from error


def standing(visitor: Visitor, upload_id: UUID) -> tuple[int, int]:
    """Return offset and length of an upload, for tus' HEAD. Errors: Refused, Stopped."""
    upload = find(visitor, upload_id)
    if upload.keepsake_id:
        return upload.length, upload.length
    try:
        writer = opened(upload)
    except Busy:
        return upload.offset, upload.length
    try:
        return writer.acknowledged, upload.length
    finally:
        writer.close()


def terminate(visitor: Visitor, headers: Mapping[str, str], upload_id: UUID) -> None:
    """tus termination: the sender changed their mind. What is a keepsake already stays one.

    Errors: Refused, Busy.
    """
    check_csrf(visitor.request, headers.get("x-csrftoken", ""))
    upload = find(visitor, upload_id)
    if upload.keepsake_id is None:
        discard(upload)


def refuse(visitor: Visitor, writer: Writer, code: str) -> None:
    """End an upload that cannot be taken, and write down why."""
    writer.discard()
    record_refusal(
        writer.upload.case_id, code, writer.upload.length, by=visitor.user, upload_id=writer.upload.pk
    )


async def drain(receive: Receive, visitor: Visitor, writer: Writer) -> bool:
    """Encrypt a body as it arrives; False when the sender was cut off. Memory stays within one message."""
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return False
        if body := message.get("body", b""):
            await as_visitor(visitor, writer.write, body)
        if not message.get("more_body", False):
            return True


async def patch(scope: Scope, receive: Receive, send: Send, visitor: Visitor, upload_id: UUID) -> None:
    """tus PATCH: take bytes; with the last of them the upload becomes a keepsake. Sent again at its end, it
    answers the same again."""
    writer = await as_visitor(visitor, open_writer, visitor, headers_of(scope), upload_id)
    if isinstance(writer, UUID):
        await kept(send, writer)
        return
    try:
        whole = await drain(receive, visitor, writer)
        if not (whole and writer.complete):
            offset = await as_visitor(visitor, writer.pause)
            if whole:
                await answer(send, 204, headers=TUS | {"Upload-Offset": str(offset)})
            return
        await as_visitor(visitor, writer.finish)
        keepsake = await keep(visitor, writer)
    except TooMuch:
        await as_visitor(visitor, refuse, visitor, writer, "more-than-announced")
        raise Refused(413, _("More arrived than was announced. Please choose the file again.")) from None
    except OSError as error:
        if is_full(error):
            await as_visitor(visitor, writer.discard)
        raise
    finally:
        await as_visitor(visitor, writer.close)
    await kept(send, keepsake.pk)


async def kept(send: Send, keepsake_id: UUID) -> None:
    """The upload's good end."""
    body = json.dumps({"keepsake": str(keepsake_id)}).encode()
    await answer(send, 200, body, content_type="application/json", headers=TUS)


async def act(scope: Scope, receive: Receive, send: Send, visitor: Visitor) -> None:
    """Do what the visitor asks for. Errors: those that `tus` turns into sentences."""
    method, headers = scope["method"], headers_of(scope)
    if headers.get("tus-resumable") != VERSION:
        text = _("This upload was sent in a way we do not understand.")
        raise Refused(412, text, {"Tus-Version": VERSION})
    one = ONE.fullmatch(scope["path"])
    if method == "POST" and scope["path"] == "/upload/":
        upload = await as_visitor(visitor, create, visitor, headers)
        await answer(send, 201, headers=TUS | {"Location": f"/upload/{upload.pk}", "Upload-Offset": "0"})
    elif one and method == "HEAD":
        offset, length = await as_visitor(visitor, standing, visitor, UUID(one[1]))
        more = TUS | {"Upload-Offset": str(offset), "Upload-Length": str(length)}
        await answer(send, 200, head=True, headers=more)
    elif one and method == "PATCH":
        await patch(scope, receive, send, visitor, UUID(one[1]))
    elif one and method == "DELETE":
        await as_visitor(visitor, terminate, visitor, headers, UUID(one[1]))
        await answer(send, 204, headers=TUS)
    else:
        raise Refused(405 if one or scope["path"] == "/upload/" else 404, _("There is nothing here."))


async def tus(scope: Scope, receive: Receive, send: Send) -> None:
    """One tus request, answered with a sentence whatever goes wrong."""
    if scope["method"] == "OPTIONS":
        more = TUS | {
            "Tus-Version": VERSION,
            "Tus-Extension": "creation,termination",
            "Tus-Max-Size": str(settings.LACUNA_UPLOAD_MAX_BYTES),
        }
        await answer(send, 204, headers=more)
        return
    try:
        visitor = await admit(scope, "patients:upload", {})
    except Refused as refusal:
        await say(send, refusal.status, refusal.text, refusal.headers)
        return
    with translation.override(visitor.language):
        try:
            await act(scope, receive, send, visitor)
        except Refused as refusal:
            await say(send, refusal.status, refusal.text, refusal.headers)
        except FileRefused as refused:
            await say(send, 422, str(refused.sentence))
        except NotTaken as refusal:
            await say(send, 409, str(refusal))
        except Moved as moved:
            more = {"Upload-Offset": str(moved.offset)}
            await say(send, 409, _("The upload stands elsewhere."), more)
        except Busy:
            await say(send, 423, _("This file is being taken already, from another window perhaps."))
        except Stopped:
            await say(send, 410, _("This upload has ended. Please choose the file again."))
        except OSError as error:
            full = _(
                "There is no room for this at the moment. Nothing of it was kept; please try again later."
            )
            other = _("We could not store this just now. Please try again in a minute.")
            await say(send, 507 if is_full(error) else 503, full if is_full(error) else other)
