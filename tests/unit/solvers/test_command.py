"""Any program as a job."""

from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from solveyard.model.arrays import ArraySpec
from solveyard.model.errors import InvalidJob
from solveyard.model.jobs import JobSpec, Reason
from solveyard.solvers import tasks
from solveyard.solvers.base import Command, Exit, OutputFile
from solveyard.solvers.command import FILES_LIMIT, CommandSolver

GOLDEN = Path(__file__).parents[2] / "golden" / "command"
SOLVER = CommandSolver()


def spec(directory: str = "", **options: Any) -> JobSpec:  # options as a user may give them
    return JobSpec(
        solver="command", directory=directory, options=msgspec.Raw(msgspec.json.encode(options))
    )


def test_the_command_is_what_was_asked() -> None:
    asked = spec(
        "/data/run",
        argv=["python3", "run.py", ""],
        env={"OMP_NUM_THREADS": "4"},
        files={"in/run.py": "print(1)\n"},
        outputs=["out/r.s2p"],
    )
    assert SOLVER.command(asked) == Command(
        argv=("python3", "run.py", ""),
        env={"OMP_NUM_THREADS": "4"},
        directory="/data/run",
        files={"in/run.py": "print(1)\n"},
        outputs=("out/r.s2p",),
        own_folder=True,
    )


def test_a_folder_of_its_own_is_made_only_for_files() -> None:
    assert not SOLVER.command(spec(argv=["true"])).own_folder
    assert SOLVER.command(spec(argv=["true"], outputs=["r"])).own_folder
    assert SOLVER.command(spec(argv=["true"], files={"r": ""})).own_folder


def refusal(asked: JobSpec) -> str:
    with pytest.raises(InvalidJob) as caught:
        SOLVER.command(asked)
    message = str(caught.value)
    assert "\n" not in message
    assert len(message) < 700
    return message


def test_a_string_is_refused_with_the_hint_to_give_a_list() -> None:
    message = refusal(spec(argv="echo hello"))
    assert message.startswith("`options.argv`: expected a list, ")
    assert "got 'echo hello'" in message
    assert '["sh", "-c", "..."]' in message


@pytest.mark.parametrize(
    ("options", "place"),
    [
        ({}, "`options.argv` is missing"),
        (
            {"argv": []},
            "`options.argv`: expected at least 1 item, got []; give the program and its",
        ),
        ({"argv": [""]}, "`options.argv`: expected a program's name first"),
        ({"argv": ["a", None]}, "`options.argv.1`: "),
        ({"argv": ["a\0b"]}, "`options.argv.0`: expected text without NUL"),
        ({"argv": ["a"], "env": {"A=B": "1"}}, "`options.env.A=B`: expected a variable's name"),
        ({"argv": ["a"], "env": {"": "1"}}, "`options.env."),
        (
            {"argv": ["a"], "env": {"SOLVEYARD_HOME": "1"}},
            "`options.env.SOLVEYARD_HOME`: expected another name",
        ),
        ({"argv": ["a"], "env": {"A": None}}, "`options.env.A`: "),
        ({"argv": ["a"], "outputs": "r.txt"}, "`options.outputs`: "),
        ({"argv": ["a"], "outputs": ["r", "r"]}, "`options.outputs`: expected each output once"),
        ({"argv": ["a"], "argvv": ["b"]}, "`options.argvv` is no option of solver 'command' (it"),
        ({"argv": ["a"], "files": {"x": "y" * (FILES_LIMIT + 1)}}, "`options.files`: expected at"),
    ],
)
def test_a_bad_option_is_named_with_its_place(options: dict[str, Any], place: str) -> None:
    assert refusal(spec(**options)).startswith(place)


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/etc/passwd",
        "../up",
        "a/../../up",
        "a//b",
        "./a",
        "C:\\x",
        "C:x",
        "\\x",
        "..\\x",
        "a\0",
    ],
)
def test_paths_stay_inside_the_directory(path: str) -> None:
    assert "expected a path inside" in refusal(spec(argv=["a"], outputs=[path]))
    assert "expected a path inside" in refusal(spec(argv=["a"], files={path: ""}))


@pytest.mark.parametrize("directory", ["data/run", "~/run", "/a\0b"])
def test_the_directory_is_absolute(directory: str) -> None:
    assert refusal(spec(directory, argv=["a"])).startswith("`directory`: ")


@pytest.mark.parametrize("raw", [b"[]", b"nonsense", b'"x"', b"3", b"{" * 5000])
def test_options_that_are_no_object_are_refused(raw: bytes) -> None:
    assert refusal(JobSpec(solver="command", options=msgspec.Raw(raw)))


def test_a_plain_command_needs_no_file_to_be_read() -> None:
    assert list(SOLVER.evidence(spec(argv=["true"], outputs=["r.csv"]))) == []


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("line.s2p", Reason.SUCCESS),
        ("splitter.s3p", Reason.SUCCESS),
        ("hybrid.s4p", Reason.SUCCESS),
        ("diverged.s1p", Reason.CRITERIA),
    ],
)
def test_touchstone_results_are_read_and_judged(name: str, reason: Reason) -> None:
    asked = spec(argv=["solve"], outputs=[name])
    content = (GOLDEN / name).read_bytes()
    output = OutputFile(path=name, size=len(content), fresh=True)
    (query,) = SOLVER.evidence(asked)
    assert query.path == name
    found = SOLVER.verdict(asked, Exit(code=0, outputs=(output,)), {name: content})
    assert found.reason is reason


def test_a_job_that_another_version_accepted_is_still_judged() -> None:
    strange = spec(argv=["true"], from_the_future=1)
    assert list(SOLVER.evidence(strange)) == []
    assert SOLVER.verdict(strange, Exit(code=0), {}).reason is Reason.SUCCESS


def test_a_task_s_numbers_are_words_of_its_command() -> None:
    options = {
        "argv": ["solve", "{{w}}", "--fine={{fine}}", "{{fine}}"],
        "env": {"W": "{{w}}"},
        "outputs": ["{{index}}"],
        "files": {"w.txt": "{{w}}"},
    }
    array = ArraySpec(rows=({"w": 0.1, "fine": True}, {"w": 3, "fine": False}))
    command = SOLVER.command(tasks.spec_at(replace(spec(**options), array=array), 0))
    assert command.argv == ("solve", "0.1", "--fine=true", "true")
    assert (command.env, command.outputs) == ({"W": "0.1"}, ("0",))
    assert command.files == {"w.txt": "0.1"}
