"""Resumable uploads by tus 1.0.

Creation (also with the first piece, also without a length), HEAD, PATCH, checksum, termination, expiration.

Session, policy and CSRF token are checked from the headers before a byte of the body is read.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import suppress
from typing import Any, ParamSpec, TypeVar
from uuid import UUID

from django.db import Error
from django.utils import translation
from django.utils.translation import gettext as _

from clinic.http.guard import Receive, Refused, Scope, Send, Visitor, admit, answer, outages_refused
from clinic.unavailable import is_full
from patients.cases.editing import CaseLocked
from patients.cases.models import Case
from patients.imaging.refusals import Code, FileRefused
from patients.keepsakes.checked_pieces import CheckedPiece, WrongChecksum
from patients.keepsakes.duplicates import lookalikes
from patients.keepsakes.half_way import twin_of
from patients.keepsakes.limits import check_announced, check_head
from patients.keepsakes.models import Upload
from patients.keepsakes.staging import (
    Busy,
    Discarded,
    OffsetMismatch,
    TooManyBytes,
    Writer,
    begin_upload,
    bytes_left,
    discard,
    record_refusal,
    refusal_code,
)
from patients.keepsakes.tus_headers import (
    BODY_TYPE,
    VERSION,
    Checksum,
    is_length_deferred,
    length_headers,
    method_of,
    not_understood,
    offset_headers,
    option_headers,
    parse_checksum,
    parse_length,
    parse_metadata,
    parse_offset,
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
)
from patients.vault.keys import KeyGone

P = ParamSpec("P")
T = TypeVar("T")

UPLOAD_PATH = re.compile(r"/upload/([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})")
# Seconds. A broken connection may stay open on this side for a quarter of an hour. So a request that got no
# bytes for `QUIET` ends if another request waits for its upload, and after `SILENCE` it ends in any case.
# `PATIENCE`: how long a request waits for an upload that another request has locked.
QUIET, SILENCE, PATIENCE = 1.0, 30.0, 3.0
LOCK_INTERVAL = 0.1  # seconds between two attempts to lock
MAX_DRAINED = 16 * 1024 * 1024  # bytes of a refused piece that are still read


class Disconnected(Exception):
    """The client has closed the connection before the end of the body."""


class Silent(Exception):
    """The client sent nothing for `SILENCE`, or for `QUIET` while another request waits for the upload."""


def check_is_new(case: Case, announced: Mapping[str, str], length: int | None) -> None:
    """Refuse a file whose mark is that of a keepsake, unless the patient sends it all the same.

    announced: the values of the metadata. length: in bytes, None if it is not announced.
    Errors: Refused, with the keepsake's id in a header.
    """
    if "anyway" not in announced and (twin := twin_of(case, announced.get("mark", ""), length)):
        text = _("You have brought this very file already.")
        raise Refused(409, text, {"Lacuna-Twin": str(twin)})


def create(visitor: Visitor, headers: Mapping[str, str]) -> Upload:
    """Create an upload (tus creation). Errors: Refused, CaseLocked, FileRefused, OSError.

    CaseLocked and FileRefused are recorded in the audit log. A file is refused by its name, its length, and
    its first bytes if they are among the metadata.
    """
    check_csrf(visitor, headers.get("x-csrftoken", ""), name="patients:upload")
    deferred = is_length_deferred(headers)
    length = 0 if deferred else parse_length(headers.get("upload-length", ""))
    metadata = parse_metadata(headers.get("upload-metadata", ""))
    announced = metadata.values
    case = current_case(visitor)
    filename = announced.get("filename", announced.get("name", ""))
    try:
        check_announced(filename, length)
        if metadata.head:
            check_head(metadata.head, filename, length)
        check_is_new(case, announced, None if deferred else length)
        return begin_upload(
            case,
            by=visitor.user,
            # A deferred length reserves all that is left; at least 1 byte, so that a full quota is refused.
            length=max(1, bytes_left(case)) if deferred else length,
            length_deferred=deferred,
            filename=filename,
            kind=requested_kind(announced.get("kind", "")),
            metadata=metadata.header,
        )
    except (CaseLocked, FileRefused) as refusal:
        record_refusal(case.pk, refusal_code(refusal), length, by=visitor.user)
        raise


def find_upload(visitor: Visitor, upload_id: UUID) -> Upload:
    """Return an upload of the visitor.

    Errors: Refused (404), also for an upload of another user; the denial is recorded.
    """
    upload = Upload.objects.filter(pk=upload_id, by=visitor.user).select_related("keepsake").first()
    if upload is None:
        deny(visitor, "no-object", name="patients:upload", upload=upload_id)
        raise Refused(404, _("We do not know this upload. Please choose the file again."))
    return upload


def check_body_type(headers: Mapping[str, str]) -> None:
    """Check that a request's body is a piece of a file. Errors: Refused."""
    if headers.get("content-type") != BODY_TYPE:
        raise not_understood(415)


