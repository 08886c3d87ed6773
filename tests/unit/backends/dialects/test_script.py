"""A batch job's script, run by real shells: it does what is meant, once, and says how it ended."""

import hashlib
import os
import select
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conftest import marked, until
from solveyard.backends.dialects import alive, licences, record, slurm
from solveyard.backends.dialects.base import Answer, BatchJob, Call, Server
from solveyard.backends.dialects.record import Record
from solveyard.backends.dialects.script import heard, within
from solveyard.model.batch import BatchOptions
from solveyard.model.errors import InvalidJob
from solveyard.model.resources import Resources
from unit.backends.dialects.jobs import NASTY, SIMPLE, STORE, directives, job, run

SHELLS = [path for path in map(shutil.which, ("dash", "bash")) if path]
shells = pytest.mark.parametrize("shell", SHELLS)
PRINTF = shutil.which("printf") or "/usr/bin/printf"
END = "the end of it"  #: of a text that is read, which nothing in it looks like


def _start(
    shell: str, one: BatchJob, folder: Path, native: str = "41", task: str = ""
) -> subprocess.Popen[str]:
    script = folder / f"job.{native}"
    script.write_text(slurm.script(one))
    env = {"PATH": os.environ["PATH"], "SLURM_JOB_ID": native, "HOME": str(folder)}
    if task:
        env |= {"SLURM_ARRAY_JOB_ID": native, "SLURM_ARRAY_TASK_ID": task}
    return subprocess.Popen(
        [shell, str(script)], env=env, cwd="/", text=True, stderr=subprocess.PIPE,
        preexec_fn=_hear,
    )  # fmt: skip


def _hear() -> None:
    """Tests that were started by nohup ignore it, and no shell traps what is ignored."""
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


def _run(
    shell: str, one: BatchJob, folder: Path, native: str = "41", task: str = ""
) -> tuple[int, str]:
    with _start(shell, one, folder, native, task) as shell_process:
        _, words = shell_process.communicate(timeout=60)
        return shell_process.returncode, words


def _record(folder: Path, position: int = 0) -> Record:
    place = folder / f"end.{position}"
    told = record.read(place.read_text(), place.stat().st_mtime)
    assert isinstance(told, Record)
    return told


@shells
def test_it_runs_the_command_in_its_folder_and_says_how_it_ended(
    shell: str, tmp_path: Path
) -> None:
    one = job(run(tmp_path, ("sh", "-c", "pwd; echo $A >&2; exit 3"), env={"A": "it's  1"}))
    assert _run(shell, one, tmp_path) == (3, "")
    assert (tmp_path / "out.0").read_text() == f"{tmp_path}\n"
    assert (tmp_path / "err.0").read_text() == "it's 1\n"
    told = _record(tmp_path)
    assert told == Record(
        attempt=f"{STORE}.7.0.1",
        native_id="41",
        host=os.uname().nodename,
        began=told.began,
        ended=told.ended,
        stage="command",
        code=3,
    )
    assert 1.7e9 < (told.began or 0) <= (told.ended or 0)
    assert {path.name for path in tmp_path.iterdir()} == {"job.41", "out.0", "err.0", "end.0"}


