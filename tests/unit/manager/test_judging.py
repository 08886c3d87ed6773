"""A job's own criteria and measures, judged from real files."""

import os
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest

from solveyard import registry
from solveyard.backends.here import LocalWorkspace
from solveyard.backends.workspace import FileEntry, Unread
from solveyard.manager import written
from solveyard.manager.judging import Case, read_later
from solveyard.manager.ordering import Ordering
from solveyard.model import reading
from solveyard.model.errors import InvalidJob
from solveyard.model.ids import task_id
from solveyard.model.jobs import AttemptId, Job, JobId, JobSpec, JobState, Outcome, Reason
from solveyard.places import StorePlaces
from solveyard.solvers import criteria, verdicts
from solveyard.solvers.base import Exit, OutputFile
from solveyard.solvers.command import CommandSolver
from solveyard.solvers.hfss import solver

Judge = Callable[..., Outcome]


def spec(**fields: Any) -> JobSpec:
    told = {"solver": "command", "options": {"argv": ["true"]}, **fields}
    return reading.spec(msgspec.json.encode(told))


def job(of: JobSpec, job_id: int = 1) -> Job:
    return Job(
        id=JobId(job_id), spec=of, owner="me", submitted_at=0.0, arrival=1, priority=0,
        state=JobState.RUNNING,
    )  # fmt: skip


@pytest.fixture
def judge(tmp_path: Path) -> Judge:
    def judge(
        of: JobSpec,
        code: int = 0,
        out: str = "",
        err: str = "",
        files: Mapping[str, str] | None = None,
        old: Mapping[str, str] | None = None,
        **end: Any,
    ) -> Outcome:
        (tmp_path / "1.out").write_text(out)
        (tmp_path / "1.err").write_text(err)
        folder = tmp_path / "folder"
        folder.mkdir(exist_ok=True)
        told = []
        for fresh, texts in ((True, files or {}), (False, old or {})):
            for name, text in texts.items():
                (folder / name).write_text(text)
                told.append(OutputFile(path=name, size=len(text), fresh=fresh))
        case = Case(job(of))
        if case.wants:
            streams = str(tmp_path / "1.out"), str(tmp_path / "1.err")
            case.read(LocalWorkspace(folder), streams)
        return case.verdict(Exit(code=code, outputs=tuple(told), **end))

    return judge


def test_an_exit_code_that_is_named_is_success_and_no_other(judge: Judge) -> None:
    of = spec(success={"exit_codes": [0, 3]})
    three = judge(of, 3)
    assert (three.reason, three.exit_code) == (Reason.SUCCESS, 3)
    assert judge(of, 0).reason is Reason.SUCCESS
    two = judge(of, 2)
    assert (two.reason, two.exit_code) == (Reason.EXIT_CODE, 2)
    assert "0 or 3" in two.message
    assert judge(spec(success={"exit_codes": [3]}), 0).reason is Reason.EXIT_CODE


