"""HFSS as a job: what is completed, started and judged."""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from solveyard.model.arrays import ArraySpec
from solveyard.model.errors import InvalidJob
from solveyard.model.jobs import JobSpec, Outcome, Reason
from solveyard.model.policies import RetryPolicy
from solveyard.model.resources import Resources
from solveyard.solvers import tasks
from solveyard.solvers.base import STDERR, TAIL, Exit, OutputFile
from solveyard.solvers.hfss import forwarded, installations
from solveyard.solvers.hfss.causes import CAUSES
from solveyard.solvers.hfss.solver import HfssSolver

SOLVER = HfssSolver()
GOLDEN = Path(__file__).parents[2] / "golden" / "hfss"
LOG = "board.aedt.batchinfo/board-j1.log"
EDT = "/ansys_inc/v252/AnsysEM/ansysedt"


class Machine:
    """A machine made of a list of files."""

    licences: Collection[str] = ()
    elsewhere: Collection[str] = ("hpc",)

    def __init__(
        self, *files: str, windows: bool = False, links: Mapping[str, str] = {}, **environment: str
    ) -> None:
        self.files = files
        self.windows = windows
        self.environment = environment
        self.links = links

    def listing(self, folder: str) -> Sequence[str]:
        between = "\\" if self.windows else "/"
        inside = folder.rstrip(between) + between
        rest = [file[len(inside) :] for file in self.files if file.startswith(inside)]
        return sorted({text.split(between)[0] for text in rest})

    def read_only(self, folder: str) -> bool:
        return folder == "/archive"

    def resolve(self, path: str) -> str:
        return self.links.get(path, path)


def spec(**options: Any) -> JobSpec:
    chosen = {"project_path": "/projects/board.aedt", "jobid": "j1", "ansys_edt_path": EDT}
    chosen |= options
    given = {name: value for name, value in chosen.items() if value is not None}
    return JobSpec(solver="hfss", options=msgspec.Raw(msgspec.json.encode(given)))


def judged(content: bytes | None, code: int = 0, *, fresh: bool = True, **files: bytes) -> Outcome:
    """The verdict on a run that left this log, and a solution beside it."""
    output = OutputFile(path=LOG, size=None if content is None else 9, fresh=fresh)
    results = {f"board.aedtresults/{name}.s1p": text for name, text in files.items()}
    solution: dict[str, bytes | None] = {"board.aedtresults/board.asol": b""}
    evidence = {LOG: content} | solution | results
    return SOLVER.verdict(spec(), Exit(code=code, outputs=(output,)), evidence)


def recorded(name: str) -> bytes:
    return (GOLDEN / f"{name}.log").read_bytes()


def written(name: str) -> bytes:
    return (GOLDEN / "written" / f"{name}.log").read_bytes()


# One project


def test_a_layout_and_the_project_around_it_are_never_open_at_once() -> None:
    layout = SOLVER.complete(spec(project_path="/projects/board.aedb"), Machine())
    assert layout.exclusive == ("/projects/board.aedb", "/projects/board.aedt")
    assert SOLVER.complete(spec(), Machine()).exclusive == ("/projects/board.aedt",)


# Read-only projects


def test_a_project_beside_which_nothing_can_be_written_is_solved_on_a_copy() -> None:
    machine = Machine()
    there = SOLVER.complete(spec(project_path="/archive/board.aedt"), machine)
    assert msgspec.json.decode(there.options)["workspace"] == "copy"
    assert (there.directory, there.exclusive) == ("", ())
    assert "hfss_copy" in " ".join(SOLVER.command(there).argv)
    array = replace(spec(project_path="/archive/v{{index}}.aedt"), array=ArraySpec(stop=2))
    tasks_ = SOLVER.complete(array, machine)
    assert msgspec.json.decode(tasks_.options)["workspace"] == "copy"
    assert (tasks_.directory, tasks_.exclusive) == ("", ())
    for elsewhere in (spec(), replace(spec(project_path="/archive/board.aedt"), on="cluster")):
        kept = SOLVER.complete(elsewhere, machine)
        assert "workspace" not in msgspec.json.decode(kept.options)


# Clusters that can't be seen


