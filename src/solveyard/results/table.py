"""One table of what was asked and what was measured: a row for each task of an array."""

import csv
import io
from collections.abc import Iterable, Sequence

import msgspec

from solveyard.model import records
from solveyard.model.arrays import Value, text
from solveyard.model.jobs import Job
from solveyard.model.records import JobRecord

Cell = Value | None
_STATE = ("state", "reason", "run_time")


class Table:
    """The columns of a job's table, in this order: `id`, of tasks `index`, `value` and parameters,
    `state`, `reason`, `run_time` (s), then what was measured.

    A name that is taken already is told as "parameters.state" or "values.state".
    """

    def __init__(self, job: Job, *, tasks: bool) -> None:
        """`tasks`: its rows are tasks of an array, which `job` is or is one of."""
        array = job.spec.array if tasks else None
        self._tasks = array is not None
        self._parameters: tuple[str, ...] = ()
        if array is not None:
            own = array.names
            self._parameters = own if array.values is None else ("value", *own)
        self._measures = dict.fromkeys(job.spec.measures)
        self._more: set[str] = set()

    def note(self, rows: Iterable[Job]) -> None:
        """Have a column for what a solver measured by itself."""
        for job in rows:
            if job.outcome is not None and job.outcome.values:
                self._more.update(job.outcome.values.keys() - self._measures.keys())

    @property
    def columns(self) -> list[str]:
        """Always the same for the same results."""
        first = ["id", "index"] if self._tasks else ["id"]
        taken = {*first, *_STATE}
        parameters = _told(self._parameters, "parameters", taken)
        measured = _told(self._measured, "values", {*taken, *parameters})
        return [*first, *parameters, *_STATE, *measured]

    def row(self, job: Job, now: float) -> list[Cell]:
        """The cells of one row, at `now`; None: there is no such value."""
        record: JobRecord = records.record(job, now)
        return [
            record.id,
            *([record.task] if self._tasks else ()),
            *(record.parameters.get(name) for name in self._parameters),
            record.state.value,
            record.reason.value if record.reason is not None else None,
            record.run_time,
            *(record.values.get(name) for name in self._measured),
        ]

    @property
    def _measured(self) -> list[str]:
        return [*self._measures, *sorted(self._more)]


def as_csv(rows: Iterable[Sequence[Cell]]) -> bytes:
    """Lines as of RFC 4180; what isn't there is empty."""
    written = io.StringIO()
    writer = csv.writer(written, lineterminator="\r\n")
    writer.writerows(["" if cell is None else text(cell) for cell in row] for row in rows)
    return written.getvalue().encode()


def as_json(columns: Sequence[str], row: Sequence[Cell]) -> bytes:
    """One row as an object."""
    return msgspec.json.encode(dict(zip(columns, row, strict=True)))


def _told(names: Sequence[str], kind: str, taken: set[str]) -> list[str]:
    """Each as itself, where it isn't `taken`; no two are the same."""
    used = taken.union(names)
    found: list[str] = []
    for name in names:
        told = name
        while told in taken or (told != name and told in used):
            told = f"{kind}.{told}"
        used.add(told)
        found.append(told)
    return found