def test_they_hold_for_a_solver_that_knows_nothing_of_them(
    judge: Judge, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Stubborn(CommandSolver):
        def verdict(self, spec: JobSpec, exit: Exit, evidence: Any) -> Outcome:  # noqa: A002
            reason = Reason.EXIT_CODE if exit.code else Reason.SUCCESS
            return Outcome(reason=reason, exit_code=exit.code)

    monkeypatch.setitem(registry.solvers(), "command", Stubborn())
    of = spec(success={"exit_codes": [3], "must_match": ["fine"]})
    assert judge(of, 3, "fine\n").reason is Reason.SUCCESS
    assert judge(of, 3, "fine\n").exit_code == 3
    assert judge(of, 0, "fine\n").reason is Reason.EXIT_CODE
    assert judge(of, 3, "bad\n").cause == "criteria.pattern"


@pytest.mark.parametrize(
    ("files", "old", "why"),
    [({}, {}, "missing"), ({"a.csv": ""}, {}, "empty"), ({}, {"a.csv": "x"}, "old")],
)
def test_a_file_must_be_there_not_empty_and_new(
    judge: Judge, files: dict[str, str], old: dict[str, str], why: str
) -> None:
    of = spec(success={"files": ["a.csv"]})
    outcome = judge(of, files=files, old=old)
    assert outcome.reason is Reason.NO_OUTPUT
    assert f"a.csv is {why}" in outcome.message
    assert judge(of, files={"a.csv": "x"}).reason is Reason.SUCCESS


def test_what_a_log_must_not_say_is_named_by_its_line(judge: Judge) -> None:
    of = spec(success={"must_not_match": ["(?i)diverged", "NaN"]})
    outcome = judge(of, out="ok\n", err="step 1\nstep 2 Diverged at 3\nlater\n")
    assert (outcome.reason, outcome.cause) == (Reason.CRITERIA, "criteria.pattern")
    assert outcome.message == "stderr matches '(?i)diverged' in line 2: step 2 Diverged at 3"
    assert judge(of, out="ok\n").reason is Reason.SUCCESS


def test_what_a_log_must_say_may_be_in_either_stream(judge: Judge) -> None:
    of = spec(success={"must_match": ["^converged$"]})
    assert judge(of, err="x\r\nconverged\r\n").reason is Reason.SUCCESS
    outcome = judge(of, out="not converged\n")
    assert outcome.cause == "criteria.pattern"
    assert outcome.message == "no line of stdout or stderr matches '^converged$'"


def test_a_pattern_may_be_for_one_file_which_must_then_be_new(judge: Judge) -> None:
    of = spec(success={"must_not_match": [{"pattern": "error", "from": "run.log"}]})
    assert judge(of, out="error\n", files={"run.log": "fine"}).reason is Reason.SUCCESS
    assert judge(of, files={"run.log": ""}).reason is Reason.SUCCESS
    assert "line 1: error" in judge(of, files={"run.log": "error"}).message
    assert "run.log is old" in judge(of, old={"run.log": "fine"}).message


def test_a_measured_value_must_lie_within_its_bounds(judge: Judge) -> None:
    measure = {"pattern": r"residual (\S+)"}
    of = spec(
        measures={"residual": measure}, success={"bounds": {"residual": {"min": 0, "max": 1e-3}}}
    )
    good = judge(of, out="residual 5\nresidual 1e-3\n")
    assert (good.reason, good.values) == (Reason.SUCCESS, {"residual": 1e-3})
    above = judge(of, out="residual 2e-3\n")
    assert (above.reason, above.cause) == (Reason.CRITERIA, "criteria.bound")
    assert above.message == "residual is 0.002, above 0.001"
    assert above.values == {"residual": 2e-3}
    assert judge(of, out="residual -1\n").message == "residual is -1, below 0"
    missing = judge(of, out="nothing\n")
    assert missing.cause == "criteria.measure"
    assert "no line of stdout matches" in missing.message
    word = judge(of, out="residual nan\n")
    assert (word.cause, word.values) == ("criteria.measure", {"residual": "nan"})


def test_a_measure_without_bounds_may_be_missing_and_the_evidence_says_why(judge: Judge) -> None:
    of = spec(measures={"gain": {"from": "out.json", "json": "far.gain[0]"}})
    assert judge(of, files={"out.json": '{"far": {"gain": [7.5]}}'}).values == {"gain": 7.5}
    outcome = judge(of, files={"out.json": '{"far": {}}'})
    assert (outcome.reason, outcome.values) == (Reason.SUCCESS, {})
    assert any("gain was not measured: out.json: it has nothing" in e for e in outcome.evidence)


def test_an_old_file_is_not_measured(judge: Judge) -> None:
    of = spec(measures={"gain": {"from": "out.json", "json": "gain"}})
    assert judge(of, old={"out.json": '{"gain": 1}'}).values == {}


def test_a_job_that_failed_is_measured_too(judge: Judge) -> None:
    of = spec(measures={"steps": {"pattern": r"step (\d+)"}})
    outcome = judge(of, 1, "step 1\nstep 2\n")
    assert (outcome.reason, outcome.values) == (Reason.EXIT_CODE, {"steps": 2})
    late = judge(of, 0, "step 9\n", ended_by="time_limit")
    assert (late.reason, late.values) == (Reason.TIME_LIMIT, {"steps": 9})


def test_a_touchstone_file_is_measured(judge: Judge) -> None:
    text = "# GHz S RI R 50\n1 0.5 0\n2 0.1 0\n3 0.2 0\n"
    of = spec(
        measures={
            "match": {"from": "a.s1p", "touchstone": "S11 dB min"},
            "at": {"from": "a.s1p", "touchstone": "S11 dB argmin"},
        }
    )
    assert judge(of, files={"a.s1p": text}).values == {"match": pytest.approx(-20), "at": 2e9}


def test_a_file_too_large_to_be_read_whole_is_not_measured(judge: Judge) -> None:
    of = spec(measures={"x": {"from": "big.json", "json": "x"}})
    text = '{"x": 1}' + " " * criteria.RESULT_LIMIT
    outcome = judge(of, files={"big.json": text})
    assert outcome.values == {}
    assert any("larger than 16 MiB" in fact for fact in outcome.evidence)


def test_of_a_log_beyond_the_limit_the_end_is_searched_and_the_evidence_says_so(
    judge: Judge, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(criteria, "LOG_LIMIT", 1 << 20)
    of = spec(success={"must_not_match": ["early"], "must_match": ["late"]})
    outcome = judge(of, out="early\n" + "x\n" * (1 << 20) + "late\n")
    assert outcome.reason is Reason.SUCCESS
    assert any("only the last 1 MiB" in fact for fact in outcome.evidence)


def test_the_solvers_own_failure_stands(judge: Judge) -> None:
    options = {"argv": ["true"], "outputs": ["own.csv"]}
    of = spec(options=options, success={"files": ["own.csv", "more.csv"]})
    outcome = judge(of, files={"more.csv": "x"})
    assert outcome.reason is Reason.NO_OUTPUT
    assert "own.csv is missing" in outcome.message


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes with names here")
def test_a_file_that_is_none_is_missing(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    case = Case(job(spec(success={"must_match": [{"pattern": "x", "from": "pipe"}]})))
    case.read(LocalWorkspace(tmp_path), (str(tmp_path / "o"), str(tmp_path / "e")))
    assert case.verdict(Exit(code=0)).cause == "criteria.pattern"


def test_a_tasks_own_values_are_filled_into_criteria_measures_and_directory(
    tmp_path: Path,
) -> None:
    of = spec(
        array={"rows": [{"f": 1.5, "case": "a"}, {"f": 2, "case": "b"}]},
        directory=str(tmp_path / "{{case}}"),
        success={"files": ["out_{{index}}.txt"], "must_match": ["f={{f}}"]},
        measures={"m": {"from": "out_{{index}}.txt", "pattern": r"{{case}} (\d+)"}},
    )
    Ordering(StorePlaces(tmp_path)).check(of)
    task = job(of, task_id(JobId(1), 1))
    assert task.directory == str(tmp_path / "b")
    assert Ordering(StorePlaces(tmp_path)).directory(task) == str(tmp_path / "b")
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "out_1.txt").write_text("b 7\n")
    (tmp_path / "o").write_text("f=2\n")
    case = Case(task)
    case.read(LocalWorkspace(tmp_path / "b"), (str(tmp_path / "o"), str(tmp_path / "e")))
    report = OutputFile(path="out_1.txt", size=4, fresh=True)
    outcome = case.verdict(Exit(code=0, outputs=(report,)))
    assert (outcome.reason, outcome.values) == (Reason.SUCCESS, {"m": 7})


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"success": {"must_match": ["ok", "("]}}, r"`success.must_match\[1\]`"),
        ({"success": {"must_not_match": ["(?=a)"]}}, r"`success.must_not_match\[0\]`"),
        ({"measures": {"m": {"pattern": "x"}}}, "`measures.m`"),
        ({"measures": {"m": {"from": "{{nosuch}}", "json": "a"}}, "array": {"stop": 2}}, "nosuch"),
        ({"success": {"files": ["{{value}}"]}, "array": {"values": ["../a"]}}, "task 0"),
        ({"directory": "{{value}}", "array": {"values": ["relative"]}}, "absolute"),
    ],
)
def test_what_can_not_be_judged_is_refused_at_the_door(
    tmp_path: Path, fields: dict[str, Any], why: str
) -> None:
    with pytest.raises(InvalidJob, match=why):
        Ordering(StorePlaces(tmp_path)).check(spec(**fields))


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"success": {"exit_codes": []}}, "exit_codes"),
        ({"success": {"files": ["/etc/passwd"]}}, "inside the job's directory"),
        ({"success": {"bounds": {"m": {"max": 1}}}}, "'m'"),
        ({"success": {"bounds": {"m": {}}}, "measures": {"m": {"json": "a"}}}, "`min`"),
        ({"success": {"bounds": {"m": {"min": 2, "max": 1}}}}, "above"),
        ({"success": {"must_match": [""]}}, "1 to 1000"),
        ({"measures": {"m": {"from": "a/../b", "json": "a"}}}, "'a/../b'"),
        ({"measures": {"m": {"json": "a", "pattern": "(a)"}}}, "one of"),
        ({"measures": {"m m": {"json": "a"}}}, "'m m'"),
        ({"measures": {"m": {"jsn": "a"}}}, "did you mean 'json'"),
        ({"success": {"mustmatch": ["a"]}}, "did you mean 'must_match'"),
    ],
)
def test_what_makes_no_sense_can_not_be_read(fields: dict[str, Any], why: str) -> None:
    with pytest.raises(reading.MalformedJob, match=why):
        spec(**fields)


