"""The process tree of `manage.py serve`: a parent that only starts, restarts and stops its children.

The parent owns the listening socket, so connections wait in it while the web server restarts. The leases of a
dead worker are freed at once. On Linux the children end with the parent, even if it is killed with SIGKILL.

After a run the supervisor asks for new processes (erasure/renewal), by a pipe to the parent. A worker is
stopped and started again. A web server is replaced without a gap: the new one says that it accepts
connections, and only then the old one is told to end the streams, to answer what it has begun, and to leave.
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
from erasure.renewal.parent import PARENT
from erasure.runs.lease import free_holder

log = logging.getLogger("lacuna.serve")

LONGEST_BACKOFF = 2.0  # seconds
STABLE_AFTER = 10.0  # a child that lived longer than these seconds is restarted without a delay
LONGEST_FAREWELL = 600.0  # seconds that a replaced web server has for the answers that it has begun
SECOND_SIGTERM_AFTER = 2.5  # seconds after the first SIGTERM; a second one makes a worker stop inside a slice
KILL_AFTER = 3.8  # seconds after the first SIGTERM; children that still run are then killed
PR_SET_PDEATHSIG = 1
ENDS_WITH_PARENT = sys.platform == "linux"  # elsewhere nothing ends a child whose parent was killed
STOPPING = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}

_libc = ctypes.CDLL(None, use_errno=True)


@dataclass
class Leaving:
    """A process that was replaced. told_at: when it was told to end (monotonic); None before that."""

    process: subprocess.Popen[bytes]
    told_at: float | None = None


@dataclass
class Child:
    """One child and its current process.

    passed: file descriptors that the process inherits. holds_runs: whether it takes leases. overlaps:
    whether a new process begins before the one it replaces ends.
    """

    name: str
    arguments: list[str]
    passed: tuple[int, ...] = ()
    holds_runs: bool = False
    process: subprocess.Popen[bytes] | None = None
    worker_id: str = ""
    started_at: float = 0.0
    due_at: float = 0.0  # monotonic time of the next start, if there is no process
    backoff: float = 0.0
    overlaps: bool = False
    leaving: list[Leaving] = field(default_factory=list)
    renewed_at: float | None = None  # when the process was told to end, so that a new one begins

    def start(self, parent: int, pipe: int) -> None:
        self.renewed_at = None
        self.worker_id = f"{self.name}-{parent}-{secrets.token_hex(4)}"
        self.started_at = time.monotonic()
        self.process = subprocess.Popen(  # noqa: S603 - our own interpreter and our own modules
            self.arguments,
            env={**environment(self.worker_id), PARENT: str(pipe)},
            stdin=subprocess.DEVNULL,
            pass_fds=(*self.passed, pipe),
            process_group=0,  # so that a terminal's Ctrl-C reaches the parent alone
            preexec_fn=lambda: prepare_child(parent),  # noqa: PLW1509 - the parent has one thread
        )

    def has_ended(self) -> bool:
        """Return whether the process has ended; if so, set when the next one may start."""
        if self.process is None or self.process.poll() is None:
            return False
        now = time.monotonic()
        stable = now - self.started_at > STABLE_AFTER or self.renewed_at is not None
        self.backoff = 0.0 if stable else min(LONGEST_BACKOFF, self.backoff * 2 or 0.1)
        self.due_at = now + self.backoff
        return True

    def signal(self, number: int) -> None:
        """Send a signal to the child's processes. SIGKILL also goes to the processes that they started."""
        for process in self.processes():
            send(process, number)

    def processes(self) -> list[subprocess.Popen[bytes]]:
        """Return the current process and those that it replaced, as long as they run."""
        mine = [self.process, *(old.process for old in self.leaving)]
        return [process for process in mine if process is not None and process.poll() is None]

    def renew(self) -> None:
        """Begin to replace the current process."""
        if self.process is None or self.renewed_at is not None:
            return
        if self.overlaps:
            self.leaving.append(Leaving(self.process))
            self.process, self.due_at = None, time.monotonic()
        else:
            self.renewed_at = time.monotonic()
            send(self.process, signal.SIGTERM)

    def see_off(self) -> None:
        """Tell the replaced processes to leave: the current one is ready."""
        for old in self.leaving:
            if old.told_at is None:
                old.told_at = time.monotonic()
                send(old.process, signal.SIGUSR1)

    def hurry(self) -> None:
        """End the processes that were told to end and take too long."""
        now = time.monotonic()
        self.leaving = [old for old in self.leaving if old.process.poll() is None]
        for old in self.leaving:
            if old.told_at is not None and now - old.told_at > LONGEST_FAREWELL:
                send(old.process, signal.SIGKILL)
        if self.process is not None and self.renewed_at is not None:
            if now - self.renewed_at > KILL_AFTER:
                send(self.process, signal.SIGKILL)
            elif now - self.renewed_at > SECOND_SIGTERM_AFTER:
                send(self.process, signal.SIGTERM)


