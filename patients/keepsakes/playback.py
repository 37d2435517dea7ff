"""Serve recordings and videos from the vault: /playback/<id of the original, or of its copy for browsers>.

Only originals that the decoder process found playable have a media type, and they are sent with that type. Of
the others it has made a copy for browsers, which is played in their place and destroyed with them. A
response is decrypted chunk by chunk. The rows are checked for each chunk, and access every `CHECK_EVERY`
seconds, so a first pass, a sign-out or a lost permission stops a response that is already playing, not only
the next request.
"""

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar, cast
from uuid import UUID

from csp.decorators import csp_update
from django.conf import settings
from django.utils.translation import gettext as _

from clinic.http.guard import (
    Receive,
    Refused,
    Scope,
    Send,
    answer,
    answer_refusal,
    check,
    offload,
    outages_refused,
    require_methods,
    response_headers,
)
from patients.keepsakes.looks import SHARP_FOR, require_look
from patients.keepsakes.models import Keepsake
from patients.keepsakes.pictures import HEADERS, damaged
from patients.vault.keys import KeyGone
from patients.vault.models import StoredObject, StoredObjectQuerySet
from patients.vault.objects import reader
from patients.vault.stream import Tampered

PATH = re.compile(r"/playback/([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})")
POLICY_NAME = "patients:playback"  # the row of the access policy (policy.py)
CHUNK_BYTES = 256 * 1024
# Longest response to a range request. Players request the rest, and each request is checked.
RANGE_BYTES = 4 * 1024 * 1024
CHECK_EVERY = 2.0  # seconds until a response that is playing notices a lost permission
RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")
PLAYED_ROLES = (StoredObject.Role.ORIGINAL, StoredObject.Role.SCREEN)
TYPES = frozenset(
    {"audio/mpeg", "audio/ogg", "audio/wav", "audio/mp4", "audio/webm", "video/mp4", "video/webm"}
)


View = TypeVar("View", bound=Callable[..., Any])


def with_player(view: View) -> View:
    """Allow media from this site in the CSP of a view's page. All other pages may not play media."""
    return cast(View, csp_update({"media-src": ["'self'"]})(view))