def test_of_results_that_are_too_large_the_end_is_read_of_as_many_as_there_is_room_for(
    judge: Judge, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verdicts, "RESULT_LIMIT", 200)
    monkeypatch.setattr(solver, "RESULT_TAIL", 90)
    results = tmp_path / "folder" / "board.aedtresults"
    results.mkdir(parents=True)
    lines = ["# GHz S RI R 50", *(f"{number}.0 0.1 0.2" for number in range(1, 40))]
    (results / "a.s1p").write_text("\n".join(lines[:5]))
    for name in ("b", "c", "d"):
        (results / f"{name}.s1p").write_text("\n".join(lines))
    log = tmp_path / "folder" / "board.log"
    golden = Path(__file__).parents[2] / "golden" / "hfss" / "success.log"
    options = {
        "project_path": f"{tmp_path}/folder/board.aedt", "ansys_edt_path": "/a/ansysedt",
        "log_file": log.name,
    }  # fmt: skip
    of = spec(solver="hfss", options=options)

    def evidence() -> list[str]:
        found = judge(of, files={log.name: golden.read_text()})
        assert found.reason is Reason.SUCCESS, found
        return [one for one in found.evidence if ".s1p: " in one]

    told = evidence()
    assert told[0] == "board.aedtresults/a.s1p: 4 frequencies, all values finite"
    assert [one.partition(", ")[2] for one in told[1:]].count("its values were not checked") == 1
    assert sum("values were checked, all finite" in one for one in told) == 2
    for name in ("b", "c", "d"):
        (results / f"{name}.s1p").write_text("\n".join([*lines, "40.0 nan 0.2"]))
    found = judge(of, files={log.name: golden.read_text()})
    assert (found.reason, found.cause) == (Reason.CRITERIA, "result.invalid")
    assert "nan is not finite" in found.message


