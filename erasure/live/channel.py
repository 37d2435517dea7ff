"""What one process keeps of one run that is watched: a ring of rendered events, and who watches."""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from uuid import UUID

# Two renderings: with titles and pictures, or with neither; each in the languages that are watched in.
Rendering = tuple[bool, str]
RING = 512  # events; a viewer who is further behind gets the present instead of the backlog


@dataclass(frozen=True)
class Entry:
    """One event, rendered for the stream in each way that anyone present needs."""

    seq: int
    texts: dict[Rendering, bytes]


class Viewer:
    """One open stream: a cursor into the ring, and nothing queued."""

    __slots__ = (
        "cursor",
        "cut",
        "ending",
        "heard_at",
        "rendering",
        "sending_since",
        "session_hash",
        "session_key",
        "user_id",
        "waiting",
        "wall",
    )

    def __init__(
        self, user_id: UUID, session_key: str, session_hash: str, rendering: Rendering, *, wall: bool = False
    ) -> None:
        self.user_id = user_id
        self.session_key = session_key
        self.session_hash = session_hash
        self.rendering = rendering
        self.wall = wall  # watches the view without names, whoever it is
        self.cursor: int | None = None  # the last seq sent; None: wants the present before anything else
        self.waiting: asyncio.Future[None] | None = None
        self.ending: str | None = None  # why the stream ends; empty: without a word, so that it comes again
        self.sending_since: float | None = None  # the loop's time
        self.heard_at = 0.0  # when anything was last sent
        self.cut: Callable[[], None] = lambda: None  # drops the connection of a client that takes nothing

    def wake(self) -> None:
        if self.waiting is not None and not self.waiting.done():
            self.waiting.set_result(None)

    def end(self, why: str) -> None:
        """End the stream; `why` is told to the client, and empty where it may come again."""
        if self.ending is None:
            self.ending = why
        self.wake()


@dataclass(eq=False)
class Channel:
    """A watched run. It belongs to the event loop's thread, but for `tailed`; the tailer only hands over."""

    run_id: UUID
    size: int = RING
    ring: deque[Entry] = field(default_factory=deque)
    viewers: set[Viewer] = field(default_factory=set)
    # Every way it was ever watched in here, so that who comes back finds what was said meanwhile.
    renderings: frozenset[Rendering] = frozenset()
    last: int | None = None  # the newest seq in the ring; None until the first reading
    over: bool = False  # the run is finished and its certificate issued
    tailed: int | None = None  # the tailer's own: up to where it has read

    def join(self, viewer: Viewer) -> None:
        self.viewers.add(viewer)
        self.renderings |= {viewer.rendering}

    def publish(self, entries: list[Entry], last: int, over: bool) -> None:
        """Take what the tailer read, and wake who waits. `entries` follow one another up to `last`."""
        if entries and self.last is not None and entries[0].seq != self.last + 1:
            self.ring.clear()  # so much came at once that the tailer skipped to the end
        self.ring.extend(entries)
        while len(self.ring) > self.size:
            self.ring.popleft()
        self.last, self.over = last, over
        for viewer in self.viewers:
            viewer.wake()

    def after(self, viewer: Viewer) -> bytes | None:
        """Return what `viewer` has not been sent, and move its cursor; None if only the present will do."""
        if viewer.cursor is None:
            return None
        behind = (self.last or 0) - viewer.cursor
        if self.last is None or behind <= 0:  # the page may be ahead of this process's reading
            return b""
        if behind > len(self.ring):
            return None
        rendered = (self.ring[place].texts for place in range(len(self.ring) - behind, len(self.ring)))
        texts = [entry.get(viewer.rendering) for entry in rendered]
        if None in texts:  # it was rendered before anyone watched in this way
            return None
        viewer.cursor = self.last
        return b"".join(text for text in texts if text)
