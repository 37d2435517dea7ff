"""Resumable uploads by tus 1.0 (creation, HEAD, PATCH, termination).

Session, policy and CSRF token are checked from the headers before a byte of the body is read.
"""

import base64
import binascii
import json
import logging
import re
from collections.abc import Mapping
from contextlib import suppress
from uuid import UUID

from django.conf import settings
from django.db import Error
from django.utils import translation
from django.utils.translation import gettext as _

from clinic.http.guard import Receive, Refused, Scope, Send, Visitor, admit, answer, outages_refused
from clinic.unavailable import is_full
from patients.cases.editing import CaseLocked
from patients.imaging.refusals import FileRefused
from patients.keepsakes.models import Upload
from patients.keepsakes.staging import (
    Busy,
    Discarded,
    OffsetMismatch,
    TooManyBytes,
    Writer,
    begin_upload,
    discard,
    record_refusal,
    refusal_code,
)
from patients.keepsakes.upload_requests import (
    TUS_HEADERS,
    as_visitor,
    check_csrf,
    current_case,
    deny,
    finish_in_decoder_pool,
    headers_of,
    requested_kind,
    send_error,
    storage_error,
    too_large_error,
)
from patients.vault.keys import KeyGone

log = logging.getLogger("lacuna.unavailable")

VERSION = "1.0.0"
UPLOAD_PATH = re.compile(r"/upload/([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})")


def parse_metadata(header: str) -> dict[str, str]:
    """Parse tus' Upload-Metadata header: pairs of a key and a base64 value. Errors: Refused."""
    found: dict[str, str] = {}
    for pair in filter(None, (part.strip() for part in header.split(","))):
        key, _space, value = pair.partition(" ")
        try:
            found[key] = base64.b64decode(value, validate=True).decode("utf-8", "replace")
        except binascii.Error as error:
            raise Refused(400, _("This upload was announced in a way we do not understand.")) from error
    return found


def parse_length(header: str) -> int:
    """Parse the Upload-Length header. Errors: Refused: 400 if it is not a number, 422 if it is 0."""
    if not re.fullmatch(r"[0-9]{1,40}", header):
        raise Refused(400, _("This upload was announced without its length."))
    if not (length := int(header)):
        raise Refused(422, _("This file is empty. Please choose it again from where it was saved."))
    return length


def create(visitor: Visitor, headers: Mapping[str, str]) -> Upload:
    """Create an upload (tus creation). Errors: Refused, CaseLocked, OSError.

    CaseLocked and a file that is too large are recorded in the audit log.
    """
    check_csrf(visitor, headers.get("x-csrftoken", ""), name="patients:upload")
    length = parse_length(headers.get("upload-length", ""))
    announced = parse_metadata(headers.get("upload-metadata", ""))
    case = current_case(visitor)
    if length > settings.LACUNA_UPLOAD_MAX_BYTES:
        record_refusal(case.pk, "too_many_bytes", length, by=visitor.user)
        raise too_large_error()
    filename, kind = announced.get("filename", ""), requested_kind(announced.get("kind", ""))
    try:
        return begin_upload(case, by=visitor.user, length=length, filename=filename, kind=kind)
    except CaseLocked as refusal:
        record_refusal(case.pk, refusal_code(refusal), length, by=visitor.user)
        raise


def find_upload(visitor: Visitor, upload_id: UUID) -> Upload:
    """Return an upload of the visitor.

    Errors: Refused (404), also for an upload of another user; the denial is recorded.
    """
    upload = Upload.objects.filter(pk=upload_id, by=visitor.user).first()
    if upload is None:
        deny(visitor, "no-object", name="patients:upload", upload=upload_id)
        raise Refused(404, _("We do not know this upload. Please choose the file again."))
    return upload


def open_writer(visitor: Visitor, headers: Mapping[str, str], upload_id: UUID) -> Writer | UUID:
    """Return a writer for the upload, or the id of the keepsake if the upload is one already.

    Errors: Refused, Busy, Discarded, OffsetMismatch.
    """
    check_csrf(visitor, headers.get("x-csrftoken", ""), name="patients:upload")
    if headers.get("content-type") != "application/offset+octet-stream":
        raise Refused(415, _("This upload was sent in a way we do not understand."))
    offset = headers.get("upload-offset", "")
    if not re.fullmatch(r"[0-9]{1,18}", offset):
        raise Refused(400, _("This upload was sent in a way we do not understand."))
    upload = find_upload(visitor, upload_id)
    if upload.keepsake_id is None:
        return writer_for(upload, int(offset))
    if int(offset) != upload.length:
        raise OffsetMismatch(upload.length)
    return upload.keepsake_id


def writer_for(upload: Upload, offset: int | None = None) -> Writer:
    """Return a Writer. Errors: Busy, OffsetMismatch; Discarded, also if the upload's key was destroyed."""
    try:
        return Writer(upload, offset)
    except KeyGone as error:
        raise Discarded from error


def progress(visitor: Visitor, upload_id: UUID) -> tuple[int, int]:
    """Return offset and length of an upload, for tus' HEAD. Errors: Refused, Discarded."""
    upload = find_upload(visitor, upload_id)
    if upload.keepsake_id:
        return upload.length, upload.length
    try:
        writer = writer_for(upload)
    except Busy:
        return upload.offset, upload.length
    try:
        return writer.acknowledged, upload.length
    finally:
        writer.close()