def test_what_the_job_before_left_is_not_taken_for_the_next_ones_however_soon_it_began(
    tmp_path: Path,
) -> None:
    earlier, folder = written.Earlier(), tmp_path / "b.aedtresults"
    folder.mkdir()
    options = {"project_path": f"{tmp_path}/b.aedt", "log_file": "b.log", "ansys_edt_path": "/a"}
    log = OutputFile(path="b.log", size=2, fresh=True)
    golden = Path(__file__).parents[2] / "golden" / "hfss"
    (tmp_path / "b.log").write_bytes((golden / "success.log").read_bytes())

    def solved(attempt: str, **written: str) -> Outcome:
        for name, text in written.items():
            place = folder / f"{name}.s1p"
            place.write_text(f"# GHz S RI R 50\n{text}\n")
            os.utime(place, (4e9, 4e9 + int(attempt)))  # new to all that could begin meanwhile
        case = Case(job(spec(solver="hfss", options=options)))
        old = partial(earlier.old, AttemptId(attempt))
        case.read(LocalWorkspace(tmp_path), ("", ""), 1.0, [log], old)
        return case.verdict(Exit(code=0, outputs=(log,)))

    def checked(outcome: Outcome) -> list[str]:
        assert outcome.reason is Reason.SUCCESS, outcome
        return [one.partition(":")[0] for one in outcome.evidence if "values finite" in one]

    assert checked(solved("1", v0="1 0.1 0")) == ["b.aedtresults/v0.s1p"]
    unsaved = solved("2")
    assert unsaved.reason is Reason.NO_OUTPUT
    assert "wrote nothing into b.aedtresults" in unsaved.message
    assert checked(solved("3", v1="1 0.1 0")) == ["b.aedtresults/v1.s1p"]
    assert checked(solved("3")) == ["b.aedtresults/v1.s1p"], "its end was told again"
    assert solved("4", v0="1 nan 0").cause == "result.invalid"
    assert checked(solved("5", v1="1 0.25 0")) == ["b.aedtresults/v1.s1p"]
    assert solved("6").reason is Reason.NO_OUTPUT


