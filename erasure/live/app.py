"""The live stream: a plain ASGI application under /live/, because a Django view would hold a thread each.

One tailer thread reads for all; a viewer is a coroutine with a cursor into its run's ring. One sweeper ticks
for all of them: heartbeats, clients that take nothing, and people who may watch no longer.
"""

import asyncio
import logging
import re
from collections.abc import Callable
from functools import partial
from typing import Any, cast
from urllib.parse import parse_qs
from uuid import UUID

from django.db import Error

from clinic.http.guard import (
    Receive,
    Refused,
    Scope,
    Send,
    answer_refusal,
    house_headers,
    offload,
    require_methods,
)
from erasure.live.authorization import Present, enter, no_longer, the_present
from erasure.live.channel import RING, Channel, Viewer
from erasure.live.render import frame
from erasure.live.tailer import Tailer

log = logging.getLogger("lacuna.live")

PATH = re.compile(r"/live/([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})/")
HEARTBEAT = b": still here\n\n"
OPENING = b"retry: 1000\n\n"


class Live:
    """The application.

    heartbeat: seconds of silence after which a comment is sent. send_timeout: seconds after which a client
    that takes nothing is cut. revoke_every: seconds between two looks at who may still watch. ring: events
    kept of each run for those who come back.
    """

    def __init__(
        self,
        *,
        heartbeat: float = 15.0,
        send_timeout: float = 10.0,
        revoke_every: float = 2.0,
        ring: int = RING,
    ) -> None:
        self.heartbeat, self.send_timeout, self.revoke_every = heartbeat, send_timeout, revoke_every
        self.ring = ring
        self.channels: dict[UUID, Channel] = {}
        self.tailer: Tailer | None = None
        self.sweeping: asyncio.Task[None] | None = None
        self.closed = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request for a stream."""
        try:
            require_methods(scope, ["GET"])
            path = PATH.fullmatch(scope["path"])
            if path is None:
                raise Refused(404, "There is no such session.")
            run_id = UUID(path[1])
            query = parse_qs(scope.get("query_string", b"").decode("latin-1"), keep_blank_values=True)
            after, wall = resume_point(scope, query), "wall" in query
            viewer = await offload(enter, scope, run_id, after, wall=wall)
        except Refused as refusal:
            await answer_refusal(send, refusal)
            return
        await self.stream(viewer, run_id, receive, send)

    async def stream(self, viewer: Viewer, run_id: UUID, receive: Receive, send: Send) -> None:
        """Send everything after the viewer's cursor until one of both sides ends it."""
        headers = house_headers("text/event-stream; charset=utf-8", {"X-Accel-Buffering": "no"})
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        viewer.cut = cutter(send)
        gone = asyncio.ensure_future(until_gone(receive))
        gone.add_done_callback(lambda _task: viewer.end(""))
        channel = self.join(viewer, run_id)
        try:
            await self.say(viewer, OPENING, send)
            await self.follow(viewer, channel, send)
            last_word = frame({"why": viewer.ending}, event="end") if viewer.ending else b""
            await send({"type": "http.response.body", "body": last_word, "more_body": False})
        finally:
            gone.cancel()
            self.leave(viewer, channel)

    async def follow(self, viewer: Viewer, channel: Channel, send: Send) -> None:
        """The stream between its opening and its end."""
        while viewer.ending is None:
            text = channel.after(viewer)
            if text is None:
                text, seq = await offload(the_present, viewer, channel.run_id)
                viewer.cursor = seq
            if text:
                await self.say(viewer, text, send)
            elif channel.over and viewer.cursor == channel.last:
                viewer.end("over")
            elif self.silent(viewer):
                await self.say(viewer, HEARTBEAT, send)
            else:
                viewer.waiting = asyncio.get_running_loop().create_future()
                await viewer.waiting

    async def say(self, viewer: Viewer, text: bytes, send: Send) -> None:
        """Send `text`, noting since when, so that the sweeper can cut a client that takes nothing."""
        loop = asyncio.get_running_loop()
        viewer.sending_since = loop.time()
        await send({"type": "http.response.body", "body": text, "more_body": True})
        viewer.sending_since, viewer.heard_at = None, loop.time()

    def silent(self, viewer: Viewer) -> bool:
        return asyncio.get_running_loop().time() - viewer.heard_at >= self.heartbeat

    def join(self, viewer: Viewer, run_id: UUID) -> Channel:
        """Put a viewer into its run's channel, made when it is the first. No await in here: see `leave`."""
        loop = asyncio.get_running_loop()
        if self.tailer is None:
            self.tailer = Tailer(loop)
            self.sweeping = loop.create_task(self.sweep())
        channel = self.channels.get(run_id)
        if channel is None:
            channel = self.channels[run_id] = Channel(run_id, self.ring)
        channel.join(viewer)
        self.tailer.watch(channel)
        if self.closed:
            viewer.end("")
        return channel

    def leave(self, viewer: Viewer, channel: Channel) -> None:
        """Take a viewer out; the last one takes the channel along."""
        channel.viewers.discard(viewer)
        if not channel.viewers and self.channels.get(channel.run_id) is channel:
            del self.channels[channel.run_id]
            if self.tailer is not None:
                self.tailer.forget(channel)

    def present(self) -> list[Present]:
        """Everyone who watches here now."""
        return [
            Present(viewer, run_id) for run_id, channel in self.channels.items() for viewer in channel.viewers
        ]

    async def sweep(self) -> None:
        """The one timer."""
        loop = asyncio.get_running_loop()
        tick = min(0.5, self.heartbeat, self.send_timeout, self.revoke_every)
        looked = loop.time()
        while True:
            await asyncio.sleep(tick)
            now = loop.time()
            for item in self.present():
                since = item.viewer.sending_since
                if since is not None and now - since > self.send_timeout:
                    item.viewer.end("")
                    item.viewer.cut()
                elif since is None and now - item.viewer.heard_at >= self.heartbeat:
                    item.viewer.wake()
            if now - looked >= self.revoke_every and self.channels:
                await self.revoke()
                looked = now

    async def revoke(self) -> None:
        """End the streams of those who may watch no longer. While the database is away, nobody is judged."""
        try:
            ended = await offload(no_longer, self.present())
        except Error:
            log.exception("who may watch could not be asked")
            return
        for viewer in ended:
            viewer.end("revoked")

    def close(self) -> None:
        """End every stream without a word, so that its client comes again, and stop reading."""
        self.closed = True
        for item in self.present():
            item.viewer.end("")
        if self.tailer is not None:
            self.tailer.close()
        if self.sweeping is not None:
            self.sweeping.cancel()
        self.tailer = self.sweeping = None


def resume_point(scope: Scope, query: dict[str, list[str]]) -> int | None:
    """Return the last seq the client shows: what it says on coming back, else what its page was made with."""
    heard = dict(scope["headers"]).get(b"last-event-id", b"").decode("latin-1")
    for word in (heard, *query.get("after", [])):
        if word.isascii() and word.isdecimal() and len(word) <= 9:
            return int(word)
    return None


async def until_gone(receive: Receive) -> None:
    """Return when the client has gone."""
    while (await receive())["type"] != "http.disconnect":
        pass


def cutter(send: Send) -> Callable[[], None]:
    """Return what drops this connection at once.

    ASGI has no word for it, and a server's orderly close waits for the client to take what is buffered; so
    the connection is taken from the server's own answer (uvicorn) where it has one.
    """
    transport: Any = getattr(getattr(send, "__self__", None), "transport", None)
    if transport is not None:
        return cast(Callable[[], None], transport.abort)
    task = asyncio.current_task()
    return partial(_cancel, task) if task else lambda: None


def _cancel(task: asyncio.Task[Any]) -> None:
    task.cancel()


app = Live()