def test_on_a_cluster_that_can_not_be_seen_nothing_of_this_machine_is_taken_for_its_own() -> None:
    machine = Machine(EDT, ANSYSEM_ROOT252="/ansys_inc/v252/AnsysEM")
    away, here = (replace(spec(ansys_edt_path=None), on=on) for on in ("hpc", "near"))
    assert SOLVER.program(SOLVER.complete(here, machine)) == EDT
    complete = SOLVER.complete(away, machine)
    assert SOLVER.program(complete) == ""
    command = SOLVER.command(complete)
    assert command.argv[:2] == ("/bin/sh", "-c")
    assert command.argv[3:6] == ("ansysedt", "/{ansysem}/ansysedt", "-jobid")
    array = replace(away, array=ArraySpec(stop=2), options=spec(
        ansys_edt_path=None, project_path="/projects/v{{index}}.aedt"
    ).options)  # fmt: skip
    assert SOLVER.program(tasks.spec_at(SOLVER.complete(array, machine), 1)) == ""
    with pytest.raises(InvalidJob, match="no ansysedt was found"):
        SOLVER.command(spec(ansys_edt_path=None))
    copied = spec(workspace="copy")
    with pytest.raises(InvalidJob, match="a copy can't be made on cluster 'hpc'"):
        SOLVER.complete(replace(copied, on="hpc"), machine)
    SOLVER.complete(replace(copied, on="near"), machine)
    none = of(Exit(code=122, outputs=(OLD,)), ansys_edt_path=None)
    assert (none.reason, none.cause) == (Reason.EXIT_CODE, "hfss.launch")


# Verdicts


def of(exit_: Exit, evidence: Mapping[str, bytes | None] = {}, **options: Any) -> Outcome:
    return SOLVER.verdict(spec(**options), exit_, evidence)


OLD = OutputFile(path=LOG, size=9, fresh=False)
LOCK = "board.aedt.lock"


def test_a_run_without_a_log_is_explained_by_the_lock_that_is_there() -> None:
    found = of(Exit(code=1, outputs=(OLD,)), {LOCK: b"STAND-IN 1\nHost=desk-4\n"})
    assert (found.reason, found.cause) == (Reason.EXIT_CODE, "hfss.lock")
    assert "exit code 1; no batch log of this run, and board.aedt.lock is there" in found.message
    assert "board.aedt.lock holds: STAND-IN 1 Host=desk-4" in found.evidence
    assert of(Exit(code=0, outputs=(OLD,)), {LOCK: b""}).cause == "hfss.lock"
    assert of(Exit(code=1, outputs=(OLD,)), {LOCK: None}).cause == ""
    killed = of(Exit(signal=9, outputs=(OLD,)), {LOCK: b"its own"})
    assert (killed.reason, killed.cause) == (Reason.SIGNAL, "")
    assert judged(recorded("success")).cause == ""
    layout = {"project_path": "/projects/board.aedb"}
    around = of(Exit(code=1, outputs=(OLD,)), {LOCK: b"desk-4", "board.aedb.lock": None}, **layout)
    assert (around.cause, LOCK in around.message) == ("hfss.lock", True)
    assert LOCK in [query.path for query in SOLVER.evidence(spec(**layout))]
    assert LOCK in [query.path for query in SOLVER.evidence(spec())]


@pytest.mark.parametrize(("code", "cause"), [(121, "hfss.disk"), (122, "hfss.launch")])
def test_the_exit_codes_of_our_own_program_are_causes_where_it_ran(code: int, cause: str) -> None:
    ours = Exit(code=code, outputs=(OLD,))
    for options in ({"min_disk_gb": 2}, {"stop_with": ["/bin/stop"]}, {"workspace": "copy"}):
        assert of(ours, **options).cause == cause
    alone = of(Exit(code=code, outputs=(OLD,)), run="runscript", script="/a.py", min_disk_gb=2)
    assert alone.cause == cause
    assert of(ours).cause == ""
    assert of(replace(ours, ended_by="cancelled"), min_disk_gb=2).reason is Reason.CANCELLED


def test_a_failure_on_a_full_disk_is_the_disks_unless_the_log_says_what_else() -> None:
    fresh = OutputFile(path=LOG, size=9, fresh=True)
    full = Exit(code=123, outputs=(fresh,))
    found = of(full, {LOG: recorded("cut")}, min_disk_gb=2)
    assert (found.reason, found.cause) == (Reason.EXIT_CODE, "hfss.disk")
    assert "while too little disk was free" in found.message
    assert of(full, {LOG: written("mesh")}, min_disk_gb=2).cause == "hfss.mesh"
    assert of(full, {LOG: recorded("cut")}).cause == ""


LOW = b"note: disk: only 0.4 GiB of disk are free where it solves (1.0 GiB are to be)\n"
AGAIN = b"note: disk: 2.0 GiB of disk are free again where it solves\n"


