"""Recordings and videos, played from the vault while they exist: /playback/<id of the original>.

Only what the decoding child found playable has a media type, and only under that type is it sent. A piece is
decrypted when it is asked for; before each the rows are asked whether it may still be heard, so that the
first pass, a sign-out or a lost right ends what is playing, not only what is asked for next.
"""

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar, cast
from uuid import UUID

from csp.decorators import csp_update
from django.utils.translation import gettext as _

from clinic.http.guard import (
    Receive,
    Refused,
    Scope,
    Send,
    answer,
    answer_refusal,
    check,
    house_headers,
    offload,
    refused_unavailable,
    require_methods,
)
from clinic.unavailable import ServiceUnavailable
from patients.keepsakes.models import Keepsake
from patients.keepsakes.pictures import HEADERS
from patients.vault.keys import KeyGone
from patients.vault.models import StoredObject, StoredObjectQuerySet
from patients.vault.objects import reader

PATH = re.compile(r"/playback/([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})")
NAME = "patients:playback"  # the policy's row
PIECE = 256 * 1024
RANGE_BYTES = 4 * 1024 * 1024  # an answer to a range is no longer: players ask on, and are checked each time
CHECK_EVERY = 2.0  # seconds: how long a right that was taken away may outlast that within one answer
RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")
TYPES = frozenset(
    {"audio/mpeg", "audio/ogg", "audio/wav", "audio/mp4", "audio/webm", "video/mp4", "video/webm"}
)


View = TypeVar("View", bound=Callable[..., Any])


def with_player(view: View) -> View:
    """Let the page of `view` play what this house serves; no other page may play anything."""
    return cast(View, csp_update({"media-src": ["'self'"]})(view))


def length(seconds: float) -> str:
    """How long something plays, such as 3:05; empty for what does not."""
    whole = round(seconds)
    minutes = f"{whole // 3600}:{whole // 60 % 60:02d}" if whole >= 3600 else str(whole // 60)
    return f"{minutes}:{whole % 60:02d}" if seconds else ""


@dataclass(frozen=True)
class Span:
    """Bytes `start` up to, not including, `stop`; `partial` where a range was asked for."""

    start: int
    stop: int
    partial: bool


def playable(rows: StoredObjectQuerySet) -> StoredObjectQuerySet:
    """Those of `rows` that can be listened to or watched now: originals of what no pass has touched."""
    return rows.live().filter(
        role=StoredObject.Role.ORIGINAL,
        media_type__in=TYPES,
        keepsake__gone_at__isnull=True,
        keepsake__level=0,
        keepsake__kind__in=[Keepsake.Kind.RECORDING, Keepsake.Kind.VIDEO],
    )


def original_of(keepsake: Keepsake) -> StoredObject | None:
    """What plays of a keepsake; None where nothing does, or does any more."""
    return playable(StoredObject.objects.filter(keepsake=keepsake)).first()


def span_of(header: str, size: int) -> Span:
    """The bytes that a Range header asks for, as far as one answer goes; everything where it asks for none.

    What is no single range of bytes is passed over, as RFC 9110 allows. Errors: Refused (416).
    """
    found = RANGE.fullmatch(header.strip())
    if found is None or found[1] == found[2] == "":
        return Span(0, size, partial=False)
    if not found[1]:
        start, stop = max(0, size - int(found[2])), size
    else:
        start, stop = int(found[1]), min(int(found[2]) + 1, size) if found[2] else size
    if start >= stop:
        raise Refused(416, _("There is nothing here."), {"Content-Range": f"bytes */{size}"})
    return Span(start, min(stop, start + RANGE_BYTES), partial=True)


class Playback:
    """The ASGI application."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request: 200 or 206, 404 where there never was any, 410 where it is gone."""
        head = scope["method"] == "HEAD"
        try:
            require_methods(scope, ["GET", "HEAD"])
            path = PATH.fullmatch(scope["path"])
            if path is None:
                raise Refused(404, "There is nothing here.")
            row = await offload(find, scope, UUID(path[1]))
            asked = dict(scope["headers"]).get(b"range", b"").decode("latin-1")
            span = span_of(asked, row.size)
            first = b"" if head else await offload(piece, row, span.start, span.stop)
        except Refused as refusal:
            await answer_refusal(send, refusal, head=head)
            return
        await self.play(scope, send, row, span, first, head=head)

    async def play(
        self, scope: Scope, send: Send, row: StoredObject, span: Span, first: bytes, *, head: bool
    ) -> None:
        """Send a span piece by piece; when it may not go on, hang up in the middle of it."""
        more = {
            **HEADERS,
            "Accept-Ranges": "bytes",
            "Content-Length": str(span.stop - span.start),
            **({"Content-Range": f"bytes {span.start}-{span.stop - 1}/{row.size}"} if span.partial else {}),
        }
        if head:
            status = 206 if span.partial else 200
            await answer(send, status, content_type=row.media_type, head=True, headers=more)
            return
        headers = house_headers(row.media_type, more)
        start = {"type": "http.response.start", "status": 206 if span.partial else 200, "headers": headers}
        await send(start)
        at, data, checked = span.start, first, time.monotonic()
        while True:
            at += len(data)
            await send({"type": "http.response.body", "body": data, "more_body": at < span.stop})
            if at >= span.stop:
                return
            try:
                if time.monotonic() - checked > CHECK_EVERY:
                    await offload(find, scope, row.pk)
                    checked = time.monotonic()
                data = await offload(piece, row, at, span.stop)
            except Refused:
                return  # the server cuts an answer that ends too early


def find(scope: Scope, object_id: UUID) -> StoredObject:
    """What plays, for whoever asks. Errors: Refused."""
    check(scope, NAME, {"picture": object_id})
    rows = StoredObject.objects.filter(pk=object_id)
    if (row := playable(rows).first()) is not None:
        return row
    ended = rows.filter(
        role=StoredObject.Role.ORIGINAL,
        media_type__in=TYPES,
        state__in=[StoredObject.State.DOOMED, StoredObject.State.DESTROYED],
    )
    if ended.exists():
        raise Refused(410, _("This is gone. Nothing of it is left."))
    raise Refused(404, _("There is nothing here."))


def piece(row: StoredObject, start: int, stop: int) -> bytes:
    """At most `PIECE` bytes from `start`, and none once the row says that it is over. Errors: Refused."""
    gone = Refused(410, _("This is gone. Nothing of it is left."))
    try:
        with reader(row) as file:
            file.seek(start)
            data = bytes(file.read(min(PIECE, stop - start)) or b"")
    except (KeyGone, FileNotFoundError):  # its end was committed between the two
        raise gone from None
    except ServiceUnavailable as away:
        raise refused_unavailable(away) from away
    if not data or not playable(StoredObject.objects.filter(pk=row.pk)).exists():
        raise gone
    return data


playback = Playback()
