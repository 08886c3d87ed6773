"""How jobs look in a notebook: tables in HTML, everything in them escaped."""

from collections.abc import Iterable, Mapping, Sequence
from html import escape

from solveyard.model.jobs import JobState
from solveyard.model.records import JobRecord

HEADER = ("job", "number", "state", "tasks", "run time", "why")
MOST = 50  #: rows; of more it's said how many there are


def jobs(records: Sequence[JobRecord], total: int | None = None) -> str:
    """A row for each; `total`: of so many."""
    rows = [_row(record) for record in records[:MOST]]
    number = len(records) if total is None else total
    more = f"<p>{len(rows)} of {number} jobs</p>" if number > len(rows) else ""
    return _table(HEADER, rows) + more


def job(record: JobRecord) -> str:
    """One job; of an array also its tasks by state."""
    if record.tasks is None:
        return jobs([record])
    states = {state.value: getattr(record.tasks, state.value) for state in JobState}
    return jobs([record]) + _counts(states)


def yard(name: str, states: Mapping[str, int], records: Sequence[JobRecord], total: int) -> str:
    """A yard: its jobs by state, and the newest of them."""
    return f"<p><code>{escape(name)}</code></p>{_counts(states)}{jobs(records, total)}"


def _row(record: JobRecord) -> tuple[str, ...]:
    tasks, progress = record.tasks, ""
    if tasks is not None:
        progress = f"{tasks.completed + tasks.failed + tasks.cancelled}/{tasks.total}"
        progress += f", {tasks.failed} failed" if tasks.failed else ""
    took = "" if record.run_time is None else f"{record.run_time:.4g} s"
    advance = record.progress.text if record.progress else ""
    why = record.waiting or advance
    if record.state.final:
        why = "" if record.state is JobState.COMPLETED else record.message
    return (record.id, str(record.number), record.state.value, progress, took, why)


def _counts(states: Mapping[str, int]) -> str:
    told = [f"{number} {state}" for state, number in states.items() if number]
    return f"<p>{escape(', '.join(told)) or 'no jobs'}</p>"


def _table(header: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    head = "".join(f"<th>{escape(name)}</th>" for name in header)
    body = "".join(
        "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