def solved(folder: Path, since: float) -> Outcome:
    """Of the project `b.aedt` there, whose log says that all went well."""
    (folder / "b.log").write_text(
        (Path(__file__).parents[2] / "golden" / "hfss" / "success.log").read_text()
    )
    options = {
        "project_path": f"{folder}/b.aedt", "ansys_edt_path": "/a/ansysedt", "log_file": "b.log"
    }  # fmt: skip
    case = Case(job(spec(solver="hfss", options=options)))
    log = OutputFile(path="b.log", size=1, fresh=True)
    case.read(LocalWorkspace(folder), ("", ""), since, [log])
    return case.verdict(Exit(code=0, outputs=(log,)))


def test_results_that_stand_behind_any_number_of_old_files_are_found(tmp_path: Path) -> None:
    folder = tmp_path / "b.aedtresults"
    folder.mkdir()
    for number in range(10_001):
        place = folder / f"a{number:05}.fld"
        place.touch()
        os.utime(place, (1e9, 1e9))
    since = (tmp_path / "b.aedtresults" / "a00000.fld").stat().st_ctime
    assert solved(tmp_path, since).reason is Reason.NO_OUTPUT
    (folder / "z.s1p").write_text("# GHz S RI R 50\n1 0.1 0\n")
    found = solved(tmp_path, since)
    assert found.reason is Reason.SUCCESS
    assert "b.aedtresults/z.s1p: 1 frequencies, all values finite" in found.evidence
    (folder / "z.s1p").write_text("# GHz S RI R 50\n1 nan 0\n")
    assert solved(tmp_path, since).cause == "result.invalid"


def test_a_result_is_looked_at_among_any_number_of_other_files_of_its_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(written, "MOST", 5)
    (tmp_path / "b.aedtresults").mkdir()
    for number in range(20):
        (tmp_path / "b.aedtresults" / f"a{number:02}.fld").touch()
    (tmp_path / "b.aedtresults" / "z.s1p").write_text("# GHz S RI R 50\n1 nan 0\n")
    assert solved(tmp_path, 0.0).cause == "result.invalid"