def test_a_solve_that_was_ended_for_its_disk_says_so_whatever_its_log_says() -> None:
    end = Exit(code=124, outputs=(OutputFile(path=LOG, size=9, fresh=True),))
    evidence = {LOG: written("mesh"), STDERR: b"any\n" + LOW + b"ending the solve\n"}
    asked = {"min_disk_gb": 1, "low_disk": "end"}
    found = of(end, evidence, **asked)
    assert (found.reason, found.cause, found.exit_code) == (Reason.EXIT_CODE, "hfss.disk", 124)
    assert (
        "since too little disk was free: only 0.4 GiB of disk are free where it solves"
        in found.message
    )
    assert "only 0.4 GiB of disk are free where it solves (1.0 GiB are to be)" in found.evidence
    assert any("G3dMesher" in one for one in found.evidence), "its log is evidence still"
    script = of(end, {STDERR: LOW}, run="runscript", script="/a.py", **asked)
    assert script.cause == "hfss.disk"
    assert of(end, evidence).cause != "hfss.disk"


def test_what_was_told_of_the_disk_is_evidence_of_a_solve_that_went_well() -> None:
    told = Exit(code=0, outputs=(OutputFile(path=LOG, size=9, fresh=True),))
    saved: dict[str, bytes | None] = {"board.aedtresults/board.asol": b""}
    found = of(told, {LOG: recorded("success"), STDERR: LOW + AGAIN} | saved, min_disk_gb=1)
    assert found.reason is Reason.SUCCESS
    assert found.evidence[-2:] == (
        "only 0.4 GiB of disk are free where it solves (1.0 GiB are to be)",
        "2.0 GiB of disk are free again where it solves",
    )
    assert STDERR in [query.path for query in SOLVER.evidence(spec(min_disk_gb=1))]
    assert STDERR not in [query.path for query in SOLVER.evidence(spec())]


def test_what_is_told_of_the_disk_is_a_warning_until_there_is_room_again() -> None:
    assert SOLVER.alarm(spec()) is None
    for size in (1, 7, 1000):
        alarm = SOLVER.alarm(spec(min_disk_gb=1))
        assert alarm is not None
        text = b"x" * 5000 + b"\nother\n" + LOW
        news = [alarm.feed(text[at : at + size]) for at in range(0, len(text), size)]
        assert [one for one in news if one is not None] == [
            "only 0.4 GiB of disk are free where it solves (1.0 GiB are to be)"
        ]
        assert alarm.feed(AGAIN) == ""
        assert alarm.feed(b"\xff\n") is None


def test_ending_it_for_its_disk_needs_to_know_how_much_is_to_be_free() -> None:
    assert "--end" not in SOLVER.command(spec(min_disk_gb=1)).argv
    argv = SOLVER.command(replace(spec(min_disk_gb=1, low_disk="end"), grace=90.0)).argv
    assert argv[4:8] == ("--least", "1073741824", "--end", "90")
    for given in ({}, {"min_disk_gb": 0}):
        with pytest.raises(InvalidJob, match="expected `min_disk_gb` beside `low_disk` 'end'"):
            SOLVER.command(spec(low_disk="end", **given))
    copied = SOLVER.command(spec(low_disk="end", workspace="copy"))
    assert msgspec.json.decode(copied.files["copy.json"])["end"] == 30


def test_our_own_program_is_in_charge_only_where_the_job_wants_something_of_it() -> None:
    made = SOLVER.command(spec()).argv
    assert made[0] == EDT
    layout = {"temp_directory": "/scratch"}
    asked = spec(min_disk_gb=1.5, stop_with=["/bin/stop", "a b"], layout_options=layout)
    argv = SOLVER.command(asked).argv
    assert argv[:4] == ("{python}", "-P", "-m", "solveyard.programs.hfss_run")
    assert argv[4:11] == (
        "--least", "1610612736", "--scratch", "/scratch", "--stop", '["/bin/stop","a b"]', "--",
    )  # fmt: skip
    assert argv[11] == EDT
    assert SOLVER.command(asked).ends_itself
    assert not SOLVER.command(spec(min_disk_gb=1.5)).ends_itself
    there = SOLVER.command(replace(asked, on="slurm")).argv
    assert there[4:13] == (*argv[4:10], "--deaf", "yes", "--")
    assert SOLVER.scripts(asked) == ["/bin/stop"]
    kept = SOLVER.command(spec(keep="trimmed")).argv
    assert kept[4:9] == ("--project", "board.aedt", "--keep", "trimmed", "--")
    with pytest.raises(InvalidJob, match="absolute path of a program"):
        SOLVER.command(spec(stop_with=["stop"]))


