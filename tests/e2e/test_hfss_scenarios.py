"""Every way in which the stand-in for ansysedt ends, through a real manager and agent.

It is not Ansys software. What is left of a job is looked for among all processes.
"""

import contextlib
import os
import random
import re
import signal
import sys
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

import standin
from conftest import Service
from solveyard.model.jobs import JobSpec
from solveyard.model.policies import RetryPolicy
from solveyard.solvers import touchstone
from standin import licences
from standin.endings import ENDINGS, QUICK, SPECIAL, ended

LONG_AGO = 1_000_000_000
MINE = "projects"  #: the folder's name, by which a stand-in's processes are known


class Bench:
    """A manager that found a stand-in, and a folder of projects."""

    def __init__(self, folder: Path, address: str) -> None:
        self.folder = folder / MINE
        self.address = address
        self.edt = standin.install(folder / "ansys_inc")
        environment = {"ANSYSEM_ROOT252": str(self.edt.parent), licences.VARIABLE: address}
        self.service = Service(
            folder / "store", "--port", "0", "--cores", "4", environment=environment
        )
        self.client = self.service.start().client

    def spec(
        self,
        scenario: str,
        name: str = "",
        limit: float | None = None,
        wait_for_licence: bool = False,
        more_options: Mapping[str, Any] = {},
        suffix: str = "aedt",
        **values: Any,
    ) -> JobSpec:
        name = name or scenario
        more = {} if scenario in {"sweep", "success"} else QUICK
        place = standin.project(self.folder, scenario, f"{name}.{suffix}", **more | values)
        options = {"project_path": str(place), "jobid": name, "wait_for_licence": wait_for_licence}
        options |= more_options
        return JobSpec(
            solver="hfss", name=name, options=msgspec.Raw(msgspec.json.encode(options)),
            time_limit=limit, grace=1.0,
        )  # fmt: skip

    def runs(self, name: str) -> bool:
        return (self.folder / f"{name}.pids").exists()

    def left(self) -> list[str]:
        return standin.working_in(self.folder)


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    if not sys.platform.startswith("linux"):
        pytest.skip("the stand-in was written for Linux")
    folder = tmp_path_factory.mktemp("hfss")
    with standin.licence_server(elec_solve_hfss=30, anshpc_pack=60) as address:
        made = Bench(folder, address)
        yield made
        made.service.clean_up()


def test_every_scenario_ends_in_its_reason_and_cause(bench: Bench) -> None:
    limits = {"hang": 3.0}
    bench.client.submit_many(
        [bench.spec(each, limit=limits.get(each), **SPECIAL.get(each, {})) for each in ENDINGS]
    )
    assert bench.client.wait(list(ENDINGS), 100)
    found = {scenario: ended(scenario, bench.client.job(scenario)) for scenario in ENDINGS}
    assert found == ENDINGS
    assert bench.left() == []
    results = bench.folder / "success.aedtresults" / "success.s1p"
    assert len(touchstone.parse(results.read_text(), 1).frequencies) == 81
    assert (bench.folder / "big.aedtresults" / "fields.sd").stat().st_size == 2 << 20
    locks = {one.name.partition(".")[0] for one in bench.folder.glob("*.lock")}
    assert locks == {"cut", "partial", "locked"}, "those that were cut off leave theirs"


def test_the_results_of_a_layout_folder_must_be_there_and_finite_too(bench: Bench) -> None:
    wanted = {each: ENDINGS[each] for each in ("success", "nan", "unsaved", "unconverged")}
    specs = [bench.spec(each, f"layout-{each}", suffix="aedb") for each in wanted]
    for each in wanted:  # what is in the folder was there long before, or it would do as a result
        os.utime(bench.folder / f"layout-{each}.aedb" / "project.json", (LONG_AGO, LONG_AGO))
    bench.client.submit_many(specs)
    assert bench.client.wait([f"layout-{each}" for each in wanted], 100)
    found = {each: ended(each, bench.client.job(f"layout-{each}")) for each in wanted}
    assert found == wanted
    evidence = bench.client.job("layout-success").evidence
    assert any("layout-success.s1p: 81 frequencies" in one for one in evidence), evidence