def test_what_was_written_just_before_the_start_hides_nothing_of_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(written, "MOST", 5)
    (tmp_path / "b.aedtresults").mkdir()
    for number in range(20):
        place = tmp_path / "b.aedtresults" / f"a{number:02}.s1p"
        place.write_text("# GHz S RI R 50\n1 0.1 0\n")
        os.utime(place, (1e9 - 1, 1e9 - 1))
    (tmp_path / "b.aedtresults" / "z.s1p").write_text("# GHz S RI R 50\n1 nan 0\n")
    assert solved(tmp_path, 1e9).cause == "result.invalid"


class Noting(LocalWorkspace):
    """Keeps what it was asked for."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.asked: list[str] = []

    def walk(self, below: str = "", unread: Unread = lambda _: None) -> Iterator[FileEntry]:
        self.asked.append(below)
        return super().walk(below, unread)

    def read(self, path: str, offset: int = 0, limit: int = 1 << 20) -> bytes:
        self.asked.append(path)
        return super().read(path, offset, limit)


@pytest.mark.parametrize(
    ("fresh", "solved", "asked"),
    [
        (True, True, ["b.aedb.batchinfo/b-j.log", "b.aedtresults"]),
        (True, False, ["b.aedb.batchinfo/b-j.log", "b.aedtresults", "b.aedb"]),
        (False, True, ["b.aedb.batchinfo/b-j.log", "b.aedb.lock", "b.aedt.lock", "b.aedtresults"]),
    ],
)
def test_only_what_an_hfss_verdict_lacks_is_read(
    tmp_path: Path, fresh: bool, solved: bool, asked: list[str]
) -> None:
    options = {"project_path": f"{tmp_path}/b.aedb", "jobid": "j", "ansys_edt_path": "/bin/a"}
    (tmp_path / "b.aedb.batchinfo").mkdir()
    (tmp_path / "b.aedtresults").mkdir()
    (tmp_path / "b.aedb.batchinfo" / "b-j.log").write_text("x\n")
    if solved:
        (tmp_path / "b.aedtresults" / "x").touch()
    case, workspace = Case(job(spec(solver="hfss", options=options))), Noting(tmp_path)
    log = OutputFile(path="b.aedb.batchinfo/b-j.log", size=2, fresh=fresh)
    case.read(workspace, ("", ""), 0.0, [log])
    assert workspace.asked == asked


@pytest.mark.parametrize(
    ("fields", "later"),
    [
        ({}, False),
        ({"directory": "/d"}, False),
        ({"options": {"argv": ["x"], "outputs": ["a.s2p"]}}, False),
        ({"directory": "/d", "options": {"argv": ["x"], "outputs": ["a.s2p"]}}, True),
        ({"directory": "/d", "options": {"argv": ["x"], "outputs": ["a.s2p"]}, "exclusive": ["k"]},
         True),
        ({"directory": "/d", "measures": {"m": {"pattern": "(.*)", "from": "out.txt"}}}, True),
        ({"directory": "/d", "measures": {"m": {"pattern": "(.*)", "from": "stdout"}}}, False),
        ({"directory": "/d", "success": {"files": ["out.txt"]}}, True),
        ({"directory": "/d", "solver": "hfss", "options": {"project_path": "/d/p.aedt"},
          "exclusive": ["/d/p.aedt"]}, False),
        ({"directory": "/d", "solver": "hfss", "options": {"project_path": "/d/p.aedt"}}, True),
    ],
)  # fmt: skip
def test_whose_files_the_next_job_might_write_anew_before_they_are_read(
    fields: dict[str, Any], later: bool
) -> None:
    assert read_later(spec(**fields)) is later


def test_a_name_that_is_no_text_costs_a_letter_and_not_the_manager(
    judge: Judge, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = Outcome(
        reason=Reason.SUCCESS, message="gr\udcfcn.s1p", evidence=("gr\udcfcn.s1p: 5", "plain")
    )
    monkeypatch.setattr(CommandSolver, "verdict", lambda *_: told)
    outcome = judge(spec())
    assert (outcome.message, outcome.evidence) == ("gr?n.s1p", ("gr?n.s1p: 5", "plain"))
    msgspec.json.encode(outcome)