def open_writer(visitor: Visitor, headers: Mapping[str, str], upload_id: UUID) -> Writer | Upload:
    """Return a writer for the upload, or the upload itself if it is a keepsake already.

    Errors: Refused, Busy, Discarded, OffsetMismatch.
    """
    check_csrf(visitor, headers.get("x-csrftoken", ""), name="patients:upload")
    check_body_type(headers)
    offset = parse_offset(headers)
    length = parse_length(headers["upload-length"]) if "upload-length" in headers else None
    upload = find_upload(visitor, upload_id)
    if upload.keepsake_id is None:
        writer = writer_for(upload, offset)
        if length is not None and not writer.set_length(length):
            writer.close()
            raise not_understood()
        return writer
    if offset != upload.length:
        raise OffsetMismatch(upload.length)
    return upload


def writer_for(upload: Upload, offset: int | None = None) -> Writer:
    """Return a Writer. Errors: Busy, OffsetMismatch; Discarded, also if the upload's key was destroyed."""
    try:
        return Writer(upload, offset)
    except KeyGone as error:
        raise Discarded from error


def progress(visitor: Visitor, upload_id: UUID) -> dict[str, str]:
    """Return the headers that tell how far an upload is, for tus' HEAD. Errors: Refused, Discarded."""
    upload = find_upload(visitor, upload_id)
    offset = upload.length
    if not upload.keepsake_id:
        try:
            writer = writer_for(upload)
        except Busy:
            offset = upload.offset
        else:
            offset = writer.acknowledged
            writer.close()
    headers = offset_headers(upload, offset) | length_headers(upload)
    try:
        metadata = upload.read().metadata
    except KeyGone as error:
        raise Discarded from error
    return headers | ({"Upload-Metadata": metadata} if metadata else {})


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


async def when_free(
    visitor: Visitor, upload_id: UUID, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs
) -> T:
    """Call `work`, and again while another request has the upload locked.

    The other request is asked to release the lock. It does so if it gets no more bytes.
    Errors: Busy after `PATIENCE`; those of `work`.
    """
    loop = asyncio.get_running_loop()
    until = loop.time() + PATIENCE
    asked = False
    while True:
        try:
            return await as_visitor(visitor, work, *args, **kwargs)
        except Busy:
            if loop.time() > until:
                raise
            if not asked:
                await as_visitor(visitor, Upload.objects.filter(pk=upload_id).update, wanted=True)
                asked = True
            await asyncio.sleep(LOCK_INTERVAL)


