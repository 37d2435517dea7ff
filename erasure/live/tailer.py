"""The thread that reads new events of the runs watched in this process, for the event loop."""

import asyncio
import logging
import threading
from collections.abc import Iterable

import psycopg
from django.db import Error, connection
from django.db.models import Exists, OuterRef

from erasure.certificates.models import Certificate
from erasure.live.channel import Channel, RenderedEvent
from erasure.live.commit_signal import CommitWaiter, Nudge, open_commit_waiter
from erasure.live.render import render_events
from erasure.runs.models import Event, Run
from patients.vault.keys import KeyStoreDamaged

log = logging.getLogger("lacuna.live")

RETRY_DELAY = 1.0  # seconds to wait after the database or the key store failed


class Tailer:
    """Reads for the channels given to `watch`. It has a database connection only while there is a channel."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.channels: frozenset[Channel] = frozenset()
        self.nudge = Nudge()
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=self._run, name="lacuna-tailer", daemon=True)
        self.thread.start()

    def watch(self, channel: Channel) -> None:
        self.channels |= {channel}
        self.nudge()

    def forget(self, channel: Channel) -> None:
        self.channels -= {channel}

    def close(self) -> None:
        """Stop reading. Return at once; the thread ends shortly after."""
        self.stopping.set()
        self.nudge()

    def _run(self) -> None:
        while not self.stopping.is_set():
            try:
                self._follow()
            except (Error, psycopg.Error, OSError, KeyStoreDamaged):
                log.exception("could not read new events; trying again")
                self.stopping.wait(RETRY_DELAY)
        self.nudge.close()

    def _follow(self) -> None:
        if not self.channels:
            self.nudge.wait()
            return
        waiter: CommitWaiter | None = None
        try:
            waiter = open_commit_waiter(self.nudge)
            while self.channels and not self.stopping.is_set():
                self._read(self.channels)
                waiter.wait()
        finally:
            if waiter is not None:
                waiter.close()
            connection.close()

    def _read(self, channels: Iterable[Channel]) -> None:
        by_run = {channel.run_id: channel for channel in channels}
        certified = Exists(Certificate.objects.filter(run=OuterRef("pk")))
        runs = Run.objects.filter(pk__in=by_run).select_related("procedure").annotate(certified=certified)
        for run in runs:
            channel = by_run[run.pk]
            complete = run.state == Run.State.FINISHED and run.certified
            if channel.read_up_to == run.last_seq and channel.complete == complete:
                continue
            new = self._read_new(channel, run)
            channel.read_up_to = run.last_seq
            self._publish(channel, new, run.last_seq, complete)

    def _read_new(self, channel: Channel, run: Run) -> list[RenderedEvent]:
        """Read and render the events since the last reading, at most as many as the ring can keep."""
        start = max(channel.read_up_to or 0, run.last_seq - channel.size)
        # An event and the run's new `last_seq` are committed together, so all events up to it are visible.
        events = list(Event.objects.filter(run=run, seq__gt=start, seq__lte=run.last_seq))
        return render_events(run, events, channel.renderings)

    def _publish(self, channel: Channel, new: list[RenderedEvent], last_seq: int, complete: bool) -> None:
        try:
            self.loop.call_soon_threadsafe(channel.publish, new, last_seq, complete)
        except RuntimeError:  # the event loop has ended, and all streams with it
            self.stopping.set()
