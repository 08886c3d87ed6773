"""Every way in which the stand-in for ansysedt ends, through a real manager and agent.

It is not Ansys software. What is left of a job is looked for among all processes.
"""

import contextlib
import os
import random
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest

import standin
from solveyard.model.jobs import JobSpec
from solveyard.solvers import touchstone

#: Scenario -> state, reason, cause, and words of the message or of the evidence.
ENDINGS = {
    "success": ("completed", "success", "", "normal completion"),
    "big": ("completed", "success", "", "normal completion"),
    "slow": ("completed", "success", "", "normal completion"),
    "unconverged": ("failed", "not_converged", "hfss.not_converged", "did not converge"),
    "sweep": ("failed", "exit_code", "hfss.sweep", "Sweep Sweep1 failed"),
    "licence": ("failed", "licence", "hfss.licence", "elec_solve_hfss does not exist"),
    "mpi": ("failed", "exit_code", "hfss.mpi", "attemped launch of solvers via MPI failed"),
    "mesh": ("failed", "exit_code", "hfss.mesh", "G3dMesher"),
    "memory": ("failed", "out_of_memory", "hfss.memory", "SOLVER_OUT_OF_MEMORY"),
    "disk": ("failed", "exit_code", "hfss.disk", "No space left on device"),
    "fail": ("failed", "exit_code", "hfss.model", "Too few conductors"),
    "error": ("failed", "criteria", "hfss.model", "Too few conductors"),
    "crash": ("failed", "criteria", "hfss.crash", "process hf3d exited with code 139"),
    "nan": ("failed", "criteria", "result.invalid", "nan.s1p"),
    "nolog": ("failed", "no_output", "", "is missing"),
    "cut": ("failed", "criteria", "hfss.incomplete", "no normal completion"),
    "partial": ("failed", "signal", "", "no normal completion"),
    "locked": ("failed", "exit_code", "", "exit code 1"),
    "hang": ("failed", "time_limit", "", "pass 1"),
}
QUICK = {"sweep": "discrete", "points": 3}
MINE = "projects"  #: the folder's name, by which a stand-in's processes are known


class Bench:
    """A manager that found a stand-in, and a folder of projects."""

    def __init__(self, make: Callable[..., Any], folder: Path, **environment: str) -> None:
        self.folder = folder / MINE
        self.edt = standin.install(folder / "ansys_inc")
        root = {"ANSYSEM_ROOT252": str(self.edt.parent)}
        self.service = make("--cores", "4", environment=root | environment).start()
        self.client = self.service.client

    def spec(
        self, scenario: str, name: str = "", limit: float | None = None, **more: Any
    ) -> JobSpec:
        values = QUICK | more if scenario not in {"sweep", "success"} else more
        place = standin.project(self.folder, scenario, f"{name or scenario}.aedt", **values)
        options = msgspec.json.encode({"project_path": str(place), "jobid": name or scenario})
        return JobSpec(
            solver="hfss", name=name or scenario, options=msgspec.Raw(options),
            time_limit=limit, grace=1.0,
        )  # fmt: skip

    def runs(self, name: str) -> bool:
        return (self.folder / f"{name}.pids").exists()

    def left(self) -> list[str]:
        """Processes that work in the folder, by id and command line."""
        found = []
        for entry in Path("/proc").iterdir():
            if entry.name.isdecimal():
                with contextlib.suppress(OSError):
                    line = (entry / "cmdline").read_bytes()
                    told = line + bytes(entry.joinpath("cwd").readlink())
                    if f"{self.folder}".encode() in told:
                        found.append(f"{entry.name} {line!r}")
        return found


class Ended(NamedTuple):
    state: str
    reason: str
    cause: str
    words: str


@pytest.fixture
def bench(service: Callable[..., Any], tmp_path: Path) -> Bench:
    if not sys.platform.startswith("linux"):
        pytest.skip("the stand-in was written for Linux")
    return Bench(service, tmp_path)