async def pieces(receive: Receive, visitor: Visitor, writer: Writer) -> AsyncIterator[bytes]:
    """Yield the body as it arrives. Errors: Disconnected, Silent."""
    while True:
        receiving = asyncio.ensure_future(receive())
        silent_seconds = 0.0
        while True:
            done, _pending = await asyncio.wait({receiving}, timeout=QUIET)
            if done:
                break
            silent_seconds += QUIET
            if silent_seconds >= SILENCE or await as_visitor(visitor, writer.is_wanted):
                receiving.cancel()
                raise Silent
        message = receiving.result()
        if message["type"] == "http.disconnect":
            raise Disconnected
        if body := message.get("body", b""):
            yield body
        if not message.get("more_body", False):
            return


async def write_body(receive: Receive, visitor: Visitor, writer: Writer, checksum: Checksum | None) -> None:
    """Encrypt and write the body as it arrives, one ASGI message in memory at a time.

    A body with a checksum is appended whole or not at all.
    Errors: those of `pieces`, `Writer`, `CheckedPiece`.
    """
    if checksum is None:
        async for data in pieces(receive, visitor, writer):
            await as_visitor(visitor, writer.write, data)
        return
    piece = await as_visitor(visitor, CheckedPiece, writer, checksum)
    try:
        async for data in pieces(receive, visitor, writer):
            await as_visitor(visitor, piece.write, data)
        await as_visitor(visitor, piece.take)
    finally:
        await as_visitor(visitor, piece.close)


