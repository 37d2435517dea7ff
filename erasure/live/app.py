"""The live stream of server-sent events: a plain ASGI application under /live/.

It is no Django view because each stream would then occupy a thread. One tailer thread reads the events of all
runs watched; each subscriber is a coroutine with a cursor into its run's ring buffer. One sweep task serves
all subscribers: it sends heartbeats, drops clients that do not read, and ends the streams of people who may
no longer watch.
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
    offload,
    outages_refused,
    require_methods,
    response_headers,
)
from clinic.unavailable import outage
from erasure.live.authorization import Watching, authorize, revoked, state_event
from erasure.live.channel import RING_SIZE, Channel, Subscriber
from erasure.live.render import frame
from erasure.live.tailer import RETRY_DELAY, Tailer

log = logging.getLogger("lacuna.live")

PATH = re.compile(r"/live/([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})/")
HEARTBEAT = b": still here\n\n"
OPENING = b"retry: 1000\n\n"


class Live:
    """The ASGI application.

    heartbeat: seconds without an event after which a comment is sent. send_timeout: seconds after which the
    connection of a client that does not read is dropped. revoke_every: seconds between two checks of who may
    still watch. ring: number of events kept per run for clients that reconnect.
    """

    def __init__(
        self,
        *,
        heartbeat: float = 15.0,
        send_timeout: float = 10.0,
        revoke_every: float = 2.0,
        ring: int = RING_SIZE,
    ) -> None:
        self.heartbeat, self.send_timeout, self.revoke_every = heartbeat, send_timeout, revoke_every
        self.ring = ring
        self.channels: dict[UUID, Channel] = {}
        self.tailer: Tailer | None = None
        self.sweep_task: asyncio.Task[None] | None = None
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
            with outages_refused(scope):
                subscriber = await offload(authorize, scope, run_id, after, wall=wall)
        except Refused as refusal:
            await answer_refusal(send, refusal)
            return
        await self.stream(subscriber, run_id, receive, send)

    async def stream(self, subscriber: Subscriber, run_id: UUID, receive: Receive, send: Send) -> None:
        """Send everything after the subscriber's cursor until the client or the server ends the stream."""
        headers = response_headers("text/event-stream; charset=utf-8", {"X-Accel-Buffering": "no"})
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        subscriber.drop = connection_dropper(send)
        disconnect = asyncio.ensure_future(wait_for_disconnect(receive))
        disconnect.add_done_callback(lambda _task: subscriber.end(""))
        channel = self.join(subscriber, run_id)
        try:
            await self.write(subscriber, OPENING, send)
            await self.follow(subscriber, channel, send)
            last_event = frame({"why": subscriber.end_reason}, event="end") if subscriber.end_reason else b""
            await send({"type": "http.response.body", "body": last_event, "more_body": False})
        finally:
            disconnect.cancel()
            self.leave(subscriber, channel)

    async def follow(self, subscriber: Subscriber, channel: Channel, send: Send) -> None:
        """Send new events, or a heartbeat, until the stream is to end."""
        while subscriber.end_reason is None:
            text = channel.after(subscriber)
            if text is None:
                try:
                    text, seq = await offload(state_event, subscriber, channel.run_id)
                except Error as error:  # the stream stays open until the database is back
                    log.warning("could not read the state of a run; trying again: %s", outage(error) or error)
                    await asyncio.sleep(RETRY_DELAY)
                    continue
                subscriber.cursor = seq
            if text:
                await self.write(subscriber, text, send)
            elif channel.complete and subscriber.cursor == channel.last_seq:
                subscriber.end("over")
            elif self.heartbeat_due(subscriber):
                await self.write(subscriber, HEARTBEAT, send)
            else:
                subscriber.waiting = asyncio.get_running_loop().create_future()
                await subscriber.waiting

    async def write(self, subscriber: Subscriber, text: bytes, send: Send) -> None:
        """Send `text`.

        The time is noted meanwhile, so that the sweep can drop a client that does not read.
        """
        loop = asyncio.get_running_loop()
        subscriber.sending_since = loop.time()
        await send({"type": "http.response.body", "body": text, "more_body": True})
        subscriber.sending_since, subscriber.sent_at = None, loop.time()

    def heartbeat_due(self, subscriber: Subscriber) -> bool:
        return asyncio.get_running_loop().time() - subscriber.sent_at >= self.heartbeat

    def join(self, subscriber: Subscriber, run_id: UUID) -> Channel:
        """Add a subscriber to its run's channel and return the channel, created for the first subscriber.

        Neither this nor `leave` may await: a channel must not be removed between its lookup and the joining.
        """
        loop = asyncio.get_running_loop()
        if self.tailer is None:
            self.tailer = Tailer(loop)
            self.sweep_task = loop.create_task(self.sweep())
        channel = self.channels.get(run_id)
        if channel is None:
            channel = self.channels[run_id] = Channel(run_id, self.ring)
        channel.join(subscriber)
        self.tailer.watch(channel)
        if self.closed:
            subscriber.end("")
        return channel

    def leave(self, subscriber: Subscriber, channel: Channel) -> None:
        """Remove a subscriber, and with the last one its channel."""
        channel.subscribers.discard(subscriber)
        if not channel.subscribers and self.channels.get(channel.run_id) is channel:
            del self.channels[channel.run_id]
            if self.tailer is not None:
                self.tailer.forget(channel)

    def watching(self) -> list[Watching]:
        """Return all subscribers of this process."""
        return [
            Watching(subscriber, run_id)
            for run_id, channel in self.channels.items()
            for subscriber in channel.subscribers
        ]

    async def sweep(self) -> None:
        """Serve all subscribers from one timer: see the module's docstring."""
        loop = asyncio.get_running_loop()
        tick = min(0.5, self.heartbeat, self.send_timeout, self.revoke_every)
        checked_at = loop.time()
        while True:
            await asyncio.sleep(tick)
            now = loop.time()
            for item in self.watching():
                since = item.subscriber.sending_since
                if since is not None and now - since > self.send_timeout:
                    item.subscriber.end("")
                    item.subscriber.drop()
                elif since is None and now - item.subscriber.sent_at >= self.heartbeat:
                    item.subscriber.wake()
            if now - checked_at >= self.revoke_every and self.channels:
                await self.revoke()
                checked_at = now

    async def revoke(self) -> None:
        """End the streams of those who may no longer watch.

        All streams go on while the database is unavailable.
        """
        try:
            ended = await offload(revoked, self.watching())
        except Error:
            log.exception("could not check who may still watch; trying again")
            return
        for subscriber in ended:
            subscriber.end("revoked")

    def close(self) -> None:
        """End every stream without an `end` event, so that its client reconnects, and stop reading events."""
        self.closed = True
        for item in self.watching():
            item.subscriber.end("")
        if self.tailer is not None:
            self.tailer.close()
        if self.sweep_task is not None:
            self.sweep_task.cancel()
        self.tailer = self.sweep_task = None


def resume_point(scope: Scope, query: dict[str, list[str]]) -> int | None:
    """Return the last seq the client has, or None.

    It is the Last-Event-ID header of a client that reconnects, else `?after=`, the seq its page was rendered
    with.
    """
    last_event_id = dict(scope["headers"]).get(b"last-event-id", b"").decode("latin-1")
    for value in (last_event_id, *query.get("after", [])):
        if value.isascii() and value.isdecimal() and len(value) <= 9:
            return int(value)
    return None


async def wait_for_disconnect(receive: Receive) -> None:
    """Return when the client has disconnected."""
    while (await receive())["type"] != "http.disconnect":
        pass


def connection_dropper(send: Send) -> Callable[[], None]:
    """Return a function that drops this connection at once.

    ASGI has no message for it, and a server's orderly close waits until the client has read what is buffered.
    So the transport is taken from the server's own `send` method (uvicorn). Without one, the task is
    cancelled.
    """
    transport: Any = getattr(getattr(send, "__self__", None), "transport", None)
    if transport is not None:
        return cast(Callable[[], None], transport.abort)
    task = asyncio.current_task()
    return partial(_cancel, task) if task else lambda: None


def _cancel(task: asyncio.Task[Any]) -> None:
    task.cancel()


app = Live()