def format_duration(seconds: float) -> str:
    """Return a duration in seconds as text, such as 3:05 or 1:03:05; empty for 0."""
    whole = round(seconds)
    hours_and_minutes = f"{whole // 3600}:{whole // 60 % 60:02d}" if whole >= 3600 else str(whole // 60)
    return f"{hours_and_minutes}:{whole % 60:02d}" if seconds else ""


@dataclass(frozen=True)
class ByteRange:
    """Bytes from `start` up to, not including, `stop`. partial: the client requested a range."""

    start: int
    stop: int
    partial: bool


def playable(rows: StoredObjectQuerySet) -> StoredObjectQuerySet:
    """Filter `rows` to what is played of recordings and videos before their first pass."""
    return rows.live().filter(
        role__in=PLAYED_ROLES,
        media_type__in=TYPES,
        keepsake__gone_at__isnull=True,
        keepsake__level=0,
        keepsake__kind__in=[Keepsake.Kind.RECORDING, Keepsake.Kind.VIDEO],
    )


def played_of(keepsake: Keepsake) -> StoredObject | None:
    """Return what is played of a keepsake: its original or the copy for browsers. None if there is none."""
    return playable(StoredObject.objects.filter(keepsake=keepsake)).first()


def parse_range(header: str, size: int) -> ByteRange:
    """Return the bytes requested by a Range header, at most `RANGE_BYTES`; all bytes if there is no range.

    A header that is not a single range of bytes is ignored, as RFC 9110 allows. Errors: Refused (416).
    """
    found = RANGE.fullmatch(header.strip())
    if found is None or found[1] == found[2] == "":
        return ByteRange(0, size, partial=False)
    if not found[1]:
        start, stop = max(0, size - int(found[2])), size
    else:
        start, stop = int(found[1]), min(int(found[2]) + 1, size) if found[2] else size
    if start >= stop:
        raise Refused(416, _("There is nothing here."), {"Content-Range": f"bytes */{size}"})
    return ByteRange(start, min(stop, start + RANGE_BYTES), partial=True)


class Playback:
    """The ASGI application."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request: 200 or 206; 404 if there is nothing to play; 410 if it was destroyed."""
        head = scope["method"] == "HEAD"
        try:
            require_methods(scope, ["GET", "HEAD"])
            path = PATH.fullmatch(scope["path"])
            if path is None:
                raise Refused(404, "There is nothing here.")
            with outages_refused(scope):
                row = await offload(find_playable, scope, UUID(path[1]))
                range_header = dict(scope["headers"]).get(b"range", b"").decode("latin-1")
                span = parse_range(range_header, row.size)
                first = b"" if head else await offload(read_chunk, row, span.start, span.stop)
        except Refused as refusal:
            await answer_refusal(send, refusal, head=head)
            return
        await self.play(scope, send, row, span, first, head=head)

    async def play(
        self, scope: Scope, send: Send, row: StoredObject, span: ByteRange, first: bytes, *, head: bool
    ) -> None:
        """Send a byte range in chunks. If it may not be played any more, stop before its end."""
        extra = {
            **HEADERS,
            "Accept-Ranges": "bytes",
            "Content-Length": str(span.stop - span.start),
            **({"Content-Range": f"bytes {span.start}-{span.stop - 1}/{row.size}"} if span.partial else {}),
        }
        if head:
            status = 206 if span.partial else 200
            await answer(send, status, content_type=row.media_type, head=True, headers=extra)
            return
        headers = response_headers(row.media_type, extra)
        start = {"type": "http.response.start", "status": 206 if span.partial else 200, "headers": headers}
        await send(start)
        position, data, checked = span.start, first, time.monotonic()
        while True:
            position += len(data)
            await send({"type": "http.response.body", "body": data, "more_body": position < span.stop})
            if position >= span.stop:
                return
            try:
                with outages_refused(scope):
                    if time.monotonic() - checked > CHECK_EVERY:
                        await offload(find_playable, scope, row.pk)
                        checked = time.monotonic()
                    data = await offload(read_chunk, row, position, span.stop)
            except Refused:
                return  # the server closes the connection of a response that is too short


def find_playable(scope: Scope, object_id: UUID) -> StoredObject:
    """Check access and return the original or copy to play.

    Errors: Refused (403 without a recorded look, 404, or 410 if it was destroyed).
    """
    visitor = check(scope, POLICY_NAME, {"picture": object_id})
    rows = StoredObject.objects.filter(pk=object_id)
    if (row := playable(rows).select_related("case").first()) is not None:
        # Who began to listen within the look's time may hear it to its end.
        longest = timedelta(seconds=settings.LACUNA_MEDIA_MAX_SECONDS)
        require_look(visitor, POLICY_NAME, row, lasts=SHARP_FOR + longest)
        return row
    ended = rows.filter(
        role__in=PLAYED_ROLES,
        media_type__in=TYPES,
        state__in=[StoredObject.State.DOOMED, StoredObject.State.DESTROYED],
    )
    if ended.exists():
        raise Refused(410, _("This is gone. Nothing of it is left."))
    raise Refused(404, _("There is nothing here."))


def read_chunk(row: StoredObject, start: int, stop: int) -> bytes:
    """Return at most `CHUNK_BYTES` bytes from `start`. Errors: Refused if it cannot be played any more."""
    gone = Refused(410, _("This is gone. Nothing of it is left."))
    try:
        with reader(row) as file:
            file.seek(start)
            data = bytes(file.read(min(CHUNK_BYTES, stop - start)) or b"")
    except (KeyGone, FileNotFoundError):  # it was destroyed after the row was read
        raise gone from None
    except Tampered as error:
        raise damaged() from error
    if not data or not playable(StoredObject.objects.filter(pk=row.pk)).exists():
        raise gone
    return data


playback = Playback()
