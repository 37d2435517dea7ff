"""One thread of a process reads what happened in the runs that are watched here, and hands it over."""

import asyncio
import logging
import threading
from collections.abc import Iterable

import psycopg
from django.db import Error, connection
from django.db.models import Exists, OuterRef

from erasure.certificates.models import Certificate
from erasure.live.channel import Channel, Entry
from erasure.live.commit_signal import Nudge, Wake, open_wake
from erasure.live.render import entries
from erasure.runs.models import Event, Run
from patients.vault.keys import KeyStoreDamaged

log = logging.getLogger("lacuna.live")

AGAIN = 1.0  # seconds to wait after the database or the key store failed


class Tailer:
    """Reads for the channels given to `watch`. It keeps its connection, and has none while nobody watches."""

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
        """Stop reading; returns at once, the thread ends within a moment."""
        self.stopping.set()
        self.nudge()

    def _run(self) -> None:
        while not self.stopping.is_set():
            try:
                self._follow()
            except (Error, psycopg.Error, OSError, KeyStoreDamaged):
                log.exception("the stream cannot be read and will be tried again")
                self.stopping.wait(AGAIN)
        self.nudge.close()

    def _follow(self) -> None:
        if not self.channels:
            self.nudge.wait()
            return
        wake: Wake | None = None
        try:
            wake = open_wake(self.nudge)
            while self.channels and not self.stopping.is_set():
                self._read(self.channels)
                wake.wait()
        finally:
            if wake is not None:
                wake.close()
            connection.close()

    def _read(self, channels: Iterable[Channel]) -> None:
        by_run = {channel.run_id: channel for channel in channels}
        certified = Exists(Certificate.objects.filter(run=OuterRef("pk")))
        runs = Run.objects.filter(pk__in=by_run).select_related("procedure").annotate(certified=certified)
        for run in runs:
            channel = by_run[run.pk]
            over = run.state == Run.State.FINISHED and run.certified
            if channel.tailed == run.last_seq and channel.over == over:
                continue
            fresh = self._fresh(channel, run)
            channel.tailed = run.last_seq
            self._hand_over(channel, fresh, run.last_seq, over)

    def _fresh(self, channel: Channel, run: Run) -> list[Entry]:
        """Read and render what came since, of a long absence only what the ring holds."""
        start = max(channel.tailed or 0, run.last_seq - channel.size)
        # By the run's own number: an event's row is committed with it, so up to there all are visible.
        events = list(Event.objects.filter(run=run, seq__gt=start, seq__lte=run.last_seq))
        return entries(run, events, channel.renderings)

    def _hand_over(self, channel: Channel, fresh: list[Entry], last: int, over: bool) -> None:
        try:
            self.loop.call_soon_threadsafe(channel.publish, fresh, last, over)
        except RuntimeError:  # the loop has ended, and with it everyone who watched
            self.stopping.set()