def test_every_scenario_ends_in_its_reason_and_cause(bench: Bench, until: Any) -> None:
    special = {"slow": {"seconds": 0.05}, "big": {"megabytes": 2}}
    limits = {"hang": 3.0}
    bench.client.submit_many(
        [bench.spec(each, limit=limits.get(each), **special.get(each, {})) for each in ENDINGS]
    )
    assert bench.client.wait(list(ENDINGS), 100)
    found = {}
    for scenario, expected in ENDINGS.items():
        record = bench.client.job(scenario)
        told = "\n".join([record.message, *record.evidence])
        words = expected[-1] if expected[-1] in told else told
        found[scenario] = Ended(record.state, str(record.reason), record.cause, words)
    assert found == {name: Ended(*expected) for name, expected in ENDINGS.items()}
    assert bench.left() == []
    results = bench.folder / "success.aedtresults" / "success.s1p"
    assert len(touchstone.parse(results.read_text(), 1).frequencies) == 81
    assert (bench.folder / "big.aedtresults" / "fields.sd").stat().st_size == 2 << 20
    locks = {one.name.partition(".")[0] for one in bench.folder.glob("*.lock")}
    assert locks == {"cut", "partial", "locked"}, "those that were cut off leave theirs"


def test_one_that_ignores_sigterm_is_killed_with_its_engines(bench: Bench, until: Any) -> None:
    bench.client.submit(bench.spec("deaf"))
    until(lambda: bench.runs("deaf"), "the engines run")
    bench.client.cancel("deaf", grace=0.5)
    assert bench.client.wait(["deaf"], 60)
    assert bench.client.job("deaf").state == "cancelled"
    assert bench.left() == []
    assert (bench.folder / "deaf.aedt.lock").exists()


def test_a_job_killed_at_any_moment_leaves_no_engine(bench: Bench, until: Any) -> None:
    chance = random.Random(7)
    for number in range(20):
        name = f"k{number}"
        bench.client.submit(bench.spec("slow", name, seconds=0.1))
        pause(chance.uniform(0.0, 0.8))
        if number % 2:
            bench.client.cancel(name)
        else:
            kill_first(bench, name, until)
        assert bench.client.wait([name], 60)
        assert bench.left() == [], name


def kill_first(bench: Bench, name: str, until: Any) -> None:
    """SIGKILL for ansysedt alone, as somebody else might."""
    lock = bench.folder / f"{name}.aedt.lock"
    until(lambda: lock.exists() or bench.client.job(name).state == "completed", "it runs")
    with contextlib.suppress(OSError, IndexError):
        os.kill(int(lock.read_text().split()[1]), signal.SIGKILL)


def test_a_killed_manager_finds_its_solves_again_and_can_end_them(bench: Bench, until: Any) -> None:
    bench.client.submit_many([bench.spec("hang"), bench.spec("slow", seconds=0.3)])
    until(lambda: bench.runs("hang") and bench.runs("slow"), "both run")
    bench.service.kill()
    bench.service.start()
    assert bench.client.wait(["slow"], 60)
    assert bench.client.job("slow").reason == "success"
    assert bench.client.job("hang").state == "running"
    bench.client.cancel("hang")
    assert bench.client.wait(["hang"], 60)
    assert bench.left() == []


def test_a_licence_that_a_server_denies_is_the_cause_and_one_that_is_waited_for_comes(
    service: Callable[..., Any], tmp_path: Path, until: Any
) -> None:
    with standin.licence_server(elec_solve_hfss=1, anshpc_pack=8) as address:
        bench = Bench(service, tmp_path, STANDIN_LICENSE_SERVER=address)
        bench.client.submit(bench.spec("hang"))
        until(lambda: bench.runs("hang"), "the first has the licence")
        waiting = standin.project(bench.folder, "success", "waits.aedt", **QUICK)
        argv = [
            str(bench.edt),
            "-jobid",
            "w",
            "-ng",
            "-waitforlicense",
            "-batchsolve",
            str(waiting),
        ]
        options = msgspec.Raw(msgspec.json.encode({"argv": argv}))
        bench.client.submit(JobSpec(solver="command", name="waits", options=options))
        bench.client.submit(bench.spec("success", "denied"))
        assert bench.client.wait(["denied"], 60)
        record = bench.client.job("denied")
        assert (record.reason, record.cause) == ("licence", "hfss.licence"), record
        assert "Licensed number of users already reached" in record.message
        log = Path(f"{waiting}.batchinfo") / "waits-w.log"
        until(log.exists, "the other has begun to wait")
        bench.client.cancel("hang")
        assert bench.client.wait(["waits"], 60)
        assert bench.client.job("waits").reason == "success"
        assert bench.left() == []


def pause(seconds: float) -> None:
    """A random moment is the point here: there's no event to wait for."""
    threading.Event().wait(seconds)