@pytest.mark.parametrize("array", [None, ArraySpec(stop=2)])
def test_ansys_launcher_is_used_where_it_is_there_alone(array: ArraySpec | None) -> None:
    launcher = f"{forwarded.utilities(EDT)}/{forwarded.LAUNCHER}"
    project = "/projects/board.aedt" if array is None else "/projects/board-{{index}}.aedt"
    asked = replace(spec(scheduler_type="slurm", project_path=project), array=array)
    assert b"batch_launcher" not in bytes(SOLVER.complete(asked, Machine(EDT, launcher)).options)
    without = msgspec.json.decode(bytes(SOLVER.complete(asked, Machine(EDT)).options))
    assert without["batch_launcher"] is False


def test_a_normal_completion_without_an_error_line_is_success() -> None:
    assert judged(recorded("success")).reason is Reason.SUCCESS
    found = judged(written("converged"))
    assert found.reason is Reason.SUCCESS
    assert found.values == {
        "passes": 4, "delta_s": 0.0143, "converged": True, "tetrahedra": 20077,
        "peak_memory_mib": 1659,
    }  # fmt: skip


def test_an_error_line_fails_a_job_that_exits_with_0() -> None:
    found = judged(recorded("error"))
    assert (found.reason, found.cause) == (Reason.CRITERIA, "hfss.model")
    assert "Too few conductors were found on port 1" in found.message
    assert "2026)" not in found.message


@pytest.mark.parametrize(
    ("log", "reason", "cause", "line"),
    [
        ("licence", Reason.LICENCE, "hfss.licence", "line 24: Request name elec_solve_hfss"),
        ("memory", Reason.OUT_OF_MEMORY, "hfss.memory", "line 41: Adaptive Pass 2, process hf3d"),
        ("mpi", Reason.EXIT_CODE, "hfss.mpi", "line 28: The attemped launch"),
        ("mesh", Reason.EXIT_CODE, "hfss.mesh", "line 29: Process 'G3dMesher'"),
        ("model", Reason.EXIT_CODE, "hfss.model", "line 33: Port refinement"),
        ("crash", Reason.EXIT_CODE, "hfss.crash", "line 41: process hf3d exited"),
        ("hang", Reason.HANG, "hfss.hang", "line 41: Simulation has stopped"),
        ("aborted", Reason.EXIT_CODE, "hfss.aborted", "line 40: Simulation was aborted"),
        ("disk", Reason.EXIT_CODE, "hfss.disk", "line 40: Error closing file"),
        ("sweep", Reason.EXIT_CODE, "hfss.sweep", "line 79: Sweep Fine failed"),
    ],
)
def test_each_failure_has_a_cause_its_line_and_what_to_do(
    log: str, reason: Reason, cause: str, line: str
) -> None:
    found = judged(written(log), 1)
    assert (found.reason, found.cause, found.exit_code) == (reason, cause, 1)
    place, text = line.split(": ", 1)
    assert f"exit code 1; the batch log says: {text}" in found.message
    assert f" ({place}; " in found.message
    assert CAUSES[cause].advice in found.message
    assert any(one.startswith(line) for one in found.evidence)
    silent = judged(written(log))
    assert silent.cause == cause
    assert silent.reason is (Reason.CRITERIA if reason is Reason.EXIT_CODE else reason)


@pytest.mark.parametrize(("code", "finished"), [(0, False), (1, False), (0, True), (1, True)])
def test_a_line_that_is_no_error_explains_whatever_did_not_go_well(
    code: int, finished: bool
) -> None:
    log, _, terminated = written("licence").partition(
        b"[error] Project:coupler, Design:Coupler3, S"
    )
    log = log.replace(b"[error]", b"[warning]")
    if finished:
        told = f"Project:coupler, Design:Coupler3, {NORMAL}"
        log += f"[info] {told} (09:14:39 AM  Mar 02, 2026)\n".encode()
    log += terminated[terminated.index(b"Stopping Batch Run") :]
    found = judged(log, code)
    if code == 0 and finished:
        assert found.reason is Reason.SUCCESS
    else:
        assert (found.reason, found.cause) == (Reason.LICENCE, "hfss.licence")


def test_an_exit_code_without_a_line_is_told_as_it_is() -> None:
    assert judged(recorded("success"), 3).message == "exit code 3"


