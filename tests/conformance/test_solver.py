"""What every installed solver promises, whoever wrote it (entry points `solveyard.solvers`)."""

from collections.abc import Mapping
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from solveyard.model.errors import InvalidJob
from solveyard.model.jobs import JobSpec, Outcome, Reason
from solveyard.registry import solvers
from solveyard.solvers.base import Command, Exit, OutputFile, Solver

#: Options that make sense; a solver that isn't here is tried with none and with random ones.
SENSIBLE: Mapping[str, dict[str, Any]] = {
    "command": {"argv": ["solve", "input.txt"], "outputs": ["out.s2p", "log.txt"]},
    "hfss": {
        "ansys_edt_path": "/opt/AnsysEM/v252/Linux64/ansysedt",
        "project_path": "/projects/board.aedt",
        "jobid": "board-7",
    },
    "nec": {
        "dipole": {"length": 0.5, "radius": 0.001, "segments": 21},
        "frequencies": {"start": 2e8, "stop": 4e8, "points": 3},
    },
}

every_solver = pytest.mark.parametrize("solver", list(solvers().values()), ids=list(solvers()))

json = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)


def spec(solver: Solver, options: object) -> JobSpec:
    return JobSpec(solver=solver.name, options=msgspec.Raw(msgspec.json.encode(options)))


def sensible(solver: Solver) -> JobSpec:
    return spec(solver, SENSIBLE.get(solver.name, {}))


def attempt(solver: Solver, asked: JobSpec) -> tuple[Command | None, str]:
    """The command, or why there is none; any error but InvalidJob passes through."""
    try:
        return solver.command(asked), ""
    except InvalidJob as error:
        return None, str(error)


@st.composite
def disturbed(draw: st.DrawFn, options: Mapping[str, Any]) -> dict[str, Any]:
    """Sensible options with something wrong somewhere, or not."""
    changed = dict(options)
    for _ in range(draw(st.integers(0, 2))):
        name = draw(st.sampled_from([*options, "strange", "env", "files", "result", "z0", "deck"]))
        changed[name] = draw(json)
    return changed


exits = st.builds(
    Exit,
    code=st.none() | st.integers(-(2**31), 2**32),
    signal=st.none() | st.integers(-5, 200),
    ended_by=st.sampled_from(["", "cancelled", "time_limit", "shutdown", "somebody else"]),
    launch_error=st.sampled_from(["", "no such file: solve"]),
    lost=st.sampled_from(["", "the spawner is gone"]),
    outputs=st.lists(
        st.builds(
            OutputFile,
            path=st.sampled_from(["out.s2p", "log.txt", "result.s1p", "other"]),
            size=st.none() | st.integers(0, 2**40),
            fresh=st.booleans(),
        ),
        max_size=3,
    ).map(tuple),
    strays=st.integers(0, 3),
)
contents = st.none() | st.binary(max_size=60) | st.binary(max_size=60).map(b"# Hz S RI\n".__add__)


def judge(solver: Solver, end: Exit, content: bytes | None = None) -> Outcome:
    asked = sensible(solver)
    evidence = {query.path: content for query in solver.evidence(asked)}
    return solver.verdict(asked, end, evidence)


@every_solver
def test_it_answers_to_the_name_it_is_installed_by(solver: Solver) -> None:
    assert solvers()[solver.name] is solver


@every_solver
def test_the_same_spec_gives_the_same_command(solver: Solver) -> None:
    again = type(solver)()
    assert solver.command(sensible(solver)) == solver.command(sensible(solver))
    assert solver.command(sensible(solver)) == again.command(sensible(solver))


@every_solver
@given(data=st.data())
def test_bad_options_are_an_invalid_job_and_nothing_else(
    solver: Solver, data: st.DataObject
) -> None:
    options = data.draw(json | disturbed(SENSIBLE.get(solver.name, {})))
    command, refusal = attempt(solver, spec(solver, options))
    if command is None:
        assert refusal
        assert "\n" not in refusal
    else:
        assert command.argv
        texts = [*command.argv, *command.env, *command.env.values()]
        assert not any("\0" in text for text in texts)
        for path in (*command.files, *command.outputs):
            assert not path.startswith("/")
            assert ".." not in path.split("/")


@every_solver
@given(st.binary(max_size=40))
def test_options_that_are_no_json_are_an_invalid_job(solver: Solver, raw: bytes) -> None:
    broken = JobSpec(solver=solver.name, options=msgspec.Raw(b"{" + raw))
    _, refusal = attempt(solver, broken)
    assert "\n" not in refusal


@every_solver
@given(
    st.lists(st.binary(max_size=30) | st.just(b"\nfrequency 3 of 7\n"), max_size=8),
    st.integers(1, 7),
)
def test_progress_is_the_same_however_the_log_was_cut(
    solver: Solver, pieces: list[bytes], size: int
) -> None:
    log = b"".join(pieces)
    cuts = [pieces, [log], [log[i : i + size] for i in range(0, len(log), size)]]
    last = []
    for chunks in cuts:
        reader = solver.reader()
        if reader is None:
            return
        told = [progress for progress in map(reader.feed, chunks) if progress is not None]
        assert all(p.fraction is None or 0 <= p.fraction <= 1 for p in told)
        last.append(told[-1] if told else None)
    assert last[0] == last[1] == last[2]


@every_solver
@given(end=exits, content=contents)
def test_every_end_has_a_verdict(solver: Solver, end: Exit, content: bytes | None) -> None:
    outcome = judge(solver, end, content)
    assert isinstance(outcome, Outcome)
    assert outcome.message or outcome.reason is Reason.SUCCESS
    assert "\n" not in outcome.message
    assert outcome == judge(solver, end, content)
    if outcome.reason is Reason.SUCCESS:
        assert end.code == 0
        assert end.signal is None
        assert not (end.lost)
        assert not (end.launch_error)
        assert all(output.size and output.fresh for output in end.outputs)


@every_solver
@given(end=exits, content=contents)
def test_what_solveyard_knows_stands_above_what_the_solver_thinks(
    solver: Solver, end: Exit, content: bytes | None
) -> None:
    reason = judge(solver, end, content).reason
    ours = {
        "cancelled": Reason.CANCELLED,
        "time_limit": Reason.TIME_LIMIT,
        "shutdown": Reason.SHUTDOWN,
    }
    if end.lost:
        assert reason is Reason.LOST
    elif end.launch_error:
        assert reason is Reason.LAUNCH
    elif end.ended_by in ours:
        assert reason is ours[end.ended_by]
    else:
        assert reason not in {Reason.LAUNCH, *ours.values()}


@every_solver
def test_evidence_files_and_watched_files_lie_in_the_jobs_directory(solver: Solver) -> None:
    asked = sensible(solver)
    paths = [solver.watch(asked), *(query.path for query in solver.evidence(asked))]
    assert not any(path.startswith("/") or ".." in path.split("/") for path in paths)
    assert all(query.limit > 0 or query.below for query in solver.evidence(asked))
    assert all(probe.programs for probe in solver.probes())