@pytest.mark.parametrize("how", ["lapse", "killed"])
def test_a_solve_that_is_tried_again_goes_on_from_its_kept_passes(
    bench: Bench, until: Any, how: str
) -> None:
    seconds = {"seconds": 0.3} if how == "killed" else {}
    spec = bench.spec("lapse" if how == "lapse" else "slow", how, passes=8, delta_s=1e-4, **seconds)
    log = bench.folder / f"{how}.aedt.batchinfo" / f"{how}-{how}.log"
    if how == "lapse":
        policy = RetryPolicy(tries=2, on=("hfss.licence",))
        bench.client.submit(replace(spec, retry=policy))
    else:
        bench.client.submit(spec)
        until(lambda: log.exists() and "Pass Number:  3;" in log.read_text(), "three are solved")
        os.kill(int((bench.folder / "killed.aedt.lock").read_text().split()[1]), signal.SIGKILL)
        assert bench.client.wait([how], 60)
        assert bench.client.job(how).reason == "signal"
        (bench.folder / "killed.aedt.lock").unlink()
        bench.client.retry(how)
    assert bench.client.wait([how], 60)
    record = bench.client.job(how)
    assert (record.reason, len(record.attempts)) == ("not_converged", 2), record
    solved = re.findall(r"Pass Number: +(\d+);", log.read_text())
    assert solved == [str(number) for number in range(1, 9)], "each once, over both tries"
    assert log.read_text().count("goes on after pass ") == 1
    assert bench.left() == []


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


def test_a_solve_leaves_no_engine_when_our_own_program_around_it_is_killed(
    bench: Bench, until: Any
) -> None:
    charge = {"min_disk_gb": 0.001, "stop_with": ["/bin/true"]}  # its engines don't hear TERM
    bench.client.submit(bench.spec("slow", "w", more_options=charge))
    until(lambda: bench.runs("w"), "the engines run")
    assert len(bench.left()) >= 4
    os.kill(int(bench.client.job("w").attempts[-1].native_id), signal.SIGKILL)
    assert bench.client.wait(["w"], 60)
    assert bench.client.job("w").reason == "signal"
    assert bench.left() == []


def kill_first(bench: Bench, name: str, until: Any) -> None:
    """SIGKILL for ansysedt alone, as somebody else might."""
    lock = bench.folder / f"{name}.aedt.lock"
    until(lambda: lock.exists() or bench.client.job(name).state == "completed", "it runs")
    with contextlib.suppress(OSError, IndexError):
        os.kill(int(lock.read_text().split()[1]), signal.SIGKILL)


def test_a_killed_manager_finds_its_solves_again_and_can_end_them(bench: Bench, until: Any) -> None:
    bench.client.submit_many([bench.spec("hang", "h"), bench.spec("slow", "s", seconds=0.3)])
    until(lambda: bench.runs("h") and bench.runs("s"), "both run")
    bench.service.kill()
    bench.service.start()
    assert bench.client.wait(["s"], 60)
    assert bench.client.job("s").reason == "success"
    assert bench.client.job("h").state == "running"
    bench.client.cancel("h")
    assert bench.client.wait(["h"], 60)
    assert bench.left() == []


def test_a_licence_that_is_denied_is_the_cause_and_one_that_is_waited_for_comes(
    bench: Bench, until: Any
) -> None:
    person = licences.Client(bench.address)
    person.check_out({"elec_solve_hfss": 30}, user="ada", host="ws1")
    bench.client.submit(bench.spec("success", "waits", wait_for_licence=True))
    bench.client.submit(bench.spec("success", "denied"))
    assert bench.client.wait(["denied"], 60)
    record = bench.client.job("denied")
    assert (record.reason, record.cause) == ("licence", "hfss.licence"), record
    assert "Licensed number of users already reached" in record.message
    log = bench.folder / "waits.aedt.batchinfo" / "waits-waits.log"
    until(log.exists, "the other has begun to wait")
    assert bench.client.job("waits").state == "running"
    person.close()
    assert bench.client.wait(["waits"], 60)
    assert bench.client.job("waits").reason == "success"
    assert bench.left() == []


def pause(seconds: float) -> None:
    """A random moment is the point here: there's no event to wait for."""
    threading.Event().wait(seconds)
