"""Whether the demonstration is still being loaded: a file in its data directory names the loading process."""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from django.conf import settings

from erasure.renewal.processes import start_time_of

FILE = "loading.json"


@dataclass(frozen=True)
class Loading:
    """A process that loads the demonstration. started: its start time, in the kernel's own form."""

    pid: int
    started: str

    @property
    def goes_on(self) -> bool:
        """Whether the process still runs. If not, it has failed: one that succeeds removes the file."""
        return start_time_of(self.pid) == self.started


def _path() -> Path:
    return Path(settings.LACUNA_DATA_DIR) / FILE


def begin_loading() -> None:
    """Record that this process loads the demonstration."""
    pid = os.getpid()
    temporary = _path().with_suffix(".new")
    temporary.write_text(json.dumps(asdict(Loading(pid, start_time_of(pid) or ""))))
    temporary.replace(_path())  # so that a reader never finds half of it


def end_loading() -> None:
    """Record that all is loaded."""
    _path().unlink(missing_ok=True)


def loading() -> Loading | None:
    """Return the process that loads the demonstration, or failed to; None if all is loaded."""
    try:
        return Loading(**json.loads(_path().read_text()))
    except FileNotFoundError:
        return None