def test_a_log_that_stops_in_the_middle_is_no_success() -> None:
    found = judged(recorded("cut"))
    assert (found.reason, found.cause) == (Reason.CRITERIA, "hfss.incomplete")


#: What ansysedt says of parametric setups, in the form of public logs and reports.
BEGUN = "Parametric Analysis on Lengths has been started."
BEGUN_OF_3 = "Parametric Analysis on Lengths has been started with 3 variations"
ASKED = "A variation (gap='{}mm') has been requested using the following machines: field7."
NORMAL = "Normal completion of simulation on server: field7."
DONE = "Parametric Analysis is done."
NO_NEXT = "Failed to start next variation; analysis will stop when all running ones are finished"


def parametric(*said: str) -> Outcome:
    told = (f"[info] Project:b, Design:d, {one} (09:00:00 AM  Nov 26, 2026)" for one in said)
    start, end = (
        f"{word} Batch Run: 9:00:00 AM  Nov 26, 2026" for word in ("Starting", "Stopping")
    )
    return judged("\n".join([start, *told, end, ""]).encode())


@pytest.mark.parametrize(
    "said",
    [
        (NORMAL, BEGUN, ASKED.format(1), ASKED.format(2), DONE),
        (BEGUN, ASKED.format(1), NORMAL, ASKED.format(2), NORMAL, DONE),
        (BEGUN_OF_3, ASKED.format(1), NORMAL, DONE),  # the others were solved before
        (BEGUN, ASKED.format(1), NORMAL, DONE, BEGUN, ASKED.format(2), DONE),
        (ASKED.format(1), ASKED.format(2), DONE, NORMAL),  # of a log whose beginning wasn't read
    ],
)
def test_a_parametric_analysis_that_is_done_is_a_success(said: tuple[str, ...]) -> None:
    found = parametric(*said)
    assert found.reason is Reason.SUCCESS, found


@pytest.mark.parametrize(
    "said",
    [
        (BEGUN_OF_3, ASKED.format(1), NORMAL, ASKED.format(2)),
        (BEGUN_OF_3, ASKED.format(1), NORMAL),
        (BEGUN_OF_3, ASKED.format(1), ASKED.format(2), NORMAL),
    ],
)
def test_one_that_stops_before_it_is_done_is_incomplete(said: tuple[str, ...]) -> None:
    found = parametric(*said)
    assert (found.reason, found.cause) == (Reason.CRITERIA, "hfss.incomplete")
    assert "that the parametric analysis that began in line 2 is done" in found.message
    assert any("line 2: a parametric analysis began" in one for one in found.evidence)


def test_one_that_could_not_start_the_next_variation_is_incomplete_even_when_it_is_done() -> None:
    found = parametric(BEGUN, ASKED.format(1), NORMAL, NO_NEXT, DONE)
    assert (found.reason, found.cause) == (Reason.CRITERIA, "hfss.incomplete")
    assert "Failed to start next variation" in found.message


def test_the_word_error_in_a_healthy_line_is_no_error() -> None:
    healthy = b"[info] Project:b : before the interpolation error can be computed. (1:00:00 AM)\n"
    assert judged(recorded("success") + healthy).reason is Reason.SUCCESS


def test_only_the_last_run_in_a_log_counts() -> None:
    assert judged(recorded("error") + recorded("success")).reason is Reason.SUCCESS
    assert judged(recorded("success") + recorded("error")).reason is Reason.CRITERIA
    assert judged(recorded("success") + recorded("cut")).reason is Reason.CRITERIA


def test_no_convergence_is_an_ending_of_its_own_or_a_success_with_a_warning() -> None:
    found = judged(written("unconverged"))
    assert (found.reason, found.cause) == (Reason.NOT_CONVERGED, "hfss.not_converged")
    assert "Adaptive Passes did not converge (line 64)" in found.message
    assert "Max Mag. Delta S 0.0143 after 4 passes" in found.message
    lenient = spec(not_converged="warning")
    output = OutputFile(path=LOG, size=9, fresh=True)
    evidence = {LOG: written("unconverged"), "board.aedtresults/a": b""}
    warned = SOLVER.verdict(lenient, Exit(code=0, outputs=(output,)), evidence)
    assert warned.reason is Reason.SUCCESS
    assert warned.message.startswith("warning: Adaptive Passes did not converge (line 64)")


