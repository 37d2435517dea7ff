"""Serve the pictures of keepsakes: /pictures/<id of the stored object>, for a letter of several pages
/pictures/<id>/<page, from 1>, and blurred /pictures/<id>/blurred.

The sharp picture is for the patient, and for staff whose look at it is on record (looks.py). The blurred one
is made for each request and stored nowhere, so nothing of it has to be destroyed (docs/decisions/0012).

A keepsake has one picture: its screen rendition before the first pass, then the frame of the last pass. The
original is never served. Everyone who watches a run fetches the frame of each pass, so decrypted bytes are
cached in memory. The database row is still checked on each request, so a frame is not served any more once
the next pass has committed.
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
    outages_refused,
    require_methods,
)
from patients.imaging.blur import blurred
from patients.imaging.page_bundle import MEDIA_TYPE, unbind
from patients.keepsakes.looks import has_watched, may_look, refuse_look
from patients.keepsakes.models import Keepsake
from patients.vault.keys import KeyGone
from patients.vault.models import StoredObject, StoredObjectQuerySet
from patients.vault.objects import read
from patients.vault.stream import Tampered

PATH = re.compile(
    r"/pictures/([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})"
    r"(?:/(?:([1-9]\d{0,3})|(blurred)))?"
)
# The rows of the access policy (policy.py).
POLICY_NAME = "patients:picture"
BLURRED_POLICY_NAME = "patients:picture-blurred"
JPEG = "image/jpeg"
TYPES = (JPEG, MEDIA_TYPE)
SHOWN_ROLES = (StoredObject.Role.SCREEN, StoredObject.Role.THUMB, StoredObject.Role.FRAME)
CACHE_BYTES = 32 * 1024 * 1024
EVICT_EVERY = 2.0  # seconds: how long a destroyed picture can stay in the cache when nobody requests it
HEADERS = {"Content-Security-Policy": "default-src 'none'; sandbox", "Content-Disposition": "inline"}


class PictureCache:
    """Cache of decrypted pictures by object id, least recently used first out. Thread-safe."""

    def __init__(self, max_bytes: int = CACHE_BYTES) -> None:
        self.max_bytes = max_bytes
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
            while self.size > self.max_bytes:
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
    """Filter `rows` to those that are the current picture or thumb of a keepsake."""
    keepsakes = Keepsake.objects.filter(Q(picture=OuterRef("pk")) | Q(thumb=OuterRef("pk")))
    return rows.live().filter(Exists(keepsakes), media_type__in=TYPES, role__in=SHOWN_ROLES)


class Pictures:
    """The ASGI application. It serves a picture only as long as its database row is current."""

    def __init__(self) -> None:
        self.cache = PictureCache()
        self.eviction: asyncio.Task[None] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request for a picture: 200; 404 if it never existed; 410 if it was destroyed."""
        head = scope["method"] == "HEAD"
        try:
            require_methods(scope, ["GET", "HEAD"])
            path = PATH.fullmatch(scope["path"])
            if path is None:
                raise Refused(404, "There is no such picture.")
            with outages_refused(scope):
                if path[3]:
                    data = await offload(self.blurred_picture, scope, UUID(path[1]))
                else:
                    data = await offload(self.picture, scope, UUID(path[1]), int(path[2] or 0))
        except Refused as refusal:
            await answer_refusal(send, refusal, head=head)
            return
        self.ensure_eviction()
        await answer(send, 200, data, content_type=JPEG, head=head, headers=HEADERS)

    def picture(self, scope: Scope, object_id: UUID, number: int = 0) -> bytes:
        """Check access. Return the picture's JPEG, or that of page `number` unless 0. Errors: Refused."""
        visitor = check(scope, POLICY_NAME, {"picture": object_id})
        row = self.current_row(object_id)
        if not may_look(visitor.user, row.case, row.keepsake_id):
            if row.media_type == JPEG and has_watched(visitor.user, row.case):
                return blurred(self.object_bytes(row))  # the page of a session that has just ended
            refuse_look(visitor, POLICY_NAME, row)
        has_pages = row.media_type == MEDIA_TYPE
        if has_pages != (number > 0):
            raise Refused(404, _("There is no such picture."))
        return page_of(self.object_bytes(row), number) if number else self.object_bytes(row)

    def blurred_picture(self, scope: Scope, object_id: UUID) -> bytes:
        """Check access. Return the picture blurred, as a JPEG. Errors: Refused."""
        check(scope, BLURRED_POLICY_NAME, {"picture": object_id})
        row = self.current_row(object_id)
        if row.media_type != JPEG:
            raise Refused(404, _("There is no such picture."))
        return blurred(self.object_bytes(row))

    def current_row(self, object_id: UUID) -> StoredObject:
        """Return the row of a picture that may be shown, with its case. Errors: Refused (404 or 410)."""
        row = current(StoredObject.objects.filter(pk=object_id)).select_related("case").first()
        if row is None:
            self.cache.drop(object_id)
            raise gone_or_missing(object_id)
        return row

    def object_bytes(self, row: StoredObject) -> bytes:
        """Return an object's decrypted bytes, from the cache if they are there. Errors: Refused."""
        object_id: UUID = row.pk
        data = self.cache.get(object_id)
        if data is not None:
            return data
        try:
            data = read(row)
        except (KeyGone, FileNotFoundError):  # it was destroyed after the row was read
            raise gone_or_missing(object_id) from None
        except Tampered as error:
            raise damaged() from error
        self.cache.put(object_id, data)
        if not current(StoredObject.objects.filter(pk=object_id)).exists():
            self.cache.drop(object_id)
        return data

    def evict_gone(self) -> None:
        """Drop all cached pictures that are not current any more, with one query."""
        ids = self.cache.ids()
        current_ids = set(current(StoredObject.objects.filter(pk__in=ids)).values_list("pk", flat=True))
        self.cache.drop(*(ids - current_ids))

    def ensure_eviction(self) -> None:
        """Start the eviction task unless it runs on the current event loop. (A task ends with its loop.)"""
        loop, task = asyncio.get_running_loop(), self.eviction
        if task is None or task.done() or task.get_loop() is not loop:
            self.eviction = loop.create_task(self.evict_repeatedly())

    async def evict_repeatedly(self) -> None:
        """Evict every `EVICT_EVERY` seconds until the cache is empty."""
        while self.cache.ids():
            await asyncio.sleep(EVICT_EVERY)
            try:
                await offload(self.evict_gone)
            except Error:  # the database is unavailable: drop what cannot be checked
                self.cache.drop(*self.cache.ids())

    def close(self) -> None:
        """Empty the cache and stop the eviction task, when the server shuts down."""
        self.cache.drop(*self.cache.ids())
        task, self.eviction = self.eviction, None
        if task is not None and not task.get_loop().is_closed():
            task.cancel()


def page_of(pages: bytes, number: int) -> bytes:
    """Return the JPEG of page `number`, counted from 1. Errors: Refused (404)."""
    bundle = unbind(pages)
    if number > len(bundle):
        raise Refused(404, _("There is no such picture."))
    return bundle[number - 1].data


def gone_or_missing(object_id: UUID) -> Refused:
    """Return the error for a missing picture: 410 if it was destroyed, 404 if it never existed."""
    ended = StoredObject.objects.filter(
        pk=object_id,
        role__in=SHOWN_ROLES,
        media_type__in=TYPES,
        state__in=[StoredObject.State.DOOMED, StoredObject.State.DESTROYED],
    )
    if ended.exists():
        return Refused(410, _("This picture is gone. Nothing of it is left."))
    return Refused(404, _("There is no such picture."))


def damaged() -> Refused:
    """Return the error for an object whose file was altered."""
    return Refused(422, _("This is damaged and cannot be opened. The clinic can see why."))


pictures = Pictures()