def terminate(visitor: Visitor, headers: Mapping[str, str], upload_id: UUID) -> None:
    """Discard an upload (tus termination). An upload that is a keepsake already is left as it is.

    Errors: Refused, Busy.
    """
    check_csrf(visitor, headers.get("x-csrftoken", ""), name="patients:upload")
    upload = find_upload(visitor, upload_id)
    if upload.keepsake_id is None:
        discard(upload)


def discard_and_record(visitor: Visitor, writer: Writer, code: str) -> None:
    """Discard an upload and record the refusal `code` in the audit log."""
    writer.discard()
    record_refusal(
        writer.upload.case_id, code, writer.upload.length, by=visitor.user, upload_id=writer.upload.pk
    )


async def write_body(receive: Receive, visitor: Visitor, writer: Writer) -> bool:
    """Encrypt and write the body as it arrives, one ASGI message in memory at a time.

    Returns False if the client disconnected.
    """
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return False
        if body := message.get("body", b""):
            await as_visitor(visitor, writer.write, body)
        if not message.get("more_body", False):
            return True


async def patch(scope: Scope, receive: Receive, send: Send, visitor: Visitor, upload_id: UUID) -> None:
    """Append bytes to an upload (tus PATCH). After the last byte, make it a keepsake and answer with its id.

    A repeated request at the end of a finished upload gets the same answer.
    """
    writer = await as_visitor(visitor, open_writer, visitor, headers_of(scope), upload_id)
    if isinstance(writer, UUID):
        await send_keepsake(send, writer)
        return
    try:
        whole = await write_body(receive, visitor, writer)
        if not (whole and writer.complete):
            offset = await as_visitor(visitor, writer.pause)
            if whole:
                await answer(send, 204, headers=TUS_HEADERS | {"Upload-Offset": str(offset)})
            return
        await as_visitor(visitor, writer.finish)
        keepsake = await finish_in_decoder_pool(visitor, writer)
    except TooManyBytes:
        await as_visitor(visitor, discard_and_record, visitor, writer, "more-than-announced")
        raise Refused(413, _("More arrived than was announced. Please choose the file again.")) from None
    except (OSError, Error) as error:
        if is_full(error):
            with suppress(Error):  # a full database keeps the row, until `discard_expired`
                await as_visitor(visitor, writer.discard)
        raise
    finally:
        await as_visitor(visitor, writer.close)
    await send_keepsake(send, keepsake.pk)


async def send_keepsake(send: Send, keepsake_id: UUID) -> None:
    """Answer 200 with the keepsake's id as JSON."""
    body = json.dumps({"keepsake": str(keepsake_id)}).encode()
    await answer(send, 200, body, content_type="application/json", headers=TUS_HEADERS)


async def dispatch(scope: Scope, receive: Receive, send: Send, visitor: Visitor) -> None:
    """Call the function for the request's method and path. Errors: those that `tus` answers."""
    method, headers = scope["method"], headers_of(scope)
    if headers.get("tus-resumable") != VERSION:
        text = _("This upload was sent in a way we do not understand.")
        raise Refused(412, text, {"Tus-Version": VERSION})
    match = UPLOAD_PATH.fullmatch(scope["path"])
    if method == "POST" and scope["path"] == "/upload/":
        upload = await as_visitor(visitor, create, visitor, headers)
        await answer(
            send, 201, headers=TUS_HEADERS | {"Location": f"/upload/{upload.pk}", "Upload-Offset": "0"}
        )
    elif match and method == "HEAD":
        offset, length = await as_visitor(visitor, progress, visitor, UUID(match[1]))
        more = TUS_HEADERS | {"Upload-Offset": str(offset), "Upload-Length": str(length)}
        await answer(send, 200, head=True, headers=more)
    elif match and method == "PATCH":
        await patch(scope, receive, send, visitor, UUID(match[1]))
    elif match and method == "DELETE":
        await as_visitor(visitor, terminate, visitor, headers, UUID(match[1]))
        await answer(send, 204, headers=TUS_HEADERS)
    else:
        raise Refused(405 if match or scope["path"] == "/upload/" else 404, _("There is nothing here."))


async def tus(scope: Scope, receive: Receive, send: Send) -> None:
    """ASGI application for tus requests. Every error is answered with a sentence for the user."""
    if scope["method"] == "OPTIONS":
        more = TUS_HEADERS | {
            "Tus-Version": VERSION,
            "Tus-Extension": "creation,termination",
            "Tus-Max-Size": str(settings.LACUNA_UPLOAD_MAX_BYTES),
        }
        await answer(send, 204, headers=more)
        return
    try:
        with outages_refused(scope):
            visitor = await admit(scope, "patients:upload", {})
    except Refused as refusal:
        await send_error(send, refusal.status, refusal.text, refusal.headers)
        return
    with translation.override(visitor.language):
        try:
            await dispatch(scope, receive, send, visitor)
        except Refused as refusal:
            await send_error(send, refusal.status, refusal.text, refusal.headers)
        except FileRefused as refusal:
            await send_error(send, 422, str(refusal.sentence))
        except CaseLocked as refusal:
            await send_error(send, 409, str(refusal))
        except OffsetMismatch as mismatch:
            more = {"Upload-Offset": str(mismatch.offset)}
            await send_error(send, 409, _("The upload stands elsewhere."), more)
        except Busy:
            await send_error(send, 423, _("This file is being taken already, from another window perhaps."))
        except Discarded:
            await send_error(send, 410, _("This upload has ended. Please choose the file again."))
        except (OSError, Error) as error:
            unstored = storage_error(error)
            if unstored is None:
                raise
            await send_error(send, unstored.status, unstored.text, unstored.headers)