def test_results_must_be_there_and_finite() -> None:
    good = judged(recorded("success"), board=b"# GHz S RI R 50\n4 0.1 0.2\n")
    assert good.reason is Reason.SUCCESS
    assert "board.aedtresults/board.s1p: 1 frequencies, all values finite" in good.evidence
    bad = judged(recorded("success"), board=b"# GHz S RI R 50\n4 nan 0.2\n")
    assert (bad.reason, bad.cause) == (Reason.CRITERIA, "result.invalid")
    other = judged(recorded("success"), board=b"# GHz Z RI R 50\n4 nan 0.2\n")
    assert other.reason is Reason.SUCCESS
    assert "board.s1p: values not checked: line 1: Z-parameters" in other.evidence[-1]
    output = OutputFile(path=LOG, size=9, fresh=True)
    unsaved = SOLVER.verdict(spec(), Exit(code=0, outputs=(output,)), {LOG: recorded("success")})
    assert (unsaved.reason, "board.aedtresults" in unsaved.message) == (Reason.NO_OUTPUT, True)


def test_a_result_that_is_too_large_is_judged_by_its_end_and_that_is_told() -> None:
    path = "board.aedtresults/board.s50p"
    output = OutputFile(path=LOG, size=9, fresh=True)

    def of_end(content: bytes | None) -> Outcome:
        evidence = {LOG: recorded("success"), path: b"", path + TAIL: content}
        return SOLVER.verdict(spec(), Exit(code=0, outputs=(output,)), evidence)

    good = of_end(b"0.1e\n0.1 0.2 ! note\n0.3 -4e-5\n")
    assert good.reason is Reason.SUCCESS, good
    assert f"{path}: too large, the last 4 values were checked, all finite" in good.evidence
    second = of_end(b"0.1\n0.3 -4e-5\n[End]\n")
    assert f"{path}: too large, the last 2 values were checked, all finite" in second.evidence
    assert f"{path}: too large, its values were not checked" in of_end(b"").evidence
    bad = of_end(b"0.1\n0.1 nan\n")
    assert (bad.reason, bad.cause) == (Reason.CRITERIA, "result.invalid")
    assert "board.s50p: in its last 0 KiB, line 2: nan is not finite" in bad.message


@pytest.mark.parametrize("suffix", ["aedb", "aedt"])
@pytest.mark.parametrize(
    ("options", "owed"),
    [
        ({}, True),
        ({"run": "batchsave"}, False),
        ({"layout_options": {"validate_only": True}}, False),
    ],
)
def test_a_solve_owes_results_beside_its_project_whatever_kind_that_is(
    suffix: str, options: dict[str, Any], owed: bool
) -> None:
    log = f"board.{suffix}.batchinfo/board-j1.log"
    chosen = spec(project_path=f"/projects/board.{suffix}", **options)
    end = Exit(code=0, outputs=(OutputFile(path=log, size=9, fresh=True),))
    bare = SOLVER.verdict(chosen, end, {log: recorded("success")})
    assert bare.reason is (Reason.NO_OUTPUT if owed else Reason.SUCCESS), bare
    saved: dict[str, bytes | None] = {"board.aedtresults/board.asol": b""}
    assert SOLVER.verdict(chosen, end, {log: recorded("success")} | saved).reason is Reason.SUCCESS
    inside: dict[str, bytes | None] = {f"board.{suffix}/edb.def": b""}
    told = SOLVER.verdict(chosen, end, {log: recorded("success")} | inside)
    assert (told.reason is Reason.SUCCESS) is (suffix == "aedb" or not owed)


@pytest.mark.parametrize("run", ["batchsave", "batchextract"])
def test_a_run_that_solves_nothing_needs_only_to_come_to_its_end(run: str) -> None:
    header = b"STAND-IN\nStarting Batch Run: 10:00:00 AM  Nov 26, 2026\n"
    end = b"Stopping Batch Run: 10:00:01 AM  Nov 26, 2026\n"
    options = {"run": run, "extract_script": "/a.py"} if run == "batchextract" else {"run": run}
    told = Exit(code=0, outputs=(OutputFile(path=LOG, size=9, fresh=True),))
    assert of(told, {LOG: header + end}, **options).reason is Reason.SUCCESS
    cut = of(told, {LOG: header}, **options)
    assert (cut.reason, cut.cause) == (Reason.CRITERIA, "hfss.incomplete")
    assert "doesn't say that the batch run came to its end" in cut.message
    wrong = header + b"[error] Project:b : no such design (10:00:00 AM  Nov 26, 2026)\n" + end
    assert of(told, {LOG: wrong}, **options).reason is Reason.CRITERIA


