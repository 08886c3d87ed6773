"""QCG-PilotJob's descriptions, what they ask for and what they run."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from solveyard.model.arrays import ArraySpec
from solveyard.model.errors import InvalidJob, InvalidRequest, InvalidSettings
from solveyard.model.ids import task_id
from solveyard.model.jobs import JobId, JobSpec
from solveyard.model.policies import Dependency
from solveyard.model.resources import Range, Resources
from solveyard.pilot import translation
from solveyard.solvers import tasks
from solveyard.solvers.command import CommandSolver
from unit.pilot.deciding import Deciding

REQUEST = {"rcnt": "3", "uniq": "u-1", "sname": "local", "date": "d", "time": "t", "dateTime": "dt"}


def spec(
    root: str = "/work", earlier: Mapping[str, ArraySpec] = MappingProxyType({}), **fields: Any
) -> JobSpec:
    given = {"name": "j", "execution": {"exec": "date"}, **fields}
    return translation.jobs([given], REQUEST, root, earlier)[0]


def argv(one: JobSpec, position: int = 0) -> tuple[str, ...]:
    return tuple(CommandSolver().command(tasks.spec_at(one, position)).argv)


def test_a_plain_program_is_started_as_it_is() -> None:
    one = spec(execution={"exec": "prog", "args": ["-x", 1, None], "env": {"A": "b c"}})
    assert argv(one) == ("prog", "-x", "1", "None")
    assert dict(CommandSolver().command(one).env) == {"A": "b c"}
    assert (one.name, one.directory, one.resources) == ("j", "/work", Resources(cores=1))


def test_null_is_what_is_left_out() -> None:
    parts = ("args", "env", "script", "wd", "stdin", "stdout", "stderr", "modules", "venv")
    execution = dict.fromkeys((*parts, "model", "model_opts"))
    size = {"exact": 1, "min": None, "max": None, "scheduler": None}
    resources = {"numCores": size, "numNodes": None, "wt": None, "nodeCrs": None}
    left_out = {"iteration": None, "attributes": None, "dependencies": {"after": None}}
    assert spec(execution={"exec": "date", **execution}, resources=resources, **left_out) == spec()
    assert spec(iteration=None, dependencies=None) == spec()
    script = {"exec": None, "script": "date", **dict.fromkeys(parts[:2])}
    assert spec(execution=script) == spec(execution={"script": "date"})


@pytest.mark.parametrize(
    ("asked", "need"),
    [
        ({"numCores": 3}, Resources(cores=3)),
        ({"numCores": {"exact": 3}}, Resources(cores=3)),
        ({"numCores": {"min": 2, "max": 4}}, Resources(cores=Range(min=2, max=4))),
        ({"numNodes": 2}, Resources(nodes=2, whole_nodes=True)),
        ({"numNodes": 2, "numCores": 3}, Resources(nodes=2, cores=3)),
        (
            {"numNodes": {"min": 1, "max": 2}, "numCores": {"min": 2, "max": 4}},
            Resources(nodes=Range(min=1, max=2), cores=Range(min=2, max=4)),
        ),
        (
            {"numNodes": 1, "nodeCrs": {"GPU": 2, "mem": 100}},
            Resources(nodes=1, whole_nodes=True, gpus=2, memory=100),
        ),
    ],
)
def test_what_a_job_needs(asked: dict[str, Any], need: Resources) -> None:
    assert spec(resources=asked).resources == need


@pytest.mark.parametrize(
    ("scheduler", "cores"),
    [
        ({"name": "maximum-iters"}, Range(min=2, split="rounds")),
        ({"name": "Unheard-of"}, Range(min=2, split="rounds")),
        ({"name": "split-into"}, Range(min=2, split="parts")),
        ({"name": "split-into", "params": {"parts": "4"}}, Range(min=2, split="parts", parts=4)),
    ],
)
def test_the_ways_of_sharing_cores_among_iterations(scheduler: Any, cores: Range) -> None:
    size = {"min": 2, "scheduler": scheduler}
    assert spec(resources={"numCores": size}, iteration={"stop": 5}).resources.cores == cores
    assert spec(resources={"numNodes": size}, iteration={"stop": 5}).resources.nodes == cores


@pytest.mark.parametrize(("wt", "seconds"), [("1h30m5s", 5405), ("10m", 600), ("7s", 7)])
def test_a_wall_time_is_a_time_limit(wt: str, seconds: int) -> None:
    assert spec(resources={"numCores": 1, "wt": wt}).time_limit == seconds


def test_iterations_and_dependencies() -> None:
    after = {"after": ["a", "b:3", "c:${it}"]}
    earlier = {"c": ArraySpec(start=2, stop=4)}
    one = spec(earlier=earlier, iteration={"start": 2, "stop": 4}, dependencies=after)
    assert one.array is not None
    assert [one.array.index(n) for n in range(len(one.array))] == [2, 3]
    assert [after.job for after in one.after] == ["a", "b[3]", "c[{{index}}]"]
    assert one.after[0] == Dependency(job="a", on="success")
    values = spec(iteration={"values": ["x y", 2.5]}).array
    assert values is not None
    assert values.values == ("x y", "2.5")


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ({"start": 5, "stop": 8}, {"start": 4, "stop": 7}),
        ({"stop": 6}, {"start": 5, "stop": 6}),
        ({"start": 1, "stop": 3}, {"values": ["x", "y"]}),
    ],
)
def test_iterations_that_would_wait_for_those_of_other_numbers_are_refused(
    theirs: dict[str, int], ours: dict[str, Any]
) -> None:
    a = {"name": "a", "execution": {"exec": "e"}, "iteration": theirs}
    b = {
        "name": "b", "execution": {"exec": "e"}, "iteration": ours,
        "dependencies": {"after": ["a:${it}"]},
    }  # fmt: skip
    earlier = {"a": ArraySpec(**theirs)}
    same = {**b, "iteration": theirs}
    for asked, wrong, known in (([a, same], [b, a], {}), ([same], [b], earlier)):
        assert translation.jobs(asked, REQUEST, "/", known)[-1].after[0].job == "a[{{index}}]"
        with pytest.raises(InvalidJob, match=r"job 'b': .* of the same number"):
            translation.jobs(wrong, REQUEST, "/", known)
    for nobody in ([same], [{**a, "iteration": None}, same]):
        known = earlier if len(nobody) == 2 else {}
        with pytest.raises(InvalidJob, match="there is no job 'a' with iterations"):
            translation.jobs(nobody, REQUEST, "/", known)


def test_the_requests_variables_are_filled_in_and_unknown_ones_stay() -> None:
    one = spec(
        name="n-${rcnt}-$uniq",
        execution={"exec": "e", "args": ["${jname}", "${sname}", "$$$$x", "${no}", "${root_wd}/f"]},
    )
    assert one.name == "n-3-u-1"
    assert argv(one) == ("e", "n-3-u-1", "local", "$x", "${no}", "/work/f")


def test_an_iteration_knows_its_number_and_value() -> None:
    execution = {"exec": "e", "args": ["a${it}", "${itval}!", "$it"]}
    one = spec(execution=execution, iteration={"values": ['say "hi"', "b"]})
    assert argv(one, 0) == ("e", "a0", 'say "hi"!', "0")
    assert argv(one, 1) == ("e", "a1", "b!", "1")
    assert tasks.environment(one, JobId(1)) == {}
    assert argv(spec(execution=execution))[1] == "a${it}"


def run(one: JobSpec, position: int = 0, **environment: str) -> "subprocess.CompletedProcess[str]":
    command = CommandSolver().command(tasks.spec_at(one, position))
    assert one.directory
    Path(one.directory).mkdir(exist_ok=True)
    told = tasks.environment(one, task_id(JobId(1), position))
    return subprocess.run(
        command.argv, env={**os.environ, **command.env, **told, **environment}, cwd=one.directory,
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


posix = pytest.mark.skipif(sys.platform == "win32", reason="QCG-PilotJob's jobs use a shell")


@posix
def test_folders_and_streams_are_the_jobs_own(tmp_path: Path) -> None:
    (tmp_path / "in put").write_text("hello")
    execution = {
        "exec": "sh", "args": ["-c", "cat; pwd; echo err >&2; exit 3"], "wd": "d/${it} '\"$(x)",
        "stdin": "../../in put", "stdout": "out-${it}", "stderr": "out-${it}",
    }  # fmt: skip
    one = spec(str(tmp_path), execution=execution, iteration={"start": 5, "stop": 7})
    ended = run(one, 1)
    assert (ended.returncode, ended.stdout, ended.stderr) == (3, "", "")
    folder = tmp_path / "d" / "6 '\"$(x)"
    assert (folder / "out-6").read_text() == f"hello{folder}\nerr\n"


@posix
@pytest.mark.parametrize("wd", ["sub", "-", "--", "${root_wd}/a/../b", "c/"])
def test_a_job_runs_in_the_folder_that_it_names(tmp_path: Path, wd: str) -> None:
    (tmp_path / "other" / "sub").mkdir(parents=True)
    other = {"CDPATH": str(tmp_path / "other"), "OLDPWD": str(tmp_path / "other")}
    execution = {"script": "pwd; echo $CDPATH", "wd": wd}
    ended = run(spec(str(tmp_path / "root"), execution=execution), HOME="/", **other)
    folder = os.path.normpath(wd.replace("${root_wd}", str(tmp_path / "root")))
    assert ended.stdout.split() == [str(tmp_path / "root" / folder), other["CDPATH"]]


@posix
@pytest.mark.parametrize("values", [["0", "1"], ["{{index}}", "{{{b"], ["$HOME", "a b"]])
def test_braces_are_part_of_the_text(tmp_path: Path, values: list[str]) -> None:
    said = ["{{index}} {{ value }}", "{{{x}}}$it", "{$it}", "${it}}{{", "{{${itval}", "}}", "{{"]
    execution = {
        "exec": "sh", "args": ["-c", 'printf "%s|" "$@" "$A"', "-", *said],
        "env": {"A": "{{${itval}"}, "stdout": "{{index}}$it",
    }  # fmt: skip
    one = spec(str(tmp_path), execution=execution, iteration={"values": values})
    assert len(tasks.samples(one)) == 2
    for position, value in enumerate(values):
        assert run(one, position).returncode == 0
        expected = "|".join([*said, "{{${itval}", ""]).replace("${itval}", value)
        expected = expected.replace("${it}", str(position)).replace("$it", str(position))
        assert (tmp_path / f"{{{{index}}}}{position}").read_text() == expected
    alone = spec(execution={"exec": "e", "args": said[:2]})
    assert argv(alone) == ("e", *said[:2])


@posix
def test_what_only_the_start_tells_is_put_in_by_then(tmp_path: Path) -> None:
    execution = {
        "exec": "sh", "env": {"N": "n=${ncores}", "M": "m"},
        "args": ["-c", 'printf "%s|" "$@" "$N"', "-", "${ncores}c", "$nnodes;${nlist}"],
    }  # fmt: skip
    one = spec(str(tmp_path), execution=execution, resources={"numCores": {"min": 1, "max": 9}})
    told = run(one, SOLVEYARD_CORES="5", SOLVEYARD_NODES="a:4,b.c:1").stdout
    assert told == "5c|2;a,b.c|n=5|"
    certain = spec(execution=execution, resources={"numCores": 2, "numNodes": 3})
    assert "6c" in argv(certain)


@posix
def test_a_script_is_run_by_a_login_shell_with_modules_and_a_virtual_environment(
    tmp_path: Path,
) -> None:
    (tmp_path / "venv" / "bin").mkdir(parents=True)
    (tmp_path / "venv" / "bin" / "activate").write_text("WHERE=inside$#\n")
    execution = {
        "script": 'x="it is ${it}"\nshopt -q login_shell && echo "$x $WHERE $$HOME"; exit 4',
        "venv": "${root_wd}/venv", "stdout": "out",
    }  # fmt: skip
    one = spec(str(tmp_path), execution=execution, iteration={"stop": 2})
    ended = run(one, 1, HOME=str(tmp_path))
    assert ended.returncode == 4
    assert (tmp_path / "out").read_text() == f"it is 1 inside0 {tmp_path}\n"


@posix
@pytest.mark.parametrize("modules", ["a/1 b", ["a/1 b"], ["a/1", "b"], [" a/1  ", "\tb"]])
def test_each_module_of_an_entry_is_loaded(tmp_path: Path, modules: Any) -> None:
    execution = {"script": 'echo "$loaded"', "modules": modules, "stdout": "out"}
    one = spec(str(tmp_path), execution=execution)
    profile = tmp_path / ".bash_profile"
    profile.write_text('module() { loaded="$#: $*"; }; readonly -f module')  # /etc has its own
    assert run(one, HOME=str(tmp_path)).returncode == 0
    assert (tmp_path / "out").read_text() == "3: load a/1 b\n"


@posix
def test_the_jobs_own_file_tells_what_fails_before_its_start(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "activate").write_text("trap 'echo bye' EXIT; return 5\n")
    execution = {"exec": "true", "modules": "no", "stdout": "d/out", "stderr": "d/err"}
    (tmp_path / "d").mkdir()
    ended = run(spec(str(tmp_path), execution=execution), HOME=str(tmp_path))
    assert (ended.returncode, ended.stderr) == (127, "")
    assert "module: command not found" in (tmp_path / "d" / "err").read_text()
    execution = {"script": "true", "venv": ".", "stdout": "out"}
    ended = run(spec(str(tmp_path), execution=execution), HOME=str(tmp_path))
    assert (ended.returncode, ended.stdout) == (5, "")
    assert (tmp_path / "out").read_text() == "bye\n"


@posix
def test_a_script_sees_nothing_of_ours(tmp_path: Path) -> None:
    script = (
        'while getopts v option; do echo "$option"; done\n'
        'echo "${1-none} $# $n $$$${nlist}"; compgen -v solveyard; echo "${nlist} $nnodes"'
    )
    one = spec(str(tmp_path), execution={"script": script, "stdout": "out"})
    assert run(one, SOLVEYARD_NODES="a:1,b:1", n="5", nlist="theirs").returncode == 0
    assert (tmp_path / "out").read_text() == "none 0 5 theirs\na,b 2\n"


@posix
def test_a_program_gets_its_environment_whole(tmp_path: Path) -> None:
    theirs = {"MY-VAR": "1", "BASH_FUNC_f%%": "() { echo f; }", "n": "5", "nlist": "theirs"}
    execution = {"exec": "env", "args": ["-0"], "env": {"a.b": "2", "-u": "$nlist"}}
    profile = tmp_path / "profile"
    profile.write_text("exit 3")
    environment = {**theirs, "SOLVEYARD_NODES": "a:1", "BASH_ENV": str(profile)}
    told = run(spec(str(tmp_path), execution=execution), 0, **environment).stdout.split("\0")
    expected = {**theirs, "a.b": "2", "-u": "a"}
    assert {f"{name}={value}" for name, value in expected.items()} <= {*told}


@posix
def test_names_of_variables_are_filled_in_too(tmp_path: Path) -> None:
    theirs = {"K${it}": "1", "${itval}": "${it}", "C${ncores}": "${nlist}", "B{{$it": "b"}
    execution = {"exec": "env", "args": ["-0"], "env": theirs}
    one = spec(
        str(tmp_path), execution=execution, iteration={"values": ["x", "y"]},
        resources={"numCores": {"min": 1, "max": 2}},
    )  # fmt: skip
    told = run(one, 1, SOLVEYARD_CORES="2", SOLVEYARD_NODES="a:2").stdout.split("\0")
    assert {"K1=1", "y=1", "C2=a", "B{{1=b"} <= {*told}


@pytest.mark.parametrize("value", ["x", "${nlist}"])
@pytest.mark.parametrize(
    "name", ["", "A=B", "Solveyard_ATTEMPT", "SOLVEYARD_${ncores}", "=${ncores}", "${itval}"]
)
def test_a_variable_that_nobody_may_set_is_refused(name: str, value: str) -> None:
    execution = {"exec": "e", "env": {name: value}}
    resources = {"numCores": {"min": 1, "max": 2}}
    iteration = {"values": ["SOLVEYARD_TRY"]}
    with pytest.raises(InvalidJob, match="expected"):
        argv(spec(execution=execution, resources=resources, iteration=iteration))


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"name": "a b"}, "invalid characters or unknown variables"),
        ({"name": "a${what}"}, "invalid characters or unknown variables"),
        ({"name": "a:1"}, "invalid characters"),
        ({"name": ""}, "invalid characters"),
        ({"name": 5}, "expected `str`, got `int` - at `name`"),
        ({"foo": 1}, "the description has no field 'foo'"),
        ({"execution": {}}, "neither `exec` nor `script`"),
        ({"execution": {"exec": 5}}, "expected `str | null`, got `int` - at `execution.exec`"),
        ({"execution": {"exec": "e", "script": "s"}}, "excludes"),
        ({"execution": {"exec": "e", "modelOpts": {}}}, "did you mean 'model_opts'"),
        ({"execution": {"exec": "e", "args": "x"}}, "expected `array | null`"),
        ({"execution": {"exec": "e", "env": {"A": 1}}}, "got `int`"),
        ({"execution": {"exec": "e", "model": "MPI"}}, "unknown job execution model 'MPI'"),
        ({"execution": {"exec": "e", "model_opts": {"mpirun_args": 1}}}, "must be a list"),
        ({"resources": {}}, "No resources defined"),
        ({"resources": None}, "expected `object`, got `null`"),
        ({"resources": {"wt": "1h"}}, "No resources defined"),
        ({"resources": {"numCores": 1, "wt": "soon"}}, "`wt`"),
        ({"resources": {"numCores": 1, "wt": "0s"}}, "Wall time must be greater than 0"),
        ({"resources": {"numCores": {}}}, "No resources defined"),
        ({"resources": {"numCores": 0}}, "`numCores.exact` is 0"),
        ({"resources": {"numCores": -1}}, "must be 1 or more"),
        ({"resources": {"numCores": {"exact": 1.5}}}, "numCores"),
        ({"resources": {"numCores": True}}, "numCores"),
        ({"resources": {"numCores": {"exact": 1, "min": 1}}}, "excludes"),
        ({"resources": {"numCores": {"min": 1}}}, "Both core's range boundaries"),
        ({"resources": {"numNodes": {"max": 1}}}, "Both core's range boundaries"),
        ({"resources": {"numCores": {"min": 3, "max": 2}}}, "more than `max`"),
        ({"resources": {"numCores": 1, "nodeCrs": {"gpu": 1}}}, "goes with `numNodes`"),
        ({"resources": {"numNodes": 1, "nodeCrs": {}}}, "empty"),
        ({"resources": {"numNodes": 1, "nodeCrs": {"fpga": 1}}}, "Unknown consumable resource"),
        ({"resources": {"numNodes": 1, "nodeCrs": {"gpu": 0}}}, "greater than 0"),
        ({"resources": {"numCores": {"min": 1, "scheduler": {"name": "split-into"}}}}, "iteration"),
        ({"iteration": {}}, "one of `stop` and `values`"),
        ({"iteration": {"stop": 2, "values": [1]}}, "one of `stop` and `values`"),
        ({"iteration": {"start": 2, "stop": 2}}, "start index larger"),
        ({"iteration": {"values": []}}, "empty"),
        ({"iteration": {"values": "abc"}}, "expected `array | null`"),
        ({"dependencies": {"after": "a"}}, "expected `array | null`"),
        ({"dependencies": {"after": ["a:x"]}}, "expected JOB"),
        ({"dependencies": {"after": ["a:${it}"]}}, "no iterations"),
        ({"attributes": []}, "attributes"),
    ],
)
def test_what_is_wrong_is_said(fields: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidJob) as refusal:
        spec(**fields)
    assert words in str(refusal.value)


@pytest.mark.parametrize(
    "bad",
    [
        {"scheduler": {"name": "split-into", "params": {"parts": 0}}},
        {"scheduler": {"name": "split-into", "params": {"parts": "two"}}},
        {"scheduler": {"name": "split-into", "params": {"parts": "9" * 5000}}},
        {"scheduler": {"name": "split-into"}, "max": 3},
        {"scheduler": "split-into"},
    ],
)
def test_a_scheduler_that_makes_no_sense_is_refused(bad: dict[str, Any]) -> None:
    with pytest.raises(InvalidJob, match=r"scheduler"):
        spec(resources={"numCores": {"min": 1, **bad}}, iteration={"stop": 2})


def nested(depth: int) -> list[Any]:
    found: list[Any] = []
    for _ in range(depth):
        found = [found]
    return found


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"resources": {"numCores": 1, "wt": "9" * 400 + "s"}}, "`wt`: expected"),
        ({"resources": {"numCores": 1, "wt": "9" * 5000 + "h"}}, "`wt`: expected"),
        ({"execution": {"exec": "e", "args": nested(5000)}}, "nested too deep"),
        ({"attributes": {"a": nested(5000)}}, "nested too deep"),
        ({"name": "\ud800"}, "surrogates not allowed"),
        ({"iteration": {"values": ["\ud800"]}}, "surrogates not allowed"),
    ],
)
def test_what_is_beyond_measure_is_refused(fields: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidJob, match=words):
        spec(**fields)


def test_a_request_is_taken_whole_or_not_at_all() -> None:
    job = {"name": "a", "execution": {"exec": "e"}}
    both = translation.jobs([job, {**job, "name": "b"}], REQUEST, "/", {})
    assert [one.name for one in both] == [*"ab"]
    for wrong, words in (
        (None, "missing jobs data"),
        ([], "missing jobs data"),
        ([job, 5], "wrong job data"),
        ([job, {"execution": {}}], "Missing name"),
        ([job, {"name": "b"}], "Missing execution"),
        ([job, job], "Job a already exist"),
    ):
        with pytest.raises(InvalidJob, match=words):
            translation.jobs(wrong, REQUEST, "/", {})


json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
fields = st.fixed_dictionaries(
    {"name": st.text() | json, "execution": st.fixed_dictionaries({"exec": st.text()}) | json},
    optional={
        "resources": st.dictionaries(st.sampled_from(["numCores", "numNodes", "wt"]), json),
        "iteration": st.dictionaries(st.sampled_from(["start", "stop", "values"]), json),
        "dependencies": st.fixed_dictionaries({"after": st.lists(st.text())}),
    },
)


@given(st.lists(fields | json, min_size=1, max_size=2) | json)
def test_whatever_comes_is_a_specification_or_refused(given_: Any) -> None:
    try:
        found = translation.jobs(given_, REQUEST, "/", {})
    except InvalidJob:
        return
    assert all(msgspec.json.decode(msgspec.json.encode(s), type=JobSpec) == s for s in found)


def test_a_list_of_nodes() -> None:
    four = Resources(cores=4)
    assert translation.nodes("a:4,b:4") == {"a": four, "b": four}
    assert translation.nodes("4, 2") == {"n0": four, "n1": Resources(cores=2)}
    for wrong in ("", "a", "a:0", "a:-1", "a:4,", "a:4,a:4", "a:²", "a:100001", f"a:{'9' * 5000}"):
        with pytest.raises(InvalidSettings):
            translation.nodes(wrong)


def test_nodes_that_are_too_few_for_each_iteration_are_told() -> None:
    size = {"min": 1, "scheduler": {"name": "split-into"}}
    job = {
        "name": "j", "execution": {"exec": "e"}, "iteration": {"stop": 3},
        "resources": {"numNodes": size},
    }  # fmt: skip
    with pytest.raises(InvalidRequest, match="its share of 2 nodes comes to none"):
        Deciding("a:4,b:4").submit([job])
    large_enough = Deciding("a:4,b:4,c:4,d:4,e:4,f:4,g:4")
    large_enough.submit([job])
    assert [sorted(cores) for cores in large_enough.cores.values()] == [[*"ab"], [*"cd"], [*"ef"]]
