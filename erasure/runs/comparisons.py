"""What of this package is compared with the log when it is verified: ended runs, and what each destroyed."""

from collections.abc import Mapping

from clinic.audit.comparisons import Rows, Said, register
from clinic.audit.models import Entry
from erasure.runs.models import Run, Step


def stored_runs(run_id: str | None) -> Mapping[str, Said]:
    """Return the outcome of each finished run (or of one), by id."""
    rows = Run.objects.filter(state=Run.State.FINISHED)
    rows = rows.filter(pk=run_id) if run_id else rows
    return {str(pk): {"outcome": outcome} for pk, outcome in rows.values_list("pk", "outcome")}


def logged_run(entries: list[Entry]) -> Said:
    """Return what the log says of a run's end."""
    return {"outcome": entries[-1].details["outcome"]}


def stored_steps(step_id: str | None) -> Mapping[str, Said]:
    """Return the figures of each destroyed step (or of one), by id."""
    rows = Step.objects.filter(state=Step.State.DESTROYED)
    return {
        str(step.pk): {
            "memory": str(step.memory_id),
            "run": step.run_id,
            "objects": step.objects_destroyed,
            "bytes": step.bytes_destroyed,
            "passes": step.level,
            "entry": step.entry_id,
        }
        for step in (rows.filter(pk=step_id) if step_id else rows)
    }


def logged_step(entries: list[Entry]) -> Said:
    """Return what the log says of a destroyed step."""
    entry = entries[-1]
    figures = {name: entry.details[name] for name in ("memory", "objects", "bytes", "passes")}
    return {**figures, "run": entry.run, "entry": entry.index}


register("runs", Rows("run", ("run.finished",), stored_runs, logged_run))
register("destroyed memories", Rows("step", ("memory.destroyed",), stored_steps, logged_step))
