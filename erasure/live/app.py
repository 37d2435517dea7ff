"""The live stream of server-sent events: a plain ASGI application under /live/.

/live/<run>/ streams one run, /live/?run=<run>.<seq>&run=... several over one connection: a browser opens at
most six to a host, so its windows share one (static/session/stream.js).
/bed/live/<procedure>/ streams the night of a procedure to the page for its bed.

It is no Django view because each stream would then occupy a thread. One tailer thread reads the events of all
runs watched; each connection is a coroutine with a subscriber for each of its runs, which has a cursor into
the run's ring buffer. One sweep task serves all connections: it sends heartbeats, drops clients that do not
read, and ends the streams of people who may no longer watch.
"""

import asyncio
import logging
import re
from collections.abc import Callable, Mapping
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
from erasure.live.authorization import (
    Watching,
    authorize,
    authorize_bed,
    authorize_each,
    revoked,
    run_id_of_night,
    state_event,
)
from erasure.live.channel import RING_SIZE, Channel, Connection, Subscriber
from erasure.live.render import frame
from erasure.live.tailer import RETRY_DELAY, Tailer

log = logging.getLogger("lacuna.live")

RUN = r"([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})"
PATH = re.compile(rf"/live/{RUN}/")
BED = re.compile(rf"/bed/live/{RUN}/")
SHARED = "/live/"
# One `run` of a shared stream: the run, and the last seq that the client has.
RESUMED_RUN = re.compile(rf"{RUN}\.([0-9]{{1,9}})")
MAX_RUNS = 50  # runs in one connection; static/session/stream.js has the same number
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
            with outages_refused(scope):
                streams = await self.authorized(scope)
        except Refused as refusal:
            await answer_refusal(send, refusal)
            return
        await self.stream(streams, receive, send)

    async def authorized(self, scope: Scope) -> Mapping[UUID, Subscriber | None]:
        """Return a subscriber for each run that the request asks for. Errors: Refused.

        A shared stream has None for each run that the visitor may not watch: scripts cannot read the status
        of a refused stream, and the other runs go on.
        """
        query = parse_qs(scope.get("query_string", b"").decode("latin-1"), keep_blank_values=True)
        wall = "wall" in query
        if scope["path"] == SHARED:
            owner = query.get("owner", [""])[-1]
            return await offload(authorize_each, scope, resumed_runs(query), owner, wall=wall)
        if bed := BED.fullmatch(scope["path"]):
            subscriber = await offload(authorize_bed, scope, UUID(bed[1]), resume_point(scope, query))
            run_id = await offload(run_id_of_night, UUID(bed[1]))
            return {run_id: subscriber} if run_id else {}
        path = PATH.fullmatch(scope["path"])
        if path is None:
            raise Refused(404, "There is no such session.")
        run_id = UUID(path[1])
        return {run_id: await offload(authorize, scope, run_id, resume_point(scope, query), wall=wall)}

    async def stream(self, streams: Mapping[UUID, Subscriber | None], receive: Receive, send: Send) -> None:
        """Send everything after each subscriber's cursor until the client or the server ends the stream.

        streams: run id -> its subscriber, or None for a run that is refused.
        """
        headers = response_headers("text/event-stream; charset=utf-8", {"X-Accel-Buffering": "no"})
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        connection = Connection(connection_dropper(send))
        disconnect = asyncio.ensure_future(wait_for_disconnect(receive))
        disconnect.add_done_callback(lambda _task: connection.close())
        channels = {
            subscriber: self.join(subscriber, connection, run_id)
            for run_id, subscriber in streams.items()
            if subscriber is not None
        }
        refused = (run_id for run_id, subscriber in streams.items() if subscriber is None)
        try:
            first = OPENING + b"".join(end_event(run_id, "revoked") for run_id in refused)
            await self.write(connection, first, send)
            await self.follow(connection, channels, send)
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            disconnect.cancel()
            for subscriber, channel in channels.items():
                self.leave(subscriber, channel)

    async def follow(self, connection: Connection, channels: dict[Subscriber, Channel], send: Send) -> None:
        """Send new events, or a heartbeat, until the stream of each run has ended.

        channels: the subscribers of this connection; one whose stream has ended is removed.
        """
        while channels and not connection.closed:
            sent, connection.waiting = False, asyncio.get_running_loop().create_future()
            for subscriber, channel in list(channels.items()):
                if connection.closed:
                    return
                text = await self.next_text(subscriber, channel)
                if subscriber.end_reason:
                    self.leave(subscriber, channels.pop(subscriber))
                if text:
                    await self.write(connection, text, send)
                    sent = True
            if sent or not channels:
                continue
            if self.heartbeat_due(connection):
                await self.write(connection, HEARTBEAT, send)
            else:
                await connection.waiting  # done already if anything has happened since the first was asked

    async def next_text(self, subscriber: Subscriber, channel: Channel) -> bytes:
        """Return what is to be sent for a subscriber now: events, a snapshot, its end, or nothing."""
        text: bytes | None = b""
        if not subscriber.end_reason:
            text = channel.after(subscriber)
            if text is None:
                text = await self.state(subscriber, channel)
            if not text and channel.complete and subscriber.cursor == channel.last_seq:
                subscriber.end("over")
        # Who was shown out while the state was read gets nothing of it.
        return end_event(channel.run_id, subscriber.end_reason) if subscriber.end_reason else text or b""

    async def state(self, subscriber: Subscriber, channel: Channel) -> bytes:
        """Return the snapshot of a run for a subscriber, and move its cursor there.

        While the database is unavailable the stream stays open: wait, return nothing, and be called again.
        """
        try:
            text, subscriber.cursor = await offload(state_event, subscriber, channel.run_id)
        except Error as error:
            log.warning("could not read the state of a run; trying again: %s", outage(error) or error)
            await asyncio.sleep(RETRY_DELAY)
            subscriber.connection.wake()
            return b""
        return text

    async def write(self, connection: Connection, text: bytes, send: Send) -> None:
        """Send `text`.

        The time is noted meanwhile, so that the sweep can drop a client that does not read.
        """
        loop = asyncio.get_running_loop()
        connection.sending_since = loop.time()
        await send({"type": "http.response.body", "body": text, "more_body": True})
        connection.sending_since, connection.sent_at = None, loop.time()

    def heartbeat_due(self, connection: Connection) -> bool:
        return asyncio.get_running_loop().time() - connection.sent_at >= self.heartbeat

    def join(self, subscriber: Subscriber, connection: Connection, run_id: UUID) -> Channel:
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
        subscriber.connection = connection
        channel.join(subscriber)
        self.tailer.watch(channel)
        if self.closed:
            connection.close()
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
            for connection in {item.subscriber.connection for item in self.watching()}:
                since = connection.sending_since
                if since is not None and now - since > self.send_timeout:
                    connection.close()
                    connection.drop()
                elif since is None and now - connection.sent_at >= self.heartbeat:
                    connection.wake()
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
            item.subscriber.connection.close()
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


def resumed_runs(query: dict[str, list[str]]) -> dict[UUID, int]:
    """Return run id -> the last seq the client has, for each `run` of a shared stream.

    A run named twice counts with its lower seq. Errors: Refused.
    """
    found = [RESUMED_RUN.fullmatch(value) for value in query.get("run", [])]
    if not 0 < len(found) <= MAX_RUNS:
        raise Refused(400, f"Ask for one to {MAX_RUNS} sessions.")
    runs: dict[UUID, int] = {}
    for match in found:
        if match is None:
            raise Refused(400, "Each session is asked for by its id and the number of its last event.")
        run_id, after = UUID(match[1]), int(match[2])
        runs[run_id] = min(after, runs.get(run_id, after))
    return runs


def end_event(run_id: UUID, why: str) -> bytes:
    """Return the event that ends the stream of a run. why: "over" or "revoked"."""
    return frame({"run": run_id, "why": why}, event="end")


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
