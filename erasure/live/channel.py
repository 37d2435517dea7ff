"""What one process keeps for each run watched: a ring buffer of rendered events, and the subscribers."""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from uuid import UUID

# (with titles and pictures, language code)
Rendering = tuple[bool, str]
RING_SIZE = 512  # events; a subscriber further behind gets a snapshot instead of the events it missed


@dataclass(frozen=True)
class RenderedEvent:
    """One event, rendered for the stream once for each rendering that a subscriber needs."""

    seq: int
    texts: dict[Rendering, bytes]


class Connection:
    """One open response. It carries the streams of one or more runs: a subscriber for each."""

    __slots__ = ("closed", "drop", "sending_since", "sent_at", "waiting")

    def __init__(self, drop: Callable[[], None]) -> None:
        self.drop = drop  # drops the connection of a client that does not read
        self.closed = False  # it ends without an `end` event, so the client reconnects
        self.waiting: asyncio.Future[None] | None = None
        self.sending_since: float | None = None  # event loop time; None while nothing is being sent
        self.sent_at = 0.0  # event loop time of the last completed send

    def wake(self) -> None:
        if self.waiting is not None and not self.waiting.done():
            self.waiting.set_result(None)

    def close(self) -> None:
        self.closed = True
        self.wake()


class Subscriber:
    """One run in one connection. It has a cursor into the run's ring and no queue of its own."""

    __slots__ = (
        "connection",
        "cursor",
        "end_reason",
        "pass_id",
        "procedure",
        "rendering",
        "session_hash",
        "session_key",
        "user_id",
        "wall",
    )
    connection: Connection  # set when the subscriber joins its run's channel

    def __init__(
        self,
        user_id: UUID,
        session_key: str,
        session_hash: str,
        rendering: Rendering,
        *,
        wall: bool = False,
        procedure: UUID | None = None,
        pass_id: UUID | None = None,
    ) -> None:
        self.user_id = user_id
        self.session_key = session_key
        self.session_hash = session_hash
        self.rendering = rendering
        self.wall = wall  # the stream is for the public screen, without names
        self.procedure = procedure  # the stream is for the bed of this night; None for any other
        self.pass_id = pass_id  # the pass by which it was opened instead of a session
        self.cursor: int | None = None  # the last seq sent; None: send a snapshot first
        self.end_reason = ""  # why the stream of this run ends; empty while it goes on

    def end(self, why: str) -> None:
        """End the stream of this run. why: the reason sent to the client."""
        self.end_reason = self.end_reason or why
        self.connection.wake()


@dataclass(eq=False)
class Channel:
    """A run that is watched.

    Only the event loop's thread changes it, except `read_up_to`, which belongs to the tailer's thread.
    """

    run_id: UUID
    size: int = RING_SIZE
    ring: deque[RenderedEvent] = field(default_factory=deque)
    subscribers: set[Subscriber] = field(default_factory=set)
    # Every rendering ever used in this channel, so that a client that reconnects finds what it missed.
    renderings: frozenset[Rendering] = frozenset()
    last_seq: int | None = None  # the newest seq in the ring; None until the tailer has read once
    complete: bool = False  # the run is finished and its certificate is issued
    read_up_to: int | None = None  # the last seq the tailer has read

    def join(self, subscriber: Subscriber) -> None:
        self.subscribers.add(subscriber)
        self.renderings |= {subscriber.rendering}

    def publish(self, events: list[RenderedEvent], last_seq: int, complete: bool) -> None:
        """Add what the tailer read, and wake the subscribers.

        events: consecutive by seq, up to `last_seq`.
        """
        if events and self.last_seq is not None and events[0].seq != self.last_seq + 1:
            self.ring.clear()  # so many events came at once that the tailer read only the newest
        self.ring.extend(events)
        while len(self.ring) > self.size:
            self.ring.popleft()
        self.last_seq, self.complete = last_seq, complete
        for subscriber in self.subscribers:
            subscriber.connection.wake()

    def after(self, subscriber: Subscriber) -> bytes | None:
        """Return what the subscriber has not been sent, and move its cursor; None if it needs a snapshot."""
        if subscriber.cursor is None:
            return None
        behind = (self.last_seq or 0) - subscriber.cursor
        if self.last_seq is None or behind <= 0:  # the page may be newer than what this process has read
            return b""
        if behind > len(self.ring):
            return None
        rendered = (self.ring[place].texts for place in range(len(self.ring) - behind, len(self.ring)))
        texts = [by_rendering.get(subscriber.rendering) for by_rendering in rendered]
        if None in texts:  # it was rendered before anyone used this rendering
            return None
        subscriber.cursor = self.last_seq
        return b"".join(text for text in texts if text)