@dataclass
class Tree:
    """The children of this process."""

    children: list[Child]
    unfreed: list[str] = field(default_factory=list)  # ids of dead workers whose leases are not freed yet
    heard: bytes = b""  # the beginning of a line from the children's pipe

    def run(self, on_started: Callable[[], None] = lambda: None) -> None:
        """Start the children, restart those that end, and stop all on SIGINT, SIGTERM or SIGHUP.

        on_started: called once, after all have been started.
        """
        disable_core_dumps()
        self.reading, self.writing = os.pipe()
        os.set_blocking(self.reading, False)
        with SignalPipe({*STOPPING, signal.SIGCHLD}) as signals:
            try:
                for child in self.children:
                    child.start(os.getpid(), self.writing)
                on_started()
                while not self.wait(signals):
                    self.listen_to_children()
                    self.restart_ended()
            finally:
                self.stop(signals)
                os.close(self.reading)
                os.close(self.writing)

    def wait(self, signals: SignalPipe) -> bool:
        """Wait for a signal or the next due start, at most one second; return whether to stop."""
        now = time.monotonic()
        due = [child.due_at - now for child in self.children if child.process is None]
        timeout = max(0.0, min([1.0, *due]))
        return bool(signals.wait(timeout, self.reading) & STOPPING)

    def listen_to_children(self) -> None:
        """Do what the children have written into the pipe: "renew PID" or "ready PID", a line each."""
        try:
            *lines, self.heard = (self.heard + os.read(self.reading, 65536)).split(b"\n")
        except BlockingIOError:
            return
        for line in lines:
            word, _space, pid = line.decode(errors="replace").partition(" ")
            for child in self.children:
                if child.process is not None and str(child.process.pid) == pid:
                    if word == "renew":
                        child.renew()
                    elif word == "ready":
                        child.see_off()

    def restart_ended(self) -> None:
        """Free the leases of workers that have ended, and start the children that are due."""
        for child in self.children:
            child.hurry()
            if child.has_ended() and child.process is not None:
                level = logging.WARNING if child.renewed_at is None else logging.DEBUG
                log.log(level, "%s ended with %s and is started again", child.name, child.process.returncode)
                child.process = None
                if child.holds_runs:
                    self.unfreed.append(child.worker_id)
        self.free_leases()
        for child in self.children:
            if child.process is None and time.monotonic() >= child.due_at:
                child.start(os.getpid(), self.writing)

    def free_leases(self) -> None:
        """Free the leases of dead workers. After a database error it is tried again on the next call."""
        while self.unfreed:
            try:
                free_holder(self.unfreed[0])
            except Error:
                log.exception("a dead worker's leases could not be freed yet")
                break
            else:
                self.unfreed.pop(0)
            finally:
                connections.close_all()  # a child must not inherit them, and the next call may be much later

    def stop(self, signals: SignalPipe) -> None:
        """Stop every child: SIGTERM, SIGTERM again, then SIGKILL. Returns when all have ended."""
        began = time.monotonic()
        self.signal_all(signal.SIGTERM)
        sent_twice = False
        while self.alive() and time.monotonic() - began < KILL_AFTER:
            signals.wait(0.05)
            if not sent_twice and time.monotonic() - began > SECOND_SIGTERM_AFTER:
                sent_twice = True
                self.signal_all(signal.SIGTERM)
        self.signal_all(signal.SIGKILL)
        for child in self.children:
            for old in child.leaving:
                old.process.wait()
            if child.process is not None:
                child.process.wait()
                if child.holds_runs and child.process.returncode:
                    self.unfreed.append(child.worker_id)
        self.free_leases()

    def signal_all(self, number: int) -> None:
        for child in self.children:
            child.signal(number)

    def alive(self) -> bool:
        return any(child.processes() for child in self.children)


def send(process: subprocess.Popen[bytes], number: int) -> None:
    """Send a signal to a process. SIGKILL also goes to the processes that it started."""
    if process.poll() is not None:
        return
    try:
        if number == signal.SIGKILL:
            os.killpg(process.pid, number)
        else:
            process.send_signal(number)
    except ProcessLookupError:
        return


def prepare_child(parent: int) -> None:
    """Make this process end with its parent, dump no core and block no signal.

    Called in the child process before its program is executed. parent: the parent's process id.
    """
    signal.set_wakeup_fd(-1)  # the pipe belongs to the parent
    if ENDS_WITH_PARENT:
        _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # the parent died before the line above
        os._exit(1)
    disable_core_dumps()
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


def disable_core_dumps() -> None:
    """Disable core dumps of this process: they would write keys and pictures to the disk."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def environment(worker_id: str) -> Mapping[str, str]:
    """Return the environment for a child: this process's, with the settings module and a worker id."""
    python_path = [str(settings.BASE_DIR), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {
        **os.environ,
        "LACUNA_WORKER": worker_id,
        "PYTHONPATH": os.pathsep.join(python_path),
        "DJANGO_SETTINGS_MODULE": os.environ.get("DJANGO_SETTINGS_MODULE", "clinic.settings"),
    }


def listen(host: str, port: int) -> socket.socket:
    """Return a listening socket. Errors: OSError if the address is in use or not of this machine."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(2048)
    except OSError:
        listener.close()
        raise
    listener.set_inheritable(True)
    return listener


def manage(*arguments: str) -> list[str]:
    """Return the command line of one of our management commands."""
    return [sys.executable, "-m", "django", *arguments, "--skip-checks"]


def server_tree(listener: socket.socket | None, workers: int, *, redis: bool) -> Tree:
    """Return the process tree: a web server if there is a listener, the workers, and a supervisor.

    workers: how many. redis: whether Redis wakes them.
    """
    children = []
    if listener is not None:
        web = [sys.executable, "-m", "erasure.operations.web", str(listener.fileno())]
        children.append(Child("web", web, passed=(listener.fileno(),), overlaps=True))
    work = manage("work_by_redis" if redis else "work")
    children += [Child(f"worker{i + 1}", list(work), holds_runs=True) for i in range(workers)]
    children.append(Child("supervisor", manage("supervise"), holds_runs=True))
    return Tree(children)