class Body:
    """The body of a request, message by message. ended: its last message was received."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self.ended = False

    async def __call__(self) -> Any:
        message = await self._receive()
        self.ended = not message.get("more_body", False)
        return message

    async def drain(self) -> None:
        """Read the rest, at most `MAX_DRAINED`: a browser that still sends would not see the answer."""
        left = MAX_DRAINED
        with suppress(TimeoutError):
            async with asyncio.timeout(SILENCE):
                while left > 0 and not self.ended:
                    left -= len((await self()).get("body", b""))


async def append(
    receive: Receive, visitor: Visitor, writer: Writer, checksum: Checksum | None
) -> tuple[Upload, int]:
    """Append the body to an upload. Return the upload and its offset.

    After the last byte, the upload is made a keepsake. It is unlocked when this returns, so the client may
    send its next piece at once.
    Errors: Disconnected, or OffsetMismatch if the client fell silent; what had arrived is durable by then.
    Refused; those of `finish_in_decoder_pool`; Error and OSError.
    """
    body = Body(receive)
    try:
        interruption: Exception | None = None
        try:
            await write_body(body, visitor, writer, checksum)
        except (Disconnected, Silent, WrongChecksum) as error:
            interruption = error
        except FileRefused as refusal:  # by its first bytes
            await as_visitor(visitor, discard_and_record, visitor, writer, refusal_code(refusal))
            await body.drain()
            raise
        if interruption is None and writer.complete:
            await as_visitor(visitor, writer.finish)
            writer.upload.keepsake = await finish_in_decoder_pool(visitor, writer)
            return writer.upload, writer.upload.length
        offset = await as_visitor(visitor, writer.pause)
        if isinstance(interruption, Silent):
            raise OffsetMismatch(offset) from interruption
        if interruption is not None:
            raise interruption
        return writer.upload, offset
    except TooManyBytes:
        await as_visitor(visitor, discard_and_record, visitor, writer, "more-than-announced")
        await body.drain()
        raise Refused(413, _("More arrived than was announced. Please choose the file again.")) from None
    except KeyGone as error:
        raise Discarded from error
    except WrongChecksum as error:
        text = _("A piece of this file did not arrive as it was sent. Please send it again.")
        raise Refused(460, text, {"Upload-Offset": str(writer.acknowledged)}) from error
    except (OSError, Error) as error:
        if is_full(error):
            with suppress(Error):  # a full database keeps the row, until `discard_expired`
                await as_visitor(visitor, writer.discard)
        raise
    finally:
        await as_visitor(visitor, writer.close)


async def piece_headers(visitor: Visitor, upload: Upload, offset: int) -> dict[str, str]:
    """Return the headers of an answer to a piece.

    After the last piece they also tell how many keepsakes look like the new one.
    """
    headers = offset_headers(upload, offset)
    if upload.keepsake:
        headers["Lacuna-Alike"] = str(len(await as_visitor(visitor, lookalikes, upload.keepsake)))
    return headers


async def post(scope: Scope, receive: Receive, send: Send, visitor: Visitor) -> None:
    """Create an upload; if the request has a body, it is the first piece (tus creation-with-upload)."""
    headers = headers_of(scope)
    with_body = "content-type" in headers
    if with_body:
        check_body_type(headers)
    checksum = parse_checksum(headers) if with_body else None
    upload = await as_visitor(visitor, create, visitor, headers)
    offset = 0
    if with_body:
        writer = await as_visitor(visitor, writer_for, upload, 0)
        upload, offset = await append(receive, visitor, writer, checksum)
    location = {"Location": f"/upload/{upload.pk}"}
    await answer(send, 201, headers=await piece_headers(visitor, upload, offset) | location)


async def patch(scope: Scope, receive: Receive, send: Send, visitor: Visitor, upload_id: UUID) -> None:
    """Append bytes to an upload (tus PATCH).

    A repeated request at the end of a finished upload gets the same answer.
    """
    headers = headers_of(scope)
    checksum = parse_checksum(headers)
    opened = await when_free(visitor, upload_id, open_writer, visitor, headers, upload_id)
    if isinstance(opened, Writer):
        upload, offset = await append(receive, visitor, opened, checksum)
    else:
        upload, offset = opened, opened.length
    await answer(send, 204, headers=await piece_headers(visitor, upload, offset))


async def dispatch(scope: Scope, receive: Receive, send: Send, visitor: Visitor) -> None:
    """Answer a request by its method and path. Errors: those that `tus` answers."""
    method, headers = scope["method"], headers_of(scope)
    if headers.get("tus-resumable") != VERSION:
        raise Refused(412, not_understood().text, {"Tus-Version": VERSION})
    match = UPLOAD_PATH.fullmatch(scope["path"])
    upload_id = UUID(match[1]) if match else None
    if method == "POST" and scope["path"] == "/upload/":
        await post(scope, receive, send, visitor)
    elif upload_id and method == "HEAD":
        progress_headers = await as_visitor(visitor, progress, visitor, upload_id)
        await answer(send, 200, head=True, headers=progress_headers)
    elif upload_id and method == "PATCH":
        await patch(scope, receive, send, visitor, upload_id)
    elif upload_id and method == "DELETE":
        await when_free(visitor, upload_id, terminate, visitor, headers, upload_id)
        await answer(send, 204, headers=TUS_HEADERS)
    else:
        raise Refused(405 if match or scope["path"] == "/upload/" else 404, _("There is nothing here."))


async def tus(scope: Scope, receive: Receive, send: Send) -> None:
    """ASGI application for tus requests. Every error is answered with a sentence for the user."""
    scope = {**scope, "method": method_of(scope)}
    if scope["method"] == "OPTIONS":
        await answer(send, 204, headers=option_headers())
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
            status = 413 if refusal.code is Code.TOO_MANY_BYTES else 422
            await send_error(send, status, str(refusal.sentence))
        except CaseLocked as refusal:
            await send_error(send, 409, str(refusal))
        except OffsetMismatch as mismatch:
            headers = {"Upload-Offset": str(mismatch.offset)}
            await send_error(send, 409, _("The upload stands elsewhere."), headers)
        except Busy:
            await send_error(send, 423, _("This file is being taken already, from another window perhaps."))
        except Disconnected:
            return  # the client is gone, and what had arrived is kept
        except Discarded:
            await send_error(send, 410, _("This upload has ended. Please choose the file again."))
        except (OSError, Error) as error:
            unstored = storage_error(error)
            if unstored is None:
                raise
            await send_error(send, unstored.status, unstored.text, unstored.headers)