@pytest.mark.parametrize("by", ["hang", "time_limit", "cancelled"])
def test_a_solve_that_is_ended_from_outside_tells_how_far_it_was(by: str) -> None:
    end = Exit(signal=9, ended_by=by, outputs=(OutputFile(path=LOG, size=9, fresh=True),))
    found = of(end, {LOG: written("unconverged")})
    assert (found.reason, found.cause) == (Reason(by), "hfss.hang" if by == "hang" else "")
    assert found.values["passes"] == 4
    assert any("4 passes, delta S 0.0143" in one for one in found.evidence), found.evidence
    bare = of(end, {LOG: None})
    assert (bare.reason, bare.values) == (Reason(by), {})


def test_no_log_and_an_old_one_are_no_success() -> None:
    assert judged(None).reason is Reason.NO_OUTPUT
    assert judged(recorded("success"), fresh=False).reason is Reason.NO_OUTPUT
    assert judged(recorded("error"), 1, fresh=False).message == "exit code 1"


def test_a_job_that_another_version_accepted_is_still_judged() -> None:
    strange = spec(from_the_future=1)
    assert list(SOLVER.evidence(strange)) == []
    assert SOLVER.verdict(strange, Exit(code=0), {}).reason is Reason.SUCCESS


# Commands


def test_it_runs_in_the_projects_folder_and_owes_its_batch_log() -> None:
    command = SOLVER.command(spec())
    assert command.argv[:3] == (EDT, "-jobid", "j1")
    assert (command.directory, command.outputs) == ("/projects", (LOG,))
    windows = spec(project_path="C:\\projects\\board.aedt", ansys_edt_path="C:\\a\\ansysedt.exe")
    assert SOLVER.command(windows).directory == "C:\\projects"
    assert SOLVER.command(windows).outputs == (LOG,)


def test_without_a_jobid_its_name_or_its_projects_name_will_do() -> None:
    asked = spec(jobid=None)
    assert SOLVER.command(asked).argv[2] == "board_job"
    named = msgspec.structs.replace(asked, name="night-7")
    assert SOLVER.command(named).argv[2] == "night-7"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"ansys_edt_path": None}, "no ansysedt was found"),
        ({"project_path": "board.aedt"}, "expected an absolute path"),
        ({"ansys_edt_path": "ansysedt"}, "expected an absolute path"),
        ({"scheduler_type": "slurm"}, "'slurm' is for a cluster (name it: `on`;"),
        ({"jobbid": "x"}, "`options.jobbid`: there is no such field (did you mean 'jobid'?)"),
    ],
)
def test_what_can_not_be_run_is_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidJob) as caught:
        SOLVER.command(spec(**options))
    assert words in str(caught.value)


def test_another_directory_than_the_projects_is_refused() -> None:
    with pytest.raises(InvalidJob, match="must be the project's folder"):
        SOLVER.command(msgspec.structs.replace(spec(), directory="/elsewhere"))


# What the machine completes


def test_tries_are_for_what_passes_and_never_for_a_wrong_model() -> None:
    asked = replace(spec(), retry=RetryPolicy(tries=4))
    policy = SOLVER.complete(asked, Machine(EDT)).retry
    assert policy is not None
    for reason, cause, again in (
        ("licence", "hfss.licence", True),
        ("exit_code", "hfss.mpi", True),
        ("hang", "hfss.hang", True),
        ("node_failure", "", True),
        ("exit_code", "hfss.model", False),
        ("exit_code", "hfss.mesh", False),
        ("not_converged", "hfss.not_converged", False),
        ("out_of_memory", "hfss.memory", False),  # there is no more of what wasn't asked for
    ):
        assert policy.covers(reason, cause) is again, cause
    assert (policy.tries, policy.pause(1), policy.pause(2)) == (4, 60, 120)
    larger = replace(asked, resources=Resources(memory=4000))
    policy = SOLVER.complete(larger, Machine(EDT)).retry
    assert policy is not None
    assert (policy.covers("out_of_memory", "hfss.memory"), policy.memory_factor) == (True, 1.5)
    own = replace(asked, retry=RetryPolicy(tries=2, on=("hfss.model",)))
    assert SOLVER.complete(own, Machine(EDT)).retry == own.retry
    assert SOLVER.complete(spec(), Machine(EDT)).retry is None