@given(
    words=st.lists(NASTY, max_size=4),
    env=st.dictionaries(st.text("ABC", min_size=1), NASTY, max_size=2),
    name=NASTY,
    prologue=st.just("") | NASTY.map(lambda text: f": <<'{END}'\n{text}\n{END}\n"),
    folder=st.text(SIMPLE + " '\"$`\\*#é", min_size=1, max_size=12),
    shell=st.sampled_from(SHELLS),
)
@settings(max_examples=40, deadline=None)
def test_no_text_becomes_a_directive_a_line_or_another_word(
    words: list[str], env: dict[str, str], name: str, prologue: str, folder: str, shell: str
) -> None:
    with tempfile.TemporaryDirectory() as place:
        where = Path(place) / folder
        where.mkdir()
        argv = (PRINTF, "[%s]\\0", *words)
        one = job(run(where, argv, env=env), name=name, options=BatchOptions(prologue=prologue))
        plain = slurm.script(job(run("/f", ("x",)), name="x"))
        meant = [line for line in directives(plain, "#SBATCH") if "--job-name" not in line]
        told = directives(slurm.script(one), "#SBATCH")
        assert [line for line in told if "--job-name" not in line] == meant
        assert len(told) == len(meant) + 1
        checked = subprocess.run(
            [shell, "-n"], input=slurm.script(one), text=True, capture_output=True, check=True
        )
        assert checked.stderr == ""
        assert _run(shell, one, where) == (0, "")
        assert (where / "out.0").read_bytes().decode() == "".join(
            f"[{word}]\0" for word in (words or [""])
        )
        seen = job(run(where, ("env", "-0"), env=env, position=1))
        assert _run(shell, seen, where, "42")[0] == 0
        printed = (where / "out.1").read_bytes().decode().split("\0")
        assert {f"{key}={value}" for key, value in env.items()} <= set(printed)
        assert not list(Path(place).rglob("pwned"))


@shells
def test_a_second_batch_job_for_the_same_attempt_runs_nothing(shell: str, tmp_path: Path) -> None:
    one = job(run(tmp_path, ("sh", "-c", "echo ran; exit 3")))
    assert _run(shell, one, tmp_path, "41")[0] == 3
    before = (tmp_path / "end.0").read_text()
    code, words = _run(shell, one, tmp_path, "42")
    assert code == 125
    assert words == (
        f"{STORE}.7.0.1: it has begun elsewhere, or can't write {tmp_path / 'end.0'}\n"
    )
    assert (tmp_path / "out.0").read_text() == "ran\n"
    assert (tmp_path / "end.0").read_text() == before


@shells
def test_of_many_at_once_one_runs(shell: str, tmp_path: Path) -> None:
    one = job(run(tmp_path, ("echo", "ran")))
    started = [_start(shell, one, tmp_path, str(native)) for native in range(8)]
    for process in started:
        process.communicate(timeout=60)
    assert sorted(process.returncode for process in started) == [0] + [125] * 7
    assert (tmp_path / "out.0").read_text() == "ran\n"


@shells
def test_one_that_its_batch_system_starts_anew_doesnt_run_again(shell: str, tmp_path: Path) -> None:
    """A controller that comes back with older state starts what runs, under the same id."""
    one = job(run(tmp_path, ("sh", "-c", "echo ran; exit 3")))
    assert _run(shell, one, tmp_path)[0] == 3
    assert _run(shell, one, tmp_path)[0] == 125
    assert (tmp_path / "out.0").read_text() == "ran\n"


@shells
@pytest.mark.parametrize("able", [False, True])
@pytest.mark.parametrize("name", ["TERM", "INT", "USR1", "HUP"])
def test_a_signal_reaches_the_command_and_its_own_end_counts(
    shell: str, name: str, able: bool, tmp_path: Path
) -> None:
    os.mkfifo(tmp_path / "ready")
    program = f"trap 'echo caught; exit 9' {name}; echo > ready; while :; do sleep 0.05; done"
    one = job(run(tmp_path, ("sh", "-c", program)), able=able)
    with _start(shell, one, tmp_path) as process:
        with (tmp_path / "ready").open() as ready:
            ready.readline()
        begun = _record(tmp_path)
        assert (begun.native_id, begun.code, begun.ended) == ("41", None, None)
        process.send_signal(signal.Signals[f"SIG{name}"])
        process.communicate(timeout=60)
    assert process.returncode == 9
    assert (tmp_path / "out.0").read_text() == "caught\n"
    assert _record(tmp_path).code == 9


@shells
@pytest.mark.parametrize("code", [0, 125, 126, 127])
def test_it_runs_the_command_once_where_env_should_be_able_to_and_is(
    shell: str, code: int, tmp_path: Path
) -> None:
    one = job(run(tmp_path, ("sh", "-c", f"echo ran; exit {code}")), able=True)
    assert _run(shell, one, tmp_path) == (code, "")
    assert (tmp_path / "out.0").read_text() == "ran\n"


