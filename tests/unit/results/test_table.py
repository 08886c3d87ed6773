"""The table of results: its columns and rows."""

import csv
import io
import json

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from solveyard.core.lifecycle import unopened
from solveyard.model.arrays import ArraySpec, Value
from solveyard.model.criteria import Measure
from solveyard.model.ids import task_id
from solveyard.model.jobs import Job, JobId, JobSpec, JobState, Outcome, Reason
from solveyard.results.table import Table, as_csv, as_json


def array(spec: ArraySpec, *measures: str) -> Job:
    named = {name: Measure(json=name) for name in measures}
    return Job(
        id=JobId(1), spec=JobSpec(solver="x", name="sweep", array=spec, measures=named),
        owner="me", submitted_at=0.0, arrival=1, priority=0, state=JobState.RUNNING,
    )  # fmt: skip


def ended(of: Job, position: int, **values: Value) -> Job:
    outcome = Outcome(reason=Reason.SUCCESS, values=values)
    task = replace(of, id=task_id(of.id, position), state=JobState.COMPLETED)
    return replace(task, outcome=outcome)


def test_a_row_has_the_index_the_parameters_how_it_ended_and_what_was_measured() -> None:
    of = array(ArraySpec(grid={"length": (0.4, 0.5), "case": ("a", "b")}), "gain")
    table = Table(of, tasks=True)
    done, waiting = ended(of, 3, gain=7.5, more=1), unopened(of, 1)
    table.note([waiting, done])
    assert table.columns == [
        "id", "index", "length", "case", "state", "reason", "run_time", "gain", "more",
    ]  # fmt: skip
    assert table.row(done, 0.0) == [
        "sweep[3]", 3, 0.5, "b", "completed", "success", None, 7.5, 1,
    ]  # fmt: skip
    assert table.row(waiting, 0.0)[:5] == ["sweep[1]", 1, 0.4, "b", waiting.state.value]
    assert table.row(waiting, 0.0)[5:] == [None] * 4


def test_an_array_of_values_has_a_column_for_them() -> None:
    of = array(ArraySpec(values=("x", 2)))
    table = Table(of, tasks=True)
    assert table.columns[:3] == ["id", "index", "value"]
    assert table.row(ended(of, 1), 0.0)[:3] == ["sweep[1]", 1, 2]


def test_a_job_that_is_no_array_is_one_row() -> None:
    of = array(ArraySpec(stop=1), "gain")
    alone = replace(of, spec=replace(of.spec, array=None), outcome=None)
    table = Table(alone, tasks=False)
    assert table.columns == ["id", "state", "reason", "run_time", "gain"]
    assert table.row(alone, 0.0) == ["sweep", "running", None, None, None]


def test_no_two_columns_have_the_same_name() -> None:
    of = array(ArraySpec(rows=({"state": 1, "gain": 2},)), "gain", "reason")
    table = Table(of, tasks=True)
    table.note([ended(of, 0, id=5)])
    assert table.columns == [
        "id", "index", "parameters.state", "gain", "state", "reason", "run_time",
        "values.gain", "values.reason", "values.id",
    ]  # fmt: skip


def test_a_name_that_another_one_is_told_by_stays_its_own() -> None:
    of = array(ArraySpec(grid={"v": (1,)}), "v", "values.v")
    table = Table(of, tasks=True)
    told = table.row(ended(of, 0, **{"v": 2, "values.v": 3}), 0.0)
    row = dict(zip(table.columns, told, strict=True))
    assert (row["v"], row["values.values.v"], row["values.v"]) == (1, 2, 3)


cells = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
)


@given(st.lists(st.lists(cells, min_size=2, max_size=4), min_size=1, max_size=4))
def test_what_is_written_as_csv_is_read_as_it_was(rows: list[list[Value | None]]) -> None:
    text = as_csv(rows).decode()
    found = list(csv.reader(io.StringIO(text, newline="")))
    wanted = [
        ["" if c is None else str(c).lower() if isinstance(c, bool) else str(c) for c in row]
        for row in rows
    ]
    assert found == wanted


def test_a_row_of_json_has_its_columns_in_order() -> None:
    text = as_json(["b", "a"], [None, 1.5])
    assert list(json.loads(text).items()) == [("b", None), ("a", 1.5)]
