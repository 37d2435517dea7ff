"""Pictures, served from memory while they exist: /pictures/<id of the stored object>, of a letter of several
pages /pictures/<id>/<page, from 1>.

What is shown is the only picture there is of a keepsake: its screen rendition before the first pass, then
the frame of the last one. The original is never shown. Each pass is fetched by everyone who watches, so the
decrypted bytes are kept for a moment; but the row is asked every time, and a pass that commits ends it.
"""

import asyncio
import re
from collections import OrderedDict
from threading import Lock
from uuid import UUID

from django.db import Error
from django.db.models import Exists, OuterRef, Q
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
    refused_unavailable,
    require_methods,
)
from clinic.unavailable import ServiceUnavailable
from patients.imaging.page_bundle import MEDIA_TYPE, unbind
from patients.keepsakes.models import Keepsake
from patients.vault.keys import KeyGone
from patients.vault.models import StoredObject, StoredObjectQuerySet
from patients.vault.objects import read

PATH = re.compile(
    r"/pictures/([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})(?:/([1-9]\d{0,3}))?"
)
NAME = "patients:picture"  # the policy's row
JPEG = "image/jpeg"
TYPES = (JPEG, MEDIA_TYPE)
SHOWN = (StoredObject.Role.SCREEN, StoredObject.Role.THUMB, StoredObject.Role.FRAME)
KEEP_BYTES = 32 * 1024 * 1024
FORGET_EVERY = 2.0  # seconds: how long a picture that nobody asks for any more outlives its end in memory
HEADERS = {"Content-Security-Policy": "default-src 'none'; sandbox", "Content-Disposition": "inline"}


class Kept:
    """Decrypted pictures by id, the least used going first. Safe for many threads."""

    def __init__(self, most: int = KEEP_BYTES) -> None:
        self.most = most
        self.size = 0
        self.lock = Lock()
        self.pictures: OrderedDict[UUID, bytes] = OrderedDict()

    def get(self, key: UUID) -> bytes | None:
        with self.lock:
            if key in self.pictures:
                self.pictures.move_to_end(key)
            return self.pictures.get(key)

    def put(self, key: UUID, data: bytes) -> None:
        with self.lock:
            self.size += len(data) - len(self.pictures.pop(key, b""))
            self.pictures[key] = data
            while self.size > self.most:
                _key, dropped = self.pictures.popitem(last=False)
                self.size -= len(dropped)

    def drop(self, *keys: UUID) -> None:
        with self.lock:
            for key in keys:
                self.size -= len(self.pictures.pop(key, b""))

    def ids(self) -> set[UUID]:
        with self.lock:
            return set(self.pictures)


def current(rows: StoredObjectQuerySet) -> StoredObjectQuerySet:
    """Those of `rows` that are the picture, or the pages, of their keepsake now."""
    keeper = Keepsake.objects.filter(Q(picture=OuterRef("pk")) | Q(thumb=OuterRef("pk")))
    return rows.live().filter(Exists(keeper), media_type__in=TYPES, role__in=SHOWN)


class Pictures:
    """The ASGI application. Bytes leave it only while their row says so."""

    def __init__(self) -> None:
        self.kept = Kept()
        self.forgetting: asyncio.Task[None] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request for a picture: 200, 404 where there never was one, 410 where it is gone."""
        head = scope["method"] == "HEAD"
        try:
            require_methods(scope, ["GET", "HEAD"])
            path = PATH.fullmatch(scope["path"])
            if path is None:
                raise Refused(404, "There is no such picture.")
            data = await offload(self.picture, scope, UUID(path[1]), int(path[2] or 0))
        except Refused as refusal:
            await answer_refusal(send, refusal, head=head)
            return
        self.go_on_forgetting()
        await answer(send, 200, data, content_type=JPEG, head=head, headers=HEADERS)

    def picture(self, scope: Scope, object_id: UUID, number: int = 0) -> bytes:
        """Return the picture's bytes for whoever asks, or those of page `number`. Errors: Refused."""
        check(scope, NAME, {"picture": object_id})
        row = current(StoredObject.objects.filter(pk=object_id)).first()
        if row is None:
            self.kept.drop(object_id)
            raise gone_or_never(object_id)
        if (number > 0) != (row.media_type == MEDIA_TYPE):
            raise Refused(404, _("There is no such picture."))
        return page_of(self.whole(row), number) if number else self.whole(row)

    def whole(self, row: StoredObject) -> bytes:
        """An object's bytes, kept for a moment. Errors: Refused."""
        object_id: UUID = row.pk
        data = self.kept.get(object_id)
        if data is not None:
            return data
        try:
            data = read(row)
        except (KeyGone, FileNotFoundError):  # its end was committed between the two
            raise gone_or_never(object_id) from None
        except ServiceUnavailable as away:
            raise refused_unavailable(away) from away
        self.kept.put(object_id, data)
        if not current(StoredObject.objects.filter(pk=object_id)).exists():
            self.kept.drop(object_id)
        return data

    def forget_gone(self) -> None:
        """Drop what is no picture any more, asked in one query."""
        ids = self.kept.ids()
        still = set(current(StoredObject.objects.filter(pk__in=ids)).values_list("pk", flat=True))
        self.kept.drop(*(ids - still))

    def go_on_forgetting(self) -> None:
        """See to it that somebody forgets, on the loop that answers now: one before it took its own along."""
        loop, task = asyncio.get_running_loop(), self.forgetting
        if task is None or task.done() or task.get_loop() is not loop:
            self.forgetting = loop.create_task(self.forget())

    async def forget(self) -> None:
        """Keep forgetting for as long as anything is kept."""
        while self.kept.ids():
            await asyncio.sleep(FORGET_EVERY)
            try:
                await offload(self.forget_gone)
            except Error:  # the database is away: what cannot be asked about is not kept
                self.kept.drop(*self.kept.ids())

    def close(self) -> None:
        """Forget all, at the end of the server."""
        self.kept.drop(*self.kept.ids())
        task, self.forgetting = self.forgetting, None
        if task is not None and not task.get_loop().is_closed():
            task.cancel()


def page_of(pages: bytes, number: int) -> bytes:
    """One page, counted from 1. Errors: Refused."""
    bound = unbind(pages)
    if number > len(bound):
        raise Refused(404, _("There is no such picture."))
    return bound[number - 1].data


def gone_or_never(object_id: UUID) -> Refused:
    """Say that a picture is destroyed, or that there is none and was none."""
    ended = StoredObject.objects.filter(
        pk=object_id,
        role__in=SHOWN,
        media_type__in=TYPES,
        state__in=[StoredObject.State.DOOMED, StoredObject.State.DESTROYED],
    )
    if ended.exists():
        return Refused(410, _("This picture is gone. Nothing of it is left."))
    return Refused(404, _("There is no such picture."))


pictures = Pictures()