@shells
@pytest.mark.parametrize("able", [False, True])
@pytest.mark.parametrize("env", ["echo unknown option >&2; exit 125", "exit 127"])
def test_it_runs_the_command_once_where_env_is_an_older_one(
    shell: str, env: str, able: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    older = tmp_path / "older"
    older.mkdir()
    (older / "env").write_text(f"#!/bin/sh\n{env}\n")
    (older / "env").chmod(0o700)
    monkeypatch.setenv("PATH", f"{older}:{os.environ['PATH']}")
    one = job(run(tmp_path, ("sh", "-c", "echo ran; exit 125")), able=able)
    assert _run(shell, one, tmp_path) == (125, "")
    assert (tmp_path / "out.0").read_text() == "ran\n"
    assert _record(tmp_path).code == 125


@given(
    words=st.lists(st.lists(NASTY, min_size=1, max_size=3), min_size=1, max_size=4),
    values=st.lists(NASTY, min_size=4, max_size=4),
    shell=st.sampled_from(SHELLS),
)
@settings(max_examples=25, deadline=None)
def test_each_task_of_an_array_has_its_own_words_and_variables(
    words: list[list[str]], values: list[str], shell: str
) -> None:
    """Whether or not all have as many."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        text = 'for one; do printf "[%s]" "$one"; done; printf %s "$A$B"'
        runs = [
            run(folder, ("sh", "-c", text, "sh", *told), position=at, env={"A": "1", "B": value})
            for at, (told, value) in enumerate(zip(words, values, strict=False))
        ]
        for at, (told, value) in enumerate(zip(words, values, strict=False)):
            one = job(*runs, array=True)
            assert _run(shell, one, folder, task=str(at)) == (0, "")
            expected = "".join(f"[{word}]" for word in told) + "1" + value
            assert (folder / f"out.{at}").read_bytes() == expected.encode()


@given(
    start=st.integers(-1, 120) | st.integers(995, 1005) | st.just(10**15 - 2),
    step=st.integers(-12, 12).filter(bool),
    odd=st.none() | st.integers(0, 59),
    width=st.sampled_from([1, 1, 2, 3]),
    begin=st.sampled_from(["", "a ", "x=0.", "0", "10", "a-"]),
    end=st.sampled_from(["", ".in", "0", "5'"]),
    many=st.sampled_from([2, 11, 60]),
    shell=st.sampled_from(SHELLS),
)
@settings(max_examples=25, deadline=None)
def test_each_task_of_an_array_has_its_own_number_however_they_go(
    start: int, step: int, odd: int | None, width: int, begin: str, end: str, many: int, shell: str
) -> None:
    numbers = [start + step * at for at in range(many)]
    if odd is not None:
        numbers[odd % many] = 7
    words = [f"{begin}{number:0{width}d}{end}" for number in numbers]
    runs = [run("/f", ("x", told), position=at) for at, told in enumerate(words)]
    head, _, rest = slurm.script(job(*runs, array=True)).partition("set -C\n")
    (argv,) = [line for line in rest.splitlines() if line.startswith("set -- x ")]
    text = 'for SLURM_ARRAY_TASK_ID; do . "$0"; printf "%s\\n" "$2" "$solveyard_attempt"; done'
    with tempfile.TemporaryDirectory() as place:
        (Path(place) / "head").write_text(head + argv)
        given = [f"{place}/head", *map(str, range(many))]
        done = subprocess.run(
            [shell, "-c", text, *given], capture_output=True, text=True, check=True
        )
    told = zip(words, (one.attempt for one in runs), strict=True)
    assert done.stdout.splitlines() == [line for pair in told for line in pair]


@shells
def test_of_a_long_array_each_task_has_its_own_words(shell: str, tmp_path: Path) -> None:
    words = [f'it\'s "{at * at % 61}"\n$(touch pwned) #SBATCH' for at in range(60)]
    runs = [run(tmp_path, (PRINTF, "%s", told), position=at) for at, told in enumerate(words)]
    one = job(*runs, array=True)
    plain = directives(slurm.script(job(array=True)), "#SBATCH")
    assert len(directives(slurm.script(one), "#SBATCH")) == len(plain)
    for at in (0, 24, 25, 59):
        assert _run(shell, one, tmp_path, "41", str(at)) == (0, "")
        assert (tmp_path / f"out.{at}").read_text() == words[at]
    for task in ("60", "-1", "x"):
        assert _run(shell, one, tmp_path, "41", task)[0] == 125
    assert len(list(tmp_path.glob("end.*"))) == 4


def test_an_array_of_a_thousand_takes_little_for_each() -> None:
    runs = [
        run(f"/scratch/jobs/{at}", ("./solve", f"{at}.in"), position=at, env={"JOB": str(at)})
        for at in range(1000)
    ]
    counted = len(slurm.script(job(*runs, array=True)))
    assert counted < 5000
    names = [hashlib.sha256(str(at).encode()).hexdigest()[:8] for at in range(1000)]
    runs = [one._replace(argv=("./solve", name)) for one, name in zip(runs, names, strict=True)]
    assert len(slurm.script(job(*runs, array=True))) < counted + 30 * len(runs)


@shells
def test_a_command_that_goes_on_after_a_signal_ends_as_it_likes(shell: str, tmp_path: Path) -> None:
    for name in ("ready", "caught", "go"):
        os.mkfifo(tmp_path / name)
    caught, go = (os.open(tmp_path / name, os.O_RDWR) for name in ("caught", "go"))
    program = "trap 'echo > caught' USR1; echo > ready; until read line < go; do :; done; exit 5"
    one = job(run(tmp_path, ("bash", "-c", program)))
    with _start(shell, one, tmp_path) as process:
        (tmp_path / "ready").read_text()
        try:
            for _ in range(3):
                process.send_signal(signal.SIGUSR1)
                while not select.select([caught], [], [], 5)[0]:
                    process.send_signal(signal.SIGUSR1)  # bash kept one until something wakes it
                assert os.read(caught, 1) == b"\n"
        finally:
            os.write(go, b"\n")
        process.communicate(timeout=60)
    os.close(caught)
    os.close(go)
    assert process.returncode == 5
    assert _record(tmp_path).code == 5


@shells
def test_a_command_that_a_signal_ends_leaves_that_on_record(shell: str, tmp_path: Path) -> None:
    assert _run(shell, job(run(tmp_path, ("sh", "-c", "kill -KILL $$"))), tmp_path)[0] == 137
    assert (_record(tmp_path).code, _record(tmp_path).signal) == (137, 9)


@shells
@pytest.mark.parametrize(
    ("options", "stage", "code"),
    [
        ({"prologue": "export A=1\nfalse"}, "prologue", 1),
        ({"prologue": "exit 4"}, "prologue", 4),
        ({"prologue": "if true; then"}, "prologue", 2),
        ({"prologue": "echo 'open"}, "prologue", 2),
        ({"modules": ("ansys/2025r2",)}, "modules", 127),
    ],
)
def test_what_fails_before_the_command_is_named_and_the_command_never_starts(
    shell: str, options: dict[str, object], stage: str, code: int, tmp_path: Path
) -> None:
    one = job(
        run(tmp_path, ("touch", "ran"), env={"MODULESHOME": "/nowhere"}),
        options=BatchOptions(**options),  # type: ignore[arg-type]
    )
    ended, _ = _run(shell, one, tmp_path)
    told = _record(tmp_path)
    assert (told.stage, told.code, told.signal) == (stage, ended, None)
    assert ended == code or (code == 2 and ended)
    assert not (tmp_path / "ran").exists()


@shells
def test_a_folder_that_is_not_there_is_named(shell: str, tmp_path: Path) -> None:
    one = job(run(tmp_path)._replace(directory=str(tmp_path / "gone")))
    code, words = _run(shell, one, tmp_path)
    assert (code, _record(tmp_path).stage) == (125, "directory")
    assert str(tmp_path / "gone") in words


@shells
def test_modules_prologue_and_epilogue_surround_the_command(shell: str, tmp_path: Path) -> None:
    (tmp_path / "init").mkdir()
    (tmp_path / "init" / "sh").write_text('module() { echo "$@"; }\n')
    options = BatchOptions(
        modules=("gcc/12.2", "ansys"),
        prologue="set -eu\nexport A=2; attempt=x",
        epilogue='echo "after $SOLVEYARD_EXIT in $A"; exit 7',
    )
    one = job(
        run(tmp_path, ("sh", "-c", "echo during $A; exit 3"), env={"MODULESHOME": str(tmp_path)}),
        options=options,
    )
    assert _run(shell, one, tmp_path) == (3, "")
    assert (tmp_path / "out.0").read_text() == ("load gcc/12.2 ansys\nduring 2\nafter 3 in 2\n")
    assert (_record(tmp_path).stage, _record(tmp_path).code) == ("command", 3)


#: As vendors' scripts do: options are read from "$@", and shifted away.
VENDORS = """\
while [ $# -gt 0 ]; do case $1 in --help) return 1 ;; *) echo "ignored: $1"; shift ;; esac; done
export VENDOR=1
"""


@shells
@pytest.mark.parametrize("how", [". ./vendor.sh", "set -- uname -s", "shift $#"])
@pytest.mark.parametrize("task", ["", "1"])
def test_a_prologue_neither_sees_nor_changes_the_commands_words(
    shell: str, how: str, task: str, tmp_path: Path
) -> None:
    (tmp_path / "vendor.sh").write_text(VENDORS)
    runs = [
        run(tmp_path, (PRINTF, "%s\n", "it's\n--help", f"{at * at}"), position=at)
        for at in range(4 if task else 1)
    ]
    one = job(*runs, array=bool(task), options=BatchOptions(prologue=how))
    assert _run(shell, one, tmp_path, task=task) == (0, "")
    assert (tmp_path / f"out.{task or 0}").read_text() == f"it's\n--help\n{task or 0}\n"


@shells
def test_modules_neither_see_nor_change_the_commands_words(shell: str, tmp_path: Path) -> None:
    (tmp_path / "init").mkdir()
    (tmp_path / "init" / "sh").write_text('echo "$#"; set -- x; module() { shift; }\n')
    env = {"MODULESHOME": str(tmp_path)}
    argv = (PRINTF, "%s\n", "ran")
    one = job(run(tmp_path, argv, env=env), options=BatchOptions(modules=("a",)))
    assert _run(shell, one, tmp_path) == (0, "")
    assert (tmp_path / "out.0").read_text() == "0\nran\n"


@shells
def test_a_prologue_with_traps_of_its_own_leaves_the_record_its_end(
    shell: str, tmp_path: Path
) -> None:
    """What it wants done at the end is done where its shell tells a script of its traps."""
    prologue = "t=scratch; mkdir $t; trap 'rmdir \"$t\"' EXIT; trap '' TERM"
    one = job(run(tmp_path, ("sh", "-c", "exit 3")), options=BatchOptions(prologue=prologue))
    assert _run(shell, one, tmp_path) == (3, "")
    assert (_record(tmp_path).stage, _record(tmp_path).code) == ("command", 3)
    assert (tmp_path / "scratch").exists() == shell.endswith("dash")
    assert (tmp_path / "err.0").read_text() == ""


@shells
def test_a_prologue_with_traps_of_its_own_that_fails_is_named(shell: str, tmp_path: Path) -> None:
    prologue = "trap 'echo cleared' EXIT; false"
    one = job(run(tmp_path), options=BatchOptions(prologue=prologue))
    assert _run(shell, one, tmp_path) == (1, "")
    assert (_record(tmp_path).stage, _record(tmp_path).code) == ("prologue", 1)


@shells
def test_a_licence_that_is_free_by_its_server_is_not_asked_of_the_batch_system(
    shell: str, tmp_path: Path
) -> None:
    (tmp_path / "it's\nsaid").write_text(
        "Users of a:  (Total of 3 licenses issued;  Total of 1 license in use)\n"
        "Users of b:  (Total of 2 licenses issued;  Total of 2 licenses in use)\n"
        "Users of a:  (Total of 1 license issued;  Total of 0 licenses in use)\n"
    )
    server = Server(("a", "b"), f'cat "{tmp_path}/it\'s\n"*; exit 3', 600.0)
    wants = Resources(licences={"a": 3, "b": 0, "c": 1})
    one = job(run(tmp_path, ("echo", "ran")), server=server, resources=wants)
    told = [line for line in directives(slurm.script(one), "#SBATCH") if "licenses" in line]
    assert told == ["--licenses=c:1"]
    assert _run(shell, one, tmp_path) == (0, "")
    assert (tmp_path / "out.0").read_text() == "ran\n"


@shells
def test_licences_are_asked_for_whatever_the_jobs_own_path_has(
    shell: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second question finds one free."""
    monkeypatch.setattr(licences, "_PAUSE", 0)
    (tmp_path / "own").mkdir()
    lmstat = tmp_path / "own" / "lmstat"
    lmstat.write_text(
        "#!/bin/sh\nif [ -e asked ]; then used=0; else used=1; fi; : >asked\n"
        'echo "Users of a:  (Total of 1 license issued;  Total of $used licenses in use)"\n'
    )
    lmstat.chmod(0o700)
    path = f"{tmp_path}/own"
    one = job(
        run(tmp_path, ("/bin/sh", "-c", "echo $PATH"), env={"PATH": path}),
        server=Server(("a",), "lmstat", 600.0),
        resources=Resources(licences={"a": 1}),
    )
    assert _run(shell, one, tmp_path) == (0, "")
    assert (tmp_path / "out.0").read_text() == f"{path}\n"
    assert (tmp_path / "err.0").read_text() == ""


@shells
def test_where_a_node_cant_ask_for_licences_the_record_says_so(
    shell: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "bin").mkdir()
    for name in ("date", "sleep", "uname"):
        (tmp_path / "bin" / name).symlink_to(shutil.which(name) or "")
    monkeypatch.setenv("PATH", f"{tmp_path}/bin")
    server = Server(("a",), "true", 600.0)
    one = job(run(tmp_path), server=server, resources=Resources(licences={"a": 1}))
    assert _run(shell, one, tmp_path) == (127, "")
    assert (_record(tmp_path).stage, _record(tmp_path).code) == ("asking", 127)
    assert "there is no awk" in (tmp_path / "err.0").read_text()


@shells
def test_a_shell_that_reads_it_from_its_standard_input_runs_all_of_it(
    shell: str, tmp_path: Path
) -> None:
    options = BatchOptions(prologue="cat; echo before", epilogue="cat; echo after")
    text = slurm.script(job(run(tmp_path, ("sh", "-c", "cat; echo ran")), options=options))
    subprocess.run([shell], input=text, text=True, check=True, env={"SLURM_JOB_ID": "41"})
    assert (tmp_path / "out.0").read_text() == "before\nran\nafter\n"
    assert _record(tmp_path).code == 0


@shells
def test_a_task_of_an_array_is_its_own_run(shell: str, tmp_path: Path) -> None:
    runs = [
        run(tmp_path, ("echo", f"it's {n}"), position=n, env={"N": str(n), "ALL": "a"})
        for n in range(3)
    ]
    one = job(*runs, array=True)
    assert _run(shell, one, tmp_path, "41", "2") == (0, "")
    assert (tmp_path / "out.2").read_text() == "it's 2\n"
    assert _record(tmp_path, 2).attempt == f"{STORE}.7.2.1"
    assert _record(tmp_path, 2).native_id == "41_2"
    assert not (tmp_path / "out.0").exists()
    assert _run(shell, one, tmp_path, "41", "3")[0] == 125
    assert slurm.script(one).count("export ALL=a") == 1


@shells
def test_a_path_without_programs_leaves_a_record_all_the_same(shell: str, tmp_path: Path) -> None:
    one = job(run(tmp_path, ("/bin/sh", "-c", "exit 3"), env={"PATH": "/nowhere", "IFS": "e"}))
    assert _run(shell, one, tmp_path)[0] == 3
    assert _record(tmp_path).code == 3


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"argv": ("a\0b",)}, "`argv`: expected text without NUL characters, got 'a\\x00b'"),
        ({"argv": ()}, "`argv`: expected a program's name first"),
        ({"argv": ("\ud800",)}, "`argv`: '\\ud800' is no text"),
        ({"env": {"A B": ""}}, "`env`: 'A B' can't be a variable of a batch job"),
        ({"env": {"solveyard_path": ""}}, "`env`: 'solveyard_path' can't be a variable"),
        ({"env": {"UID": "5"}}, "`env`: 'UID' is a shell's own"),
        ({"env": {"A": "\0"}}, "`env.A`: expected text without NUL"),
        ({"directory": "/a\nb"}, "`directory`: expected text without lines and NUL"),
        ({"record": "/a\rb"}, "`record`: expected text without lines and NUL"),
        ({"attempt": "x"}, "'x' is no attempt's id"),
    ],
)
def test_what_no_script_can_say_is_refused(fields: dict[str, object], message: str) -> None:
    with pytest.raises(InvalidJob) as caught:
        slurm.script(job(run()._replace(**fields)))  # type: ignore[arg-type]
    assert message in str(caught.value)


