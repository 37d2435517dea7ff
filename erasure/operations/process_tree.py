"""One process tree: a parent that does nothing but start, restart and stop its children.

The parent listens, so that a restarted web server finds its visitors waiting. A dead worker's leases are
freed at once. Whatever ends the parent, even SIGKILL, ends the children with it, on Linux.
"""

import ctypes
import logging
import os
import resource
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from django.conf import settings
from django.db import Error, connections

from erasure.operations.signal_pipe import SignalPipe
from erasure.runs.lease import free_holder

log = logging.getLogger("lacuna.serve")

LONGEST_BACKOFF = 2.0  # seconds
STEADY = 10.0  # seconds of life after which a child's next restart is immediate again
ASK_TWICE = 2.5  # seconds after the first SIGTERM a second one: a worker then gives its run back in mid-slice
PATIENCE = 3.8  # seconds after which what still runs is killed
PR_SET_PDEATHSIG = 1
ENDS_WITH_PARENT = sys.platform == "linux"  # elsewhere nothing ends a child whose parent was killed
STOPPING = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}

_libc = ctypes.CDLL(None, use_errno=True)


@dataclass
class Child:
    """One place in the tree, and the process that fills it now."""

    name: str
    arguments: list[str]
    passed: tuple[int, ...] = ()
    holds_runs: bool = False
    process: subprocess.Popen[bytes] | None = None
    worker_id: str = ""
    started_at: float = 0.0
    due_at: float = 0.0  # monotonic: when it may be started again
    backoff: float = 0.0

    def start(self, parent: int) -> None:
        self.worker_id = f"{self.name}-{parent}-{secrets.token_hex(4)}"
        self.started_at = time.monotonic()
        self.process = subprocess.Popen(  # noqa: S603 - our own interpreter and our own modules
            self.arguments,
            env=environment(self.worker_id),
            stdin=subprocess.DEVNULL,
            pass_fds=self.passed,
            process_group=0,  # so that a terminal's Ctrl-C reaches the parent alone
            preexec_fn=lambda: become_child(parent),  # noqa: PLW1509 - the parent has one thread
        )

    def died(self) -> bool:
        """Whether the process has ended; then says when the next may start."""
        if self.process is None or self.process.poll() is None:
            return False
        now = time.monotonic()
        steady = now - self.started_at > STEADY
        self.backoff = 0.0 if steady else min(LONGEST_BACKOFF, self.backoff * 2 or 0.1)
        self.due_at = now + self.backoff
        return True

    def signal(self, number: int) -> None:
        """Send a signal to the child, and SIGKILL to whatever it started itself as well."""
        if self.process is None or self.process.poll() is not None:
            return
        try:
            if number == signal.SIGKILL:
                os.killpg(self.process.pid, number)
            else:
                self.process.send_signal(number)
        except ProcessLookupError:
            return


@dataclass
class Tree:
    """The children of this process."""

    children: list[Child]
    to_free: list[str] = field(default_factory=list)  # dead workers whose leases could not be freed yet

    def run(self, on_open: Callable[[], None] = lambda: None) -> None:
        """Keep the children alive until SIGINT, SIGTERM or SIGHUP, then stop them all.

        on_open: called once, when all have been started.
        """
        no_core()
        with SignalPipe({*STOPPING, signal.SIGCHLD}) as signals:
            try:
                for child in self.children:
                    child.start(os.getpid())
                on_open()
                while not self.wait(signals):
                    self.look_after()
            finally:
                self.stop(signals)

    def wait(self, signals: SignalPipe) -> bool:
        """Wait until something is to be done; return whether that is to stop."""
        now = time.monotonic()
        due = [child.due_at - now for child in self.children if child.process is None]
        timeout = max(0.0, min([1.0, *due]))
        return bool(signals.wait(timeout) & STOPPING)

    def look_after(self) -> None:
        """Note who has died, free what they held, start who is due."""
        for child in self.children:
            if child.died() and child.process is not None:
                log.warning("%s ended with %s and is started again", child.name, child.process.returncode)
                child.process = None
                if child.holds_runs:
                    self.to_free.append(child.worker_id)
        self.free()
        for child in self.children:
            if child.process is None and time.monotonic() >= child.due_at:
                child.start(os.getpid())

    def free(self) -> None:
        """Free the leases of the dead; what the database refuses now is tried again with the next look."""
        while self.to_free:
            try:
                free_holder(self.to_free[0])
            except Error:
                log.exception("a dead worker's leases could not be freed yet")
                break
            else:
                self.to_free.pop(0)
            finally:
                connections.close_all()  # a child must not inherit it, and the next look may be far

    def stop(self, signals: SignalPipe) -> None:
        """Stop every child: ask, ask again, and at last do not ask. Returns when all have ended."""
        began = time.monotonic()
        self.tell(signal.SIGTERM)
        asked_twice = False
        while self.alive() and time.monotonic() - began < PATIENCE:
            signals.wait(0.05)
            if not asked_twice and time.monotonic() - began > ASK_TWICE:
                asked_twice = True
                self.tell(signal.SIGTERM)
        self.tell(signal.SIGKILL)
        for child in self.children:
            if child.process is not None:
                child.process.wait()
                if child.holds_runs and child.process.returncode:
                    self.to_free.append(child.worker_id)
        self.free()

    def tell(self, number: int) -> None:
        for child in self.children:
            child.signal(number)

    def alive(self) -> bool:
        return any(child.process is not None and child.process.poll() is None for child in self.children)


def become_child(parent: int) -> None:
    """Runs in the child before its program: it dies with its parent, dumps no core, hears every signal."""
    signal.set_wakeup_fd(-1)  # the pipe is the parent's
    if ENDS_WITH_PARENT:
        _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # the parent died before the line above
        os._exit(1)
    no_core()
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


def no_core() -> None:
    """A core dump would put keys and pictures on a disk."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def environment(worker_id: str) -> Mapping[str, str]:
    """Return this process's environment, with what a child needs to be one of this house."""
    found_in = [str(settings.BASE_DIR), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {
        **os.environ,
        "LACUNA_WORKER": worker_id,
        "PYTHONPATH": os.pathsep.join(found_in),
        "DJANGO_SETTINGS_MODULE": os.environ.get("DJANGO_SETTINGS_MODULE", "clinic.settings"),
    }


def listen(host: str, port: int) -> socket.socket:
    """Return a listening socket. Errors: OSError where the address is in use or not ours."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
        listening.listen(2048)
    except OSError:
        listening.close()
        raise
    listening.set_inheritable(True)
    return listening


def manage(*words: str) -> list[str]:
    """The command line of one of the house's own commands."""
    return [sys.executable, "-m", "django", *words, "--skip-checks"]


def house(listening: socket.socket | None, workers: int, *, redis: bool) -> Tree:
    """Return the tree of a house: its web server where `listening` is given, `workers`, and a supervisor."""
    children = []
    if listening is not None:
        web = [sys.executable, "-m", "erasure.operations.web", str(listening.fileno())]
        children.append(Child("web", web, passed=(listening.fileno(),)))
    work = manage("work_by_redis" if redis else "work")
    children += [Child(f"worker{i + 1}", list(work), holds_runs=True) for i in range(workers)]
    children.append(Child("supervisor", manage("supervise")))
    return Tree(children)