def test_a_job_is_completed_by_ansysedt_folder_and_key() -> None:
    machine = Machine(EDT, links={"/projects/board.aedt": "/data/board.aedt"})
    complete = SOLVER.complete(spec(ansys_edt_path=None), machine)
    assert SOLVER.program(complete) == EDT
    assert complete.directory == "/projects"
    assert complete.exclusive == ("/data/board.aedt",)
    assert SOLVER.complete(complete, machine) == complete
    with pytest.raises(InvalidJob, match="ANSYSEM_ROOT"):
        SOLVER.complete(spec(ansys_edt_path=None), Machine())


def test_an_array_over_projects_keeps_its_places_and_each_task_its_own_key() -> None:
    machine = Machine(EDT, links={"/projects": "/data"})
    given = spec(ansys_edt_path=None, project_path="/projects/v{{index}}.aedt", jobid=None)
    complete = SOLVER.complete(replace(given, array=ArraySpec(stop=3)), machine)
    assert complete.directory == "/projects"
    assert complete.exclusive == ("/data/v{{index}}.aedt",)
    assert SOLVER.complete(complete, machine) == complete
    task = tasks.spec_at(complete, 2)
    assert SOLVER.program(task) == EDT
    assert SOLVER.project(task) == "/projects/v2.aedt"
    assert SOLVER.command(task).argv[-1] == "/projects/v2.aedt"
    each = spec(project_path="/p/{{index}}/board.aedt")
    assert SOLVER.complete(replace(each, array=ArraySpec(stop=3)), machine).exclusive == (
        "/p/{{index}}/board.aedt",
    )


def found(machine: Machine) -> list[tuple[int, str]]:
    return [(one.release, one.program) for one in installations.installations(machine)]


def test_linux_installations_are_found_in_every_layout() -> None:
    files = (
        "/ansys_inc/v251/AnsysEM/ansysedt",
        "/opt/AnsysEM/v242/Linux64/ansysedt",
        "/opt/AnsysEM/AnsysEM21.1/Linux64/ansysedt",
        "/apps/24R2/AnsysEM/v242/Linux64/ansysedt",
        "/site/v252/AnsysEM/ansysedt",
        "/site/v241/AnsysEM/ansysedt",
        "/student/v252/AnsysEM/ansysedtsv",
        "/opt/AnsysEM/readme",
    )
    machine = Machine(
        *files,
        ANSYSEM_ROOT252="/site/v252/AnsysEM",
        ANSYSEMSV_ROOT252="/student/v252/AnsysEM",
        AWP_ROOT241="/site/v241",
        ANSYSEM_ROOT232="/gone",
        PATH="/usr/bin:/apps/24R2/AnsysEM/v242/Linux64",
    )
    assert found(machine) == [
        (252, "/site/v252/AnsysEM/ansysedt"),
        (252, "/student/v252/AnsysEM/ansysedtsv"),
        (251, "/ansys_inc/v251/AnsysEM/ansysedt"),
        (242, "/apps/24R2/AnsysEM/v242/Linux64/ansysedt"),
        (242, "/opt/AnsysEM/v242/Linux64/ansysedt"),
        (241, "/site/v241/AnsysEM/ansysedt"),
        (211, "/opt/AnsysEM/AnsysEM21.1/Linux64/ansysedt"),
    ]


def test_windows_installations_are_found_in_every_layout() -> None:
    files = (
        "D:\\Programs\\ANSYS Inc\\v252\\AnsysEM\\ansysedt.exe",
        "D:\\Programs\\AnsysEM\\v242\\Win64\\ansysedt.exe",
        "D:\\Programs\\AnsysEM\\AnsysEM21.1\\Win64\\ansysedt.exe",
        "D:\\Programs\\ANSYS Inc\\ANSYS Student\\v252\\AnsysEM\\ansysedtsv.exe",
    )
    machine = Machine(
        *files,
        windows=True,
        ProgramFiles="D:\\Programs",
        AWP_ROOT252="D:\\Programs\\ANSYS Inc\\v252",
    )
    assert found(machine) == [
        (252, files[0]),
        (252, files[3]),
        (242, files[1]),
        (211, files[2]),
    ]


def test_one_installation_found_twice_is_one() -> None:
    machine = Machine(
        "/ansys_inc/v252/AnsysEM/ansysedt",
        "/link/v252/AnsysEM/ansysedt",
        links={"/link/v252/AnsysEM/ansysedt": "/ansys_inc/v252/AnsysEM/ansysedt"},
        ANSYSEM_ROOT252="/link/v252/AnsysEM",
    )
    assert found(machine) == [(252, "/link/v252/AnsysEM/ansysedt")]