@shells
def test_what_a_shell_lets_nobody_set_is_refused(shell: str) -> None:
    text = "readonly -p | sed 's/=.*//; s/.* //'"
    done = subprocess.run([shell, "-c", text], capture_output=True, text=True, check=True)
    for name in [*done.stdout.split(), "PPID", "RANDOM", "OPTIND"]:
        for script in (slurm.script, slurm.plain):
            with pytest.raises(InvalidJob, match=f"`env`: '{name}' is a shell's own"):
                script(job(run(env={name: "5"})))


@shells
def test_client_commands_run_in_a_clusters_modules_and_prologue(shell: str, tmp_path: Path) -> None:
    (tmp_path / "init").mkdir()
    (tmp_path / "init" / "sh").write_text('module() { M="$*"; export M; echo loaded; cat; }\n')
    options = BatchOptions(modules=("slurm",), prologue="export A='1\n2'; set -u; echo ready; cat")
    call = within(Call(("sh", "-c", 'echo "$M|$A|$1|$(cat)"', "sh", "it's")), options)
    done = subprocess.run(
        [shell, *call.argv[1:]],
        env={"PATH": os.environ["PATH"], "MODULESHOME": str(tmp_path)},
        input="script", capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout == "load slurm|1\n2|it's|script\n"
    assert within(call, BatchOptions()) is call


@shells
def test_a_prologue_neither_changes_a_client_command_nor_speaks_for_it(
    shell: str, tmp_path: Path
) -> None:
    (tmp_path / "vendor.sh").write_text(f"echo noise >&2\n{VENDORS}")
    options = BatchOptions(prologue=f"set -x; . {tmp_path}/vendor.sh; IFS=l; printf more >&2")
    call = within(
        Call(("sh", "-c", 'echo "$1|$2"; echo no >&2; exit 3', "sh", "it's", "")), options
    )
    done = subprocess.run([shell, *call.argv[1:]], capture_output=True, text=True, check=False)
    assert "noise" in done.stderr
    told = heard(Answer(done.returncode, done.stdout, done.stderr))
    assert told == Answer(3, "it's|\n", "no\n")
    fails = within(Call(("true",)), BatchOptions(prologue="echo why >&2; false"))
    done = subprocess.run([shell, *fails.argv[1:]], capture_output=True, text=True, check=False)
    assert heard(Answer(done.returncode, "", done.stderr)) == Answer(1, "", "why\n")


def test_a_record_tells_its_times_by_how_long_its_node_has_been_up_and_its_files_time() -> None:
    begun = f'{{"attempt":"{STORE}.7.0.1","native":"41","host":"n1","up":80.25,"now":80.25}}\n'
    told = record.read(begun, 1_795_167_338.5)
    assert isinstance(told, Record)
    assert (told.began, told.ended) == (1_795_167_338.5, None)
    waits = begun.replace('"now":80.25', '"now":90.5,"stage":"licence"')
    told = record.read(begun + waits, 1_795_167_348.75)
    assert isinstance(told, Record)
    assert (told.began, told.ended, told.stage) == (1_795_167_338.5, None, "licence")
    ended = begun.replace('"now":80.25', '"now":84.75,"stage":"command","code":0')
    told = record.read(begun + ended, 1_795_167_343.0)
    assert isinstance(told, Record)
    assert (told.began, told.ended) == (1_795_167_338.5, 1_795_167_343.0)


@given(st.integers(0, 400))
def test_a_record_that_is_cut_off_says_nothing(length: int) -> None:
    text = (
        f'{{"attempt":"{STORE}.7.0.1","native":"41","host":"n1","began":1795167338'
        ',"ended":1795167340,"stage":"command","code":30}\n'
    )
    part = text[:length]
    told = record.read(part, 0.0)
    assert isinstance(told, Record) == (len(part) >= len(text) - 1)
    assert not isinstance(told, Record) or told.code == 30
    begun = f'{{"attempt":"{STORE}.7.0.1","native":"41","host":"n1","began":1795167338}}\n'
    told = record.read(begun + part, 0.0)
    assert isinstance(told, Record)
    assert told.code == (30 if len(part) >= len(text) - 1 else None)


@shells
def test_of_a_job_that_is_watched_it_tells_what_its_processes_use(
    shell: str, tmp_path: Path
) -> None:
    """The second run computes until a second of CPU is told."""
    told = tmp_path / "end.0.alive"
    waits = f'until [ "$(wc -l <{told})" -ge 2 ]; do sleep 0.1; done'
    one = job(run(tmp_path, ("sh", "-c", f"sleep 100 & touch {told}; {waits}; kill $!")), watch=1)
    assert _run(shell, one, tmp_path) == (0, "")
    quiet = alive.read(told.read_text())
    assert quiet is not None
    assert (quiet.cpu, quiet.processes >= 2) == (0.0, True)
    again = tmp_path / "again"
    again.mkdir()
    second = f"until grep -q '^[1-9]' {again}/end.0.alive; do sleep 0.1; done"
    busy = f"while :; do :; done & {second}; kill $!"
    assert _run(shell, job(run(again, ("sh", "-c", busy)), watch=1), again) == (0, "")
    computes = alive.read((again / "end.0.alive").read_text())
    assert computes is not None
    assert computes.cpu >= 1
    assert computes.ids > quiet.processes


@shells
def test_the_watch_ends_with_its_job(shell: str, tmp_path: Path) -> None:
    one = job(run(tmp_path, ("true",), env={"MARK": str(tmp_path)}), watch=100)
    assert _run(shell, one, tmp_path) == (0, "")
    until(lambda: not marked(str(tmp_path)), "nothing of it is left")


@pytest.mark.parametrize("text", ["", "7.5 3", "7.5 3 9", "a b c\n", "7.5 3 9\nrest\n"])
def test_what_is_no_whole_line_of_a_watch_tells_nothing(text: str) -> None:
    assert alive.read(text) is None
    assert alive.read(f"{text}\n1.5 2 30\n4 1") == alive.Alive(1.5, 2, 30)
